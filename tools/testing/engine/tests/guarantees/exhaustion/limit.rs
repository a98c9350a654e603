// SPDX-License-Identifier: GPL-2.0

//! G7: the most sessions that one user can have.

use super::{active, fetch, handle, hold, living, numbers, taking, waits, DEFAULT, LEASE};
use harness::command::Kind;
use harness::engine::{News, Terms};
use harness::fake::Fake;
use harness::rig::{Rig, ALICE, BOB};

fn at_most(count: usize) -> Rig<Fake> {
    let rig = numbers(8);
    rig.set_terms(Terms {
        sessions_per_user: count,
        ..DEFAULT
    });
    rig
}

#[test]
fn g7_who_has_as_many_as_one_may_have_takes_from_himself() {
    let rig = at_most(3);
    let (a, other, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    let more = hold(&other, 1);
    let bobs = hold(&bob, 3);
    waits(&other);
    assert_eq!(active(&rig), 6, "there are numbers, but not for her");
    let ((), waited) = taking(|| rig.pass_until_called(&other));
    assert_eq!(waited, LEASE);
    fetch(&other);
    assert_eq!(living(&rig, &a, &held), held[1..]);
    assert_eq!(living(&rig, &other, &more), more);
    assert_eq!(living(&rig, &bob, &bobs), bobs);
    assert_eq!(bob.news(), []);
    assert_eq!(active(&rig), 6);
}

#[test]
fn g7_saved_sessions_count_for_the_limit() {
    let rig = at_most(2);
    let a = rig.open(ALICE);
    let held = hold(&a, 2);
    a.save(held[0]).unwrap();
    waits(&a);
    a.flush(held[0]).unwrap();
    rig.settle();
    fetch(&a);
}

#[test]
fn g7_one_at_his_limit_does_not_keep_others_waiting() {
    let rig = at_most(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 3);
    waits(&a);
    hold(&bob, 3);
    assert!(!bob.news().contains(&News::Lost));
}

#[test]
fn g7_own_sessions_that_end_make_room_below_the_limit() {
    let rig = at_most(2);
    let (a, other) = (rig.open(ALICE), rig.open(ALICE));
    let held = hold(&a, 2);
    waits(&other);
    a.flush(held[0]).unwrap();
    rig.settle();
    fetch(&other);
    assert_eq!(a.news(), []);
}

#[test]
fn g7_a_higher_limit_holds_at_once_and_a_lower_one_takes_nothing_away() {
    let rig = at_most(2);
    let a = rig.open(ALICE);
    let held = hold(&a, 2);
    waits(&a);
    rig.set_terms(DEFAULT);
    rig.settle();
    let third = fetch(&a);
    rig.set_terms(Terms {
        sessions_per_user: 1,
        ..DEFAULT
    });
    rig.pass(10 * LEASE);
    let all = [&held[..], &[third]].concat();
    assert_eq!(living(&rig, &a, &all), all);
    assert_eq!(a.news(), [News::Called]);
    // Beyond the limit, one comes for one that goes.
    handle(rig.start(&a, Kind::Policy)).unwrap();
    assert!(active(&rig) <= 3);
}
