// SPDX-License-Identifier: GPL-2.0

//! G5, G7: what becomes of a space whose session somebody else needs is its policy's, or the module's.

use super::{
    active, fetch, handle, hold, lives, living, numbers, real_numbers, taking, waits, DEFAULT,
    LEASE, REFUSED, WAIT,
};
use harness::clock::pass;
use harness::command::Kind;
use harness::engine::{LossPolicy, News, Terms};
use harness::rig::{errno, label, ALICE, BOB, CAROL};
use harness::tpm::rh;
use kernel::fault::live_bytes;

const EPIPE: i32 = 32;

fn module(policy: LossPolicy) -> Terms {
    Terms { policy, ..DEFAULT }
}

#[test]
fn g5_fail_loses_the_one_session_and_nothing_else() {
    let rig = real_numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let key = a.mac_key(b"key").unwrap();
    let held = hold(&a, 3);
    pass(LEASE);
    bob.start(Kind::Policy).unwrap();
    assert_eq!(a.news(), [News::Lost]);
    assert_eq!(rig.lost(&a), [held[0]]);
    assert_eq!(living(&rig, &a, &held), held[1..]);
    a.assert_mac_key(&key, b"key");
    a.random().unwrap();
}

#[test]
fn g8_close_loses_all_that_the_space_had() {
    let rig = real_numbers(4);
    let (a, other, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Close)).unwrap();
    for n in 0..5 {
        a.mac_key(&label("key", n)).unwrap();
    }
    a.hash_start().unwrap();
    let held = hold(&a, 3);
    let key = other.mac_key(b"other").unwrap();
    let kept = hold(&other, 1);
    pass(LEASE);
    let got = handle(bob.start(Kind::Policy)).unwrap();
    assert_eq!(a.news().last(), Some(&News::Closed));
    // Whatever it asks for.
    assert_eq!(errno(a.random()), EPIPE);
    assert_eq!(errno(a.policy_digest(held[1])), EPIPE);
    assert_eq!(errno(a.flush(held[0])), EPIPE);
    assert_eq!(errno(a.handles(rh::TRANSIENT, 9)), EPIPE);
    assert_eq!(errno(a.mac_key(b"new")), EPIPE);
    assert_eq!(errno(handle(a.start(Kind::Policy))), EPIPE);
    assert_eq!(errno(a.bytes(b"no command")), EPIPE);
    // Nobody else has anything to do with it.
    other.assert_mac_key(&key, b"other");
    assert_eq!(living(&rig, &other, &kept), kept);
    assert!(lives(&rig, &bob, got));
    assert_eq!(active(&rig), 2, "all that it had is gone");
    assert_eq!(other.news(), []);
    rig.close(a);
    rig.assert_leave([other, bob]);
}

#[test]
fn g8_close_gives_back_the_memory_at_once() {
    let rig = numbers(1);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Close)).unwrap();
    for n in 0..20 {
        a.mac_key(&label("key", n)).unwrap();
    }
    hold(&a, 1);
    pass(LEASE);
    let before = live_bytes();
    hold(&bob, 1);
    assert_eq!(errno(a.random()), EPIPE);
    // A context is no smaller than what it holds; bob's session needs less than twenty of them.
    assert!(live_bytes() < before, "{before} and {}", live_bytes());
}

#[test]
fn g8_close_frees_all_numbers_at_once() {
    let rig = numbers(4);
    let a = rig.open(ALICE);
    rig.set_terms(module(LossPolicy::Close));
    hold(&a, 4);
    let bobs: Vec<_> = (0..4).map(|_| rig.open(BOB)).collect();
    for bob in &bobs {
        waits(bob);
    }
    let ((), waited) = taking(|| {
        for bob in &bobs {
            rig.pass_until_called(bob);
            fetch(bob);
        }
    });
    assert_eq!(waited, LEASE);
    assert_eq!(errno(a.random()), EPIPE);
}

#[test]
fn g10_what_a_closed_space_had_saved_stays_its_users() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Close)).unwrap();
    let held = hold(&a, 3);
    pass(LEASE);
    // The detached one goes first; the next time it is the space.
    let blob = a.save(held[0]).unwrap();
    bob.start(Kind::Policy).unwrap();
    assert_eq!(a.news(), []);
    a.random().unwrap();
    super::super::refused(a.restore(&blob));
}

