// SPDX-License-Identifier: GPL-2.0

//! Contexts that stay in the TPM: what they save, and that nobody else notices (G9).

use crate::count;
use harness::chip::Fault;
use harness::client::SU_CLEAR;
use harness::command::{Auth, Command, Kind, AUDIT, CONTINUE};
use harness::rig::{errno, label, rc, Rig, ALICE, BOB};
use harness::tpm::{cap, cc, rc as code, rh};
use harness::wire::{Get, Put};
use kernel::fault::live_bytes;

const IDLE: u64 = 1000;

fn staying() -> Rig {
    let rig = Rig::new();
    rig.let_stay(IDLE);
    rig
}

#[test]
fn g1_what_is_loaded_already_costs_nothing() {
    let rig = staying();
    let a = rig.open(ALICE);
    let keys: Vec<_> = (0..3)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    let sessions: Vec<_> = (0..3).map(|_| a.start(Kind::Policy).unwrap()).collect();
    let (_, sent) = rig.sent(|| {
        for _ in 0..10 {
            a.random().unwrap();
            for key in &keys {
                a.mac(key, b"data").unwrap();
            }
            for session in &sessions {
                a.policy_digest(session.handle).unwrap();
            }
        }
    });
    assert_eq!(sent.len(), 70, "{sent:?}");
}

#[test]
fn g1_only_what_is_needed_leaves_for_what_is_named() {
    let rig = staying();
    let a = rig.open(ALICE);
    let keys: Vec<_> = (0..4)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    for key in &keys {
        let (_, sent) = rig.sent(|| a.mac(key, b"data").unwrap());
        // Room is made for one: a context that is saved already only has to be flushed.
        assert!(count(&sent, cc::FLUSH_CONTEXT) <= 1, "{sent:?}");
        assert!(count(&sent, cc::CONTEXT_LOAD) <= 1, "{sent:?}");
    }
    let before = rig.chip.borrow().log.len();
    for _ in 0..10 {
        for key in &keys {
            a.mac(key, b"data").unwrap();
        }
    }
    let saves = count(&rig.chip.borrow().log[before..], cc::CONTEXT_SAVE);
    // Each is saved once in its life, when it leaves for the first time.
    assert!(saves <= keys.len(), "{saves}");
}

#[test]
fn g1_a_session_that_every_second_command_uses_stays() {
    let rig = staying();
    let a = rig.open(ALICE);
    let [busy, others @ ..] = [(); 5].map(|()| a.start(Kind::Policy).unwrap().handle);
    let play = |rounds: usize| {
        for n in 0..rounds {
            a.policy_digest(busy).unwrap();
            a.policy_digest(others[n % others.len()]).unwrap();
        }
    };
    // Until it is known.
    play(others.len());
    let ((), sent) = rig.sent(|| play(10 * others.len()));
    let saved = |handle: u32| {
        let is_meant = |command: &[u8]| Get(&command[10..]).u32() == handle;
        let saves = sent.iter().filter(|sent| sent.code() == cc::CONTEXT_SAVE);
        saves.filter(|sent| is_meant(&sent.command)).count()
    };
    assert_eq!(saved(busy), 0);
    assert!(others.iter().map(|other| saved(*other)).sum::<usize>() > 10);
}

#[test]
fn g1_a_session_that_was_just_started_is_not_the_first_to_leave() {
    let rig = staying();
    let a = rig.open(ALICE);
    for handle in [(); 3].map(|()| a.start(Kind::Policy).unwrap().handle) {
        a.policy_digest(handle).unwrap();
    }
    let new = [(); 2].map(|()| a.start(Kind::Policy).unwrap().handle);
    let ((), sent) = rig.sent(|| new.iter().for_each(|handle| drop(a.policy_digest(*handle))));
    assert_eq!(count(&sent, cc::POLICY_GET_DIGEST), 2);
    assert_eq!(count(&sent, cc::CONTEXT_LOAD), 0, "{sent:?}");
}

