// SPDX-License-Identifier: GPL-2.0

//! G1: a TPM that is full of what others loaded is answered by making room, and never reported.

use harness::chip::Fault;
use harness::command::{Command, Kind, Session, AUDIT, CONTINUE};
use harness::fake::{Fake, Model};
use harness::rig::{label, Rig, ALICE, BOB};
use harness::tpm::{alg, cc, rc, rh};
use harness::wire::Put;

#[test]
fn g1_with_one_free_object_slot_everything_that_needs_one_works() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let foreign = [raw.mac_key(b"1").unwrap(), raw.mac_key(b"2").unwrap()];
    let keys: Vec<_> = (0..10).map(|n| label("key", n)).collect();
    let objects: Vec<_> = keys.iter().map(|key| a.mac_key(key).unwrap()).collect();
    for (object, key) in objects.iter().zip(&keys) {
        a.assert_mac_key(object, key);
    }
    let sequence = a.hash_start().unwrap();
    a.hash_update(&sequence, b"data").unwrap();
    a.assert_mac_key(&objects[3], &keys[3]);
    a.hash_complete(&sequence, b"").unwrap();
    raw.assert_mac_key(&foreign[0], b"1");
    raw.assert_mac_key(&foreign[1], b"2");
}

#[test]
fn g1_with_one_free_session_slot_everything_that_needs_one_works() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let foreign = [
        raw.start(Kind::Policy).unwrap(),
        raw.start(Kind::Policy).unwrap(),
    ];
    let key = a.mac_key(b"key").unwrap();
    let mut sessions: Vec<_> = (0..10).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    for session in &mut sessions {
        a.mac_with(&key, session.auth(b""), b"data").unwrap();
    }
    for session in &foreign {
        raw.policy_digest(session.handle).unwrap();
    }
}

#[test]
fn g1_the_kernels_own_session_makes_room_when_there_is_none() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    a.mac_with(&key, session.auth(b""), b"data").unwrap();
    assert_eq!(
        rig.chip.borrow().kernel_sessions_ended,
        0,
        "not without need"
    );
    raw.start(Kind::Hmac).unwrap();
    raw.start(Kind::Hmac).unwrap();
    let kernel = raw.start(Kind::Hmac).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    a.mac_with(&key, session.auth(b""), b"data").unwrap();
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 1);
    let kernel = raw.start(Kind::Hmac).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    a.start(Kind::Hmac).unwrap();
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 2);
}

#[test]
fn g1_object_handles_is_answered_as_object_memory_is() {
    for objects_full in [rc::OBJECT_MEMORY, rc::OBJECT_HANDLES] {
        for object_slots in 1..4 {
            let model = Model {
                object_slots,
                objects_full,
                ..Model::default()
            };
            let rig = Rig::over(Fake::new(model), Default::default());
            let (a, b) = (rig.open(ALICE), rig.open(BOB));
            let objects: Vec<_> = (0..20)
                .map(|n| a.mac_key(&label("key", n)).unwrap())
                .collect();
            let other = b.mac_key(b"other").unwrap();
            for object in objects.iter().rev() {
                a.assert_object(object);
                b.assert_object(&other);
            }
        }
    }
}

#[test]
fn g1_sessions_in_every_number_of_slots() {
    for loaded_sessions in 1..5 {
        let model = Model {
            loaded_sessions,
            ..Model::default()
        };
        let rig = Rig::over(Fake::new(model), Default::default());
        let a = rig.open(ALICE);
        let sessions: Vec<_> = (0..20).map(|_| a.start(Kind::Policy).unwrap()).collect();
        for session in sessions.iter().rev() {
            a.policy_digest(session.handle).unwrap();
        }
        rig.assert_leave([a]);
    }
}

/// Whatever is refused once for want of room succeeds, wherever the refusal comes.
fn refused_once(code: u32) {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let keys: Vec<_> = (0..3)
        .map(|_| a.signing_key(&parent, b"secret").unwrap())
        .collect();
    let mut sessions: Vec<_> = (0..3).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    let reached = harness::rig::until_unreached(0..1000, |n| {
        let (_, reached) = rig.faulty(n, Fault::Answer(code), || {
            for (key, session) in keys.iter().zip(&mut sessions) {
                a.sign(key, session.auth(b"secret")).unwrap();
            }
            let key = a.signing_key(&parent, b"").unwrap();
            let policy = a.start(Kind::Policy).unwrap();
            a.policy_restart(policy.handle).unwrap();
            let sequence = a.hash_start().unwrap();
            a.hash_update(&sequence, b"data").unwrap();
            a.hash_complete(&sequence, b"").unwrap();
            let blob = a.save(policy.handle).unwrap();
            a.restore(&blob).unwrap();
            a.flush(policy.handle).unwrap();
            a.flush(key.handle).unwrap();
        });
        reached
    });
    assert!(reached > 20, "{reached} transmissions");
    rig.assert_leave([a]);
}

