// SPDX-License-Identifier: GPL-2.0

//! G7, G5: the books of who has which session stay true to the TPM, whatever ends or starts one.

use super::{
    active, fetch, forget, handle, hold, lives, living, modelled, numbers, taking, waits, LEASE,
    REFUSED, RESERVE, WAIT,
};
use harness::chip::Device;
use harness::client::{Client, Failure};
use harness::command::Kind;
use harness::engine::{LossPolicy, Neighbours, News};
use harness::fake::{Fake, Model, Numbers};
use harness::rig::{rc, Rig, ALICE, BOB};
use harness::tpm::{cc, rc, rh};
use std::cell::RefCell;

/// Starts sessions beside us and saves them, as whoever has /dev/tpm0 does; their contexts.
fn strays(raw: &Client<'_>, count: usize) -> Vec<(u32, Vec<u8>)> {
    (0..count)
        .map(|_| {
            let handle = raw.start(Kind::Policy).unwrap().handle;
            (handle, raw.save(handle).unwrap())
        })
        .collect()
}

#[test]
fn g7_a_session_that_ended_behind_our_back_frees_its_number_before_anybody_loses() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    rig.pass(2 * LEASE);
    rig.raw().flush(held[1]).unwrap();
    let (_, waited) = taking(|| rig.start(&bob, Kind::Policy).unwrap());
    assert_eq!(waited, 0);
    assert_eq!(living(&rig, &a, &held), [held[0], held[2]]);
    assert_eq!(active(&rig), 3);
}

#[test]
fn g5_whose_number_the_tpm_gives_to_another_is_told_before_anybody_counts() {
    let rig = numbers(8);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 1);
    rig.chip.borrow_mut().device.flush(held[0]).unwrap();
    let (got, sent) = rig.sent(|| hold(&bob, 1));
    assert_eq!(got, held);
    assert_eq!(crate::count(&sent[..1], cc::START_AUTH_SESSION), 1);
    assert_eq!((a.news(), rig.lost(&a)), (vec![News::Lost], held.clone()));
    // She flushes what she has lost, and not what he has.
    a.flush(held[0]).unwrap();
    assert!(lives(&rig, &bob, got[0]));
}

#[test]
fn g7_strays_that_ended_are_not_counted_among_those_that_can_be_taken() {
    // Nobody gets a number that was just given back.
    let rig = modelled(Model {
        active_sessions: 3 + RESERVE,
        numbers: Numbers::RoundRobin,
        ..Model::default()
    });
    let (a, bob, raw) = (rig.open(ALICE), rig.open(BOB), rig.raw());
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    let stray = strays(&raw, 1)[0].0;
    let look = || {
        rig.chip.borrow_mut().neighbours = Neighbours::Possible;
        let handle = hold(&bob, 1)[0];
        bob.flush(handle).unwrap();
        rig.chip.borrow_mut().neighbours = Neighbours::Absent;
    };
    look();
    raw.flush(stray).unwrap();
    look();
    // There are three.
    assert_eq!(rig.reserve(&a, 4), Err(Failure::Errno(22)));
    rig.reserve(&a, 3).unwrap();
}

#[test]
fn g7_a_session_that_ended_behind_our_back_within_its_lease_is_found_out() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    rig.raw().flush(held[1]).unwrap();
    let (_, waited) = taking(|| rig.start(&bob, Kind::Policy).unwrap());
    assert_eq!(waited, 0, "it is looked for before anybody waits");
    assert_eq!(living(&rig, &a, &held), [held[0], held[2]]);
}

#[test]
fn g5_the_owner_of_a_session_that_ended_behind_our_back_is_told() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    rig.raw().flush(held[0]).unwrap();
    rig.start(&bob, Kind::Policy).unwrap();
    assert_eq!(a.news(), [News::Lost]);
    assert_eq!(rig.lost(&a), [held[0]]);
    assert!(!lives(&rig, &a, held[0]));
}

