// SPDX-License-Identifier: GPL-2.0

//! Commands and events that kill objects and sessions of others: exactly what died is refused.

use crate::lost;
use harness::chip::Fault;
use harness::client::{Object, SU_CLEAR, SU_STATE};
use harness::command::{Command, Kind, EMPTY};
use harness::rig::{rc, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc, rh};
use harness::wire::Put;

/// One object of each hierarchy, one of the null hierarchy, and a session.
struct Held {
    owner: Object,
    child: Object,
    endorsement: Object,
    platform: Object,
    null: Object,
    session: harness::command::Session,
}

impl Held {
    fn new(space: &Space<'_>) -> Self {
        let owner = space.primary(rh::OWNER).unwrap();
        Self {
            child: space.signing_key(&owner, b"secret").unwrap(),
            owner,
            endorsement: space.primary(rh::ENDORSEMENT).unwrap(),
            platform: space.primary(rh::PLATFORM).unwrap(),
            null: space.mac_key(b"null").unwrap(),
            session: space.start(Kind::Hmac).unwrap(),
        }
    }

    /// Asserts which hierarchies live; the null hierarchy and the session must.
    fn assert_alive(&mut self, space: &Space<'_>, [owner, endorsement, platform]: [bool; 3]) {
        space.random().unwrap();
        let hierarchies = [
            (&self.owner, owner),
            (&self.child, owner),
            (&self.endorsement, endorsement),
            (&self.platform, platform),
        ];
        for (object, alive) in hierarchies {
            if alive {
                space.assert_object(object);
            } else {
                lost(space.read_public(object.handle));
                assert_eq!(rc(space.sign(object, EMPTY)), rc::LOST_H0);
            }
        }
        space.assert_mac_key(&self.null, b"null");
        space
            .mac_with(&self.null, self.session.auth(b""), b"data")
            .unwrap();
    }
}

#[test]
fn g3_clear_by_another_space_kills_what_it_kills_and_nothing_else() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut held = Held::new(&a);
    b.clear().unwrap();
    held.assert_alive(&a, [false, false, true]);
    let fresh = a.primary(rh::OWNER).unwrap();
    a.assert_object(&fresh);
    held.assert_alive(&a, [false, false, true]);
    // Children die with their ancestors; the lost are not listed.
    let listed = a.handles(rh::TRANSIENT, 100).unwrap().1;
    assert_eq!(
        listed,
        vec![held.platform.handle, held.null.handle, fresh.handle]
    );
}

#[test]
fn g3_clear_by_the_space_itself() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut held = Held::new(&a);
    a.clear().unwrap();
    held.assert_alive(&a, [false, false, true]);
}

#[test]
fn g3_clear_behind_the_engines_back() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut held = Held::new(&a);
    rig.raw().clear().unwrap();
    held.assert_alive(&a, [false, false, true]);
}

#[test]
fn g3_a_refused_clear_kills_nothing() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut held = Held::new(&a);
    let wrong = Command::new(cc::CLEAR)
        .handle(rh::LOCKOUT)
        .auth(harness::command::Auth::Password(b"wrong"));
    b.run(wrong).unwrap_err();
    held.assert_alive(&a, [true, true, true]);
}

#[test]
fn g3_a_hierarchy_switched_off_and_on() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut held = Held::new(&a);
    for state in [0, 1] {
        b.run(
            Command::new(cc::HIERARCHY_CONTROL)
                .handle(rh::PLATFORM)
                .auth(EMPTY)
                .params(vec![].u32(rh::OWNER).u8(state)),
        )
        .unwrap();
    }
    // The TPM flushes the loaded objects of a hierarchy that is switched off; a saved context of it loads
    // again afterwards. Either way nothing of the others may change, and nothing may change its meaning.
    a.random().unwrap();
    for object in [&held.owner, &held.child] {
        match a.read_public(object.handle) {
            Ok(name) => assert_eq!(name, object.name),
            other => lost(other),
        }
    }
    a.assert_object(&held.endorsement);
    a.assert_object(&held.platform);
    a.assert_mac_key(&held.null, b"null");
    a.mac_with(&held.null, held.session.auth(b""), b"data")
        .unwrap();
}

#[test]
fn g3_new_seeds_kill_their_hierarchy_only() {
    for (code, alive) in [
        (cc::CHANGE_EPS, [true, false, true]),
        (cc::CHANGE_PPS, [true, true, false]),
    ] {
        let rig = Rig::new();
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let mut held = Held::new(&a);
        b.run(Command::new(code).handle(rh::PLATFORM).auth(EMPTY))
            .unwrap();
        held.assert_alive(&a, alive);
    }
}

