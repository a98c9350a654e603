// SPDX-License-Identifier: GPL-2.0

//! What fuzzing has found (tools/testing/fuzz), as stories.

use crate::{lost, refused, UNANSWERED, UNLISTED, UNSENT};
use harness::chip::Aim::{self, Code, Nth};
use harness::chip::Fault::{self, Answer};
use harness::client::Outcome;
use harness::command::{Kind, Session, AUDIT, CONTINUE};
use harness::engine::Neighbours;
use harness::rig::{rc as code_of, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc};

/// A rig in which what is loaded stays.
fn resident() -> Rig {
    let rig = Rig::new();
    rig.let_stay(1000);
    rig
}

/// Somebody else comes, and finds nothing of ours.
fn somebody_comes(rig: &Rig) {
    rig.raw().random().unwrap();
    rig.assert_empty();
}

/// Two sessions: one that was used last, and is loaded, and one that is the oldest saved.
fn old_and_new(rig: &Rig, space: &Space<'_>) -> [u32; 2] {
    let kinds = [Kind::Policy, Kind::Policy];
    let [old, new] = kinds.map(|kind| space.start(kind).unwrap().handle);
    rig.raw().random().unwrap();
    space.policy_digest(new).unwrap();
    [old, new]
}

/// The client makes something that nobody is told of.
fn make_unanswered<T>(rig: &Rig, code: u32, make: impl FnOnce() -> Outcome<T>) {
    let (made, hits) = rig.under(&[(Code(code), UNANSWERED)], make);
    assert!(made.is_err() && hits > 0);
}

/// The client starts a session that nobody is told of.
fn start_unanswered(rig: &Rig, space: &Space<'_>, kind: Kind) {
    make_unanswered(rig, cc::START_AUTH_SESSION, || space.start(kind));
}

/// The TPM has saved the session, and nobody has the context: it is not where it was, and not gone.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_when_it_is_missed() {
    let rig = resident();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let faults = [
        (Nth(0), UNANSWERED),
        (Code(cc::CONTEXT_SAVE), Answer(rc::RETRY)),
    ];
    let ((), hits) = rig.under(&faults, || somebody_comes(&rig));
    assert!(hits > 1);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a]);
}

/// The TPM has saved the session, nobody has the context, and the TPM does not flush it for a while.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_at_last() {
    let rig = resident();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let faults = [
        (Nth(0), UNANSWERED),
        (Code(cc::FLUSH_CONTEXT), Answer(rc::RETRY)),
    ];
    let ((), hits) = rig.under(&faults, || somebody_comes(&rig));
    assert!(hits > 1);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a]);
}

/// That one is the oldest then. The gap is not opened by its context, which is not the newest one.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_not_forgotten_when_the_gap_is_opened() {
    let rig = resident();
    let a = rig.open(ALICE);
    let [session, other] = [Kind::Policy, Kind::Policy].map(|kind| a.start(kind).unwrap());
    // It is said twice that it is absent, and it is flushed in vain four times, before the other one is saved.
    let faults = [
        (Nth(0), UNANSWERED),
        (Nth(7), Answer(rc::CONTEXT_GAP)),
        (Code(cc::FLUSH_CONTEXT), Answer(rc::RETRY)),
    ];
    let ((), hits) = rig.under(&faults, || somebody_comes(&rig));
    assert!(hits > 5);
    lost(a.policy_digest(session.handle));
    a.policy_digest(other.handle).unwrap();
    rig.assert_leave([a]);
}

/// The session was saved to make room for the one that opens the gap.
#[test]
fn g3_g8_a_session_that_left_while_the_gap_was_opened_is_not_taken_for_lost() {
    let rig = resident();
    let a = rig.open(ALICE);
    let sessions = old_and_new(&rig, &a);
    let faults = [
        (Nth(0), Answer(rc::CONTEXT_GAP)),
        (Nth(1), Answer(rc::SESSION_MEMORY)),
    ];
    let (random, hits) = rig.under(&faults, || rig.raw().random());
    assert!(random.is_ok() && hits == 2);
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.assert_leave([a]);
}

