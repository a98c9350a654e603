// SPDX-License-Identifier: GPL-2.0

//! What fuzzing has found (tools/testing/fuzz), as stories.

use crate::lost;
use harness::chip::Fault;
use harness::command::{Kind, AUDIT, CONTINUE};
use harness::engine::Neighbours;
use harness::rig::{rc as code_of, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc};

/// The TPM has saved the session, and nobody has the context: it is not where it was, and not gone.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_when_it_is_missed() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::After(kernel::error::code::EIO));
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::RETRY));
    }
    // Somebody else comes, and nothing of ours is to be loaded.
    rig.raw().random().unwrap();
    assert!(rig.chip.borrow_mut().fail_none() > 1);
    let [_, loaded] = rig.loaded();
    assert!(loaded.is_empty());
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.assert_nothing();
}

/// Two sessions: one that was used last, and is loaded, and one that is the oldest saved.
fn old_and_new(rig: &Rig, space: &Space<'_>) -> [u32; 2] {
    let kinds = [Kind::Policy, Kind::Policy];
    let [old, new] = kinds.map(|kind| space.start(kind).unwrap().handle);
    rig.raw().random().unwrap();
    space.policy_digest(new).unwrap();
    [old, new]
}

/// The session was saved to make room for the one that opens the gap.
#[test]
fn g3_g8_a_session_that_left_while_the_gap_was_opened_is_not_taken_for_lost() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let sessions = old_and_new(&rig, &a);
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Answer(rc::CONTEXT_GAP));
        chip.fail_nth(1, Fault::Answer(rc::SESSION_MEMORY));
    }
    rig.raw().random().unwrap();
    assert_eq!(rig.chip.borrow_mut().fail_none(), 2);
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.close(a);
    rig.assert_nothing();
}

/// Room is not made for opening the gap by opening the gap.
#[test]
fn g3_a_tpm_with_neither_a_slot_nor_a_gap_is_not_asked_for_ever() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let sessions = old_and_new(&rig, &a);
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::CONTEXT_GAP));
        chip.fail_code(cc::CONTEXT_LOAD, Fault::Answer(rc::SESSION_MEMORY));
    }
    rig.raw().random().unwrap();
    let asked = rig.chip.borrow_mut().fail_none();
    assert!(asked < 40, "asked {asked} times");
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.close(a);
    rig.assert_nothing();
}

/// Somebody has flushed a saved session, its number was given again, and nobody was told.
#[test]
fn g5_a_number_that_a_lost_response_has_given_again_is_not_taken_for_the_old_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    a.policy_command_code(session.handle, cc::SIGN).unwrap();
    rig.raw().flush(session.handle).unwrap();
    rig.chip.borrow_mut().fail_code(
        cc::START_AUTH_SESSION,
        Fault::After(kernel::error::code::EIO),
    );
    assert!(b.start(Kind::Policy).is_err());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 1);
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// The newest context is one that nobody has, and then loading an older one was not answered either.
#[test]
fn g8_a_session_whose_save_and_whose_load_were_not_answered_is_flushed() {
    let eio = Fault::After(kernel::error::code::EIO);
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    for codes in [
        &[cc::CONTEXT_LOAD, cc::CONTEXT_SAVE][..],
        &[cc::CONTEXT_LOAD],
    ] {
        for code in codes {
            rig.chip.borrow_mut().fail_code(*code, eio);
        }
        assert!(a.policy_digest(session.handle).is_err());
        assert_eq!(rig.chip.borrow_mut().fail_none(), codes.len());
    }
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.assert_nothing();
}

/// A command that ends what it names was not answered, and neither is the question what is left.
fn end_without_an_answer(rig: &Rig, code: u32, end: impl FnOnce()) {
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(code, Fault::After(kernel::error::code::EIO));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    end();
    rig.chip.borrow_mut().fail_none();
}

