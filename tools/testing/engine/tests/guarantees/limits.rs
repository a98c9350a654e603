// SPDX-License-Identifier: GPL-2.0

//! The limit of objects in one space: refused before the TPM works, and nobody else's concern.

use harness::engine::Limits;
use harness::rig::{label, Rig, ALICE, BOB};
use harness::tpm::{cc, rh};

#[test]
fn g1_the_limit_is_the_spaces_own_and_refuses_before_the_tpm_works() {
    let rig = Rig::with_limits(Limits {
        objects_per_space: 5,
    });
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let keys: Vec<_> = (0..5).map(|n| label("key", n)).collect();
    let objects: Vec<_> = keys.iter().map(|key| a.mac_key(key).unwrap()).collect();
    let blob = a.save(objects[0].handle).unwrap();
    let (_, sent) = rig.sent(|| {
        a.mac_key(b"one more").unwrap_err();
        a.hash_start().unwrap_err();
        a.primary(rh::OWNER).unwrap_err();
        a.restore(&blob).unwrap_err();
    });
    for code in [
        cc::LOAD_EXTERNAL,
        cc::HASH_SEQUENCE_START,
        cc::CREATE_PRIMARY,
    ] {
        assert_eq!(crate::count(&sent, code), 0, "{sent:?}");
    }
    for (object, key) in objects.iter().zip(&keys) {
        a.assert_mac_key(object, key);
    }
    for key in &keys {
        b.mac_key(key).unwrap();
    }
    a.flush(objects[2].handle).unwrap();
    let fresh = a.mac_key(b"fresh").unwrap();
    a.assert_mac_key(&fresh, b"fresh");
    a.mac_key(b"one more").unwrap_err();
    rig.assert_leave([a, b]);
}

#[test]
fn g1_the_default_limit_is_256() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for n in 0..256 {
        a.mac_key(&label("key", n)).unwrap();
    }
    a.mac_key(b"one more").unwrap_err();
    let b = rig.open(BOB);
    b.mac_key(b"key").unwrap();
}

#[test]
fn g1_a_sequence_at_the_limit_can_be_completed() {
    let rig = Rig::with_limits(Limits {
        objects_per_space: 1,
    });
    let a = rig.open(ALICE);
    for _ in 0..3 {
        let sequence = a.hash_start().unwrap();
        a.hash_update(&sequence, b"data").unwrap();
        a.hash_complete(&sequence, b"").unwrap();
    }
}

#[test]
fn g5_lost_objects_count_for_nothing_and_do_not_pile_up() {
    let rig = Rig::with_limits(Limits {
        objects_per_space: 3,
    });
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut lost = vec![];
    let mut held = 0;
    for round in 0..9 {
        for _ in 0..3 {
            lost.push(a.primary(rh::OWNER).unwrap());
        }
        b.clear().unwrap();
        for object in &lost {
            // Refused by name, or, the oldest, as unknown.
            a.assert_gone(object.handle);
        }
        match round {
            3 => held = kernel::fault::live_bytes(),
            4.. => assert_eq!(kernel::fault::live_bytes(), held, "round {round}"),
            _ => {}
        }
    }
    let key = a.mac_key(b"key").unwrap();
    a.assert_mac_key(&key, b"key");
    assert_eq!(a.handles(rh::TRANSIENT, 100), Ok((false, vec![key.handle])));
}
