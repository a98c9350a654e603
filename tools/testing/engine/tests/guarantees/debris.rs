// SPDX-License-Identifier: GPL-2.0

//! What a lost response leaves in the TPM: cleared away, but never at the cost of others.

use harness::chip::{Fault, Sent};
use harness::command::Kind;
use harness::engine::Neighbours;
use harness::rig::{errno, Rig, Space, ALICE};
use harness::tpm::{cc, rc, rh};
use kernel::error::code::EIO;

/// What makes or loads something whose handle is in the response.
const MAKERS: [fn(&Space<'_>) -> bool; 4] = [
    |space| space.mac_key(b"key").is_ok(),
    |space| space.hash_start().is_ok(),
    |space| space.start(Kind::Hmac).is_ok(),
    |space| space.primary(rh::OWNER).is_ok(),
];

/// How many objects, and how many sessions, the TPM has room for.
const SLOTS: usize = 3;

#[test]
fn g8_what_a_lost_response_made_is_flushed_by_the_same_command() {
    for fault in [Fault::After(EIO), Fault::Hollow, Fault::Truncated(12)] {
        for make in MAKERS {
            let rig = Rig::new();
            let a = rig.open(ALICE);
            let (made, reached) = rig.faulty(0, fault, || make(&a));
            assert!(reached && !made, "{fault:?}");
            rig.assert_nothing();
        }
    }
}

#[test]
fn g9_what_a_raw_user_has_loaded_survives_a_lost_response_of_ours() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = raw.mac_key(b"raw").unwrap();
    let session = raw.start(Kind::Policy).unwrap();
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    let (made, _) = rig.faulty(0, Fault::After(EIO), || a.mac_key(b"ours"));
    made.unwrap_err();
    a.random().unwrap();
    raw.assert_mac_key(&key, b"raw");
    raw.policy_digest(session.handle).unwrap();
    // Once the raw user has gone, with what was his, ours goes too.
    raw.flush(key.handle).unwrap();
    raw.flush(session.handle).unwrap();
    assert_eq!(rig.listed(rh::TRANSIENT).len(), 1);
    rig.chip.borrow_mut().neighbours = Neighbours::Absent;
    a.random().unwrap();
    rig.assert_nothing();
}

/// It takes all slots of the TPM, and there was no answer, while others were there.
fn fill(rig: &Rig, a: &Space<'_>, code: u32, make: fn(&Space<'_>) -> bool) {
    rig.chip.borrow_mut().neighbours = Neighbours::Possible;
    for _ in 0..SLOTS {
        rig.chip.borrow_mut().fail_code(code, Fault::After(EIO));
        assert!(!make(a));
        assert_eq!(rig.chip.borrow_mut().fail_none(), 1);
    }
    rig.chip.borrow_mut().neighbours = Neighbours::Absent;
}

