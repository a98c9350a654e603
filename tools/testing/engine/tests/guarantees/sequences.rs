// SPDX-License-Identifier: GPL-2.0

//! Sequence objects change with every use: an old context must never come back.

use harness::command::{hmac, sha256, Command, EMPTY};
use harness::rig::{errno, label, rc, Rig, ALICE, BOB};
use harness::tpm::{alg, cc, rc};
use harness::wire::{Get, Put};

#[test]
fn g5_interleaved_sequences_beyond_the_slots_hash_what_each_was_given() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let sequences: Vec<_> = (0..8).map(|_| a.hash_start().unwrap()).collect();
    for round in 0..4 {
        for (n, sequence) in sequences.iter().enumerate() {
            // Longer than one block, so that it changes the state and not only a buffer.
            let data = label("part", n * 10 + round).repeat(20);
            a.hash_update(sequence, &data).unwrap();
        }
    }
    for (n, sequence) in sequences.iter().enumerate().rev() {
        let parts: Vec<_> = (0..4)
            .map(|round| label("part", n * 10 + round).repeat(20))
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        assert_eq!(a.hash_complete(sequence, b""), Ok(sha256(&parts)));
        assert_eq!(errno(a.hash_update(sequence, b"more")), 22, "it is gone");
    }
    rig.assert_leave([a]);
}

#[test]
fn g3_a_refused_update_leaves_the_sequence_as_it_was() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    a.hash_update(&sequence, b"some ").unwrap();
    let wrong = Command::new(cc::SEQUENCE_UPDATE)
        .named(sequence.handle, b"")
        .auth(harness::command::Auth::Password(b"wrong"))
        .params(vec![].sized(b"bad "));
    assert_eq!(rc(a.run(wrong)) & 0xff, rc::BAD_AUTH);
    assert_eq!(
        a.hash_complete(&sequence, b"data"),
        Ok(sha256(&[b"some data"]))
    );
}

#[test]
fn g3_a_refused_complete_leaves_the_sequence_alive() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    let wrong = Command::new(cc::SEQUENCE_COMPLETE)
        .named(sequence.handle, b"")
        .auth(harness::command::Auth::Password(b"wrong"))
        .params(vec![].sized(b"").u32(harness::tpm::rh::NULL));
    assert_eq!(rc(a.run(wrong)) & 0xff, rc::BAD_AUTH);
    assert_eq!(a.hash_complete(&sequence, b"data"), Ok(sha256(&[b"data"])));
}

#[test]
fn g1_hmac_sequences_with_their_keys_elsewhere() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    // TPM2_HMAC_Start: the response has a handle; the harness's list of those is for the commands it knows.
    const HMAC_START: u32 = 0x15b;
    let keys: Vec<_> = (0..4).map(|n| label("key", n)).collect();
    let sequences: Vec<_> = keys
        .iter()
        .map(|key| {
            let object = a.mac_key(key).unwrap();
            let mut command = Command::new(HMAC_START)
                .named(object.handle, &object.name)
                .auth(EMPTY)
                .params(vec![].sized(b"").u16(alg::SHA256));
            let response = a.send(&command.bytes()).unwrap();
            let mut sequence = object.clone();
            sequence.handle = Get(&response[10..]).u32();
            assert_ne!(sequence.handle, object.handle);
            a.flush(object.handle).unwrap();
            sequence
        })
        .collect();
    for sequence in &sequences {
        a.hash_update(sequence, b"some ").unwrap();
    }
    for (sequence, key) in sequences.iter().zip(&keys) {
        assert_eq!(
            a.hash_complete(sequence, b"data"),
            Ok(hmac(key, &[b"some data"]))
        );
    }
}

#[test]
fn g1_sequences_of_two_spaces_and_ordinary_objects_between() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let (one, two) = (a.hash_start().unwrap(), b.hash_start().unwrap());
    for n in 0..5 {
        a.hash_update(&one, b"a").unwrap();
        b.hash_update(&two, b"b").unwrap();
        let key = label("key", n);
        let object = a.mac_key(&key).unwrap();
        a.assert_mac_key(&object, &key);
    }
    assert_eq!(a.hash_complete(&one, b""), Ok(sha256(&[b"aaaaa"])));
    assert_eq!(b.hash_complete(&two, b""), Ok(sha256(&[b"bbbbb"])));
}

#[test]
fn g8_sequences_that_nobody_completed_go_with_their_space() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for _ in 0..5 {
        let sequence = a.hash_start().unwrap();
        a.hash_update(&sequence, b"data").unwrap();
    }
    rig.assert_leave([a]);
}

#[test]
fn g10_a_sequence_cannot_be_saved_by_the_client_more_than_a_tpm_lets_it() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let (ours, theirs) = (a.hash_start().unwrap(), raw.hash_start().unwrap());
    let (ours, theirs) = (a.save(ours.handle), raw.save(theirs.handle));
    assert_eq!(ours.is_ok(), theirs.is_ok());
}

#[test]
fn g5_a_sequence_from_a_context_of_the_client_goes_its_own_way() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    a.hash_update(&sequence, b"some ").unwrap();
    let Ok(blob) = a.save(sequence.handle) else {
        panic!("this TPM lets a client save a sequence");
    };
    let (handle, sent) = rig.sent(|| a.restore(&blob).unwrap());
    // What the client has is not what we rely on.
    assert_eq!(crate::count(&sent, cc::CONTEXT_SAVE), 1, "{sent:?}");
    let mut copy = sequence.clone();
    copy.handle = handle;
    a.hash_update(&copy, b"other ").unwrap();
    assert_eq!(
        a.hash_complete(&sequence, b"data"),
        Ok(sha256(&[b"some data"]))
    );
    assert_eq!(
        a.hash_complete(&copy, b"data"),
        Ok(sha256(&[b"some other data"]))
    );
}
