// SPDX-License-Identifier: GPL-2.0

//! G7: several session numbers in one step, for clients that lose none and must not wait for each other.

use super::{
    active, fetch, handle, hold, lives, living, numbers, taking, waits, DEFAULT, LEASE, REFUSED,
    WAIT,
};
use harness::client::Failure;
use harness::clock::pass;
use harness::command::Kind;
use harness::engine::{LossPolicy, Terms};
use harness::fake::Fake;
use harness::rig::{errno, Rig, Space, ALICE, BOB, CAROL};

const EPERM: i32 = 1;
const EINVAL: i32 = 22;
const ETIMEDOUT: i32 = 110;

/// A space that loses nothing.
fn sure(rig: &Rig<Fake>, user: u32) -> Space<'_> {
    let space = rig.open(user);
    rig.set_policy(&space, Some(LossPolicy::Never)).unwrap();
    space
}

#[test]
fn g7_only_who_loses_nothing_can_reserve() {
    let rig = numbers(4);
    let a = rig.open(ALICE);
    for policy in [LossPolicy::Fail, LossPolicy::Close] {
        rig.set_policy(&a, Some(policy)).unwrap();
        assert_eq!(errno(rig.reserve(&a, 2)), EPERM);
    }
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    rig.reserve(&a, 2).unwrap();
    assert_eq!(rig.reserved(&a), 2);
    let b = rig.open(BOB);
    rig.set_terms(Terms {
        policy: LossPolicy::Never,
        ..DEFAULT
    });
    rig.reserve(&b, 2).unwrap();
}

#[test]
fn g7_a_number_that_is_saved_into_a_file_is_not_reserved_any_more() {
    let rig = numbers(3);
    let a = sure(&rig, ALICE);
    rig.reserve(&a, 3).unwrap();
    let session = a.start(Kind::Policy).unwrap();
    a.save(session.handle).unwrap();
    assert_eq!(rig.reserved(&a), 2);
    a.start(Kind::Policy).unwrap();
    a.start(Kind::Policy).unwrap();
    // What is left is the kernel's.
    waits(&a);
    assert_eq!(active(&rig), 3);
}

#[test]
fn g7_what_is_saved_beyond_the_reservation_takes_nothing_from_it() {
    let rig = numbers(6);
    let a = sure(&rig, ALICE);
    rig.reserve(&a, 2).unwrap();
    let sessions: Vec<_> = (0..3).map(|_| a.start(Kind::Policy).unwrap()).collect();
    a.save(sessions[0].handle).unwrap();
    assert_eq!(rig.reserved(&a), 2);
    a.save(sessions[1].handle).unwrap();
    assert_eq!(rig.reserved(&a), 1);
}

#[test]
fn g7_more_than_there_can_ever_be_is_refused_at_once() {
    let rig = numbers(4);
    let a = sure(&rig, ALICE);
    assert_eq!(errno(rig.reserve(&a, 5)), EINVAL);
    assert_eq!(errno(rig.reserve(&a, usize::MAX)), EINVAL);
    rig.reserve(&a, 4).unwrap();
    rig.set_terms(Terms {
        sessions_per_user: 3,
        ..DEFAULT
    });
    let b = sure(&rig, BOB);
    assert_eq!(errno(rig.reserve(&b, 4)), EINVAL);
    assert_eq!(rig.reserved(&a), 4);
}

#[test]
fn g7_starts_within_a_reservation_never_wait() {
    let rig = numbers(4);
    let (a, hog) = (sure(&rig, ALICE), rig.open(BOB));
    rig.reserve(&a, 3).unwrap();
    hold(&hog, 1);
    waits(&hog);
    let mut held = hold(&a, 3);
    for _ in 0..5 {
        a.flush(held.remove(0)).unwrap();
        rig.settle();
        // What is free in the TPM is not free for the hog.
        assert!(!hog.is_called());
        held.extend(hold(&a, 1));
        assert_eq!(rig.reserved(&a), 3);
    }
    rig.pass(2 * LEASE);
    assert_eq!(living(&rig, &a, &held), held);
}

