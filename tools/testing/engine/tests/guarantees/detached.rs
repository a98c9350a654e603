// SPDX-License-Identifier: GPL-2.0

//! Sessions that the client saved: detached, claimed by whoever has the blob, flushed by their user.

use crate::refused;
use harness::command::{Kind, Session};
use harness::rig::{errno, rc, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc, rh};

/// Uses a session for what it is for.
fn uses(space: &Space<'_>, session: &mut Session) {
    let key = space.mac_key(b"key").unwrap();
    space
        .mac_with(&key, session.auth(b""), b"data")
        .expect("the session works");
    space.flush(key.handle).unwrap();
}

#[test]
fn g4_a_saved_session_is_claimed_in_the_same_space() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut session = a.start(Kind::Hmac).unwrap();
    uses(&a, &mut session);
    let blob = a.save(session.handle).unwrap();
    assert_eq!(a.restore(&blob), Ok(session.handle));
    uses(&a, &mut session);
}

#[test]
fn g4_no_context_that_differs_anywhere_claims_a_session() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let context = a.save(session.handle).unwrap();
    let end = context.len();
    // In one byte, and in two by the same bit.
    for changed in [&[end - 1][..], &[end - 2, end - 1]] {
        let mut spoilt = context.clone();
        for at in changed {
            spoilt[*at] ^= 1;
        }
        refused(b.restore(&spoilt));
        refused(b.policy_digest(session.handle));
    }
    refused(b.restore(&context[..end - 1]));
    assert_eq!(a.restore(&context), Ok(session.handle));
}

#[test]
fn g4_a_saved_session_cannot_be_used_before_it_is_claimed() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let blob = a.save(session.handle).unwrap();
    assert_eq!(
        rc(a.mac_with(&key, session.auth(b""), b"data")),
        rc::LOST_S0
    );
    refused(a.save(session.handle));
    a.restore(&blob).unwrap();
    a.flush(session.handle).unwrap();
    rig.assert_empty();
    assert_eq!(rig.listed(rh::SAVED_SESSION), vec![]);
}

#[test]
fn g4_a_saved_session_is_claimed_by_another_space_and_by_another_user() {
    for claimant in [ALICE, BOB] {
        let rig = Rig::new();
        let (a, b) = (rig.open(ALICE), rig.open(claimant));
        let mut session = a.start(Kind::Hmac).unwrap();
        uses(&a, &mut session);
        let blob = a.save(session.handle).unwrap();
        assert_eq!(b.restore(&blob), Ok(session.handle));
        uses(&b, &mut session);
        // It is the other's now.
        assert_eq!(
            rc(a.mac_with(&a.mac_key(b"key").unwrap(), session.auth(b""), b"data")),
            rc::LOST_S0
        );
        refused(a.flush(session.handle));
        uses(&b, &mut session);
    }
}

#[test]
fn g10_a_saved_session_outlives_its_space() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut session = a.start(Kind::Hmac).unwrap();
    let lost = a.start(Kind::Hmac).unwrap();
    uses(&a, &mut session);
    let blob = a.save(session.handle).unwrap();
    rig.close(a);
    assert_eq!(
        rig.contents(),
        [vec![], vec![], vec![session.handle]],
        "{:#x} was not saved",
        lost.handle
    );
    // As tpm2-tools does: each command in a new space, with the session in a file between them.
    let mut blob = blob;
    for _ in 0..5 {
        let next = rig.open(ALICE);
        assert_eq!(next.restore(&blob), Ok(session.handle));
        uses(&next, &mut session);
        blob = next.save(session.handle).unwrap();
        rig.close(next);
    }
    let last = rig.open(ALICE);
    last.restore(&blob).unwrap();
    last.flush(session.handle).unwrap();
    rig.assert_leave([last]);
}

#[test]
fn g4_a_stale_blob_is_refused() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    let mut session = a.start(Kind::Hmac).unwrap();
    let stale = a.save(session.handle).unwrap();
    a.restore(&stale).unwrap();
    // Claimed: the blob is spent, while the session is in use and when it has been saved again.
    refused(b.restore(&stale));
    refused(a.restore(&stale));
    uses(&a, &mut session);
    let newest = a.save(session.handle).unwrap();
    refused(b.restore(&stale));
    refused(a.restore(&stale));
    assert_eq!(b.restore(&newest), Ok(session.handle));
    uses(&b, &mut session);
    b.flush(session.handle).unwrap();
    refused(a.restore(&newest));
}

#[test]
fn g4_an_altered_blob_is_refused() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut session = a.start(Kind::Hmac).unwrap();
    let mut other = a.start(Kind::Hmac).unwrap();
    let blob = a.save(session.handle).unwrap();
    for at in [0, 7, 11, 15, 17, 20, 40, blob.len() - 1] {
        let mut altered = blob.clone();
        altered[at] ^= 1;
        refused(b.restore(&altered));
    }
    for size in [0, 1, 8, 16, 17, 18, blob.len() - 1] {
        refused(b.restore(&blob[..size]));
    }
    for more in [&b"\0"[..], &[0; 100]] {
        refused(b.restore(&[&blob[..], more].concat()));
    }
    assert_eq!(a.restore(&blob), Ok(session.handle));
    uses(&a, &mut session);
    uses(&a, &mut other);
}