/// It takes all slots of the TPM, which does not list it in time: for so many questions.
fn takes_all_slots(code: u32, make: fn(&Space<'_>) -> bool, unanswered: usize) {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    fill(&rig, &a, code, make);
    {
        let mut chip = rig.chip.borrow_mut();
        for n in 0..unanswered {
            chip.fail_nth(n, Fault::Answer(rc::RETRY));
        }
    }
    assert!(make(&a));
    assert_eq!(rig.chip.borrow_mut().fail_none(), unanswered);
    rig.assert_leave([a]);
}

#[test]
fn g1_objects_that_a_lost_response_made_take_no_room_from_others() {
    takes_all_slots(
        cc::HASH_SEQUENCE_START,
        |space| space.hash_start().is_ok(),
        2,
    );
}

#[test]
fn g1_sessions_that_a_lost_response_made_take_no_room_from_others() {
    takes_all_slots(
        cc::START_AUTH_SESSION,
        |space| space.start(Kind::Hmac).is_ok(),
        2,
    );
}

/// What takes all slots, and nobody was told of it, is gone after a command that had no memory.
fn is_flushed_without_memory(code: u32, make: fn(&Space<'_>) -> bool) {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    fill(&rig, &a, code, make);
    rig.starve(1, true);
    a.random().unwrap();
    rig.feed();
    rig.assert_nothing();
}

#[test]
fn g8_objects_that_a_lost_response_made_are_flushed_without_memory() {
    is_flushed_without_memory(cc::HASH_SEQUENCE_START, |space| space.hash_start().is_ok());
}

#[test]
fn g8_sessions_that_a_lost_response_made_are_flushed_without_memory() {
    is_flushed_without_memory(cc::START_AUTH_SESSION, |space| {
        space.start(Kind::Hmac).is_ok()
    });
}

#[test]
fn g9_without_a_fault_nothing_of_others_is_ever_flushed() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = raw.mac_key(b"raw").unwrap();
    let session = raw.start(Kind::Policy).unwrap();
    for make in MAKERS {
        make(&a);
    }
    rig.close(a);
    raw.assert_mac_key(&key, b"raw");
    raw.policy_digest(session.handle).unwrap();
}

#[test]
fn g3_a_session_whose_load_was_not_answered_works_as_if_nothing_had_been() {
    for fault in [Fault::After(EIO), Fault::Hollow, Fault::Truncated(3)] {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        let session = a.start(Kind::Policy).unwrap();
        a.policy_command_code(session.handle, cc::SIGN).unwrap();
        let digest = a.policy_digest(session.handle).unwrap();
        let (lost, reached) = rig.faulty(0, fault, || a.policy_digest(session.handle));
        assert!(reached && lost.is_err());
        assert_eq!(a.policy_digest(session.handle), Ok(digest), "{fault:?}");
        rig.assert_leave([a]);
    }
}

#[test]
fn g3_a_tpm_that_answers_nothing_for_a_while_loses_no_session() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let session = a.start(Kind::Policy).unwrap();
    let digest = a.policy_digest(session.handle).unwrap();
    for code in [cc::CONTEXT_LOAD, cc::CONTEXT_SAVE] {
        // Load and save reach the TPM, and nothing comes back.
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(code, Fault::Before(EIO));
        drop(chip);
        for _ in 0..3 {
            let _ = a.policy_digest(session.handle);
            let _ = a.mac(&key, b"data");
        }
        rig.chip.borrow_mut().fail_none();
        assert_eq!(a.policy_digest(session.handle), Ok(digest.clone()));
        a.assert_mac_key(&key, b"key");
    }
    rig.assert_leave([a]);
}

#[test]
fn g9_the_kernels_own_session_is_ended_and_not_taken_for_debris() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let kernel = raw.start(Kind::Hmac).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    let (made, _) = rig.faulty(0, Fault::After(EIO), || a.mac_key(b"key"));
    made.unwrap_err();
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 1);
    let log = rig.chip.borrow().log.clone();
    let named = kernel.handle.to_be_bytes();
    assert!(log.iter().all(|sent| sent.command[10..] != named));
}

#[test]
fn g3_a_session_that_is_loaded_without_our_knowledge_is_found() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let digest = a.policy_digest(session.handle).unwrap();
    let mut chip = rig.chip.borrow_mut();
    // It is loaded, but there is no answer, and then no way to ask.
    chip.fail_nth(0, Fault::After(EIO));
    chip.fail_code(cc::CONTEXT_SAVE, Fault::Before(EIO));
    drop(chip);
    a.policy_digest(session.handle).unwrap_err();
    rig.chip.borrow_mut().fail_none();
    assert_eq!(rig.listed(rh::LOADED_SESSION), vec![session.handle]);
    assert_eq!(a.policy_digest(session.handle), Ok(digest));
    rig.assert_leave([a]);
}

