// SPDX-License-Identifier: GPL-2.0

//! Sessions: swapped by name, wherever a command names them, and ended when they end.

use crate::lost;
use harness::client::signing_template;
use harness::command::{Command, Kind, AUDIT, CONTINUE, EMPTY};
use harness::rig::{rc, Rig, ALICE};
use harness::tpm::{cc, rc, rh};
use harness::wire::Put;

#[test]
fn g10_sessions_keep_the_numbers_that_the_tpm_gave() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for _ in 0..10 {
        let session = a.start(Kind::Hmac).unwrap();
        assert!(rig
            .contents()
            .concat()
            .iter()
            .any(|h| h & 0xff_ffff == session.handle & 0xff_ffff));
    }
}

#[test]
fn g1_hmac_sessions_authorize_again_and_again_between_others() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut sessions: Vec<_> = (0..7).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    for _ in 0..5 {
        for session in &mut sessions {
            a.sign(&key, session.auth(b"secret")).unwrap();
        }
    }
}

#[test]
fn g1_three_sessions_in_one_command() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut s: Vec<_> = (0..5).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    let [one, two, three, ..] = &mut s[..] else {
        unreachable!()
    };
    // The first authorizes, the second audits; a third is for encryption of the first parameter.
    let mut certify = |parent_auth: &[u8]| {
        a.run(
            Command::new(cc::CERTIFY)
                .named(parent.handle, &parent.name)
                .named(key.handle, &key.name)
                .auth(one.auth(parent_auth))
                .auth(two.auth(b"secret"))
                .auth(three.with(AUDIT | CONTINUE, b""))
                .params(vec![].sized(b"").u16(0x18).u16(0xb)),
        )
        .map(drop)
    };
    certify(b"").unwrap();
    certify(b"").unwrap();
    assert_eq!(rc(certify(b"wrong")), rc::BAD_AUTH + rc::S1);
    certify(b"").unwrap();
}

#[test]
fn g5_a_session_that_was_not_continued_is_gone() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let (_, sent) = rig.sent(|| a.sign(&key, session.last(b"secret")).unwrap());
    assert_eq!(crate::count(&sent, cc::CONTEXT_SAVE), 0, "{sent:?}");
    let listed = a.handles(rh::LOADED_SESSION, 100).unwrap().1;
    assert_eq!(listed, vec![]);
    let (refused, sent) = rig.sent(|| rc(a.sign(&key, session.auth(b"secret"))));
    assert_eq!(refused, rc::LOST_S0);
    assert_eq!(crate::count(&sent, cc::SIGN), 0, "the TPM never sees it");
    rig.assert_empty();
    assert_eq!(rig.listed(rh::SAVED_SESSION), vec![]);
}

#[test]
fn g3_a_session_that_was_not_to_continue_survives_a_refusal() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let refused = rc(a.sign(&key, session.last(b"wrong")));
    assert_eq!(refused, rc::BAD_AUTH + rc::S1);
    a.sign(&key, session.auth(b"secret")).unwrap();
}

#[test]
fn g1_policies_are_built_command_by_command_between_others() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let trial = a.start(Kind::Trial).unwrap();
    a.policy_command_code(trial.handle, cc::SIGN).unwrap();
    let policy = a.policy_digest(trial.handle).unwrap();
    a.flush(trial.handle).unwrap();
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.create(&parent, &signing_template(&policy), b"").unwrap();
    let key = a.load(&parent, &key).unwrap();
    let mut sessions: Vec<_> = (0..6).map(|_| a.start(Kind::Policy).unwrap()).collect();
    for session in &sessions {
        a.policy_command_code(session.handle, cc::SIGN).unwrap();
    }
    for session in &mut sessions {
        assert_eq!(a.policy_digest(session.handle), Ok(policy.clone()));
        a.sign(&key, session.auth(b"")).unwrap();
        // A used policy session starts over.
        assert_eq!(
            rc(a.sign(&key, session.auth(b""))),
            rc::POLICY_FAIL + rc::S1
        );
        a.policy_command_code(session.handle, cc::SIGN).unwrap();
        a.sign(&key, session.last(b"")).unwrap();
        lost(a.policy_digest(session.handle));
    }
}

#[test]
fn g1_a_policy_session_in_the_handle_area_with_another_that_authorizes() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let policy = a.start(Kind::Policy).unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let mut others: Vec<_> = (0..4).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    for other in &mut others {
        a.sign(&key, other.auth(b"secret")).unwrap();
    }
    a.run(
        Command::new(cc::POLICY_SECRET)
            .named(key.handle, &key.name)
            .handle(policy.handle)
            .auth(session.auth(b"secret"))
            .params(vec![].sized(b"").sized(b"").sized(b"").u32(0)),
    )
    .unwrap();
    assert_ne!(a.policy_digest(policy.handle), Ok(vec![0; 32]));
    a.policy_restart(policy.handle).unwrap();
    assert_eq!(a.policy_digest(policy.handle), Ok(vec![0; 32]));
}