/// Room is not made for opening the gap by opening the gap.
#[test]
fn g3_a_tpm_with_neither_a_slot_nor_a_gap_is_not_asked_for_ever() {
    let rig = resident();
    let a = rig.open(ALICE);
    let sessions = old_and_new(&rig, &a);
    let faults = [
        (Code(cc::CONTEXT_SAVE), Answer(rc::CONTEXT_GAP)),
        (Code(cc::CONTEXT_LOAD), Answer(rc::SESSION_MEMORY)),
    ];
    let (random, hits) = rig.under(&faults, || rig.raw().random());
    assert!(random.is_ok() && hits < 40, "asked {hits} times");
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.assert_leave([a]);
}

/// Somebody has flushed a saved session, its number was given again, and nobody was told.
#[test]
fn g5_a_number_that_a_lost_response_has_given_again_is_not_taken_for_the_old_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    a.policy_command_code(session.handle, cc::SIGN).unwrap();
    rig.raw().flush(session.handle).unwrap();
    start_unanswered(&rig, &b, Kind::Policy);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a, b]);
}

/// The newest context is one that nobody has, and then loading an older one was not answered either.
#[test]
fn g8_a_session_whose_save_and_whose_load_were_not_answered_is_flushed() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let load = (Code(cc::CONTEXT_LOAD), UNANSWERED);
    let save = (Code(cc::CONTEXT_SAVE), UNANSWERED);
    for faults in [&[load, save][..], &[load]] {
        let (digest, hits) = rig.under(faults, || a.policy_digest(session.handle));
        assert!(digest.is_err() && hits == faults.len());
    }
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a]);
}

/// The client flushes a saved session, which the TPM executes, and there is no answer but of such trouble.
#[test]
fn g2_g5_a_session_that_was_flushed_without_an_answer_has_ended() {
    for trouble in [UNANSWERED, Answer(rc::RETRY)] {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        let session = a.start(Kind::Policy).unwrap();
        let faults = [(Nth(0), UNANSWERED), (Code(cc::FLUSH_CONTEXT), trouble)];
        let (flushed, hits) = rig.under(&faults, || a.flush(session.handle));
        assert!(flushed.is_ok() && hits > 3, "{flushed:?}, {hits}");
        refused(a.policy_digest(session.handle));
        rig.assert_leave([a]);
    }
}

/// The TPM does not tell, and another one may have its number.
#[test]
fn g5_g8_a_session_that_may_have_been_flushed_is_not_used_again() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let faults = [(Code(cc::FLUSH_CONTEXT), UNSENT), UNLISTED];
    let (flushed, hits) = rig.under(&faults, || a.flush(session.handle));
    assert!(flushed.is_err() && hits > 3);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a]);
}

/// Where the TPM tells that it was not flushed, it is the client's as before.
#[test]
fn g3_a_session_that_could_not_be_flushed_stays() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let faults = [(Code(cc::FLUSH_CONTEXT), UNSENT)];
    let (flushed, hits) = rig.under(&faults, || a.flush(session.handle));
    assert!(flushed.is_err() && hits > 3);
    a.policy_digest(session.handle).unwrap();
    rig.assert_leave([a]);
}

/// A command that ends what it names was not answered, and neither is the question what is left.
fn end_unanswered<T>(rig: &Rig, code: u32, end: impl FnOnce() -> Outcome<T>) {
    let (ended, _) = rig.under(&[(Code(code), UNANSWERED), UNLISTED], end);
    assert!(ended.is_err());
}

/// The TPM has given the handle of an object that ended to another one, and both answers were lost.
#[test]
fn g5_an_object_that_may_have_ended_is_not_taken_for_what_came_after_it() {
    let rig = resident();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let old = a.hash_start().unwrap();
    end_unanswered(&rig, cc::SEQUENCE_COMPLETE, || a.hash_complete(&old, b""));
    make_unanswered(&rig, cc::HASH_SEQUENCE_START, || b.hash_start());
    assert_eq!(code_of(a.hash_update(&old, b"data")), rc::LOST_H0);
    rig.assert_leave([a, b]);
}