#[test]
fn g4_a_blob_of_a_session_in_use_claims_nothing() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut session = a.start(Kind::Hmac).unwrap();
    uses(&a, &mut session);
    // The blobs that the engine itself makes never leave it; take one from the wire.
    let log = rig.chip.borrow().log.clone();
    let made = log
        .iter()
        .rfind(|sent| sent.code() == cc::CONTEXT_SAVE && sent.command[10] >> 1 == 1);
    if let Some(made) = made {
        refused(b.restore(&made.response[10..]));
    }
    uses(&a, &mut session);
}

#[test]
fn g4_a_detached_session_is_flushed_by_its_user_from_another_space() {
    let rig = Rig::new();
    let (a, other) = (rig.open(ALICE), rig.open(ALICE));
    let session = a.start(Kind::Hmac).unwrap();
    let blob = a.save(session.handle).unwrap();
    rig.close(a);
    other.flush(session.handle).unwrap();
    rig.assert_nothing();
    refused(other.restore(&blob));
}

#[test]
fn g4_a_detached_session_is_not_flushed_by_another_user() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut session = a.start(Kind::Hmac).unwrap();
    let blob = a.save(session.handle).unwrap();
    assert_eq!(rc(b.flush(session.handle)), rc::LOST_H0);
    rig.close(a);
    assert_eq!(rc(b.flush(session.handle)), rc::LOST_H0);
    let again = rig.open(ALICE);
    again.restore(&blob).unwrap();
    uses(&again, &mut session);
}

#[test]
fn g10_objects_that_the_client_saved_load_anywhere_and_as_often_as_wished() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let key = a.mac_key(b"key").unwrap();
    let blob = a.save(key.handle).unwrap();
    a.assert_mac_key(&key, b"key");
    let mut seen = vec![key.handle];
    for _ in 0..5 {
        let mut copy = key.clone();
        copy.handle = a.restore(&blob).unwrap();
        assert!(!seen.contains(&copy.handle));
        seen.push(copy.handle);
        a.assert_mac_key(&copy, b"key");
    }
    let mut copy = key.clone();
    copy.handle = b.restore(&blob).unwrap();
    rig.close(a);
    b.assert_mac_key(&copy, b"key");
    b.flush(copy.handle).unwrap();
    assert_eq!(errno(b.flush(copy.handle)), 22);
}

#[test]
fn g10_a_policy_session_in_a_file_keeps_its_digest() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    a.policy_command_code(session.handle, cc::SIGN).unwrap();
    let digest = a.policy_digest(session.handle).unwrap();
    let blob = a.save(session.handle).unwrap();
    rig.close(a);
    let b = rig.open(ALICE);
    // Others come and go meanwhile.
    for _ in 0..5 {
        b.start(Kind::Policy).unwrap();
    }
    b.restore(&blob).unwrap();
    assert_eq!(b.policy_digest(session.handle), Ok(digest));
}

#[test]
fn g4_a_context_is_issued_once_however_often_the_session_is_saved() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut session = a.start(Kind::Hmac).unwrap();
    let spent = a.save(session.handle).unwrap();
    a.restore(&spent).unwrap();
    // It was not used in between, so that what we have of it is still the context that was issued.
    let (newest, sent) = rig.sent(|| a.save(session.handle).unwrap());
    assert_ne!(newest, spent);
    assert_eq!(sent.len(), 2, "loaded and saved: {sent:?}");
    refused(b.restore(&spent));
    assert_eq!(b.restore(&newest), Ok(session.handle));
    uses(&b, &mut session);
}

#[test]
fn g1_detaching_and_claiming_need_no_tpm_command() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let mut session = a.start(Kind::Hmac).unwrap();
    uses(&a, &mut session);
    let (_, sent) = rig.sent(|| {
        let blob = a.save(session.handle).unwrap();
        a.restore(&blob).unwrap();
    });
    assert!(sent.is_empty(), "{sent:?}");
    uses(&a, &mut session);
}

#[test]
fn g10_a_session_that_was_saved_beside_us_is_claimed_by_its_context() {
    let rig = Rig::new();
    let (raw, a, b) = (rig.raw(), rig.open(ALICE), rig.open(BOB));
    let mut session = raw.start(Kind::Hmac).unwrap();
    // As by the C driver, before the module was loaded.
    let blob = raw.save(session.handle).unwrap();
    refused(a.flush(session.handle));
    assert_eq!(a.restore(&blob), Ok(session.handle));
    uses(&a, &mut session);
    refused(b.restore(&blob));
    let blob = a.save(session.handle).unwrap();
    b.restore(&blob).unwrap();
    uses(&b, &mut session);
    rig.assert_leave([a, b]);
}
