// SPDX-License-Identifier: GPL-2.0

//! What the engine holds in memory.

use harness::command::Kind;
use harness::rig::{label, Rig, ALICE, BOB};
use kernel::fault::live_bytes;

#[test]
fn g10_an_idle_space_costs_at_most_a_kibibyte() {
    let rig = Rig::new();
    let before = live_bytes();
    let spaces: Vec<_> = (0..64).map(|n| rig.open(ALICE + n)).collect();
    let each = (live_bytes() - before) / 64;
    assert!(each <= 1024, "{each} bytes");
    for space in &spaces {
        space.random().unwrap();
    }
    let each = (live_bytes() - before) / 64;
    assert!(each <= 1024, "{each} bytes after a command");
}

#[test]
fn g8_a_space_that_closed_holds_no_memory() {
    let rig = Rig::new();
    let life = || {
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        for n in 0..50 {
            a.mac_key(&label("key", n)).unwrap();
        }
        for _ in 0..20 {
            a.start(Kind::Hmac).unwrap();
            b.start(Kind::Hmac).unwrap();
        }
        let blob = a.save(a.start(Kind::Hmac).unwrap().handle).unwrap();
        let session = b.restore(&blob).unwrap();
        let sequence = b.hash_start().unwrap();
        b.hash_update(&sequence, b"data").unwrap();
        b.flush(session).unwrap();
        rig.close(a);
        rig.close(b);
        live_bytes()
    };
    let first = life();
    for _ in 0..5 {
        assert_eq!(life(), first);
    }
}

#[test]
fn g8_an_engine_that_went_holds_no_memory() {
    let before = live_bytes();
    {
        let rig = Rig::new();
        let a = rig.open(ALICE);
        a.mac_key(b"key").unwrap();
        a.save(a.start(Kind::Hmac).unwrap().handle).unwrap();
    }
    assert_eq!(live_bytes(), before);
}

#[test]
fn g10_a_saved_object_costs_no_more_than_its_context() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    a.mac_key(b"first").unwrap();
    let before = live_bytes();
    let mut blobs = 0;
    for n in 0..100 {
        let key = a.mac_key(&label("key", n)).unwrap();
        blobs += a.save(key.handle).unwrap().len();
    }
    let each = (live_bytes() - before) / 100;
    let context = isize::try_from(blobs / 100).unwrap();
    // And what the tables take.
    assert!(
        each <= context + 512,
        "{each} bytes for a context of {context}"
    );
}

#[test]
#[cfg(feature = "exhaustion")]
fn g8_who_waited_lost_and_closed_leaves_no_memory() {
    use harness::client::Failure;
    use harness::clock::pass;
    use harness::engine::LossPolicy;
    let rig = Rig::new();
    let life = || {
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let sure = rig.open(BOB);
        rig.set_policy(&sure, Some(LossPolicy::Never)).unwrap();
        rig.reserve(&sure, 5).unwrap();
        for _ in 0..57 {
            a.start(Kind::Policy).unwrap();
        }
        let waits = |outcome: harness::client::Outcome<_>| {
            assert_eq!(
                outcome.map(|s: harness::command::Session| s.handle),
                Err(Failure::Waits)
            );
        };
        let waiting: Vec<_> = (0..10).map(|n| rig.open(2000 + n)).collect();
        waiting.iter().for_each(|w| waits(w.start(Kind::Policy)));
        pass(2000);
        rig.settle();
        for w in &waiting[..5] {
            w.start(Kind::Policy).unwrap();
        }
        b.start(Kind::Policy).unwrap();
        assert!(!rig.lost(&a).is_empty());
        for space in waiting {
            rig.close(space);
        }
        rig.close(a);
        rig.assert_leave([b, sure]);
        live_bytes()
    };
    let first = life();
    for _ in 0..5 {
        assert_eq!(life(), first);
    }
}
