// SPDX-License-Identifier: GPL-2.0

//! G7: from whom a session number is taken when all are in use, and from whom never.

use super::{active, fetch, forget, hold, lives, living, numbers, taking, waits, LEASE, RESERVE};
use harness::chip::{Aim, Fault};
use harness::clock::pass;
use harness::command::Kind;
use harness::engine::{LossPolicy, News};
use harness::rig::{rc, ALICE, BOB, CAROL};
use harness::tpm::{cc, rc};

const DAVE: u32 = 1003;
const ERIN: u32 = 1004;

#[test]
fn g7_nobody_loses_a_session_within_its_lease() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    pass(LEASE - 1);
    waits(&bob);
    rig.settle();
    assert_eq!(living(&rig, &a, &held), held);
    let ((), waited) = taking(|| rig.pass_until_called(&bob));
    assert_eq!(waited, 1);
    fetch(&bob);
    assert_eq!(living(&rig, &a, &held).len(), 2, "one, and no more");
    assert_eq!(a.news(), [News::Lost]);
}

#[test]
fn g7_a_lease_is_not_prolonged_by_use() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    for _ in 0..4 {
        pass(LEASE / 4);
        assert_eq!(living(&rig, &a, &held), held);
    }
    let (_, waited) = taking(|| rig.start(&bob, Kind::Policy).unwrap());
    assert_eq!(waited, 0);
}

#[test]
fn g7_nobody_loses_while_a_number_is_free() {
    let rig = numbers(4);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    pass(10 * LEASE);
    hold(&bob, 1);
    assert_eq!(living(&rig, &a, &held), held);
    assert_eq!(rig.heard(), []);
}

#[test]
fn g7_first_go_strays_then_detached_then_live_ones() {
    let rig = numbers(3);
    let raw = rig.raw();
    let stray = raw.start(Kind::Policy).unwrap().handle;
    raw.save(stray).unwrap();
    let (a, bob, carol, dave) = (
        rig.open(ALICE),
        rig.open(BOB),
        rig.open(CAROL),
        rig.open(DAVE),
    );
    let live = hold(&a, 1)[0];
    // Used last.
    let detached = hold(&a, 1)[0];
    let blob = a.save(detached).unwrap();
    let saved = |handle: u32| {
        let number = handle & 0x00ff_ffff;
        let [_, _, saved] = rig.contents();
        saved.iter().any(|saved| saved & 0x00ff_ffff == number)
    };
    waits(&bob);
    // What is first seen now has a lease from now on.
    let ((), waited) = taking(|| rig.pass_until_called(&bob));
    assert!(waited <= LEASE);
    assert_eq!((saved(detached), saved(live)), (true, true));
    fetch(&bob);
    rig.pass(LEASE);
    rig.start(&carol, Kind::Policy).unwrap();
    super::super::refused(a.restore(&blob));
    assert_eq!(
        (saved(detached), saved(live)),
        (true, true),
        "it is Carol's now"
    );
    rig.start(&dave, Kind::Policy).unwrap();
    assert!(!lives(&rig, &a, live));
}

#[test]
fn g7_what_a_client_saves_is_there_at_once_for_one_who_waits() {
    let rig = numbers(1);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    let [held] = hold(&a, 1)[..] else {
        panic!("there is one number");
    };
    pass(LEASE);
    waits(&bob);
    // From now on there is nothing else to be looked at for as long as the lease is.
    rig.settle();
    assert!(!bob.is_called());
    a.save(held).unwrap();
    fetch(&bob);
}

#[test]
fn g7_who_has_less_than_his_share_waits_for_what_others_have_too_much() {
    let rig = numbers(4);
    let (bob, a) = (rig.open(BOB), rig.open(ALICE));
    let own = hold(&bob, 1);
    pass(LEASE);
    let held = hold(&a, 3);
    let (outcome, waited) = taking(|| rig.start(&bob, Kind::Policy));
    assert_eq!((outcome.is_ok(), waited), (true, LEASE));
    assert_eq!(living(&rig, &bob, &own), own);
    assert_eq!(living(&rig, &a, &held).len(), 2);
}

