// SPDX-License-Identifier: GPL-2.0

//! G7: ways in which others could stretch the wait of one who is below the fair share, each played out.

use super::{hold, numbers, waits, DEFAULT, LEASE};
use harness::client::Failure;
use harness::clock::{now, pass, pass_to};
use harness::command::Kind;
use harness::engine::{Moment, Span, Terms};
use harness::fake::Fake;
use harness::rig::{Rig, Space, ALICE, BOB, CAROL};

/// As many numbers as that, and waits that end with a number.
fn patient(count: usize) -> Rig<Fake> {
    let rig = numbers(count);
    rig.set_terms(Terms {
        wait: Span(60_000),
        ..DEFAULT
    });
    rig
}

/// Until `end` the timer is never late, and those of `clients` who are called come at once; when each was served.
fn until(rig: &Rig<Fake>, end: u64, clients: &[&Space<'_>]) -> Vec<u64> {
    let mut served = vec![];
    loop {
        for client in clients.iter().filter(|client| client.is_called()) {
            match client.start(Kind::Policy) {
                Ok(_) => served.push(now().0),
                Err(failure) => assert_eq!(failure, Failure::Waits),
            }
        }
        match rig.alarm().filter(|at| *at <= Moment(end)) {
            Some(at) => {
                pass_to(at);
                rig.attend();
            }
            None => break,
        }
    }
    pass_to(Moment(end));
    served
}

/// Asks, whether there is one or not.
fn asks(spaces: &[Space<'_>]) {
    for space in spaces {
        let _ = space.start(Kind::Policy).map(|session| session.handle);
    }
}

#[test]
fn g7_who_does_not_fetch_until_the_last_moment_stretches_no_wait() {
    let rig = patient(3);
    let hog = rig.open(ALICE);
    let more: Vec<_> = (0..3).map(|_| rig.open(ALICE)).collect();
    hold(&hog, 3);
    more.iter().for_each(waits);
    until(&rig, now().0 + LEASE, &[]);
    assert!(more.iter().all(Space::is_called), "all are kept for her");
    let honest = rig.open(BOB);
    waits(&honest);
    let begun = now().0;
    assert!(until(&rig, begun + LEASE - 1, &[&honest]).is_empty());
    asks(&more);
    assert_eq!(until(&rig, begun + 3 * LEASE, &[&honest]), [begun + LEASE]);
}

#[test]
fn g7_who_renews_what_is_fair_does_not_grow_before_those_below_are_served() {
    let rig = patient(9);
    let bobs: Vec<_> = (0..9).map(|_| rig.open(BOB)).collect();
    let alice = rig.open(ALICE);
    hold(&bobs[0], 3);
    pass(1);
    hold(&alice, 6);
    pass(1);
    let carols: Vec<_> = (0..3).map(|_| rig.open(CAROL)).collect();
    carols.iter().for_each(waits);
    let begun = now().0;
    let carols: Vec<&Space<'_>> = carols.iter().collect();
    assert!(until(&rig, begun + LEASE - 2, &carols).is_empty());
    // Now Bob's three end: he renews them, and wants more, when Alice's end.
    asks(&bobs[1..]);
    let all: Vec<&Space<'_>> = bobs[1..].iter().chain(carols.iter().copied()).collect();
    until(&rig, begun + LEASE, &all);
    assert!(carols
        .iter()
        .all(|carol| carol.handles(0x0200_0000, 9).unwrap().1.len() == 1));
}

#[test]
fn g7_those_who_left_and_come_back_count_while_they_are_away() {
    let rig = patient(6);
    let bobs: Vec<_> = (0..3).map(|_| rig.open(BOB)).collect();
    let alice = rig.open(ALICE);
    let away: Vec<_> = (0..3).map(|n| rig.open(7000 + n)).collect();
    hold(&bobs[0], 2);
    pass(1);
    hold(&alice, 4);
    pass(1);
    for space in &away {
        waits(space);
        rig.leave(space);
    }
    let carol = rig.open(CAROL);
    waits(&carol);
    let begun = now().0;
    let mut served = until(&rig, begun + LEASE - 2, &[&carol]);
    // Bob's two end, and he would renew them; then those who were away are ahead of Carol.
    asks(&bobs[1..]);
    served.extend(until(
        &rig,
        begun + LEASE - 2,
        &[&carol, &bobs[1], &bobs[2]],
    ));
    asks(&away);
    let all: Vec<&Space<'_>> = away.iter().chain(&bobs[1..]).chain([&carol]).collect();
    until(&rig, begun + LEASE, &all);
    assert_eq!(carol.handles(0x0200_0000, 9).unwrap().1.len(), 1);
}