/// The same of the number of a session.
#[test]
fn g5_a_session_that_may_have_ended_is_not_taken_for_what_came_after_it() {
    let rig = resident();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut old = a.start(Kind::Hmac).unwrap();
    let handle = old.handle;
    end_unanswered(&rig, cc::GET_RANDOM, || {
        a.audited_random(old.with(AUDIT, b""))
    });
    start_unanswered(&rig, &b, Kind::Hmac);
    assert_eq!(
        code_of(a.audited_random(old.with(AUDIT | CONTINUE, b""))),
        rc::LOST_S0
    );
    let _ = a.flush(handle);
    rig.assert_leave([a, b]);
}

/// Where the TPM tells that the command was not executed, nothing is lost.
#[test]
fn g3_what_an_unanswered_command_has_not_ended_stays() {
    let rig = resident();
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let faults = [cc::SEQUENCE_COMPLETE, cc::GET_RANDOM].map(|code| (Code(code), UNSENT));
    let (ended, hits) = rig.under(&faults, || {
        let complete = a.hash_complete(&sequence, b"").is_ok();
        complete || a.audited_random(session.with(AUDIT, b"")).is_ok()
    });
    assert!(!ended && hits == 2);
    a.hash_update(&sequence, b"data").unwrap();
    a.audited_random(session.with(AUDIT | CONTINUE, b""))
        .unwrap();
    rig.assert_leave([a]);
}

/// The TPM answers as if the session were loaded, which it never was: its context is good.
#[test]
fn g3_g8_a_session_that_only_seemed_to_be_loaded_is_loaded() {
    let rig = resident();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    somebody_comes(&rig);
    let faults = [(Nth(0), UNSENT), (Nth(1), Answer(rc::RETRY)), UNLISTED];
    let (digest, hits) = rig.under(&faults, || a.policy_digest(session.handle));
    assert!(digest.is_err() && hits > 2);
    let faults = [
        (Nth(0), Answer(rc::RETRY)),
        (Code(cc::CONTEXT_SAVE), Answer(rc::CONTEXT_GAP)),
    ];
    let (digest, hits) = rig.under(&faults, || a.policy_digest(session.handle));
    assert!(digest.is_ok() && hits > 0);
    rig.assert_leave([a]);
}

/// The session has ended, loading it was not answered, and neither was what was then given its number.
#[test]
fn g5_what_has_the_number_of_a_session_that_could_not_be_loaded_is_not_taken_for_it() {
    let rig = resident();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    somebody_comes(&rig);
    rig.raw().flush(session.handle).unwrap();
    let faults = [(Code(cc::CONTEXT_LOAD), UNSENT)];
    let (digest, hits) = rig.under(&faults, || a.policy_digest(session.handle));
    assert!(digest.is_err() && hits > 0);
    start_unanswered(&rig, &b, Kind::Policy);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a, b]);
}

/// A policy session of which it is not known whether it was loaded: it was not.
fn in_doubt(rig: &Rig, space: &Space<'_>) -> Session {
    let session = space.start(Kind::Policy).unwrap();
    let faults = [(Nth(0), UNSENT), (Nth(1), Answer(rc::SESSION_MEMORY))];
    let (digest, hits) = rig.under(&faults, || space.policy_digest(session.handle));
    assert!(digest.is_err() && hits == 2);
    session
}

/// A session in doubt has ended; then another one is made, which nobody is told of.
fn another_gets_the_number_of_a_session_in_doubt(another: Kind) {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = in_doubt(&rig, &a);
    rig.raw().flush(session.handle).unwrap();
    start_unanswered(&rig, &b, another);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a, b]);
}

#[test]
fn g5_g8_another_session_is_not_taken_for_one_in_doubt() {
    another_gets_the_number_of_a_session_in_doubt(Kind::Policy);
}

#[test]
fn g5_g8_a_session_of_another_type_is_not_taken_for_one_in_doubt() {
    another_gets_the_number_of_a_session_in_doubt(Kind::Hmac);
}

