// SPDX-License-Identifier: GPL-2.0

//! GetCapability, answered for the space.

use harness::command::{Command, Kind, AUDIT, CONTINUE};
use harness::rig::{label, Rig, ALICE, BOB};
use harness::tpm::{cap, cc, rh};
use harness::wire::Put;

#[test]
fn g10_transient_handles_from_any_start_with_a_right_more_data() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let mut handles: Vec<u32> = (0..20)
        .map(|n| a.mac_key(&label("key", n)).unwrap().handle)
        .collect();
    for n in 0..3 {
        b.mac_key(&label("other", n)).unwrap();
    }
    // With holes.
    for at in [15, 7, 0] {
        a.flush(handles.remove(at)).unwrap();
    }
    handles.sort_unstable();
    let top = *handles.last().unwrap();
    let starts = (rh::TRANSIENT..=top + 1).chain([0x80ff_ffff, 0x8000_8000]);
    for first in starts {
        for count in [0, 1, 2, 5, 16, 17, 18, 254, 1000, u32::MAX] {
            let all: Vec<u32> = handles.iter().copied().filter(|h| *h >= first).collect();
            let shown: Vec<u32> = all.iter().copied().take(count as usize).collect();
            let more = shown.len() < all.len();
            assert_eq!(
                a.handles(first, count),
                Ok((more, shown)),
                "from {first:#x}, {count}"
            );
        }
    }
}

#[test]
fn g10_more_handles_than_one_response_takes_are_listed_in_pieces() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let handles: Vec<u32> = (0..256)
        .map(|n| a.mac_key(&label("key", n)).unwrap().handle)
        .collect();
    let (mut seen, mut first) = (vec![], rh::TRANSIENT);
    loop {
        let (more, piece) = a.handles(first, 1000).unwrap();
        assert!(!piece.is_empty());
        assert!(piece.len() <= 254, "what a TSS has room for");
        first = piece.last().unwrap() + 1;
        seen.extend(piece);
        if !more {
            break;
        }
    }
    assert_eq!(seen, handles);
}

#[test]
fn g10_loaded_sessions_are_the_spaces_own() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let mut own = vec![];
    for n in 0..12 {
        let kind = if n % 3 == 0 { Kind::Policy } else { Kind::Hmac };
        own.push(a.start(kind).unwrap().handle);
        b.start(Kind::Hmac).unwrap();
    }
    own.sort_unstable_by_key(|h| h & 0xff_ffff);
    assert_eq!(a.handles(rh::LOADED_SESSION, 100), Ok((false, own.clone())));
    let (more, piece) = a.handles(rh::LOADED_SESSION, 5).unwrap();
    assert_eq!((more, &piece[..]), (true, &own[..5]));
    let next = (piece[4] & 0xff_ffff) + 1;
    assert_eq!(
        a.handles(rh::LOADED_SESSION + next, 100),
        Ok((false, own[5..].to_vec()))
    );
    a.flush(own[3]).unwrap();
    own.remove(3);
    assert_eq!(a.handles(rh::LOADED_SESSION, 100), Ok((false, own)));
}

#[test]
fn g10_saved_sessions_are_the_detached_ones_of_the_same_user() {
    let rig = Rig::new();
    let (a, same, other) = (rig.open(ALICE), rig.open(ALICE), rig.open(BOB));
    let mut detached = vec![];
    let mut blobs = vec![];
    for _ in 0..6 {
        let session = a.start(Kind::Hmac).unwrap();
        a.start(Kind::Hmac).unwrap();
        blobs.push(a.save(session.handle).unwrap());
        detached.push(session.handle);
    }
    detached.sort_unstable();
    for space in [&a, &same] {
        assert_eq!(
            space.handles(rh::SAVED_SESSION, 100),
            Ok((false, detached.clone()))
        );
        let (more, piece) = space.handles(rh::SAVED_SESSION, 2).unwrap();
        assert_eq!((more, &piece[..]), (true, &detached[..2]));
    }
    assert_eq!(other.handles(rh::SAVED_SESSION, 100), Ok((false, vec![])));
    // Claimed, it is loaded for the claimant and saved for nobody.
    let claimed = other.restore(&blobs[0]).unwrap();
    assert_eq!(
        other.handles(rh::LOADED_SESSION, 100),
        Ok((false, vec![claimed]))
    );
    detached.retain(|h| *h != claimed);
    assert_eq!(
        a.handles(rh::SAVED_SESSION, 100),
        Ok((false, detached.clone()))
    );
    rig.close(a);
    assert_eq!(same.handles(rh::SAVED_SESSION, 100), Ok((false, detached)));
}

#[test]
fn g10_what_is_listed_can_be_flushed() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for n in 0..5 {
        a.mac_key(&label("key", n)).unwrap();
        for kind in [Kind::Hmac, Kind::Policy, Kind::Trial] {
            a.start(kind).unwrap();
            let detached = a.start(kind).unwrap();
            a.save(detached.handle).unwrap();
        }
    }
    for first in [rh::TRANSIENT, rh::LOADED_SESSION, rh::SAVED_SESSION] {
        let (_, handles) = a.handles(first, 100).unwrap();
        assert!(handles.len() >= 5);
        for handle in handles {
            a.flush(handle).unwrap();
        }
        assert_eq!(a.handles(first, 100), Ok((false, vec![])));
    }
    rig.assert_nothing();
}

