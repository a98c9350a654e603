// SPDX-License-Identifier: GPL-2.0

//! What an administrator sees of numbers that are short: who waits, for how long, and who has lost.

use super::{fetch, hold, numbers, waits, LEASE, RESERVE, WAIT};
use harness::clock::pass;
use harness::command::Kind;
use harness::engine::{LossPolicy, OwnerView, PlaceView, Span, UserId, WaitView};
use harness::fake::Fake;
use harness::rig::{Rig, Space, ALICE, BOB};

/// What a space waits for, and how many sessions it has lost; how many wait, and what is kept.
fn seen(rig: &Rig<Fake>, space: &Space<'_>) -> (Option<(WaitView, Span)>, usize, usize, usize) {
    let view = rig.view(8, 8);
    let whole = view.chip.terms.expect("it is told");
    let row = view
        .spaces
        .iter()
        .find(|row| row.number == space.id().number())
        .expect("it is open");
    let terms = row.terms.expect("it is told");

    assert_eq!(whole.numbers, Some(3 + RESERVE));
    (terms.wait, terms.lost, whole.waiting, whole.kept)
}

#[test]
fn a_wait_is_shown_until_it_is_over() {
    let rig = numbers(3);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 3);
    assert_eq!(seen(&rig, &b), (None, 0, 0, 0));
    waits(&b);
    pass(500);
    assert_eq!(
        seen(&rig, &b),
        (Some((WaitView::Waiting, Span(WAIT - 500))), 0, 1, 0)
    );
    rig.leave(&b);
    assert_eq!(
        seen(&rig, &b),
        (Some((WaitView::Away, Span(WAIT - 500))), 0, 1, 0)
    );
    waits(&b);
    pass(LEASE - 500);
    rig.settle();
    assert_eq!(
        seen(&rig, &b),
        (Some((WaitView::Granted, Span(LEASE))), 0, 1, 1)
    );
    assert_eq!(seen(&rig, &a).1, 1);
    fetch(&b);
    assert_eq!(seen(&rig, &b), (None, 0, 0, 0));
}

#[test]
fn a_wait_that_was_too_long_is_shown_until_the_client_comes() {
    let rig = numbers(3);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    rig.reserve(&a, 2).unwrap();
    hold(&a, 3);
    waits(&b);
    pass(WAIT);
    rig.settle();
    assert_eq!(
        seen(&rig, &b),
        (Some((WaitView::Expired, Span(0))), 0, 1, 0)
    );

    let view = rig.view(8, 8);
    let terms = view.spaces.iter().next().unwrap().terms.unwrap();
    assert_eq!((terms.policy, terms.reserved), (LossPolicy::Never, 2));
}

#[test]
fn a_session_of_nobody_we_know_is_shown_after_ours() {
    let rig = numbers(3);
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let stray = raw.start(Kind::Policy).unwrap().handle;
    raw.save(stray).unwrap();
    // The books are old enough to be compared.
    pass(LEASE);
    let own = hold(&a, 1)[0];
    let view = rig.view(8, 8);
    let seen: Vec<_> = view
        .sessions
        .iter()
        .map(|row| (row.handle & 0x00ff_ffff, row.owner, row.user, row.place))
        .collect();
    let owner = OwnerView::Space(a.id().number());
    let [own, stray] = [own, stray].map(|handle| handle & 0x00ff_ffff);
    assert_eq!(
        seen,
        [
            (own, owner, Some(UserId(ALICE)), PlaceView::Saved),
            (stray, OwnerView::Stray, None, PlaceView::Saved),
        ]
    );
    assert_eq!(view.chip.terms.map(|terms| terms.others), Some(1));
}
