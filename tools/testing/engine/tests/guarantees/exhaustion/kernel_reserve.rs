// SPDX-License-Identifier: GPL-2.0

//! G9, G7: session numbers are left for the kernel, whatever users do.

use super::{
    active, fetch, forget, hold, living, modelled, numbers, rounds, waits, DEFAULT, LEASE, RESERVE,
};
use harness::command::Kind;
use harness::engine::{Neighbours, Span, Terms};
use harness::fake::{Fake, Model, Numbers};
use harness::rig::{Rig, ALICE, BOB, CAROL};

/// Asserts that the kernel can start as many sessions as are kept for it, and gives them back.
#[track_caller]
fn kernel_has(rig: &Rig<Fake>, count: usize) {
    let raw = rig.raw();
    let started: Vec<_> = (0..count)
        .map(|_| {
            raw.start(Kind::Hmac)
                .expect("the kernel's own number")
                .handle
        })
        .collect();
    for handle in started {
        raw.flush(handle).unwrap();
    }
}

#[test]
fn g9_the_kernel_starts_its_sessions_while_users_hold_all_of_theirs_and_more_wait() {
    for reserve in [1, 2, 3] {
        let rig = modelled(Model {
            active_sessions: 5 + reserve,
            ..Model::default()
        });
        rig.set_terms(Terms {
            kernel_reserve: reserve,
            ..DEFAULT
        });
        let (a, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
        for count in 0..5 {
            kernel_has(&rig, reserve);
            hold(&a, 1);
            assert_eq!(active(&rig), count + 1);
        }
        waits(&bob);
        waits(&carol);
        kernel_has(&rig, reserve);
        rig.pass_until_called(&bob);
        kernel_has(&rig, reserve);
        fetch(&bob);
        kernel_has(&rig, reserve);
        rig.pass_until_called(&carol);
        fetch(&carol);
        for _ in 0..10 {
            rig.start(&a, Kind::Policy).unwrap();
            kernel_has(&rig, reserve);
            forget(&rig, &a);
        }
    }
}

#[test]
fn g9_the_kernels_own_session_is_one_of_those_kept_for_it() {
    let rig = numbers(4);
    let (a, bob, raw) = (rig.open(ALICE), rig.open(BOB), rig.raw());
    let kernel = raw.start(Kind::Hmac).unwrap().handle;
    let context = raw.save(kernel).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel);
    let held = hold(&a, 4);
    waits(&bob);
    kernel_has(&rig, 1);
    assert_eq!(active(&rig), 5);
    rig.pass(LEASE);
    fetch(&bob);
    assert_eq!(living(&rig, &a, &held).len(), 3);
    kernel_has(&rig, 1);
    assert_eq!(
        rig.chip.borrow().kernel_sessions_ended,
        0,
        "it was not in the way"
    );
    raw.restore(&context).unwrap();
}

#[test]
fn g9_no_number_is_given_away_before_those_of_others_are_counted() {
    let rig = numbers(1);
    rig.let_stay(1000);
    let (a, bob, raw) = (rig.open(ALICE), rig.open(BOB), rig.raw());
    let held = hold(&a, 1);
    waits(&bob);
    // Others come, and take all that was left.
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    for _ in 0..RESERVE {
        let handle = raw.start(Kind::Policy).unwrap().handle;
        raw.save(handle).unwrap();
    }
    a.flush(held[0]).unwrap();
    rig.settle();
    assert!(!bob.is_called(), "what is free is the kernel's");
    kernel_has(&rig, 1);
}

#[test]
fn g9_the_kernels_own_session_is_no_stray() {
    let rig = numbers(2);
    let (a, bob, carol, raw) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL), rig.raw());
    let kernel = raw.start(Kind::Hmac).unwrap().handle;
    raw.save(kernel).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel);
    hold(&a, 1);
    hold(&bob, 1);
    for _ in 0..3 {
        for space in [&carol, &a, &bob] {
            rig.start(space, Kind::Policy).unwrap();
            kernel_has(&rig, 1);
            forget(&rig, &a);
            forget(&rig, &bob);
            forget(&rig, &carol);
        }
    }
    assert_eq!(active(&rig), 3);
}

#[test]
fn g7_numbers_of_others_are_not_given_twice() {
    // Others beside us have some; the kernel's are still kept, and users have the rest.
    for theirs in 1..=3 {
        let rig = modelled(Model {
            active_sessions: 8 + RESERVE,
            loaded_sessions: 5,
            ..Model::default()
        });
        rig.chip.borrow_mut().neighbours = Neighbours::Possible;
        let raw = rig.raw();
        let others: Vec<_> = (0..theirs)
            .map(|_| raw.start(Kind::Policy).unwrap().handle)
            .collect();
        let (a, bob) = (rig.open(ALICE), rig.open(BOB));
        let held = hold(&a, 8 - theirs);
        waits(&bob);
        assert_eq!(active(&rig), 8);
        rig.leave(&bob);
        for handle in &others {
            raw.flush(*handle).unwrap();
        }
        // Found out when it is asked again.
        rig.pass(LEASE);
        rig.start(&bob, Kind::Policy).unwrap();
        drop(held);
        assert!(active(&rig) <= 8);
    }
}

#[test]
fn g9_a_larger_reserve_is_made_room_for_by_whoever_comes_next() {
    let rig = numbers(6);
    rig.set_terms(Terms {
        kernel_reserve: 0,
        ..DEFAULT
    });
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 6 + RESERVE);
    waits(&bob);
    rig.set_terms(DEFAULT);
    rig.pass(LEASE);
    fetch(&bob);
    assert!(active(&rig) <= 6 + RESERVE);
    for handle in living(&rig, &a, &held) {
        a.flush(handle).unwrap();
    }
    hold(&bob, 5);
    waits(&bob);
    kernel_has(&rig, RESERVE);
}

#[test]
fn g9_without_a_reserve_users_can_have_all() {
    let rig = numbers(2);
    rig.set_terms(Terms {
        kernel_reserve: 0,
        ..DEFAULT
    });
    let a = rig.open(ALICE);
    hold(&a, 4);
    assert_eq!(active(&rig), 4);
    waits(&a);
}

#[test]
fn g9_a_reserve_of_all_leaves_users_nothing_and_says_so() {
    let rig = numbers(2);
    rig.set_terms(Terms {
        kernel_reserve: 16,
        wait: Span(0),
        ..DEFAULT
    });
    let a = rig.open(ALICE);
    assert_eq!(super::handle(a.start(Kind::Policy)), Err(super::REFUSED));
    a.random().unwrap();
}

#[test]
fn g9_exchanging_lost_numbers_leaves_the_reserve_as_it_was() {
    for order in [Numbers::Lowest, Numbers::RoundRobin, Numbers::Random] {
        let rig = modelled(Model {
            active_sessions: 4 + RESERVE,
            numbers: order,
            ..Model::default()
        });
        let (a, bob) = (rig.open(ALICE), rig.open(BOB));
        hold(&a, 3);
        for _ in 0..rounds(2000) {
            for space in [&bob, &a] {
                // With two numbers beside those of users, one can be bad at any time.
                for lost in rig.lost(space).iter().skip(1) {
                    space.flush(*lost).unwrap();
                }
                let got = rig.start(space, Kind::Policy).map(|session| session.handle);
                assert!(got.is_ok(), "{order:?}: {got:?}");
            }
            assert!(active(&rig) <= 4, "{order:?}");
            kernel_has(&rig, RESERVE);
        }
    }
}