#[test]
fn g9_others_find_the_tpm_empty_and_we_find_ours_again() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let ours: Vec<_> = (0..2).map(|n| a.mac_key(&label("a", n)).unwrap()).collect();
    let theirs = b.mac_key(b"b").unwrap();
    let session = a.start(Kind::Policy).unwrap();
    let sequence = b.hash_start().unwrap();
    b.hash_update(&sequence, b"some").unwrap();
    for _ in 0..3 {
        assert_ne!(rig.loaded(), [vec![], vec![]], "something stays");
        // A user of the raw node fills the TPM, and does not know of us.
        let raw = rig.raw();
        let others: Vec<_> = (0..3)
            .map(|n| raw.mac_key(&label("raw", n)).unwrap())
            .collect();
        for (n, other) in others.iter().enumerate() {
            raw.assert_mac_key(other, &label("raw", n));
            raw.flush(other.handle).unwrap();
        }
        for (n, key) in ours.iter().enumerate() {
            a.assert_mac_key(key, &label("a", n));
        }
        b.assert_mac_key(&theirs, b"b");
        a.policy_digest(session.handle).unwrap();
        b.hash_update(&sequence, b"more").unwrap();
    }
    b.hash_complete(&sequence, b"").unwrap();
    rig.assert_leave([a, b]);
}

#[test]
fn g9_a_tpm_that_nobody_uses_is_empty_after_a_while() {
    let rig = staying();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    a.start(Kind::Policy).unwrap();
    rig.pass(IDLE - 1);
    assert_ne!(rig.loaded(), [vec![], vec![]]);
    rig.pass(1);
    assert_eq!(rig.loaded(), [vec![], vec![]]);
    assert_eq!(rig.alarm(), None, "there is nothing left to do");
    assert_eq!(rig.counters().rests, 1);
    a.assert_mac_key(&key, b"key");
}

#[test]
fn g8_what_stays_leaves_with_its_space() {
    let rig = staying();
    let a = rig.open(ALICE);
    for n in 0..3 {
        a.mac_key(&label("key", n)).unwrap();
        a.start(Kind::Policy).unwrap();
    }
    rig.close(a);
    assert_eq!(rig.loaded(), [vec![], vec![]]);
    rig.assert_nothing();
}

#[test]
fn g4_what_stays_is_not_listed_for_others_by_a_protected_question() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let _keys: Vec<_> = (0..2)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    let mut session = b.start(Kind::Hmac).unwrap();
    for first in [rh::TRANSIENT, rh::LOADED_SESSION] {
        let audit = Auth::Session {
            session: &mut session,
            attributes: AUDIT | CONTINUE,
            value: b"",
        };
        let question = vec![].u32(cap::HANDLES).u32(first).u32(254);
        let reply = b
            .run(
                Command::new(cc::GET_CAPABILITY)
                    .auth(audit)
                    .params(question),
            )
            .unwrap();
        let mut get = Get(&reply.params);
        let (_more, _capability, count) = (get.u8(), get.u32(), get.u32());
        // The TPM's own answer: of what is loaded only the session that protects it.
        assert_eq!(count, u32::from(first == rh::LOADED_SESSION));
    }
}

#[test]
fn g5_after_a_reset_that_nobody_told_us_of_what_stayed_is_refused_by_name() {
    let rig = staying();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let session = a.start(Kind::Policy).unwrap();
    rig.chip.borrow_mut().device.power_cycle();
    let startup = harness::client::startup(SU_CLEAR);
    rig.chip.borrow_mut().device.process(&startup);
    assert_eq!(rc(a.mac(&key, b"data")), code::LOST_H0);
    assert_eq!(rc(a.policy_digest(session.handle)), code::LOST_H0);
    a.random().unwrap();
    let new = a.mac_key(b"new").unwrap();
    a.assert_mac_key(&new, b"new");
}