#[test]
fn g5_a_tpm_reset_loses_everything_and_harms_nothing_new() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut held = Held::new(&a);
    let detached = b.start(Kind::Hmac).unwrap();
    let blob = b.save(detached.handle).unwrap();
    rig.power_cycle(None, SU_CLEAR);
    a.random().unwrap();
    for object in [
        &held.owner,
        &held.child,
        &held.endorsement,
        &held.platform,
        &held.null,
    ] {
        lost(a.read_public(object.handle));
        lost(a.read_public(object.handle));
    }
    let fresh = a.mac_key(b"fresh").unwrap();
    a.assert_mac_key(&fresh, b"fresh");
    let refused = rc(a.mac_with(&fresh, held.session.auth(b""), b"data"));
    assert_eq!(refused, rc::LOST_S0);
    crate::refused(a.restore(&blob));
    for space in [&a, &b] {
        assert_eq!(space.handles(rh::LOADED_SESSION, 9).unwrap().1, vec![]);
        assert_eq!(space.handles(rh::SAVED_SESSION, 9).unwrap().1, vec![]);
    }
    let mut session = a.start(Kind::Hmac).unwrap();
    a.mac_with(&fresh, session.auth(b""), b"data").unwrap();
    rig.assert_leave([a, b]);
}

#[test]
fn g5_after_a_reset_no_number_means_another_spaces_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let old: Vec<_> = (0..3).map(|_| a.start(Kind::Policy).unwrap()).collect();
    rig.power_cycle(None, SU_CLEAR);
    // The TPM gives the same numbers again, to somebody else.
    let new: Vec<_> = (0..3).map(|_| b.start(Kind::Policy).unwrap()).collect();
    for session in &old {
        lost(a.policy_digest(session.handle));
        lost(a.save(session.handle));
    }
    for session in &new {
        b.policy_digest(session.handle).unwrap();
    }
    // Flushing what was lost harms nobody.
    for session in &old {
        let _ = a.flush(session.handle);
        let _ = a.flush(session.handle);
    }
    rig.close(a);
    for session in &new {
        b.policy_digest(session.handle).unwrap();
    }
}

#[test]
fn g3_a_tpm_restart_loses_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut held = Held::new(&a);
    rig.power_cycle(Some(SU_STATE), SU_CLEAR);
    // Saved contexts outlive a Restart, those of sessions and of the null hierarchy too.
    held.assert_alive(&a, [true, true, true]);
}

#[test]
fn g3_a_tpm_resume_loses_nothing() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut held = Held::new(&a);
    let detached = b.start(Kind::Policy).unwrap();
    let blob = b.save(detached.handle).unwrap();
    rig.power_cycle(Some(SU_STATE), SU_STATE);
    held.assert_alive(&a, [true, true, true]);
    b.restore(&blob).unwrap();
    b.policy_digest(detached.handle).unwrap();
}

#[test]
fn g3_a_raw_user_who_flushes_everything_costs_only_sessions() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut held = Held::new(&a);
    let raw = rig.raw();
    for handle in rig.contents().concat() {
        raw.flush(handle).unwrap();
    }
    a.random().unwrap();
    a.assert_object(&held.owner);
    a.assert_mac_key(&held.null, b"null");
    let refused = rc(a.mac_with(&held.null, held.session.auth(b""), b"data"));
    assert_eq!(refused, rc::LOST_S0);
    let mut session = a.start(Kind::Hmac).unwrap();
    a.mac_with(&held.null, session.auth(b""), b"data").unwrap();
}

#[test]
fn g3_an_extensive_command_has_the_books_read_again() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let (dead, alive) = (a.start(Kind::Hmac).unwrap(), a.start(Kind::Policy).unwrap());
    rig.raw().flush(dead.handle).unwrap();
    a.clear().unwrap();
    assert_eq!(
        a.handles(rh::LOADED_SESSION, 9),
        Ok((false, vec![alive.handle]))
    );
    // An object that could not be flushed is flushed by Clear: nothing is left to do.
    let flushes = Fault::Answer(rc::FAILURE);
    rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, flushes);
    a.primary(rh::OWNER).unwrap();
    assert_eq!(rig.listed(rh::TRANSIENT).len(), 1);
    a.clear().unwrap();
    rig.chip.borrow_mut().fail_none();
    let (_, sent) = rig.sent(|| a.random().unwrap());
    assert_eq!(sent.len(), 1, "{sent:?}");
}

#[test]
fn g6_a_session_that_has_ended_is_struck_off_when_the_tpm_is_asked_for_all() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let [gone, kept] = [(); 2].map(|()| a.start(Kind::Policy).unwrap().handle);
    rig.raw().flush(gone).unwrap();
    a.clear().unwrap();
    let (outcome, sent) = rig.sent(|| a.policy_digest(gone));
    lost(outcome);
    assert!(sent.is_empty(), "the TPM heard of it: {sent:?}");
    a.policy_digest(kept).unwrap();
}