#[test]
fn g7_numbers_of_others_are_not_given_to_users() {
    let rig = numbers(4);
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    let raw = rig.raw();
    let others = strays(&raw, 2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 2);
    waits(&bob);
    assert_eq!(active(&rig), 4, "two are the kernel's");
    // He who has them is there: he is left in peace.
    let held = handle(rig.start(&bob, Kind::Policy)).unwrap();
    for (_, context) in &others {
        let session = raw.restore(context).unwrap();
        raw.policy_digest(session).unwrap();
        raw.flush(session).unwrap();
    }
    assert!(lives(&rig, &bob, held));
    assert_eq!(active(&rig), 2);
}

#[test]
fn g7_strays_are_never_taken_while_their_owner_may_be_there() {
    let rig = numbers(2);
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    let raw = rig.raw();
    let others = strays(&raw, 2);
    let a = rig.open(ALICE);
    let (outcome, waited) = taking(|| handle(rig.start(&a, Kind::Policy)));
    assert_eq!((outcome, waited), (Err(REFUSED), WAIT));
    rig.pass(10 * LEASE);
    assert_eq!(handle(rig.start(&a, Kind::Policy)), Err(REFUSED));
    for (_, context) in &others {
        raw.restore(context).unwrap();
    }
}

#[test]
fn g7_strays_go_a_lease_after_they_were_first_seen() {
    let rig = numbers(2);
    strays(&rig.raw(), 2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    rig.pass(5 * LEASE);
    let (first, waited) = taking(|| handle(rig.start(&a, Kind::Policy)).unwrap());
    assert!(waited <= LEASE, "{waited}");
    let (second, waited) = taking(|| handle(rig.start(&bob, Kind::Policy)).unwrap());
    assert_eq!(waited, 0, "it was seen at the same time");
    assert!(lives(&rig, &a, first) && lives(&rig, &bob, second));
    assert_eq!(active(&rig), 2);
}

#[test]
fn g7_stale_sessions_of_a_kernel_before_this_one_go_first() {
    for count in 1..=4 {
        let device = RefCell::new(Fake::new(Model {
            active_sessions: 4 + RESERVE,
            ..Model::default()
        }));
        {
            let before = Client::new(Box::new(|command| Ok(device.borrow_mut().process(command))));
            strays(&before, count);
        }
        let rig = Rig::over(device.into_inner(), Default::default());
        rig.set_terms(super::DEFAULT);
        let (a, bob) = (rig.open(ALICE), rig.open(BOB));
        let held = hold(&a, 4 - count);
        let mut got = vec![];
        let (_, waited) = taking(|| {
            for _ in 0..count {
                got.push(handle(rig.start(&bob, Kind::Policy)).unwrap());
            }
        });
        assert!(waited <= LEASE, "{count}: {waited}");
        assert_eq!(living(&rig, &a, &held), held, "{count}");
        assert_eq!(living(&rig, &bob, &got), got, "{count}");
        assert_eq!(a.news(), [], "{count}");
        rig.assert_leave([a, bob]);
    }
}

#[test]
fn g7_stale_sessions_are_left_alone_while_numbers_are_free() {
    let rig = numbers(4);
    let left = strays(&rig.raw(), 2);
    let a = rig.open(ALICE);
    hold(&a, 2);
    rig.pass(10 * LEASE);
    for (_, context) in &left {
        assert_eq!(a.restore(context).map(|handle| handle >> 24), Ok(3));
    }
}

#[test]
fn g7_a_stray_that_is_claimed_is_its_claimants() {
    let rig = numbers(2);
    let left = strays(&rig.raw(), 2);
    rig.pass(LEASE);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    // Both are seen now.
    waits(&bob);
    rig.pass(LEASE / 2);
    let claimed = a.restore(&left[0].1).unwrap();
    rig.pass(LEASE / 2);
    fetch(&bob);
    assert!(lives(&rig, &a, claimed), "the other one went");
    assert_eq!(active(&rig), 2);
    super::super::refused(a.restore(&left[1].1));
}

#[test]
fn g7_a_claimed_stray_has_a_lease_from_then_on() {
    let rig = numbers(1);
    let left = strays(&rig.raw(), 1);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let claimed = a.restore(&left[0].1).unwrap();
    waits(&bob);
    rig.pass(LEASE - 1);
    assert!(lives(&rig, &a, claimed));
}

#[test]
fn g5_g7_after_a_reset_of_the_tpm_all_numbers_are_free() {
    let rig = Rig::new();
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 62);
    rig.power_cycle(None, harness::client::SU_CLEAR);
    let (got, waited) = taking(|| handle(rig.start(&bob, Kind::Hmac)).unwrap());
    assert_eq!(waited, 0);
    assert!(living(&rig, &a, &held).is_empty());
    assert_eq!(rig.lost(&a), held);
    let [_, _, saved] = rig.contents();
    assert_eq!(saved, [got]);
    // A number that meant something is not given to its old owner.
    let more = hold(&bob, 30);
    assert!(living(&rig, &bob, &more) == more);
}