#[test]
fn g9_nothing_stays_when_nothing_is_to_stay() {
    let rig = Rig::new();
    rig.let_stay(0);
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    a.mac(&key, b"data").unwrap();
    assert_eq!(rig.loaded(), [vec![], vec![]]);
    rig.let_stay(IDLE);
    a.mac(&key, b"data").unwrap();
    assert_ne!(rig.loaded(), [vec![], vec![]]);
    rig.let_stay(0);
    a.random().unwrap();
    assert_eq!(rig.loaded(), [vec![], vec![]]);
}

#[test]
fn g9_others_wait_for_no_memory_whatever_there_is_to_save() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let sequence = b.hash_start().unwrap();
    let saved = b.save(sequence.handle).unwrap();
    // A sequence from a context, which will be saved again.
    let mut copy = sequence;
    copy.handle = b.restore(&saved).unwrap();
    b.hash_update(&copy, b"more").unwrap();
    let key = a.mac_key(b"key").unwrap();
    let lost = a.start(Kind::Policy).unwrap();
    let kept = a.start(Kind::Policy).unwrap();
    // A session that is gone and not where we had it: what else may be is looked into later.
    let mut flush = Command::new(cc::FLUSH_CONTEXT).params(vec![].u32(lost.handle));
    rig.chip.borrow_mut().device.process(&flush.bytes());
    let (_, sent) = rig.sent(|| rig.announce());
    assert_eq!(rig.counters().barriers, 1);
    assert_eq!(count(&sent, cc::GET_CAPABILITY), 0, "{sent:?}");
    let (_, sent) = rig.sent(|| a.random().unwrap());
    // It was never saved: perhaps it is there under another number.
    assert_eq!(count(&sent, cc::GET_CAPABILITY), 3, "{sent:?}");
    a.assert_mac_key(&key, b"key");
    a.policy_digest(kept.handle).unwrap();
    assert_eq!(rc(a.policy_digest(lost.handle)), code::LOST_H0);
    b.hash_update(&copy, b"and more").unwrap();
}

#[test]
fn g1_memory_that_a_context_does_not_need_is_given_back_and_its_owner_pays() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    // Given back by the next command of anybody, or by nobody's.
    let ways: [&dyn Fn(); 2] = [&|| b.random().unwrap(), &|| rig.pass(1000)];
    for (n, way) in ways.iter().enumerate() {
        let key = a.mac_key(&label("key", n)).unwrap();
        rig.announce();
        let before = live_bytes();
        way();
        assert!(live_bytes() < before, "nothing was given back");
        assert_eq!((a.paid(), b.paid()), (n + 1, 0));
        let trimmed = live_bytes();
        a.assert_mac_key(&key, &label("key", n));
        rig.announce();
        assert_eq!(live_bytes(), trimmed);
        rig.pass(1000);
    }
}

#[test]
fn g3_what_cannot_be_saved_stays_until_others_come() {
    let rig = staying();
    let a = rig.open(ALICE);
    let keys: Vec<_> = (0..2)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    let fail = || {
        let dead = Fault::Before(kernel::error::code::EIO);
        rig.chip.borrow_mut().fail_code(cc::CONTEXT_SAVE, dead);
    };
    fail();
    rig.withdraw();
    rig.pass(IDLE);
    rig.chip.borrow_mut().fail_none();
    for (n, key) in keys.iter().enumerate() {
        a.assert_mac_key(key, &label("key", n));
    }
    // Others could take their places (G5).
    fail();
    rig.announce();
    rig.chip.borrow_mut().fail_none();
    for key in &keys {
        assert_eq!(rc(a.mac(key, b"data")), code::LOST_H0);
    }
}