#[test]
fn g8_a_waiting_space_that_is_closed_leaves_the_queue() {
    let rig = numbers(4);
    let (a, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
    rig.set_policy(&a, Some(LossPolicy::Close)).unwrap();
    hold(&a, 4);
    // It asks for more than it can have.
    waits(&a);
    waits(&bob);
    waits(&carol);
    rig.pass_until_called(&bob);
    fetch(&bob);
    assert!(a.news().contains(&News::Closed));
    rig.settle();
    fetch(&carol);
    assert_eq!(errno(handle(a.start(Kind::Policy))), EPIPE);
    assert_eq!(active(&rig), 2);
    rig.pass(2 * WAIT);
    assert_eq!(rig.alarm(), None, "nobody waits any more");
}

#[test]
fn g7_nobody_closes_himself_by_asking_for_more() {
    let rig = numbers(2);
    let a = rig.open(ALICE);
    rig.set_policy(&a, Some(LossPolicy::Close)).unwrap();
    let held = hold(&a, 2);
    pass(LEASE);
    let (outcome, waited) = taking(|| handle(rig.start(&a, Kind::Policy)));
    assert_eq!((outcome, waited), (Err(REFUSED), WAIT));
    assert_eq!(living(&rig, &a, &held), held);
}

#[test]
fn g7_never_loses_nothing_and_refuses_after_the_wait() {
    let rig = numbers(3);
    rig.set_terms(module(LossPolicy::Never));
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    let blob = a.save(held[0]).unwrap();
    rig.pass(10 * LEASE);
    for _ in 0..3 {
        let (outcome, waited) = taking(|| handle(rig.start(&bob, Kind::Policy)));
        assert_eq!((outcome, waited), (Err(REFUSED), WAIT));
    }
    assert_eq!(a.restore(&blob), Ok(held[0]));
    assert_eq!(living(&rig, &a, &held), held);
    assert_eq!((a.news(), rig.lost(&a)), (vec![], vec![]));
    a.flush(held[0]).unwrap();
    bob.start(Kind::Policy).unwrap();
}

#[test]
fn g7_a_space_that_never_loses_has_no_part_in_the_losses_of_its_user() {
    let rig = numbers(4);
    let (a, sure, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&sure, Some(LossPolicy::Never)).unwrap();
    let kept = hold(&sure, 3);
    let held = hold(&a, 1);
    pass(LEASE);
    bob.start(Kind::Policy).unwrap();
    assert!(living(&rig, &a, &held).is_empty());
    assert_eq!(living(&rig, &sure, &kept), kept);
}

#[test]
fn g7_the_policy_of_a_space_is_its_own_or_the_modules() {
    let rig = numbers(2);
    let a = rig.open(ALICE);
    for policy in [LossPolicy::Never, LossPolicy::Close, LossPolicy::Fail] {
        rig.set_terms(module(policy));
        assert_eq!(rig.policy(&a), policy);
        for own in [LossPolicy::Fail, LossPolicy::Never, LossPolicy::Close] {
            rig.set_policy(&a, Some(own)).unwrap();
            assert_eq!(rig.policy(&a), own);
            assert_eq!(rig.policy(&rig.open(BOB)), policy);
        }
        rig.set_policy(&a, None).unwrap();
        assert_eq!(rig.policy(&a), policy);
    }
}

#[test]
fn g7_who_waits_is_served_when_the_modules_policy_allows_it_at_last() {
    let rig = numbers(2);
    rig.set_terms(module(LossPolicy::Never));
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    waits(&bob);
    rig.pass(LEASE);
    assert!(!bob.is_called());
    rig.set_terms(module(LossPolicy::Fail));
    rig.settle();
    fetch(&bob);
    assert_eq!(living(&rig, &a, &held), held[1..]);
}

#[test]
fn g7_who_waits_is_served_when_a_space_chooses_to_lose() {
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    hold(&a, 2);
    waits(&bob);
    rig.pass(LEASE);
    assert!(!bob.is_called());
    rig.set_policy(&a, None).unwrap();
    rig.settle();
    fetch(&bob);
}

#[test]
fn g7_a_longer_or_shorter_lease_holds_at_once() {
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    waits(&bob);
    rig.set_terms(Terms {
        lease: harness::engine::Span(4000),
        ..DEFAULT
    });
    rig.pass(LEASE);
    assert!(!bob.is_called());
    rig.set_terms(Terms {
        lease: harness::engine::Span(100),
        ..DEFAULT
    });
    rig.settle();
    fetch(&bob);
    assert_eq!(living(&rig, &a, &held).len(), 1);
}