#[test]
fn g7_what_the_space_has_already_is_part_of_its_reservation() {
    let rig = numbers(4);
    let (a, bob) = (sure(&rig, ALICE), rig.open(BOB));
    hold(&a, 2);
    hold(&bob, 1);
    let (outcome, waited) = taking(|| rig.reserve(&a, 3));
    assert_eq!((outcome, waited), (Ok(()), 0));
    waits(&bob);
    hold(&a, 1);
    waits(&a);
}

#[test]
fn g7_a_reservation_is_all_or_nothing() {
    let rig = numbers(4);
    let (a, hog) = (sure(&rig, ALICE), rig.open(BOB));
    let held = hold(&hog, 3);
    assert_eq!(rig.reserve(&a, 2), Err(Failure::Waits));
    assert_eq!(rig.reserved(&a), 0);
    let ((), waited) = taking(|| rig.pass_until_called(&a));
    assert_eq!(waited, LEASE);
    assert_eq!(rig.reserve(&a, 2), Ok(()));
    assert_eq!(rig.reserved(&a), 2);
    hold(&a, 2);
    assert_eq!(living(&rig, &hog, &held).len(), 2);
    assert_eq!(active(&rig), 4);
}

#[test]
fn g7_a_reservation_that_cannot_be_had_times_out_and_holds_nothing_back() {
    let rig = numbers(4);
    let (a, b, late) = (sure(&rig, ALICE), sure(&rig, BOB), rig.open(CAROL));
    hold(&b, 3);
    let (outcome, waited) = taking(|| rig.wait(&a, || rig.reserve(&a, 2)));
    assert_eq!((errno(outcome), waited), (ETIMEDOUT, WAIT));
    assert_eq!(rig.reserved(&a), 0);
    late.start(Kind::Policy).unwrap();
    assert_eq!(rig.alarm(), None);
}

#[test]
fn g7_two_who_reserve_do_not_wait_for_each_other() {
    let rig = numbers(4);
    let (holder, p, q) = (sure(&rig, CAROL), sure(&rig, ALICE), sure(&rig, BOB));
    let held = hold(&holder, 4);
    assert_eq!(rig.reserve(&p, 3), Err(Failure::Waits));
    assert_eq!(rig.reserve(&q, 3), Err(Failure::Waits));
    for handle in held {
        holder.flush(handle).unwrap();
        rig.settle();
    }
    // Four are free, and each of the two needs three.
    let (first, second) = if p.is_called() { (p, q) } else { (q, p) };
    assert!(first.is_called() && !second.is_called());
    rig.reserve(&first, 3).unwrap();
    hold(&first, 3);
    rig.close(first);
    rig.settle();
    assert!(second.is_called());
    rig.reserve(&second, 3).unwrap();
    hold(&second, 3);
}

#[test]
fn g7_reservers_of_all_sizes_are_all_served_in_the_end() {
    let rig = numbers(6);
    rig.set_terms(Terms {
        wait: harness::engine::Span(1_000_000),
        ..DEFAULT
    });
    let sizes = [4, 3, 6, 2, 5, 3, 1, 6];
    let mut waiting: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(n, size)| (sure(&rig, 1 + u32::try_from(n % 3).unwrap()), *size))
        .collect();
    let mut served = vec![];
    for (space, size) in std::mem::take(&mut waiting) {
        match rig.reserve(&space, size) {
            Ok(()) => served.push(space),
            Err(failure) => {
                assert_eq!(failure, Failure::Waits);
                waiting.push((space, size));
            }
        }
    }
    let mut count = served.len();
    while !waiting.is_empty() {
        assert!(
            !served.is_empty(),
            "they wait for each other: {} left",
            waiting.len()
        );
        let done = served.remove(0);
        rig.close(done);
        rig.settle();
        while let Some(n) = waiting.iter().position(|(space, _)| space.is_called()) {
            let (space, size) = waiting.remove(n);
            rig.reserve(&space, size).expect("it was called");
            hold(&space, size);
            served.push(space);
            count += 1;
            rig.settle();
        }
        assert!(active(&rig) <= 6);
    }
    assert_eq!(count, sizes.len());
}