#[test]
fn g7_orphans_go_at_once_and_before_all_else() {
    let rig = numbers(3);
    let (a, gone, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    pass(2 * LEASE);
    hold(&gone, 1);
    // What it had cannot be flushed when it closes.
    rig.chip
        .borrow_mut()
        .fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::FAILURE));
    rig.close(gone);
    assert_eq!(active(&rig), 3);
    rig.chip.borrow_mut().fail_none();
    bob.start(Kind::Policy).unwrap();
    assert_eq!(living(&rig, &a, &held), held);
    assert_eq!(active(&rig), 3);
}

#[test]
fn g7_the_user_with_most_the_space_with_most_the_least_recently_used() {
    let rig = numbers(7);
    let (big, small) = (rig.open(ALICE), rig.open(ALICE));
    let (bob, carol) = (rig.open(BOB), rig.open(CAROL));
    let others = hold(&bob, 2);
    let few = hold(&small, 2);
    let many = hold(&big, 3);
    pass(LEASE);
    // Whoever used his last, or first, is not asked before that.
    living(&rig, &big, &[many[0], many[2]]);
    pass(1);
    living(&rig, &small, &few);
    carol.start(Kind::Policy).unwrap();
    assert_eq!(living(&rig, &big, &many), [many[0], many[2]]);
    assert_eq!(living(&rig, &small, &few), few);
    assert_eq!(living(&rig, &bob, &others), others);
    assert_eq!(rig.lost(&big), [many[1]]);
    assert_eq!(big.news(), [News::Lost]);
    assert_eq!(small.news(), []);
}

#[test]
fn g7_nobody_at_the_fair_share_loses_to_one_who_spins() {
    let rig = numbers(4);
    let (spinner, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&bob, 2);
    let mut spun = hold(&spinner, 2);
    for _ in 0..50 {
        let more = rig.start(&spinner, Kind::Policy).unwrap().handle;
        spun.push(more);
        assert_eq!(living(&rig, &bob, &held), held);
        for lost in rig.lost(&spinner) {
            spinner.flush(lost).unwrap();
            spun.retain(|handle| *handle != lost);
        }
        assert_eq!(spun.len(), 2, "he lost one of his own");
    }
    assert_eq!(bob.news(), []);
}