/// The TPM has given the handle of an object that ended to another one, and both answers were lost.
#[test]
fn g5_an_object_that_may_have_ended_is_not_taken_for_what_came_after_it() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let old = a.hash_start().unwrap();
    end_without_an_answer(&rig, cc::SEQUENCE_COMPLETE, || {
        assert!(a.hash_complete(&old, b"").is_err());
    });
    let eio = Fault::After(kernel::error::code::EIO);
    rig.chip
        .borrow_mut()
        .fail_code(cc::HASH_SEQUENCE_START, eio);
    assert!(b.hash_start().is_err());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 1);
    assert_eq!(code_of(a.hash_update(&old, b"data")), rc::LOST_H0);
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// The same of the number of a session.
#[test]
fn g5_a_session_that_may_have_ended_is_not_taken_for_what_came_after_it() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut old = a.start(Kind::Hmac).unwrap();
    let handle = old.handle;
    end_without_an_answer(&rig, cc::GET_RANDOM, || {
        assert!(a.audited_random(old.with(AUDIT, b"")).is_err());
    });
    let eio = Fault::After(kernel::error::code::EIO);
    rig.chip.borrow_mut().fail_code(cc::START_AUTH_SESSION, eio);
    assert!(b.start(Kind::Hmac).is_err());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 1);
    assert_eq!(
        code_of(a.audited_random(old.with(AUDIT | CONTINUE, b""))),
        rc::LOST_S0
    );
    let _ = a.flush(handle);
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// Where the TPM tells that the command was not executed, nothing is lost.
#[test]
fn g3_what_an_unanswered_command_has_not_ended_stays() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let eio = Fault::Before(kernel::error::code::EIO);
    for code in [cc::SEQUENCE_COMPLETE, cc::GET_RANDOM] {
        rig.chip.borrow_mut().fail_code(code, eio);
    }
    assert!(a.hash_complete(&sequence, b"").is_err());
    assert!(a.audited_random(session.with(AUDIT, b"")).is_err());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 2);
    a.hash_update(&sequence, b"data").unwrap();
    a.audited_random(session.with(AUDIT | CONTINUE, b""))
        .unwrap();
    rig.close(a);
    rig.assert_nothing();
}

/// The TPM answers as if the session were loaded, which it never was: its context is good.
#[test]
fn g3_g8_a_session_that_only_seemed_to_be_loaded_is_loaded() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    rig.raw().random().unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Before(kernel::error::code::EIO));
        chip.fail_nth(1, Fault::Answer(rc::RETRY));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    assert!(rig.chip.borrow_mut().fail_none() > 2);
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Answer(rc::RETRY));
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::CONTEXT_GAP));
    }
    let digest = a.policy_digest(session.handle);
    assert!(rig.chip.borrow_mut().fail_none() > 0);
    digest.unwrap();
    rig.close(a);
    rig.assert_nothing();
}

/// The session has ended, loading it was not answered, and neither was what was then given its number.
#[test]
fn g5_what_has_the_number_of_a_session_that_could_not_be_loaded_is_not_taken_for_it() {
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    rig.let_stay(1000);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    rig.raw().random().unwrap();
    rig.raw().flush(session.handle).unwrap();
    for (space, code, fault) in [
        (&a, cc::CONTEXT_LOAD, Fault::Before(eio)),
        (&b, cc::START_AUTH_SESSION, Fault::After(eio)),
    ] {
        rig.chip.borrow_mut().fail_code(code, fault);
        let failed = match code {
            cc::CONTEXT_LOAD => space.policy_digest(session.handle).is_err(),
            _ => space.start(Kind::Policy).is_err(),
        };
        assert!(failed && rig.chip.borrow_mut().fail_none() > 0);
    }
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// Whether a policy session was loaded is not known, and it has ended; then another one is made, which
/// nobody is told of.
fn another_gets_the_number_of_a_session_in_doubt(another: Kind) {
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Before(eio));
        chip.fail_nth(1, Fault::Answer(rc::SESSION_MEMORY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 2);
    rig.raw().flush(session.handle).unwrap();
    rig.chip
        .borrow_mut()
        .fail_code(cc::START_AUTH_SESSION, Fault::After(eio));
    assert!(b.start(another).is_err());
    assert!(rig.chip.borrow_mut().fail_none() > 0);
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
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
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Before(eio));
        chip.fail_nth(1, Fault::Answer(rc::SESSION_MEMORY));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    rig.raw().flush(session.handle).unwrap();
    rig.chip
        .borrow_mut()
        .fail_code(cc::START_AUTH_SESSION, Fault::After(eio));
    assert!(b.start(Kind::Policy).is_err());
    rig.chip.borrow_mut().fail_none();
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// Somebody else comes while it is not known whether a session is loaded: it is not, then, and the
/// client has it all the same.
#[test]
fn g3_g9_a_session_in_doubt_is_not_loaded_when_somebody_else_comes() {
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    rig.raw().random().unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::After(eio));
        chip.fail_nth(1, Fault::Answer(rc::RETRY));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    assert!(rig.chip.borrow_mut().fail_none() > 2);
    rig.raw().random().unwrap();
    let [_, loaded] = rig.loaded();
    assert!(loaded.is_empty());
    a.policy_digest(session.handle).unwrap();
    rig.close(a);
    rig.assert_nothing();
}