#[test]
fn g7_a_reservation_is_given_back_by_nothing_and_by_close() {
    for closes in [false, true] {
        let rig = numbers(3);
        let (a, bob) = (sure(&rig, ALICE), rig.open(BOB));
        rig.reserve(&a, 3).unwrap();
        let held = hold(&a, 1);
        waits(&bob);
        if closes {
            rig.close(a);
            rig.settle();
            fetch(&bob);
            assert_eq!(active(&rig), 1);
        } else {
            rig.reserve(&a, 0).unwrap();
            assert_eq!(rig.reserved(&a), 0);
            rig.settle();
            fetch(&bob);
            assert_eq!(living(&rig, &a, &held), held, "it keeps what is in use");
        }
    }
}

#[test]
fn g7_a_smaller_reservation_gives_back_the_rest() {
    let rig = numbers(3);
    let (a, bob) = (sure(&rig, ALICE), rig.open(BOB));
    rig.reserve(&a, 3).unwrap();
    waits(&bob);
    rig.reserve(&a, 1).unwrap();
    assert_eq!(rig.reserved(&a), 1);
    rig.settle();
    fetch(&bob);
    bob.start(Kind::Policy).unwrap();
    hold(&a, 1);
}

#[test]
fn g7_a_reservation_of_one_who_may_lose_again_holds_nothing_back() {
    let rig = numbers(3);
    let (a, bob) = (sure(&rig, ALICE), rig.open(BOB));
    rig.reserve(&a, 3).unwrap();
    waits(&bob);
    rig.set_policy(&a, Some(LossPolicy::Fail)).unwrap();
    rig.settle();
    fetch(&bob);
    assert!(handle(bob.start(Kind::Policy)).is_ok());
}

/// The numbers have gone to others meanwhile, and the rest is the kernel's.
#[test]
fn g9_a_reservation_does_not_come_back_with_the_policy() {
    let never = Some(LossPolicy::Never);
    let everybody = |policy| Terms { policy, ..DEFAULT };
    for by_terms in [false, true] {
        let rig = numbers(4);
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let set = |policy: LossPolicy| match by_terms {
            true => rig.set_terms(everybody(policy)),
            false => rig.set_policy(&a, Some(policy)).unwrap(),
        };
        rig.set_policy(&b, never).unwrap();
        set(LossPolicy::Never);
        rig.reserve(&a, 3).unwrap();
        set(LossPolicy::Fail);
        let sessions: Vec<_> = (0..4).map(|_| b.start(Kind::Policy).unwrap()).collect();
        set(LossPolicy::Never);
        assert_eq!(rig.reserved(&a), 0);
        waits(&a);
        assert_eq!(active(&rig), sessions.len());
    }
}

#[test]
fn g7_reserving_leaves_with_a_signal_and_comes_back() {
    let rig = numbers(3);
    let (a, holder, bob) = (sure(&rig, ALICE), sure(&rig, BOB), rig.open(CAROL));
    let held = hold(&holder, 3);
    assert_eq!(rig.reserve(&a, 2), Err(Failure::Waits));
    rig.leave(&a);
    waits(&bob);
    holder.flush(held[0]).unwrap();
    rig.settle();
    fetch(&bob);
    assert_eq!(rig.reserve(&a, 2), Err(Failure::Waits));
    holder.flush(held[1]).unwrap();
    holder.flush(held[2]).unwrap();
    rig.settle();
    assert!(a.is_called());
    rig.reserve(&a, 2).unwrap();
    assert_eq!(rig.reserved(&a), 2);
}

#[test]
fn g7_who_collects_does_not_starve_those_who_need_one() {
    let rig = numbers(4);
    let (a, b) = (sure(&rig, ALICE), sure(&rig, BOB));
    let held = hold(&b, 4);
    let carol = rig.open(CAROL);
    assert_eq!(rig.reserve(&a, 4), Err(Failure::Waits));
    waits(&carol);
    b.flush(held[0]).unwrap();
    b.flush(held[1]).unwrap();
    rig.settle();
    fetch(&carol);
    assert_eq!(handle(rig.start(&b, Kind::Policy)), Err(REFUSED));
    let lost = carol.news();
    assert!(lost.len() <= 2, "{lost:?}");
    pass(1);
    assert!(!lives(&rig, &b, 0x0300_0fff));
}