#[test]
fn g7_nobody_at_the_fair_share_loses_because_who_has_more_is_within_his_lease() {
    let rig = numbers(6);
    let (a, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
    let fair = hold(&bob, 2);
    pass(LEASE);
    let many = hold(&a, 4);
    let (_, waited) = taking(|| rig.start(&carol, Kind::Policy).unwrap());
    assert_eq!(waited, LEASE, "Bob's are old, and his");
    assert_eq!(living(&rig, &bob, &fair), fair);
    assert_eq!(living(&rig, &a, &many).len(), 3);
}

#[test]
fn g7_the_timer_takes_one_at_a_time_and_asks_to_come_again_at_once() {
    let rig = numbers(4);
    let (a, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
    hold(&a, 4);
    waits(&bob);
    waits(&carol);
    pass(LEASE);
    for lost in [1, 2] {
        assert!(rig.alarm().is_some_and(|at| at <= harness::clock::now()));
        rig.attend();
        assert_eq!(rig.lost(&a).len(), lost);
    }
    assert!(bob.is_called() && carol.is_called());
}

#[test]
fn g7_two_who_want_all_do_not_take_turns_at_taking_the_odd_one() {
    let rig = numbers(5);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    hold(&bob, 2);
    pass(LEASE);
    for _ in 0..5 {
        // Three against two: to take one would only turn it round.
        rig.start(&bob, Kind::Policy).unwrap();
        assert_eq!(living(&rig, &a, &held), held);
        for lost in rig.lost(&bob) {
            bob.flush(lost).unwrap();
        }
    }
}

#[test]
fn g7_a_hog_shrinks_to_what_is_fair_and_no_further() {
    let rig = numbers(12);
    let (hog, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
    let mut held = hold(&hog, 12);
    pass(LEASE);
    for _ in 0..6 {
        rig.start(&bob, Kind::Policy).unwrap();
        rig.start(&carol, Kind::Policy).unwrap();
    }
    held = living(&rig, &hog, &held);
    assert_eq!(held.len(), 4);
    assert_eq!(active(&rig), 12);
}

#[test]
fn g7_with_more_users_than_numbers_everybody_has_his_turn() {
    let rig = numbers(2);
    let spaces: Vec<_> = [ALICE, BOB, CAROL, DAVE, ERIN]
        .map(|user| rig.open(user))
        .into();
    hold(&spaces[0], 1);
    hold(&spaces[1], 1);
    for space in &spaces[2..] {
        waits(space);
    }
    // Five users and two numbers: three leases.
    for space in &spaces[2..] {
        let ((), waited) = taking(|| rig.pass_until_called(space));
        assert!(waited <= 3 * LEASE);
        fetch(space);
    }
    assert_eq!(active(&rig), 2);
}

#[test]
fn g7_detached_sessions_count_for_the_user_who_saved_them() {
    let rig = numbers(6);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    for handle in hold(&a, 4) {
        a.save(handle).unwrap();
    }
    hold(&bob, 2);
    pass(LEASE);
    // Alice has more than is fair, though nothing of it is in use.
    for _ in 0..10 {
        rig.start(&bob, Kind::Policy).unwrap();
        forget(&rig, &bob);
        pass(LEASE);
    }
    assert_eq!(active(&rig), 6);
    let own = bob.news().iter().filter(|n| **n == News::Lost).count();
    assert_eq!(own, 9, "after that, Bob takes his own");
    rig.close(a);
    rig.close(bob);
    assert_eq!(active(&rig), 3, "half of all is what was left to Alice");
}

#[test]
fn g7_ten_thousand_abandoned_sessions_are_noticed_by_nobody() {
    let rig = numbers(6);
    let client = rig.open(ALICE);
    let mut kept = hold(&client, 1)[0];
    let count = super::rounds(10_000);
    for n in 0..count {
        let leaker = rig.open(BOB);
        let leaked = rig.start(&leaker, Kind::Policy).unwrap().handle;
        leaker.save(leaked).unwrap();
        rig.close(leaker);
        if n % 10 == 0 {
            client.flush(kept).unwrap();
            let (session, waited) = taking(|| rig.start(&client, Kind::Policy).unwrap());
            assert!(waited <= LEASE);
            kept = session.handle;
        }
        assert!(lives(&rig, &client, kept));
        assert!(active(&rig) <= 6);
    }
    assert_eq!(
        client.news().iter().filter(|n| **n == News::Lost).count(),
        0
    );
}

#[test]
fn g7_a_tpm_that_ends_no_session_is_not_asked_again_by_every_command() {
    let rig = numbers(1);
    let (a, bob, carol) = (rig.open(ALICE), rig.open(BOB), rig.open(CAROL));
    hold(&a, 1);
    pass(LEASE);
    let refusal = Fault::Answer(rc::RETRY);
    rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, refusal);
    waits(&bob);
    let ((), sent) = rig.sent(|| (0..3).for_each(|_| carol.random().unwrap()));
    assert_eq!(crate::count(&sent, cc::FLUSH_CONTEXT), 0, "{sent:?}");
    rig.chip.borrow_mut().fail_none();
    rig.pass_until_called(&bob);
    fetch(&bob);
}

/// No try to take it is answered, and the first one was executed.
#[test]
fn g5_g7_a_victim_that_was_flushed_without_an_answer_is_lost() {
    let rig = numbers(1);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 1);
    pass(LEASE);
    let faults = [(Aim::Code(cc::FLUSH_CONTEXT), crate::UNANSWERED)];
    let (started, hits) = rig.under(&faults, || bob.start(Kind::Policy));
    assert!(started.is_ok() && hits > 3, "{started:?}, {hits}");
    assert_eq!(a.news(), [News::Lost]);
    crate::lost(a.policy_digest(held[0]));
    assert_eq!(active(&rig), 1);
}

#[test]
fn g7_a_victim_that_cannot_be_flushed_is_not_lost_twice() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    pass(LEASE);
    rig.chip
        .borrow_mut()
        .fail_nth(0, Fault::Answer(rc::FAILURE));
    let got = rig.start(&bob, Kind::Policy).unwrap();
    rig.chip.borrow_mut().fail_none();
    assert!(lives(&rig, &bob, got.handle));
    assert_eq!(living(&rig, &a, &held).len(), 2);
    assert!(active(&rig) <= 3);
    assert!(rig.listed(rh_saved()).len() + RESERVE <= 5);
    assert_eq!(rc(bob.policy_digest(0x0300_0fff)), rc::LOST_H0);
}