/// The TPM tells at once where the session is: nothing that comes later costs it.
#[test]
fn g3_a_session_is_in_doubt_no_longer_than_the_tpm_does_not_tell() {
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::Before(eio));
        chip.fail_nth(1, Fault::Answer(rc::SESSION_MEMORY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    rig.chip
        .borrow_mut()
        .fail_code(cc::START_AUTH_SESSION, Fault::After(eio));
    assert!(b.start(Kind::Policy).is_err());
    rig.chip.borrow_mut().fail_none();
    a.policy_digest(session.handle).unwrap();
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

/// How many commands the TPM lists nothing for.
#[derive(Clone, Copy, PartialEq)]
enum Mute {
    One,
    Two,
}

/// A session ended, and another one has its number that nobody was told of and that cannot be looked
/// for while others are there.
fn a_number_is_given_again_beside_neighbours(mute: Mute) {
    let eio = kernel::error::code::EIO;
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    rig.raw().flush(session.handle).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(cc::START_AUTH_SESSION, Fault::After(eio));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(b.start(Kind::Policy).is_err());
    {
        let mut chip = rig.chip.borrow_mut();
        assert!(chip.fail_none() > 1);
        chip.fail_code(cc::CONTEXT_LOAD, Fault::Before(eio));
        if mute == Mute::Two {
            chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
        }
    }
    assert!(a.policy_digest(session.handle).is_err());
    rig.chip.borrow_mut().fail_none();
    lost(a.policy_digest(session.handle));
    rig.chip.borrow_mut().neighbours = Neighbours::Absent;
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}

#[test]
fn g5_a_number_that_is_given_again_beside_neighbours_is_not_taken_for_the_old_session() {
    a_number_is_given_again_beside_neighbours(Mute::One);
}

#[test]
fn g5_a_number_is_not_used_while_the_tpm_does_not_tell_whether_it_was_given_again() {
    a_number_is_given_again_beside_neighbours(Mute::Two);
}

/// The TPM has saved the session, nobody has the context, and the TPM does not flush it for a while.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_at_last() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::After(kernel::error::code::EIO));
        chip.fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::RETRY));
    }
    // Somebody else comes, and nothing of ours is to be loaded.
    rig.raw().random().unwrap();
    assert!(rig.chip.borrow_mut().fail_none() > 1);
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.assert_nothing();
}

/// It cannot be saved then either: it may be loaded, so it is ended, whatever the TPM says.
#[test]
fn g9_a_session_that_stays_in_doubt_is_ended_when_somebody_else_comes() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    rig.raw().random().unwrap();
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_nth(0, Fault::After(kernel::error::code::EIO));
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::RETRY));
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(a.policy_digest(session.handle).is_err());
    rig.raw().random().unwrap();
    assert!(rig.chip.borrow_mut().fail_none() > 3);
    let [_, loaded] = rig.loaded();
    assert!(loaded.is_empty());
    lost(a.policy_digest(session.handle));
    rig.close(a);
    rig.assert_nothing();
}

/// What is to be listed is listed for the client that needs it, not while others wait.
#[test]
fn g9_nothing_is_listed_when_somebody_else_comes() {
    let rig = Rig::new();
    rig.let_stay(1000);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let sessions = old_and_new(&rig, &a);
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(
            cc::START_AUTH_SESSION,
            Fault::After(kernel::error::code::EIO),
        );
        chip.fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::RETRY));
    }
    assert!(b.start(Kind::Policy).is_err());
    assert!(rig.chip.borrow_mut().fail_none() > 1);
    rig.chip
        .borrow_mut()
        .fail_nth(0, Fault::Answer(rc::CONTEXT_GAP));
    let (_, sent) = rig.sent(|| rig.withdraw());
    assert_eq!(rig.chip.borrow_mut().fail_none(), 1);
    assert_eq!(crate::count(&sent, cc::GET_CAPABILITY), 0, "{sent:?}");
    for session in sessions {
        a.policy_digest(session).unwrap();
    }
    rig.close(a);
    rig.close(b);
    rig.assert_nothing();
}
