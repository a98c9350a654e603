// SPDX-License-Identifier: GPL-2.0

//! G7: who waits for a session number is served in order, and told in time.

use super::{
    active, calls, fetch, hold, modelled, numbers, taking, waits, DEFAULT, LEASE, REFUSED, WAIT,
};
use harness::client::Failure;
use harness::clock::pass;
use harness::command::{Kind, AUDIT};
use harness::engine::{LossPolicy, News, Span, Terms};
use harness::fake::{Fake, Model};
use harness::rig::{Rig, Space, ALICE, BOB, CAROL};
use std::sync::Arc;

/// A TPM whose numbers all belong to one who loses none, and gives them when the story says so.
struct Full<'r> {
    rig: &'r Rig<Fake>,
    holder: Space<'r>,
    held: Vec<u32>,
}

impl<'r> Full<'r> {
    fn new(rig: &'r Rig<Fake>, count: usize) -> Self {
        let holder = rig.open(ALICE);
        rig.set_policy(&holder, Some(LossPolicy::Never)).unwrap();
        let held = hold(&holder, count);
        Self { rig, holder, held }
    }

    /// Gives up one number.
    fn give(&mut self) {
        let handle = self.held.pop().expect("there is one");
        self.holder.flush(handle).unwrap();
        self.rig.settle();
    }
}

#[test]
fn g7_within_a_user_the_first_to_come_is_the_first_served() {
    let rig = numbers(4);
    let mut full = Full::new(&rig, 4);
    let bobs: Vec<_> = (0..4).map(|_| rig.open(BOB)).collect();
    for bob in &bobs {
        waits(bob);
        pass(1);
    }
    for bob in &bobs {
        assert!(bobs.iter().all(|bob| !bob.is_called()));
        full.give();
        fetch(bob);
    }
    assert_eq!(calls(&rig), [1, 2, 3, 4]);
}

#[test]
fn g7_users_are_served_in_turn() {
    let rig = numbers(6);
    let mut full = Full::new(&rig, 6);
    // Bob comes three times before Carol comes once.
    let spaces: Vec<_> = [BOB, BOB, BOB, CAROL, CAROL, CAROL]
        .map(|user| rig.open(user))
        .into();
    for space in &spaces {
        waits(space);
    }
    for n in [0, 3, 1, 4, 2, 5] {
        full.give();
        fetch(&spaces[n]);
    }
    assert_eq!(calls(&rig), [1, 4, 2, 5, 3, 6]);
}

#[test]
fn g7_who_cannot_be_helped_does_not_block_his_users_next() {
    // He would close himself.
    let rig = numbers(2);
    let [first, next] = [BOB; 2].map(|user| rig.open(user));
    rig.set_policy(&first, Some(LossPolicy::Close)).unwrap();
    hold(&first, 2);
    pass(LEASE);
    waits(&first);
    let (outcome, waited) = taking(|| rig.start(&next, Kind::Policy));
    assert_eq!((outcome.is_ok(), waited), (true, 0));

    // The only number is one that he has lost.
    let rig = modelled(Model {
        active_sessions: 1,
        ..Model::default()
    });
    rig.set_terms(Terms {
        kernel_reserve: 0,
        ..DEFAULT
    });
    let [first, next] = [BOB; 2].map(|user| rig.open(user));
    let alice = rig.open(ALICE);
    let lost = hold(&first, 1);
    pass(LEASE);
    assert_eq!(hold(&alice, 1), lost);
    waits(&first);
    let (outcome, waited) = taking(|| rig.start(&next, Kind::Policy));
    assert_eq!((outcome.is_ok(), waited), (true, LEASE));
}

#[test]
fn g7_many_users_with_lines_of_any_length_take_turns() {
    let rig = numbers(12);
    let mut full = Full::new(&rig, 12);
    let mut spaces = vec![];
    for (user, count) in [(1, 6), (2, 1), (3, 3), (4, 2)] {
        for _ in 0..count {
            let space = rig.open(user);
            waits(&space);
            spaces.push(space);
        }
    }
    let mut served = vec![];
    for _ in 0..12 {
        full.give();
        let called = spaces.iter().find(|space| space.is_called()).unwrap();
        fetch(called);
        served.push(called.user());
    }
    assert_eq!(served, [1, 2, 3, 4, 1, 3, 4, 1, 3, 1, 1, 1]);
}