fn rh_saved() -> u32 {
    harness::tpm::rh::SAVED_SESSION
}

#[test]
fn g7_who_has_less_than_his_share_loses_nothing_to_himself_while_numbers_are_kept_for_others() {
    let rig = numbers(4);
    let (first, second) = (rig.open(CAROL), rig.open(CAROL));
    let held = hold(&first, 1);
    let hog = rig.open(BOB);
    hold(&hog, 3);
    // Bob has others renew all that he has, and nobody fetches it.
    let slow: Vec<_> = (0..3).map(|_| rig.open(BOB)).collect();
    for space in &slow {
        waits(space);
    }
    rig.pass(LEASE);
    rig.settle();
    assert!(slow.iter().all(|space| space.is_called()));
    // Carol's one session is older than a lease, and she has less than her share.
    waits(&second);
    rig.settle();
    assert_eq!(living(&rig, &first, &held), held);
    let (_, waited) = taking(|| rig.pass_until_called(&second));
    assert!(waited <= LEASE, "{waited}");
    fetch(&second);
    assert_eq!(living(&rig, &first, &held), held);
    assert_eq!(first.news(), []);
}

#[test]
fn g7_who_has_his_share_takes_his_own_at_once_though_others_have_more() {
    let rig = numbers(8);
    let (bob, carol, a) = (rig.open(BOB), rig.open(CAROL), rig.open(ALICE));
    let own = hold(&bob, 2);
    hold(&carol, 2);
    pass(LEASE);
    // Twice the share, and nothing of it can be taken yet.
    let many = hold(&a, 4);
    let (_, waited) = taking(|| rig.start(&bob, Kind::Policy).unwrap());
    assert_eq!(waited, 0);
    assert_eq!(living(&rig, &bob, &own).len(), 1);
    assert_eq!(living(&rig, &a, &many), many);
}

#[test]
fn g7_who_has_less_than_his_share_takes_his_own_when_nobody_else_loses_any() {
    let rig = numbers(4);
    let (first, second, bob) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    rig.set_policy(&first, Some(LossPolicy::Never)).unwrap();
    hold(&first, 3);
    let own = hold(&bob, 1);
    // Alice waits, and nothing is kept for her.
    waits(&second);
    rig.pass(LEASE);
    assert!(!second.is_called());
    let (_, waited) = taking(|| rig.start(&bob, Kind::Policy).unwrap());
    assert_eq!(waited, 0);
    assert_eq!(rig.lost(&bob), own);
}

#[test]
fn g7_what_is_kept_within_the_share_is_not_owed_to_who_has_less() {
    let rig = numbers(6);
    let (first, second) = (rig.open(BOB), rig.open(BOB));
    let (carol, dave) = (rig.open(CAROL), rig.open(DAVE));
    rig.set_policy(&dave, Some(LossPolicy::Never)).unwrap();
    let own = hold(&carol, 1);
    hold(&dave, 3);
    let renewed = hold(&first, 2);
    // One of Bob's two is kept for him, and he does not fetch it.
    waits(&second);
    rig.pass(LEASE);
    assert!(second.is_called());
    assert_eq!(living(&rig, &first, &renewed).len(), 1);
    let (_, waited) = taking(|| rig.start(&carol, Kind::Policy).unwrap());
    assert_eq!(waited, 0);
    assert_eq!(rig.lost(&carol), own);
    fetch(&second);
}