#[test]
#[cfg(feature = "exhaustion")]
fn g7_the_tpm_is_asked_for_its_sessions_only_after_others_came() {
    let rig = staying();
    let a = rig.open(ALICE);
    let questions = || {
        let (session, sent) = rig.sent(|| a.start(Kind::Policy).unwrap());
        a.flush(session.handle).unwrap();
        count(&sent, cc::GET_CAPABILITY)
    };
    assert_eq!(questions(), 1, "nobody was announced before");
    for _ in 0..3 {
        // However long ago it was, and however few are left.
        rig.pass(600_000);
        assert_eq!(questions(), 0);
    }
    let many: Vec<_> = (0..50).map(|_| a.start(Kind::Policy).unwrap()).collect();
    assert_eq!(questions(), 0);
    let raw = rig.raw();
    raw.random().unwrap();
    assert_eq!(questions(), 1);
    assert_eq!(questions(), 0);
    // What has changed is looked at more closely.
    raw.start(Kind::Policy).unwrap();
    assert_eq!(questions(), 2);
    assert_eq!(questions(), 0);
    drop(many);
}

#[test]
fn g4_how_many_sessions_others_have_loaded_does_not_show() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let before = b.property(cap::PT_HR_LOADED_AVAIL);
    for n in 0..5 {
        a.start(Kind::Policy).unwrap();
        assert!(!rig.loaded()[1].is_empty());
        assert_eq!(b.property(cap::PT_HR_LOADED_AVAIL), before, "{n}");
    }
}

/// A flush is tried four times, and none of them is answered.
#[test]
fn g5_a_session_that_stayed_and_may_have_been_flushed_is_looked_for() {
    let eio = kernel::error::code::EIO;
    for (fault, lives) in [(Fault::Before(eio), true), (Fault::After(eio), false)] {
        let rig = staying();
        let a = rig.open(ALICE);
        let session = a.start(Kind::Policy).unwrap().handle;
        rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, fault);
        let flushed = a.flush(session);
        rig.chip.borrow_mut().fail_none();
        let (used, sent) = rig.sent(|| a.policy_digest(session));
        if lives {
            assert_eq!(errno(flushed), 5);
            used.unwrap();
            a.flush(session).unwrap();
        } else {
            flushed.unwrap();
            assert_eq!(rc(used), code::LOST_H0);
            assert_eq!(count(&sent, cc::POLICY_GET_DIGEST), 0, "{sent:?}");
        }
        rig.assert_nothing();
    }
}

#[test]
fn g5_g8_a_session_that_may_have_been_flushed_by_a_silent_tpm_is_given_up_and_flushed_later() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap().handle;
    let dead = Fault::Before(kernel::error::code::EIO);
    for code in [cc::FLUSH_CONTEXT, cc::GET_CAPABILITY] {
        rig.chip.borrow_mut().fail_code(code, dead);
    }
    assert_eq!(errno(a.flush(session)), 5);
    assert_eq!(rig.loaded()[1], [session]);
    assert_eq!(rc(a.policy_digest(session)), code::LOST_H0);
    rig.chip.borrow_mut().fail_none();
    b.random().unwrap();
    rig.assert_nothing();
}

#[test]
fn g1_what_nobody_has_any_more_leaves_before_what_is_in_use() {
    let rig = staying();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    b.mac_key(b"b").unwrap();
    let keys: Vec<_> = (0..2)
        .map(|n| a.mac_key(&label("key", n)).unwrap())
        .collect();
    let refusal = Fault::Answer(code::RETRY);
    rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, refusal);
    rig.close(b);
    rig.chip.borrow_mut().fail_none();
    assert_eq!(rig.loaded()[0].len(), 3);
    // The next command cannot flush it when it begins, and can when it needs the room.
    for _ in 0..4 {
        rig.chip.borrow_mut().fail_next(cc::FLUSH_CONTEXT, refusal);
    }
    let (_, sent) = rig.sent(|| {
        let new = a.mac_key(b"new").unwrap();
        for (n, key) in keys.iter().enumerate() {
            a.assert_mac_key(key, &label("key", n));
        }
        a.assert_mac_key(&new, b"new");
    });
    assert_eq!(count(&sent, cc::FLUSH_CONTEXT), 5, "{sent:?}");
    assert_eq!(count(&sent, cc::CONTEXT_LOAD), 0, "{sent:?}");
}
