// SPDX-License-Identifier: GPL-2.0

//! Virtual handles of objects: what they mean, and what becomes of those that mean nothing.

use harness::command::{Command, Kind};
use harness::rig::{errno, rc, Rig, ALICE, BOB};
use harness::tpm::{cc, rc, rh};
use std::collections::HashSet;

const EINVAL: i32 = 22;

#[test]
fn g5_virtual_handles_are_never_reused() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut seen = HashSet::new();
    for n in 0..100u32 {
        let object = a.mac_key(&n.to_be_bytes()).unwrap();
        assert_eq!(object.handle >> 24, 0x80, "a transient handle");
        assert!(seen.insert(object.handle), "{:#x} again", object.handle);
        a.flush(object.handle).unwrap();
    }
}

#[test]
fn g10_the_first_virtual_handle_is_the_first_transient_handle() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    assert_eq!(a.mac_key(b"1").unwrap().handle, rh::TRANSIENT);
    assert_eq!(rig.open(BOB).mac_key(b"1").unwrap().handle, rh::TRANSIENT);
}

#[test]
fn g3_an_unknown_object_is_einval_and_nothing_else_happens() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let flushed = a.mac_key(b"flushed").unwrap();
    a.flush(flushed.handle).unwrap();
    for handle in [flushed.handle, 0x8000_1234, 0x80ff_ffff] {
        let (_, sent) = rig.sent(|| {
            assert_eq!(errno(a.read_public(handle)), EINVAL);
            assert_eq!(errno(a.flush(handle)), EINVAL);
            assert_eq!(errno(a.save(handle)), EINVAL);
        });
        assert!(
            sent.is_empty(),
            "the TPM has nothing to do with it: {sent:?}"
        );
        a.assert_mac_key(&key, b"key");
        a.mac_with(&key, session.auth(b""), b"data").unwrap();
    }
}

#[test]
fn g3_an_unknown_object_beside_a_known_one_is_einval_and_nothing_else_happens() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let key = a.signing_key(&parent, b"").unwrap();
    let certify = |object: u32, signer: u32| {
        let mut params = vec![0, 0];
        params.extend_from_slice(&[0, 0x18, 0, 0xb]);
        a.run(
            Command::new(cc::CERTIFY)
                .handle(object)
                .handle(signer)
                .auth(harness::command::EMPTY)
                .auth(harness::command::EMPTY)
                .params(params),
        )
        .map(drop)
    };
    certify(parent.handle, key.handle).unwrap();
    assert_eq!(errno(certify(parent.handle, 0x8000_1234)), EINVAL);
    assert_eq!(errno(certify(0x8000_1234, key.handle)), EINVAL);
    certify(parent.handle, key.handle).unwrap();
    a.assert_object(&parent);
}

#[test]
fn g5_a_flushed_handle_stays_unknown_when_other_objects_come() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let flushed = a.mac_key(b"flushed").unwrap();
    a.flush(flushed.handle).unwrap();
    for n in 0..10u32 {
        a.mac_key(&n.to_be_bytes()).unwrap();
        assert_eq!(errno(a.read_public(flushed.handle)), EINVAL);
    }
}

#[test]
fn g4_an_object_of_another_space_is_unknown_here() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let b = rig.open(ALICE);
    a.mac_key(b"1").unwrap();
    let second = a.mac_key(b"2").unwrap();
    b.mac_key(b"3").unwrap();
    assert_eq!(errno(b.mac(&second, b"data")), EINVAL);
    assert_eq!(errno(b.flush(second.handle)), EINVAL);
    assert_eq!(errno(b.save(second.handle)), EINVAL);
    a.assert_mac_key(&second, b"2");
}

#[test]
fn g5_a_handle_lost_to_clear_is_refused_by_its_place_in_the_handle_area() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    let mac = a.mac_key(b"mac").unwrap();
    rig.open(BOB).clear().unwrap();
    assert_eq!(rc(a.read_public(parent.handle)), rc::LOST_H0);
    // Certify: the first handle lives, the second is lost.
    let (second, sent) = rig.sent(|| {
        a.run(
            Command::new(cc::CERTIFY)
                .handle(mac.handle)
                .handle(parent.handle)
                .auth(harness::command::EMPTY)
                .auth(harness::command::EMPTY)
                .params(vec![0, 0, 0, 0x10]),
        )
    });
    assert_eq!((rc(second), sent.len()), (rc::LOST_H0 + 1, 0));
    // Flushing what is lost forgets it.
    a.flush(parent.handle).unwrap();
    assert_eq!(errno(a.read_public(parent.handle)), EINVAL);
    a.assert_mac_key(&mac, b"mac");
}

#[test]
fn g10_fixed_and_persistent_handles_pass_unchanged() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let parent = a.primary(rh::OWNER).unwrap();
    a.evict_control(&parent, rh::PERSISTENT + 1).unwrap();
    assert_eq!(a.read_public(rh::PERSISTENT + 1), Ok(parent.name.clone()));
    a.flush(parent.handle).unwrap();
    let mut persistent = parent.clone();
    persistent.handle = rh::PERSISTENT + 1;
    let key = a.signing_key(&persistent, b"").unwrap();
    a.sign(&key, harness::command::EMPTY).unwrap();
    a.evict_control(&persistent, rh::PERSISTENT + 1).unwrap();
    assert_eq!(
        rc(a.read_public(rh::PERSISTENT + 1)),
        rc(rig.raw().read_public(rh::PERSISTENT + 1)),
    );
}