#[test]
fn g7_a_place_for_one_is_no_place_for_many() {
    // After a signal a client may ask for something else than before.
    let rig = numbers(4);
    let (a, holder) = (sure(&rig, ALICE), sure(&rig, BOB));
    let held = hold(&holder, 4);
    waits(&a);
    rig.leave(&a);
    assert_eq!(rig.reserve(&a, 3), Err(Failure::Waits));
    holder.flush(held[0]).unwrap();
    rig.settle();
    assert_ne!(rig.reserve(&a, 3), Ok(()), "there is one, not three");
    assert_eq!(rig.reserved(&a), 0);
    holder.flush(held[1]).unwrap();
    holder.flush(held[2]).unwrap();
    rig.settle();
    assert_eq!(rig.reserve(&a, 3), Ok(()));
    hold(&a, 3);
    assert_eq!(active(&rig), 4);
}

#[test]
fn g7_a_number_kept_for_one_is_no_reservation_of_many() {
    let rig = numbers(4);
    let (a, holder) = (sure(&rig, ALICE), sure(&rig, BOB));
    let held = hold(&holder, 4);
    waits(&a);
    holder.flush(held[0]).unwrap();
    assert!(a.is_called());
    assert_eq!(rig.reserve(&a, 3), Err(Failure::Waits));
    assert_eq!(rig.reserved(&a), 0);
    holder.flush(held[1]).unwrap();
    holder.flush(held[2]).unwrap();
    rig.settle();
    assert_eq!(rig.reserve(&a, 3), Ok(()));
    hold(&a, 3);
}

#[test]
fn g7_a_reservation_that_ends_leaves_those_of_others() {
    let rig = numbers(4);
    let (a, b, carol) = (sure(&rig, ALICE), sure(&rig, BOB), rig.open(CAROL));
    rig.reserve(&a, 2).unwrap();
    rig.reserve(&b, 1).unwrap();
    rig.close(b);
    hold(&carol, 2);
    waits(&carol);
    hold(&a, 2);
}

#[test]
fn g7_a_place_for_many_is_one_for_one_as_well() {
    let rig = numbers(4);
    let (a, holder) = (sure(&rig, ALICE), sure(&rig, BOB));
    let held = hold(&holder, 4);
    assert_eq!(rig.reserve(&a, 3), Err(Failure::Waits));
    rig.leave(&a);
    waits(&a);
    holder.flush(held[0]).unwrap();
    rig.settle();
    fetch(&a);
    assert_eq!(rig.reserved(&a), 0);
}

#[test]
fn g7_who_reserves_and_gives_up_some_meanwhile_gets_what_there_is_and_no_more() {
    let rig = numbers(4);
    let (a, holder, late) = (sure(&rig, ALICE), sure(&rig, BOB), sure(&rig, CAROL));
    let own = hold(&a, 2);
    let held = hold(&holder, 2);
    // One is missing; then three are.
    assert_eq!(rig.reserve(&a, 3), Err(Failure::Waits));
    rig.leave(&a);
    waits(&late);
    a.flush(own[0]).unwrap();
    rig.settle();
    fetch(&late);
    a.flush(own[1]).unwrap();
    rig.settle();
    let outcome = rig.reserve(&a, 3);
    assert_eq!(
        outcome,
        Err(Failure::Waits),
        "one is free, and three are missing"
    );
    holder.flush(held[0]).unwrap();
    rig.settle();
    assert_eq!(rig.reserve(&a, 3), Err(Failure::Waits));
    holder.flush(held[1]).unwrap();
    rig.settle();
    assert_eq!(rig.reserve(&a, 3), Ok(()));
    hold(&a, 3);
    assert_eq!(active(&rig), 4);
}
