// SPDX-License-Identifier: GPL-2.0

//! The harness itself, against the plain TPM: what the other tests rely on.

use harness::client::{signing_template, SU_CLEAR, SU_STATE};
use harness::command::{Kind, AUDIT, CONTINUE, EMPTY};
use harness::rig::{rc, Rig};
use harness::tpm::{cap, cc, rc, rh};

#[test]
fn harness_keys_sign_and_tell_themselves_apart() {
    let rig = Rig::new();
    let tpm = rig.raw();
    let parent = tpm.primary(rh::OWNER).unwrap();
    let key = tpm.signing_key(&parent, b"secret").unwrap();
    tpm.assert_object(&parent);
    tpm.assert_object(&key);
    assert_eq!(rc(tpm.sign(&key, EMPTY)), rc::BAD_AUTH + rc::S1);
    let mac = tpm.mac_key(b"key").unwrap();
    tpm.assert_mac_key(&mac, b"key");
    assert_eq!(
        rc(tpm.random().and(tpm.mac_key(b"more").map(drop))),
        rc::OBJECT_MEMORY
    );
}

#[test]
fn harness_hmac_sessions_are_checked_by_the_tpm_and_by_us() {
    let rig = Rig::new();
    let tpm = rig.raw();
    let parent = tpm.primary(rh::OWNER).unwrap();
    let key = tpm.signing_key(&parent, b"secret").unwrap();
    let mut session = tpm.start(Kind::Hmac).unwrap();
    tpm.sign(&key, session.auth(b"secret")).unwrap();
    tpm.sign(&key, session.auth(b"secret")).unwrap();
    tpm.audited_random(session.with(AUDIT | CONTINUE, b""))
        .unwrap();
    tpm.sign(&key, session.last(b"secret")).unwrap();
    assert_eq!(rig.listed(rh::LOADED_SESSION), vec![]);
    let mut session = tpm.start(Kind::Hmac).unwrap();
    let refused = rc(tpm.sign(&key, session.auth(b"wrong")));
    assert_eq!(refused, rc::BAD_AUTH + rc::S1);
}

#[test]
fn harness_policies_authorize() {
    let rig = Rig::new();
    let tpm = rig.raw();
    let trial = tpm.start(Kind::Trial).unwrap();
    tpm.policy_command_code(trial.handle, cc::SIGN).unwrap();
    let policy = tpm.policy_digest(trial.handle).unwrap();
    tpm.flush(trial.handle).unwrap();
    let parent = tpm.primary(rh::OWNER).unwrap();
    let key = tpm
        .create(&parent, &signing_template(&policy), b"")
        .unwrap();
    let key = tpm.load(&parent, &key).unwrap();
    let mut session = tpm.start(Kind::Policy).unwrap();
    assert_eq!(
        rc(tpm.sign(&key, session.auth(b""))),
        rc::POLICY_FAIL + rc::S1
    );
    tpm.policy_command_code(session.handle, cc::SIGN).unwrap();
    tpm.sign(&key, session.auth(b"")).unwrap();
}

#[test]
fn harness_sequences_hash() {
    let rig = Rig::new();
    let tpm = rig.raw();
    let sequence = tpm.hash_start().unwrap();
    tpm.hash_update(&sequence, b"some ").unwrap();
    let digest = tpm.hash_complete(&sequence, b"data").unwrap();
    assert_eq!(digest, harness::command::sha256(&[b"some data"]));
}

#[test]
fn harness_power_cycles_reset_restart_or_resume() {
    let rig = Rig::new();
    let tpm = rig.raw();
    let key = tpm.primary(rh::OWNER).unwrap();
    let session = tpm.start(Kind::Hmac).unwrap();
    let (object, session) = (
        tpm.save(key.handle).unwrap(),
        tpm.save(session.handle).unwrap(),
    );
    rig.power_cycle(Some(SU_STATE), SU_STATE);
    rig.assert_empty();
    let handle = tpm.restore(&object).unwrap();
    tpm.flush(handle).unwrap();
    let handle = tpm.restore(&session).unwrap();
    tpm.save(handle).unwrap();
    rig.power_cycle(None, SU_CLEAR);
    rig.assert_nothing();
    assert_eq!(rc(tpm.restore(&object)), rc::INTEGRITY + rc::P1);
}

#[test]
fn harness_tpm_is_the_one_that_the_tests_assume() {
    let rig = Rig::new();
    let tpm = rig.raw();
    assert_eq!(tpm.property(cap::PT_HR_TRANSIENT_MIN), Ok(3));
    assert_eq!(tpm.property(cap::PT_HR_LOADED_MIN), Ok(3));
    assert_eq!(tpm.property(cap::PT_ACTIVE_SESSIONS_MAX), Ok(64));
}