#[test]
fn g3_a_session_that_was_loaded_without_an_answer_and_cannot_be_saved_is_found() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let digest = a.policy_digest(session.handle).unwrap();
    rig.chip.borrow_mut().fail_nth(0, Fault::After(EIO));
    let refusal = Fault::Answer(rc::FAILURE);
    rig.chip.borrow_mut().fail_code(cc::CONTEXT_SAVE, refusal);
    a.policy_digest(session.handle).unwrap_err();
    rig.chip.borrow_mut().fail_none();
    assert_eq!(a.policy_digest(session.handle), Ok(digest));
    rig.assert_leave([a]);
}

#[test]
fn g9_whoever_has_the_number_of_a_session_that_ended_keeps_it() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let session = a.start(Kind::Policy).unwrap();
    raw.flush(session.handle).unwrap();
    let foreign = raw.start(Kind::Policy).unwrap();
    assert_eq!(foreign.handle, session.handle);
    let context = raw.save(foreign.handle).unwrap();
    crate::lost(a.policy_digest(session.handle));
    assert_eq!(raw.restore(&context), Ok(foreign.handle));
    raw.policy_digest(foreign.handle).unwrap();
}

#[test]
fn g5_a_handle_that_could_not_be_flushed_is_never_trusted_again() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    let mut chip = rig.chip.borrow_mut();
    chip.fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::FAILURE));
    drop(chip);
    a.assert_mac_key(&key, b"key");
    rig.chip.borrow_mut().fail_none();
    // Somebody clears the TPM, and the same handle comes to stand for another object.
    let left = rig.listed(rh::TRANSIENT);
    raw.flush(left[0]).unwrap();
    let foreign = raw.mac_key(b"foreign").unwrap();
    assert_eq!(left, vec![foreign.handle]);
    a.assert_mac_key(&key, b"key");
}

#[test]
fn g3_room_is_never_made_by_what_has_just_been_loaded() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    let mut chip = rig.chip.borrow_mut();
    chip.fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::FAILURE));
    drop(chip);
    a.assert_mac_key(&key, b"key");
    // The handle that is left to be flushed is given to the object that is loaded next; and still
    // nothing can be flushed when the command begins.
    raw.flush(rig.listed(rh::TRANSIENT)[0]).unwrap();
    rig.chip.borrow_mut().fail_none();
    let mut chip = rig.chip.borrow_mut();
    for n in 0..4 {
        chip.fail_nth(n, Fault::Answer(rc::FAILURE));
    }
    chip.fail_nth(5, Fault::Answer(rc::OBJECT_MEMORY));
    drop(chip);
    a.assert_mac_key(&key, b"key");
    rig.chip.borrow_mut().fail_none();
}

#[test]
fn g8_debris_that_the_tpm_does_not_flush_at_once_is_flushed_by_a_later_command() {
    for make in MAKERS {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        let refusal = Fault::Answer(rc::RETRY);
        rig.chip.borrow_mut().fail_nth(0, Fault::After(EIO));
        rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, refusal);
        assert!(!make(&a));
        assert_ne!(rig.contents(), [vec![], vec![], vec![]]);
        rig.chip.borrow_mut().fail_none();
        a.random().unwrap();
        rig.assert_nothing();
    }
}

/// The TPM lists nothing.
fn silence(rig: &Rig) {
    let refusal = Fault::Answer(rc::RETRY);
    rig.chip.borrow_mut().fail_code(cc::GET_CAPABILITY, refusal);
}

/// A session that the TPM has loaded without an answer. It says such things when it is to save it then, and lists
/// nothing, now and later, so that nobody knows where the session is.
fn in_doubt<'r>(rig: &'r Rig, said: &[u32]) -> (Space<'r>, u32, Vec<u8>) {
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap().handle;
    a.policy_command_code(session, cc::SIGN).unwrap();
    let digest = a.policy_digest(session).unwrap();
    let mut chip = rig.chip.borrow_mut();
    chip.fail_nth(0, Fault::After(EIO));
    for (n, code) in said.iter().enumerate() {
        chip.fail_nth(1 + n, Fault::Answer(*code));
    }
    drop(chip);
    silence(rig);
    a.policy_digest(session).unwrap_err();
    assert_eq!(rig.listed(rh::LOADED_SESSION), [session]);
    rig.chip.borrow_mut().fail_none();
    silence(rig);
    (a, session, digest)
}

