// SPDX-License-Identifier: GPL-2.0

//! What a lost response leaves in the TPM: cleared away, but never at the cost of others.

use harness::chip::Fault;
use harness::command::Kind;
use harness::engine::Neighbours;
use harness::rig::{Rig, Space, ALICE};
use harness::tpm::{cc, rh};
use kernel::error::code::EIO;

/// What makes or loads something whose handle is in the response.
const MAKERS: [fn(&Space<'_>) -> bool; 4] = [
    |space| space.mac_key(b"key").is_ok(),
    |space| space.hash_start().is_ok(),
    |space| space.start(Kind::Hmac).is_ok(),
    |space| space.primary(rh::OWNER).is_ok(),
];

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
        rig.close(a);
        rig.assert_nothing();
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
    rig.close(a);
    rig.assert_nothing();
}