#[test]
fn g1_a_session_bound_to_and_salted_by_objects_of_the_space() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"").unwrap();
    for n in 0..5u8 {
        a.mac_key(&[n]).unwrap();
    }
    // Bound only: both objects of the handle area are virtual handles. Its key is not computed here.
    let reply = a
        .run(
            Command::new(cc::START_AUTH_SESSION)
                .handle(rh::NULL)
                .named(key.handle, &key.name)
                .params(vec![].sized(&[1; 32]).sized(b"").u8(1).u16(0x10).u16(0xb)),
        )
        .unwrap();
    a.policy_digest(reply.handle.unwrap()).unwrap();
    a.assert_object(&key);
}

#[test]
fn g6_a_flushed_session_is_refused_before_the_tpm_sees_it() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let (mut one, mut two) = (a.start(Kind::Hmac).unwrap(), a.start(Kind::Hmac).unwrap());
    a.flush(one.handle).unwrap();
    let (refused, sent) = rig.sent(|| rc(a.sign(&key, one.auth(b"secret"))));
    assert_eq!((refused, sent.len()), (rc::LOST_S0, 0));
    // Second in the authorization area.
    let command = Command::new(cc::SIGN)
        .named(key.handle, &key.name)
        .auth(two.auth(b"secret"))
        .auth(one.with(AUDIT | CONTINUE, b""))
        .params(vec![0; 4]);
    let (refused, sent) = rig.sent(|| rc(a.run(command)));
    assert_eq!((refused, sent.len()), (rc::LOST_S0 + 1, 0));
    // In the handle area.
    let (refused, sent) = rig.sent(|| rc(a.policy_restart(one.handle)));
    assert_eq!((refused, sent.len()), (rc::LOST_H0, 0));
    // What was refused has not rolled the other session's nonce.
    let mut two = two.clone();
    two.handle = rh::HMAC_SESSION + 0x1234;
    let (refused, sent) = rig.sent(|| rc(a.sign(&key, two.auth(b"secret"))));
    assert_eq!((refused, sent.len()), (rc::LOST_S0, 0));
    a.sign(&key, EMPTY).unwrap_err();
}

#[test]
fn g3_a_command_with_a_lost_session_costs_the_other_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut one = a.start(Kind::Hmac).unwrap();
    let mut dead = a.start(Kind::Hmac).unwrap();
    a.flush(dead.handle).unwrap();
    let command = Command::new(cc::SIGN)
        .named(key.handle, &key.name)
        .auth(one.last(b"secret"))
        .auth(dead.with(AUDIT | CONTINUE, b""))
        .params(vec![0; 4]);
    assert_eq!(rc(a.run(command)), rc::LOST_S0 + 1);
    a.sign(&key, one.auth(b"secret")).unwrap();
    a.assert_object(&key);
}

#[test]
fn g6_a_lost_session_counts_no_failed_authorization() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    // Protected against dictionary attacks: no NO_DA in the attributes.
    let mut template = signing_template(b"");
    template[6] &= !0x04;
    let key = a.create(&parent, &template, b"secret").unwrap();
    let key = a.load(&parent, &key).unwrap();
    let counter = 0x20e;
    let mut session = a.start(Kind::Hmac).unwrap();
    // The TPM asks once to repeat: it notes that such a key is in use.
    let first = a.sign(&key, session.auth(b"secret"));
    assert!(matches!(
        first,
        Ok(()) | Err(harness::client::Failure::Rc(rc::RETRY))
    ));
    a.sign(&key, session.auth(b"secret")).unwrap();
    assert_eq!(a.property(counter), Ok(0));
    assert_eq!(
        rc(a.sign(&key, session.auth(b"wrong"))),
        rc::AUTH_FAIL + rc::S1
    );
    assert_eq!(a.property(counter), Ok(1), "a wrong one does count");
    a.flush(session.handle).unwrap();
    assert_eq!(rc(a.sign(&key, session.auth(b"secret"))), rc::LOST_S0);
    assert_eq!(a.property(counter), Ok(1));
}

#[test]
fn g6_every_word_for_a_session_that_is_gone_is_understood() {
    // A TPM says of the context of a session that has ended that the session is not there, or that the
    // context is not good; which one, is the TPM's choice.
    for word in [
        rc::REFERENCE_H0,
        rc::HANDLE + rc::P1,
        rc::INTEGRITY + rc::P1,
    ] {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        let key = a.mac_key(b"key").unwrap();
        let mut session = a.start(Kind::Hmac).unwrap();
        rig.raw().flush(session.handle).unwrap();
        // The first load is that of the key.
        for n in [1, 2] {
            let mut chip = rig.chip.borrow_mut();
            chip.fail_nth(n, harness::chip::Fault::Answer(word));
        }
        let refused = rc(a.mac_with(&key, session.auth(b""), b"data"));
        rig.chip.borrow_mut().fail_none();
        assert_eq!(refused, rc::LOST_S0, "{word:#x}");
        assert_eq!(a.handles(rh::LOADED_SESSION, 9), Ok((false, vec![])));
    }
}
