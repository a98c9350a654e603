// SPDX-License-Identifier: GPL-2.0

//! Many objects and sessions in one space, used in any order, with another space in parallel.

use harness::command::Kind;
use harness::rig::{label, Rig, ALICE, BOB};
use harness::tpm::rh;

/// All of `0..n`, in an order that is neither that of creation nor its reverse.
fn shuffled(n: usize, salt: usize) -> impl Iterator<Item = usize> {
    // 97 is prime and divides none of the numbers used here.
    (0..n).map(move |i| (i * 97 + salt) % n)
}

#[test]
fn g1_200_objects_and_60_sessions_of_one_space_work_in_any_order() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let other_key = b.mac_key(b"other").unwrap();
    let mut other_session = b.start(Kind::Hmac).unwrap();

    let keys: Vec<_> = (0..200).map(|n| label("key", n)).collect();
    let objects: Vec<_> = keys.iter().map(|key| a.mac_key(key).unwrap()).collect();
    let mut sessions: Vec<_> = (0..60).map(|_| a.start(Kind::Hmac).unwrap()).collect();

    for round in 0..2 {
        for n in shuffled(objects.len(), round) {
            a.assert_mac_key(&objects[n], &keys[n]);
        }
        for n in shuffled(sessions.len(), round) {
            let object = &objects[n * 3];
            let mac = a.mac_with(object, sessions[n].auth(b""), b"data");
            assert_eq!(mac, Ok(harness::command::hmac(&keys[n * 3], &[b"data"])));
        }
        b.assert_mac_key(&other_key, b"other");
        b.mac_with(&other_key, other_session.auth(b""), b"data")
            .unwrap();
    }
    rig.close(a);
    b.assert_mac_key(&other_key, b"other");
    b.mac_with(&other_key, other_session.auth(b""), b"data")
        .unwrap();
    rig.assert_leave([b]);
}

#[test]
fn g1_parents_with_children_and_grandchildren_exceed_the_slots() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let primary = a.primary(rh::OWNER).unwrap();
    let template = harness::client::storage_template();
    let mut chain = vec![primary];
    for _ in 0..6 {
        let parent = chain.last().unwrap().clone();
        let child = a.create(&parent, &template, b"").unwrap();
        chain.push(a.load(&parent, &child).unwrap());
    }
    for object in &chain {
        let key = a.signing_key(object, b"secret").unwrap();
        let mut session = a.start(Kind::Hmac).unwrap();
        a.sign(&key, session.last(b"secret")).unwrap();
    }
    for object in &chain {
        a.assert_object(object);
    }
}

#[test]
fn g1_ten_spaces_take_turns() {
    let rig = Rig::new();
    let spaces: Vec<_> = (0..10).map(|n| rig.open(ALICE + n)).collect();
    let mut held: Vec<_> = spaces
        .iter()
        .enumerate()
        .map(|(n, space)| {
            let keys: Vec<_> = (0..3).map(|k| label("key", n * 10 + k)).collect();
            let objects: Vec<_> = keys.iter().map(|k| space.mac_key(k).unwrap()).collect();
            (keys, objects, space.start(Kind::Hmac).unwrap())
        })
        .collect();
    for turn in 0..3 {
        for (space, (keys, objects, session)) in spaces.iter().zip(&mut held) {
            space.assert_mac_key(&objects[turn], &keys[turn]);
            space
                .mac_with(&objects[turn], session.auth(b""), b"data")
                .unwrap();
        }
    }
}