#[test]
fn g7_an_extensive_command_that_ends_sessions_frees_their_numbers() {
    let rig = Rig::new();
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 62);
    rig.raw().flush(held[7]).unwrap();
    a.clear().unwrap();
    assert_eq!(rig.lost(&a), [held[7]]);
    bob.start(Kind::Policy).unwrap();
    assert_eq!(active(&rig), 62);
}

#[test]
fn g8_what_the_books_say_is_what_the_tpm_has() {
    let rig = numbers(6);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let mut held = vec![];
    for round in 0..40 {
        let space = if round % 3 == 0 { &bob } else { &a };
        for lost in rig.lost(space).iter().skip(1) {
            space.flush(*lost).unwrap();
        }
        let got = handle(rig.start(space, Kind::Policy)).unwrap();
        if round % 5 == 4 {
            space.flush(got).unwrap();
        } else {
            held.push(got);
        }
        // What both are told that they have is what is there.
        let mut told = [&a, &bob]
            .map(|space| space.handles(rh::LOADED_SESSION, 99).unwrap().1)
            .concat();
        told.sort_unstable_by_key(|handle| handle & 0x00ff_ffff);
        let [_, loaded, saved] = rig.contents();
        assert_eq!(loaded, []);
        let numbers = |handles: &[u32]| -> Vec<u32> {
            handles.iter().map(|handle| handle & 0x00ff_ffff).collect()
        };
        assert_eq!(numbers(&told), numbers(&saved));
    }
    for space in [&a, &bob] {
        forget(&rig, space);
        assert_eq!(rig.lost(space), []);
    }
    rig.assert_leave([a, bob]);
}

#[test]
fn g7_a_tpm_that_has_fewer_numbers_than_it_says_is_no_reason_to_fail() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 3);
    // Another user of the TPM has taken what is the kernel's as well, loaded and for good.
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    let raw = rig.raw();
    let theirs = [
        raw.start(Kind::Policy).unwrap().handle,
        raw.start(Kind::Policy).unwrap().handle,
    ];
    let got = handle(rig.start(&bob, Kind::Policy)).unwrap();
    assert!(lives(&rig, &bob, got));
    for handle in theirs {
        raw.policy_digest(handle).unwrap();
    }
    assert!(active(&rig) <= 5);
    assert_eq!(rc(bob.policy_digest(theirs[0])), rc::LOST_H0);
}

#[test]
fn g7_sessions_taken_beside_us_in_the_last_moment_are_waited_for() {
    // The books say that there is room, and the TPM says that there is none.
    let rig = modelled(Model {
        active_sessions: 4 + RESERVE,
        loaded_sessions: 7,
        ..Model::default()
    });
    let (a, raw) = (rig.open(ALICE), rig.raw());
    hold(&a, 1);
    let theirs: Vec<_> = (0..5)
        .map(|_| raw.start(Kind::Policy).unwrap().handle)
        .collect();
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    let mut start = a.starting(Kind::Policy);
    assert_eq!(
        handle(start.send(&a)),
        Err(harness::client::Failure::Waits),
        "not the TPM's 0x905"
    );
    raw.flush(theirs[0]).unwrap();
    raw.flush(theirs[1]).unwrap();
    raw.flush(theirs[2]).unwrap();
    let (outcome, waited) = taking(|| handle(rig.wait(&a, || start.send(&a))));
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(waited <= LEASE, "found out within a lease: {waited}");
}
