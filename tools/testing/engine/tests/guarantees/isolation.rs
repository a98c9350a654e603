// SPDX-License-Identifier: GPL-2.0

//! G4: no command of one space reaches what is another's, whatever handle it takes and where.

use harness::command::{header, Command, Kind, Session, CONTINUE};
use harness::rig::{rc, Rig, ALICE, BOB};
use harness::tpm::{cap, cc, rc, rh, SESSIONS};
use harness::wire::{response_code, Get, Put};

/// The commands of the TPM: attributes as GetCapability gives them.
fn commands(rig: &Rig) -> Vec<u32> {
    let (_, data) = rig.raw().capability(cap::COMMANDS, 0, 254).unwrap();
    let mut get = Get(&data);
    (0..get.u32()).map(|_| get.u32()).collect()
}

#[test]
fn g4_a_space_cannot_use_anothers_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let key = b.mac_key(b"key").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let mut stolen = session.clone();
    let (refused, sent) = rig.sent(|| rc(b.mac_with(&key, stolen.auth(b""), b"data")));
    assert_eq!((refused, sent.len()), (rc::LOST_S0, 0));
    let own = a.mac_key(b"own").unwrap();
    a.mac_with(&own, session.auth(b""), b"data").unwrap();
}

#[test]
fn g4_a_space_cannot_flush_anothers_session() {
    let rig = Rig::new();
    for other in [ALICE, BOB] {
        let (a, b) = (rig.open(ALICE), rig.open(other));
        let mut session = a.start(Kind::Hmac).unwrap();
        // Under both names that the number can have.
        for handle in [session.handle, session.handle | 0x0100_0000] {
            let (refused, sent) = rig.sent(|| rc(b.flush(handle)));
            assert_eq!((refused, sent.len()), (rc::LOST_H0, 0), "{handle:#x}");
        }
        let key = a.mac_key(b"key").unwrap();
        a.mac_with(&key, session.auth(b""), b"data").unwrap();
    }
}

#[test]
fn g4_a_space_cannot_save_anothers_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let session = a.start(Kind::Policy).unwrap();
    let (refused, sent) = rig.sent(|| rc(b.save(session.handle)));
    assert_eq!((refused, sent.len()), (rc::LOST_H0, 0));
    a.policy_digest(session.handle).unwrap();
}

#[test]
fn g4_a_space_cannot_list_what_is_anothers() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    a.mac_key(b"key").unwrap();
    a.start(Kind::Hmac).unwrap();
    let detached = a.start(Kind::Hmac).unwrap();
    a.save(detached.handle).unwrap();
    for first in [rh::TRANSIENT, rh::LOADED_SESSION, rh::SAVED_SESSION] {
        assert_eq!(b.handles(first, 100), Ok((false, vec![])), "{first:#x}");
    }
}

#[test]
fn g4_no_command_takes_anothers_session_in_its_handle_area() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let mut tried = 0;
    for attributes in commands(&rig) {
        let (code, handles) = (attributes & 0xffff, attributes >> 25 & 7);
        for place in 0..handles {
            let mut body = vec![];
            for n in 0..handles {
                body = body.u32(if n == place { session.handle } else { rh::NULL });
            }
            // A password for each handle, and parameters that mean little.
            let auth = vec![].u32(rh::PW).u16(0).u8(CONTINUE).u16(0);
            let body = body.u32(9).bytes(&auth).bytes(&[0; 16]);
            let (response, sent) = rig.sent(|| b.bytes(&header(SESSIONS, code, &body)).unwrap());
            assert_eq!(
                (response_code(&response), sent.len()),
                (rc::LOST_H0 + place, 0),
                "command {code:#x}, handle {place}"
            );
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried} places");
    a.policy_digest(session.handle).unwrap();
}

#[test]
fn g4_no_command_takes_anothers_session_in_its_authorization_area() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    for attributes in commands(&rig) {
        let (code, handles) = (attributes & 0xffff, attributes >> 25 & 7);
        // Neither takes any authorization: what the TPM says of them is as good.
        let body = (0..handles).fold(vec![], |body, _| body.u32(rh::NULL));
        let auth = vec![].u32(session.handle).u16(0).u8(CONTINUE).u16(0);
        let body = body.u32(9).bytes(&auth).bytes(&[0; 16]);
        let (response, sent) = rig.sent(|| b.bytes(&header(SESSIONS, code, &body)).unwrap());
        assert_eq!(
            (response_code(&response), sent.len()),
            (rc::LOST_S0, 0),
            "command {code:#x}"
        );
    }
    a.policy_digest(session.handle).unwrap();
}

#[test]
fn g4_a_raw_users_session_is_not_for_spaces() {
    let rig = Rig::new();
    let (raw, b) = (rig.raw(), rig.open(BOB));
    let session = raw.start(Kind::Policy).unwrap();
    assert_eq!(rc(b.policy_restart(session.handle)), rc::LOST_H0);
    assert_eq!(rc(b.flush(session.handle)), rc::LOST_H0);
    raw.policy_digest(session.handle).unwrap();
}

#[test]
fn g4_same_virtual_handle_in_two_spaces_means_two_objects() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let one = a.mac_key(b"one").unwrap();
    let two = b.mac_key(b"two").unwrap();
    assert_eq!(one.handle, two.handle);
    a.assert_mac_key(&one, b"one");
    b.assert_mac_key(&two, b"two");
    a.flush(one.handle).unwrap();
    b.assert_mac_key(&two, b"two");
}

#[test]
fn g4_a_real_handle_in_a_parameter_reaches_nothing() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let foreign = raw.mac_key(b"foreign").unwrap();
    // FlushContext is the one command whose handle is a parameter.
    assert!(a.flush(foreign.handle).is_err());
    raw.assert_mac_key(&foreign, b"foreign");
    let mut session: Session = a.start(Kind::Hmac).unwrap();
    let key = a.mac_key(b"key").unwrap();
    a.mac_with(&key, session.auth(b""), b"data").unwrap();
    raw.assert_mac_key(&foreign, b"foreign");
    let reply = a.run(Command::new(cc::FLUSH_CONTEXT).params(vec![].u32(key.handle)));
    reply.unwrap();
    raw.assert_mac_key(&foreign, b"foreign");
}
