// SPDX-License-Identifier: GPL-2.0

//! G8: what a space leaves in the TPM when it closes: nothing.

use harness::chip::Fault;
use harness::command::Kind;
use harness::rig::{label, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc, rh};

/// Lets a space hold some of everything.
fn fill(space: &Space<'_>) {
    let parent = space.primary(rh::OWNER).unwrap();
    space.signing_key(&parent, b"secret").unwrap();
    for n in 0..5 {
        space.mac_key(&label("key", n)).unwrap();
        space.start(Kind::Hmac).unwrap();
        space.start(Kind::Policy).unwrap();
        let sequence = space.hash_start().unwrap();
        space.hash_update(&sequence, b"data").unwrap();
    }
}

#[test]
fn g8_a_closed_space_leaves_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    fill(&a);
    rig.assert_leave([a]);
}

#[test]
fn g8_closing_one_space_takes_nothing_from_another() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(ALICE));
    fill(&a);
    let key = b.mac_key(b"key").unwrap();
    let mut session = b.start(Kind::Hmac).unwrap();
    fill(&a);
    rig.close(a);
    b.assert_mac_key(&key, b"key");
    b.mac_with(&key, session.auth(b""), b"data").unwrap();
    rig.assert_leave([b]);
}

#[test]
fn g8_only_what_the_client_saved_itself_survives() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    fill(&a);
    let kept = a.start(Kind::Hmac).unwrap();
    let flushed = a.start(Kind::Hmac).unwrap();
    let claimed = a.start(Kind::Hmac).unwrap();
    a.save(kept.handle).unwrap();
    a.save(flushed.handle).unwrap();
    let blob = a.save(claimed.handle).unwrap();
    a.flush(flushed.handle).unwrap();
    a.restore(&blob).unwrap();
    rig.close(a);
    assert_eq!(rig.contents(), [vec![], vec![], vec![kept.handle]]);
    let b = rig.open(ALICE);
    b.flush(kept.handle).unwrap();
    rig.assert_nothing();
}

#[test]
fn g8_all_sessions_of_the_tpm_come_back() {
    let rig = Rig::new();
    for _ in 0..3 {
        let a = rig.open(ALICE);
        let sessions: Vec<_> = (0..60).map(|_| a.start(Kind::Hmac).unwrap()).collect();
        assert_eq!(sessions.len(), 60);
        rig.assert_leave([a]);
    }
}

#[test]
fn g8_an_open_space_that_did_nothing_costs_the_tpm_nothing() {
    let rig = Rig::new();
    let (_, sent) = rig.sent(|| {
        let a = rig.open(ALICE);
        rig.close(a);
    });
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn g8_a_flush_that_failed_once_is_made_good() {
    for fault in [
        Fault::Before(kernel::error::code::EIO),
        Fault::After(kernel::error::code::EIO),
        Fault::Answer(rc::RETRY),
        Fault::Answer(rc::FAILURE),
        Fault::Truncated(4),
    ] {
        for n in 0.. {
            assert!(n < 200);
            let rig = Rig::new();
            let (a, b) = (rig.open(ALICE), rig.open(BOB));
            fill(&a);
            let (_, reached) = rig.faulty(n, fault, || rig.close(a));
            b.random().unwrap();
            assert_eq!(
                rig.contents(),
                [vec![], vec![], vec![]],
                "{fault:?} at transmission {n} of close"
            );
            if !reached {
                assert!(n > 0);
                break;
            }
        }
    }
}

#[test]
fn g8_a_forgotten_space_is_forgotten_without_a_tpm() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let key = b.mac_key(b"key").unwrap();
    fill(&a);
    rig.chip.borrow_mut().gone = true;
    let (_, sent) = rig.sent(|| rig.forget(a));
    assert!(sent.is_empty(), "{sent:?}");
    rig.chip.borrow_mut().gone = false;
    b.assert_mac_key(&key, b"key");
}

#[test]
fn g8_closing_costs_one_flush_a_session_at_most_and_none_an_object() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for n in 0..20 {
        a.mac_key(&label("key", n)).unwrap();
    }
    for _ in 0..10 {
        a.start(Kind::Hmac).unwrap();
    }
    let (_, sent) = rig.sent(|| rig.close(a));
    assert_eq!(crate::count(&sent, cc::FLUSH_CONTEXT), sent.len());
    assert!(sent.len() <= 10, "{sent:?}");
}

#[test]
fn g8_what_could_not_be_flushed_is_flushed_though_no_command_comes() {
    let hour = 3_600_000;
    for stays in [0, 1000] {
        let rig = Rig::new();
        rig.let_stay(stays);
        let a = rig.open(ALICE);
        a.mac_key(b"key").unwrap();
        a.start(Kind::Policy).unwrap();
        a.hash_start().unwrap();
        let refused = Fault::Answer(rc::RETRY);
        for code in [cc::FLUSH_CONTEXT, cc::CONTEXT_SAVE] {
            rig.chip.borrow_mut().fail_code(code, refused);
        }
        let (_, sent) = rig.sent(|| {
            rig.close(a);
            rig.pass(hour);
        });
        // A TPM that is in trouble for long is not asked all the time.
        assert!((10..600).contains(&sent.len()), "{}", sent.len());
        rig.chip.borrow_mut().fail_none();
        rig.pass(hour);
        assert_eq!(rig.alarm(), None, "there is nothing left to do");
        rig.assert_nothing();
    }
}