#[test]
fn g10_other_handle_ranges_are_the_tpms() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let parent = a.primary(rh::OWNER).unwrap();
    a.evict_control(&parent, rh::PERSISTENT + 7).unwrap();
    for first in [0, 0x0100_0000, 0x4000_0000, rh::PERSISTENT, 0x8100_0008] {
        assert_eq!(a.handles(first, 100), raw.handles(first, 100), "{first:#x}");
    }
    assert_eq!(
        a.handles(rh::PERSISTENT, 100),
        Ok((false, vec![rh::PERSISTENT + 7]))
    );
}

#[test]
fn g10_other_capabilities_are_the_tpms() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    a.mac_key(b"key").unwrap();
    for (capability, first, count) in [
        (cap::ALGS, 0, 100),
        (cap::COMMANDS, 0, 254),
        (cap::COMMANDS, 0x160, 10),
        (5, 0, 1),
        (8, 0, 100),
        (cap::TPM_PROPERTIES, cap::PT_FIXED, 100),
    ] {
        assert_eq!(
            a.capability(capability, first, count),
            raw.capability(capability, first, count),
            "capability {capability}"
        );
    }
    for capability in [0x99, 0x100, u32::MAX] {
        assert_eq!(
            a.capability(capability, 0, 1),
            raw.capability(capability, 0, 1)
        );
    }
}

#[test]
fn g1_available_slots_are_the_spaces_and_not_the_tpms() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let b = rig.open(BOB);
    let avail = |space: &harness::rig::Space<'_>| {
        [
            cap::PT_HR_TRANSIENT_AVAIL,
            cap::PT_HR_LOADED_AVAIL,
            cap::PT_HR_ACTIVE_AVAIL,
        ]
        .map(|property| space.property(property).unwrap())
    };
    let fresh = avail(&a);
    assert!(fresh.iter().all(|n| *n >= 3), "{fresh:?}");
    for n in 0..5 {
        b.mac_key(&label("key", n)).unwrap();
    }
    assert_eq!(avail(&a)[0], fresh[0], "the other's objects do not count");
    for n in 0..10 {
        a.mac_key(&label("key", n)).unwrap();
    }
    assert!(avail(&a)[0] > 0, "ten objects, and there is room for more");
    for _ in 0..10 {
        a.start(Kind::Hmac).unwrap();
    }
    let [objects, loaded, active] = avail(&a);
    assert!(objects > 0 && loaded > 0 && active > 0);
    assert_eq!(active, fresh[2] - 10, "sessions are everybody's");
}

#[test]
fn g10_the_group_of_variable_properties_has_the_same_shape() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let keys = |data: Vec<u8>| -> Vec<u32> {
        data[4..]
            .chunks(8)
            .map(|pair| u32::from_be_bytes(pair[..4].try_into().unwrap()))
            .collect()
    };
    for n in 0..4 {
        a.mac_key(&label("key", n)).unwrap();
    }
    for (first, count) in [(cap::PT_VAR, 100), (cap::PT_VAR, 3), (cap::PT_HR_LOADED, 5)] {
        let (more, ours) = a.capability(cap::TPM_PROPERTIES, first, count).unwrap();
        let (expected, theirs) = raw.capability(cap::TPM_PROPERTIES, first, count).unwrap();
        assert_eq!((more, keys(ours)), (expected, keys(theirs)));
    }
}

#[test]
fn g10_an_audited_answer_is_untouched() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for n in 0..5 {
        a.mac_key(&label("key", n)).unwrap();
    }
    let mut session = a.start(Kind::Hmac).unwrap();
    // The harness checks the HMAC of the response: a changed answer fails it.
    for (capability, first) in [
        (cap::HANDLES, rh::TRANSIENT),
        (cap::HANDLES, rh::LOADED_SESSION),
        (cap::HANDLES, rh::SAVED_SESSION),
        (cap::TPM_PROPERTIES, cap::PT_VAR),
    ] {
        a.run(
            Command::new(cc::GET_CAPABILITY)
                .auth(session.with(AUDIT | CONTINUE, b""))
                .params(vec![].u32(capability).u32(first).u32(100)),
        )
        .unwrap();
    }
}

#[test]
fn g10_a_get_capability_of_the_wrong_size_gets_the_tpms_answer() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    a.mac_key(b"key").unwrap();
    let whole = vec![].u32(cap::HANDLES).u32(rh::TRANSIENT).u32(10);
    for size in 0..12 {
        let command = Command::new(cc::GET_CAPABILITY)
            .params(whole[..size].to_vec())
            .bytes();
        assert_eq!(a.bytes(&command), raw.bytes(&command), "{size} bytes");
    }
    let command = Command::new(cc::GET_CAPABILITY).params(whole.u8(0)).bytes();
    assert_eq!(a.bytes(&command), raw.bytes(&command));
}