#[test]
fn g7_every_way_in_which_a_number_is_released_wakes_who_waits() {
    type Release = fn(&Rig<Fake>, Space<'_>, Space<'_>);
    let ways: [(&str, Release); 3] = [
        ("FlushContext", |_, a, _| {
            let session = a.handles(0x0200_0000, 9).unwrap().1[0];
            a.flush(session).unwrap();
        }),
        ("close", |rig, a, _| rig.close(a)),
        ("close of another of the user", |rig, _, other| {
            rig.close(other)
        }),
    ];
    for (way, release) in ways {
        let rig = numbers(4);
        let (a, other, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
        hold(&a, 2);
        hold(&other, 2);
        waits(&bob);
        let ((), waited) = taking(|| {
            release(&rig, a, other);
            rig.settle();
        });
        assert!(bob.is_called(), "{way}");
        assert_eq!(waited, 0, "{way}");
        assert_eq!(bob.news(), [News::Called], "{way}");
        fetch(&bob);
    }
}

#[test]
fn g7_a_session_that_a_command_ends_wakes_who_waits() {
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let mut last = a.start(Kind::Hmac).unwrap();
    let mut kept = a.start(Kind::Hmac).unwrap();
    waits(&bob);
    a.audited_random(kept.with(AUDIT | 1, b"")).unwrap();
    rig.settle();
    assert!(!bob.is_called(), "that one goes on");
    a.audited_random(last.with(AUDIT, b"")).unwrap();
    rig.settle();
    fetch(&bob);
}

#[test]
fn g7_a_claimed_and_flushed_session_wakes_who_waits() {
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    let blob = a.save(held[0]).unwrap();
    waits(&bob);
    a.restore(&blob).unwrap();
    rig.settle();
    assert!(!bob.is_called());
    a.flush(held[0]).unwrap();
    rig.settle();
    fetch(&bob);
}

#[test]
fn g7_the_place_of_one_who_left_is_kept_and_blocks_nobody() {
    let rig = numbers(3);
    let mut full = Full::new(&rig, 3);
    let (one, two, three) = (rig.open(BOB), rig.open(BOB), rig.open(BOB));
    waits(&one);
    waits(&two);
    waits(&three);
    rig.leave(&one);
    full.give();
    assert!(!one.is_called(), "he is not there");
    fetch(&two);
    // He comes back after the signal, and is before who came after him.
    waits(&one);
    full.give();
    fetch(&one);
    full.give();
    fetch(&three);
}

#[test]
fn g7_coming_back_does_not_prolong_the_wait() {
    let rig = numbers(1);
    let full = Full::new(&rig, 1);
    let bob = rig.open(BOB);
    waits(&bob);
    for _ in 0..4 {
        rig.pass(WAIT / 5);
        rig.leave(&bob);
        waits(&bob);
    }
    rig.pass(WAIT / 5);
    assert!(bob.is_called());
    assert_eq!(super::handle(bob.start(Kind::Policy)), Err(REFUSED));
    drop(full);
}

#[test]
fn g7_the_place_of_one_who_left_goes_with_his_deadline() {
    let rig = numbers(3);
    let mut full = Full::new(&rig, 3);
    let (one, two) = (rig.open(BOB), rig.open(BOB));
    rig.set_policy(&two, Some(LossPolicy::Never)).unwrap();
    waits(&one);
    rig.leave(&one);
    rig.pass(WAIT - 1);
    waits(&two);
    rig.pass(1);
    assert!(!one.is_called(), "there is nobody to be told");
    // He is the last one now, with a wait of his own.
    waits(&one);
    full.give();
    assert!(!one.is_called());
    fetch(&two);
    rig.pass(WAIT - 1);
    assert!(!one.is_called());
    rig.pass(1);
    assert!(one.is_called());
    assert_eq!(super::handle(one.start(Kind::Policy)), Err(REFUSED));
}

#[test]
fn g7_who_leaves_with_a_number_kept_for_him_gives_it_to_the_next() {
    let rig = numbers(1);
    let mut full = Full::new(&rig, 1);
    let (bob, carol) = (rig.open(BOB), rig.open(CAROL));
    waits(&bob);
    waits(&carol);
    full.give();
    assert!(bob.is_called() && !carol.is_called());
    rig.leave(&bob);
    rig.settle();
    fetch(&carol);
}

#[test]
fn g7_a_closed_descriptor_leaves_the_queue() {
    let rig = numbers(2);
    let mut full = Full::new(&rig, 2);
    let (one, two, three) = (rig.open(BOB), rig.open(BOB), rig.open(CAROL));
    waits(&one);
    waits(&two);
    waits(&three);
    let bell = one.bell();
    rig.close(one);
    assert_eq!(Arc::strong_count(&bell), 1, "nobody rings it any more");
    full.give();
    // The one for whom the number is kept closes as well.
    let (first, last) = if two.is_called() {
        (two, three)
    } else {
        (three, two)
    };
    rig.close(first);
    rig.settle();
    fetch(&last);
    assert_eq!(bell.news(), []);
}

#[test]
fn g7_a_deadline_is_the_clients_own() {
    let rig = numbers(2);
    let mut full = Full::new(&rig, 2);
    let (bob, other, carol) = (rig.open(BOB), rig.open(BOB), rig.open(CAROL));
    waits(&bob);
    rig.pass(1000);
    waits(&other);
    waits(&carol);
    rig.pass(WAIT - 1001);
    assert!(!bob.is_called());
    rig.pass(1);
    assert!(bob.is_called() && !other.is_called() && !carol.is_called());
    let (outcome, sent) = rig.sent(|| super::handle(bob.start(Kind::Policy)));
    assert_eq!(outcome, Err(REFUSED));
    assert!(super::super::count(&sent, harness::tpm::cc::START_AUTH_SESSION) == 0);
    // The others go on waiting, and are served.
    full.give();
    full.give();
    fetch(&other);
    fetch(&carol);
    assert_eq!(active(&rig), 2);
}

#[test]
fn g7_who_was_refused_waits_anew_when_he_asks_again() {
    let rig = numbers(1);
    let full = Full::new(&rig, 1);
    let bob = rig.open(BOB);
    for _ in 0..3 {
        let (outcome, waited) = taking(|| super::handle(rig.start(&bob, Kind::Policy)));
        assert_eq!((outcome, waited), (Err(REFUSED), WAIT));
        assert!(rig.alarm().is_none(), "nobody waits");
    }
    drop(full);
}

#[test]
fn g7_a_wait_of_nothing_refuses_at_once() {
    let rig = numbers(2);
    rig.set_terms(Terms {
        wait: Span(0),
        ..DEFAULT
    });
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    assert_eq!(super::handle(bob.start(Kind::Policy)), Err(REFUSED));
    assert_eq!(
        super::living(&rig, &a, &held),
        held,
        "nobody loses for that"
    );
    // What can be had at once is had.
    pass(LEASE);
    bob.start(Kind::Policy).unwrap();
}

#[test]
fn g7_a_number_that_is_not_fetched_within_a_lease_goes_back() {
    let rig = numbers(1);
    let mut full = Full::new(&rig, 1);
    let (bob, carol) = (rig.open(BOB), rig.open(CAROL));
    waits(&bob);
    waits(&carol);
    full.give();
    assert!(bob.is_called() && !carol.is_called());
    rig.pass(LEASE - 1);
    assert!(!carol.is_called());
    rig.pass(1);
    let given = fetch(&carol);
    // He keeps his place.
    waits(&bob);
    carol.flush(given).unwrap();
    rig.settle();
    fetch(&bob);
}

#[test]
fn g7_a_number_that_is_kept_is_given_to_nobody_else() {
    let rig = numbers(2);
    let mut full = Full::new(&rig, 2);
    let (bob, late) = (rig.open(BOB), rig.open(CAROL));
    waits(&bob);
    full.give();
    assert!(bob.is_called());
    // It is free in the TPM, and still not to be had.
    waits(&late);
    rig.pass(LEASE / 2);
    fetch(&bob);
    assert_eq!(active(&rig), 2);
}

#[test]
fn g7_a_chip_that_goes_calls_everybody() {
    let rig = numbers(1);
    let full = Full::new(&rig, 1);
    let (bob, carol) = (rig.open(BOB), rig.open(CAROL));
    waits(&bob);
    waits(&carol);
    rig.chip.borrow_mut().gone = true;
    rig.dismiss();
    assert!(bob.is_called() && carol.is_called());
    assert!(!full.holder.is_called(), "he does not wait");
    // Whatever the timer does until everybody has gone, it comes to an end.
    rig.pass(LEASE + WAIT);
    assert_eq!(harness::rig::errno(bob.random()), 32);
    assert_eq!(super::handle(bob.start(Kind::Policy)), Err(REFUSED));
    rig.forget(bob);
    rig.forget(carol);
    assert_eq!(rig.alarm(), None);
}

#[test]
fn g7_a_chip_that_is_gone_is_no_loss() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    pass(LEASE);
    rig.chip.borrow_mut().gone = true;
    let outcome = super::handle(bob.start(Kind::Policy));
    assert!(outcome.is_err(), "{outcome:?}");
    rig.pass(WAIT);
    rig.chip.borrow_mut().gone = false;
    assert_eq!(super::living(&rig, &a, &held), held);
    assert_eq!(a.news(), []);
}

#[test]
fn g3_what_else_a_client_does_while_its_place_is_kept_works() {
    let rig = numbers(1);
    let mut full = Full::new(&rig, 1);
    let bob = rig.open(BOB);
    let key = bob.mac_key(b"key").unwrap();
    let mut start = bob.starting(Kind::Hmac);
    assert_eq!(super::handle(start.send(&bob)), Err(Failure::Waits));
    rig.leave(&bob);
    bob.assert_object(&key);
    bob.random().unwrap();
    full.give();
    let mut session = start.send(&bob).unwrap();
    bob.audited_random(session.with(AUDIT | 1, b"")).unwrap();
}

#[test]
fn g7_who_does_not_wait_is_never_called_and_needs_no_alarm() {
    let rig = numbers(4);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    hold(&bob, 2);
    rig.pass(10 * LEASE);
    a.flush(held[0]).unwrap();
    assert_eq!(rig.alarm(), None);
    assert_eq!(rig.heard(), []);
}