#[test]
fn g1_object_memory_is_answered_inside_wherever_it_comes() {
    refused_once(rc::OBJECT_MEMORY);
}

#[test]
fn g1_object_handles_is_answered_inside_wherever_it_comes() {
    refused_once(rc::OBJECT_HANDLES);
}

#[test]
fn g1_session_memory_is_answered_inside_wherever_it_comes() {
    refused_once(rc::SESSION_MEMORY);
}

#[test]
fn g1_a_tpm_that_stays_full_is_an_answer_and_not_a_loop() {
    for code in [
        rc::OBJECT_MEMORY,
        rc::OBJECT_HANDLES,
        rc::SESSION_MEMORY,
        rc::CONTEXT_GAP,
    ] {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        let key = a.mac_key(b"key").unwrap();
        let mut session = a.start(Kind::Hmac).unwrap();
        for stuck in [cc::HMAC, cc::CONTEXT_LOAD, cc::START_AUTH_SESSION] {
            rig.chip.borrow_mut().fail_code(stuck, Fault::Answer(code));
            let (_, sent) = rig.sent(|| {
                let _ = a.mac_with(&key, session.auth(b""), b"data");
                let _ = a.start(Kind::Hmac).map(|s| a.flush(s.handle));
            });
            assert!(sent.len() < 100, "{} transmissions", sent.len());
            rig.chip.borrow_mut().fail_none();
            a.assert_mac_key(&key, b"key");
            a.mac_with(&key, session.auth(b""), b"data").unwrap();
        }
    }
}

#[test]
fn g3_two_sessions_and_one_slot_are_refused_and_neither_is_harmed() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    let (mut one, mut two) = (a.start(Kind::Hmac).unwrap(), a.start(Kind::Hmac).unwrap());
    let foreign = [
        raw.start(Kind::Policy).unwrap(),
        raw.start(Kind::Policy).unwrap(),
    ];
    let both = |one: &mut Session, two: &mut Session| {
        a.run(
            Command::new(cc::HMAC)
                .named(key.handle, &key.name)
                .auth(one.auth(b""))
                .auth(two.with(AUDIT | CONTINUE, b""))
                .params(vec![].sized(b"data").u16(alg::SHA256)),
        )
    };
    let (refused, sent) = rig.sent(|| harness::rig::rc(both(&mut one, &mut two)));
    assert_eq!(refused, rc::LAYER | rc::SESSION_MEMORY);
    assert_eq!(crate::count(&sent, cc::HMAC), 0, "the TPM cannot do it");
    raw.flush(foreign[0].handle).unwrap();
    both(&mut one, &mut two).unwrap();
    raw.policy_digest(foreign[1].handle).unwrap();
}

#[test]
#[cfg(not(feature = "exhaustion"))]
fn g10_without_the_option_the_tpm_says_that_all_numbers_are_taken() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let kernel = raw.start(Kind::Hmac).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    for _ in 0..63 {
        a.start(Kind::Policy).unwrap();
    }
    let (refused, sent) = rig.sent(|| harness::rig::rc(a.start(Kind::Policy)));
    assert_eq!(refused, rc::SESSION_HANDLES);
    assert_eq!(crate::count(&sent, cc::START_AUTH_SESSION), 1);
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 0);
}

#[test]
#[cfg(feature = "exhaustion")]
fn g1_g9_users_have_all_numbers_but_those_that_are_left_to_the_kernel() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let kernel = raw.start(Kind::Hmac).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    // Its own session is one of the two that are kept for it.
    let sessions: Vec<_> = (0..62).map(|_| a.start(Kind::Policy).unwrap()).collect();
    let (outcome, sent) = rig.sent(|| a.start(Kind::Policy).map(|session| session.handle));
    assert_eq!(outcome, Err(harness::client::Failure::Waits));
    assert_eq!(crate::count(&sent, cc::START_AUTH_SESSION), 0);
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 0);
    for session in &sessions {
        a.policy_digest(session.handle).unwrap();
    }
}