/// What is sent but for questions.
fn codes(sent: &[Sent]) -> Vec<u32> {
    let codes = sent.iter().map(Sent::code);
    codes.filter(|code| *code != cc::GET_CAPABILITY).collect()
}

#[test]
fn g3_a_session_of_which_nobody_knows_where_it_is_is_saved_before_it_is_used() {
    // That it is not loaded has to be said twice.
    for said in [&[rc::RETRY][..], &[rc::HANDLE + rc::H1, rc::RETRY]] {
        let rig = Rig::new();
        let (a, session, digest) = in_doubt(&rig, said);
        let (used, sent) = rig.sent(|| a.policy_digest(session));
        assert_eq!(used, Ok(digest), "{said:x?}");
        let expected = [cc::CONTEXT_SAVE, cc::CONTEXT_LOAD, cc::POLICY_GET_DIGEST];
        assert_eq!(codes(&sent)[..3], expected);
        rig.chip.borrow_mut().fail_none();
        rig.assert_leave([a]);
    }
}

#[test]
fn g3_a_session_that_could_be_saved_but_for_the_gap_is_loaded() {
    let rig = Rig::new();
    let (a, session, digest) = in_doubt(&rig, &[rc::RETRY]);
    let gap = Fault::Answer(rc::CONTEXT_GAP);
    rig.chip.borrow_mut().fail_next(cc::CONTEXT_SAVE, gap);
    let (used, sent) = rig.sent(|| a.policy_digest(session));
    assert_eq!(used, Ok(digest));
    let expected = [cc::CONTEXT_SAVE, cc::POLICY_GET_DIGEST];
    assert_eq!(codes(&sent)[..2], expected);
    rig.chip.borrow_mut().fail_none();
    rig.assert_leave([a]);
}

#[test]
fn g3_a_session_of_which_the_tpm_does_not_tell_where_it_is_is_not_given_up() {
    // The TPM does not save it, and does not load it either, since it has it.
    for fault in [Fault::Answer(rc::RETRY), Fault::Before(EIO)] {
        let rig = Rig::new();
        let (a, session, digest) = in_doubt(&rig, &[rc::RETRY]);
        for _ in 0..2 {
            rig.chip.borrow_mut().fail_code(cc::CONTEXT_SAVE, fault);
            let (used, sent) = rig.sent(|| a.policy_digest(session));
            assert_eq!(errno(used), 5, "{fault:?}");
            assert_eq!(crate::count(&sent, cc::CONTEXT_LOAD), 2, "{sent:?}");
            assert_eq!(crate::count(&sent, cc::FLUSH_CONTEXT), 0, "{sent:?}");
        }
        rig.chip.borrow_mut().fail_none();
        assert_eq!(a.policy_digest(session), Ok(digest), "{fault:?}");
        rig.assert_leave([a]);
    }
}

/// Then nobody has the context.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_does_not_keep_its_number() {
    let rig = Rig::new();
    let (a, session, _) = in_doubt(&rig, &[rc::RETRY]);
    let unanswered = Fault::After(EIO);
    rig.chip
        .borrow_mut()
        .fail_next(cc::CONTEXT_SAVE, unanswered);
    let (used, sent) = rig.sent(|| a.policy_digest(session));
    assert!(used.is_err());
    assert_eq!(codes(&sent)[0], cc::CONTEXT_SAVE);
    rig.chip.borrow_mut().fail_none();
    assert_eq!(rig.listed(rh::LOADED_SESSION), []);
    crate::lost(a.policy_digest(session));
    rig.assert_nothing();
}
