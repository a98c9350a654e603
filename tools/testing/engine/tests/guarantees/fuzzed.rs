// SPDX-License-Identifier: GPL-2.0

//! What fuzzing has found (tools/testing/fuzz), as stories.

use crate::lost;
use harness::chip::Fault;
use harness::command::Kind;
use harness::rig::{Rig, Space, ALICE, BOB};
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