/// The TPM lists nothing either: the session is given up when another one may have its number.
#[test]
fn g5_g8_a_session_that_stays_in_doubt_is_lost_when_another_one_may_have_its_number() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let faults = [
        (Nth(0), UNSENT),
        (Nth(1), Answer(rc::SESSION_MEMORY)),
        UNLISTED,
        (Code(cc::START_AUTH_SESSION), UNANSWERED),
    ];
    let (done, _) = rig.under(&faults, || {
        let used = a.policy_digest(session.handle).is_ok();
        rig.raw().flush(session.handle).unwrap();
        used || b.start(Kind::Policy).is_ok()
    });
    assert!(!done);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a, b]);
}

/// The TPM tells at once where the session is: nothing that comes later costs it.
#[test]
fn g3_a_session_is_in_doubt_no_longer_than_the_tpm_does_not_tell() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = in_doubt(&rig, &a);
    start_unanswered(&rig, &b, Kind::Policy);
    a.policy_digest(session.handle).unwrap();
    rig.assert_leave([a, b]);
}

/// Somebody else comes while it is not known whether a session is loaded: it is not, then, and the
/// client has it all the same.
#[test]
fn g3_g9_a_session_in_doubt_is_not_loaded_when_somebody_else_comes() {
    let rig = resident();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    somebody_comes(&rig);
    let faults = [(Nth(0), UNANSWERED), (Nth(1), Answer(rc::RETRY)), UNLISTED];
    let (digest, hits) = rig.under(&faults, || a.policy_digest(session.handle));
    assert!(digest.is_err() && hits > 2);
    somebody_comes(&rig);
    a.policy_digest(session.handle).unwrap();
    rig.assert_leave([a]);
}

/// It cannot be saved then either: it may be loaded, so it is ended, whatever the TPM says.
#[test]
fn g9_a_session_that_stays_in_doubt_is_ended_when_somebody_else_comes() {
    let rig = resident();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    somebody_comes(&rig);
    let faults = [
        (Nth(0), UNANSWERED),
        (Code(cc::CONTEXT_SAVE), Answer(rc::RETRY)),
        UNLISTED,
    ];
    let (digest, hits) = rig.under(&faults, || {
        let digest = a.policy_digest(session.handle);
        somebody_comes(&rig);
        digest
    });
    assert!(digest.is_err() && hits > 3);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a]);
}

/// A session ended, and another one has its number that nobody was told of and that cannot be looked
/// for while others are there. Nor is loading the old one answered, with other faults beside that.
fn a_number_is_given_again_beside_neighbours(others: &[(Aim, Fault)]) {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    rig.raw().flush(session.handle).unwrap();
    let faults = [(Code(cc::START_AUTH_SESSION), UNANSWERED), UNLISTED];
    let (started, hits) = rig.under(&faults, || b.start(Kind::Policy));
    assert!(started.is_err() && hits > 1);
    let faults = [&[(Code(cc::CONTEXT_LOAD), UNSENT)], others].concat();
    let (digest, _) = rig.under(&faults, || a.policy_digest(session.handle));
    assert!(digest.is_err());
    lost(a.policy_digest(session.handle));
    rig.chip.borrow_mut().neighbours = Neighbours::Absent;
    rig.assert_leave([a, b]);
}

#[test]
fn g5_a_number_that_is_given_again_beside_neighbours_is_not_taken_for_the_old_session() {
    a_number_is_given_again_beside_neighbours(&[]);
}

#[test]
fn g5_a_number_is_not_used_while_the_tpm_does_not_tell_whether_it_was_given_again() {
    a_number_is_given_again_beside_neighbours(&[UNLISTED]);
}

/// What is to be listed is listed for the client that needs it, not while others wait.
#[test]
fn g9_nothing_is_listed_when_somebody_else_comes() {
    let rig = resident();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let sessions = old_and_new(&rig, &a);
    let faults = [(Code(cc::START_AUTH_SESSION), UNANSWERED), UNLISTED];
    let (started, hits) = rig.under(&faults, || b.start(Kind::Policy));
    assert!(started.is_err() && hits > 1);
    let faults = [(Nth(0), Answer(rc::CONTEXT_GAP))];
    let (((), sent), hits) = rig.under(&faults, || rig.sent(|| rig.withdraw()));
    assert_eq!(hits, 1);
    assert_eq!(crate::count(&sent, cc::GET_CAPABILITY), 0, "{sent:?}");
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.assert_leave([a, b]);
}
