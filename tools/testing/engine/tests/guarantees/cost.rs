// SPDX-License-Identifier: GPL-2.0

//! What a command costs: a command loads only what it names.

use crate::count;
use harness::command::{Kind, AUDIT, CONTINUE};
use harness::rig::{label, Rig, ALICE, BOB};
use harness::tpm::{cc, rh};

/// A space that holds `objects` objects and `sessions` sessions does something with none of them.
fn idle(objects: usize, sessions: usize) {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    for n in 0..objects {
        a.mac_key(&label("key", n)).unwrap();
        b.mac_key(&label("key", n)).unwrap();
    }
    for _ in 0..sessions {
        a.start(Kind::Hmac).unwrap();
    }
    let (_, sent) = rig.sent(|| a.random().unwrap());
    assert_eq!(
        sent.len(),
        1,
        "{objects} objects, {sessions} sessions: {sent:?}"
    );
    let (_, sent) = rig.sent(|| b.random().unwrap());
    assert_eq!(sent.len(), 1, "{objects} objects elsewhere: {sent:?}");
}

#[test]
fn g1_getrandom_costs_one_tpm_command_whatever_the_space_holds() {
    for (objects, sessions) in [(0, 0), (1, 0), (0, 1), (3, 3), (10, 3), (50, 30)] {
        idle(objects, sessions);
    }
}

#[test]
fn g1_a_command_loads_exactly_the_objects_it_names() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let objects: Vec<_> = (0..20)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    for object in &objects {
        let (_, sent) = rig.sent(|| a.mac(object, b"data").unwrap());
        assert_eq!(count(&sent, cc::HMAC), 1);
        assert!(count(&sent, cc::CONTEXT_LOAD) <= 1, "{sent:?}");
        // The saved context of an ordinary object stays valid.
        assert_eq!(count(&sent, cc::CONTEXT_SAVE), 0, "{sent:?}");
        assert!(sent.len() <= 3, "{sent:?}");
    }
}

#[test]
fn g1_a_command_loads_exactly_the_sessions_it_names() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut sessions: Vec<_> = (0..20).map(|_| a.start(Kind::Hmac).unwrap()).collect();
    for session in &mut sessions {
        let audit = session.with(AUDIT | CONTINUE, b"");
        let (_, sent) = rig.sent(|| a.audited_random(audit).unwrap());
        assert_eq!(count(&sent, cc::GET_RANDOM), 1);
        assert!(count(&sent, cc::CONTEXT_LOAD) <= 1, "{sent:?}");
        assert!(count(&sent, cc::CONTEXT_SAVE) <= 1, "{sent:?}");
        assert!(sent.len() <= 3, "{sent:?}");
    }
    let policy = a.start(Kind::Policy).unwrap();
    let (_, sent) = rig.sent(|| a.policy_digest(policy.handle).unwrap());
    assert!(sent.len() <= 3, "{sent:?}");
}

#[test]
fn g1_what_the_tpm_cannot_take_costs_it_one_refusal_at_most() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"").unwrap();
    let (_, sent) = rig.sent(|| a.sign(&key, harness::command::EMPTY).unwrap());
    assert!(
        sent.iter().filter(|s| s.rc() != Some(0)).count() <= 1,
        "{sent:?}"
    );
    assert_eq!(count(&sent, cc::CREATE_PRIMARY), 0);
}

#[test]
fn g9_nothing_stays_loaded_after_a_command() {
    let rig = Rig::new();
    rig.check_empty.set(true);
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"secret").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    a.sign(&key, session.auth(b"secret")).unwrap();
    a.sign(&key, session.last(b"secret")).unwrap();
    let sequence = a.hash_start().unwrap();
    a.hash_update(&sequence, b"data").unwrap();
    a.hash_complete(&sequence, b"").unwrap();
    let policy = a.start(Kind::Policy).unwrap();
    a.policy_restart(policy.handle).unwrap();
    let blob = a.save(policy.handle).unwrap();
    a.restore(&blob).unwrap();
    assert!(a.sign(&key, policy.clone().auth(b"")).is_err());
    assert!(a.read_public(0x8000_1234).is_err());
    a.flush(policy.handle).unwrap();
    let object = a.save(key.handle).unwrap();
    a.restore(&object).unwrap();
    a.handles(rh::TRANSIENT, 100).unwrap();
}
