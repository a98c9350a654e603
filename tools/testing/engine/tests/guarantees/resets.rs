// SPDX-License-Identifier: GPL-2.0

//! Resets that nobody tells of, while contexts stay: a handle of what was loaded never comes to mean what was
//! made since without an answer (G5), and what is loaded is not given up without need (G3).

use crate::{count, lost, UNANSWERED, UNLISTED};
use harness::chip::Aim::{self, Code, Nth};
use harness::chip::Fault::{self, Answer};
use harness::command::Kind;
use harness::fake::{Fake, Model, Numbers, Reset};
use harness::rig::{errno, Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc};

const IDLE: u64 = 1000;
/// The TPM does not tell of resets.
const TIMELESS: (Aim, Fault) = (Code(cc::READ_CLOCK), Answer(rc::FAILURE));
const RESETS: [Reset; 2] = [Reset::All, Reset::Loaded];

fn staying(model: Model) -> Rig<Fake> {
    let rig = Rig::over(Fake::new(model), Default::default());
    rig.let_stay(IDLE);
    rig
}

fn reset(rig: &Rig<Fake>, reset: Reset) {
    rig.chip.borrow_mut().device.reset(reset);
}

/// The client starts a sequence that nobody is told of.
fn sequence_unanswered(rig: &Rig<Fake>, space: &Space<'_>) {
    let faults = [(Code(cc::HASH_SEQUENCE_START), UNANSWERED)];
    let (started, hits) = rig.under(&faults, || space.hash_start());
    assert!(started.is_err() && hits > 0);
}

#[test]
fn g5_a_session_that_was_started_without_an_answer_after_a_reset_is_nobodys() {
    for kind in RESETS {
        let rig = staying(Model::default());
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let session = a.start(Kind::Policy).unwrap();
        reset(&rig, kind);
        let (started, hit) = rig.faulty(0, UNANSWERED, || b.start(Kind::Policy));
        assert!(started.is_err() && hit);
        lost(a.policy_digest(session.handle));
        rig.assert_leave([a, b]);
    }
}

#[test]
fn g5_an_object_that_was_made_without_an_answer_after_a_reset_is_nobodys() {
    for kind in RESETS {
        let rig = staying(Model::default());
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let sequence = a.hash_start().unwrap();
        reset(&rig, kind);
        let (started, hit) = rig.faulty(0, UNANSWERED, || b.hash_start());
        assert!(started.is_err() && hit);
        lost(a.hash_update(&sequence, b"of a"));
        rig.assert_leave([a, b]);
    }
}

/// Its context is outside, and good: only the place in the TPM is not to be trusted.
#[test]
fn g3_an_object_that_was_saved_survives_a_resume_and_a_lost_answer() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let key = a.mac_key(b"of a").unwrap();
    // It is saved, and loaded again.
    rig.raw().random().unwrap();
    a.read_public(key.handle).unwrap();
    reset(&rig, Reset::Loaded);
    let (made, hit) = rig.faulty(0, UNANSWERED, || b.mac_key(b"of b"));
    assert!(made.is_err() && hit);
    assert_eq!(a.read_public(key.handle).unwrap(), key.name);
}

#[test]
fn g3_a_lost_answer_without_a_reset_costs_nothing_but_a_question() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let sequence = a.hash_start().unwrap();
    let (_, sent) = rig.sent(|| {
        let (started, hit) = rig.faulty(0, UNANSWERED, || b.start(Kind::Policy));
        assert!(started.is_err() && hit);
    });
    assert_eq!(count(&sent, cc::READ_CLOCK), 1, "{sent:?}");
    a.policy_digest(session.handle).unwrap();
    a.hash_update(&sequence, b"data").unwrap();
}

#[test]
fn g5_nothing_that_is_loaded_is_used_or_saved_before_the_tpm_has_told_of_resets() {
    for kind in [None, Some(Reset::All)] {
        let rig = staying(Model::default());
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let session = a.start(Kind::Policy).unwrap();
        let sequence = a.hash_start().unwrap();
        if let Some(kind) = kind {
            reset(&rig, kind);
        }
        rig.under(&[(Nth(0), UNANSWERED), TIMELESS], || {
            b.start(Kind::Policy).unwrap_err();
            let (used, sent) = rig.sent(|| a.policy_digest(session.handle));
            assert_eq!(errno(used), 5);
            assert_eq!(count(&sent, cc::POLICY_GET_DIGEST), 0, "{sent:?}");
            let (_, sent) = rig.sent(|| rig.withdraw());
            assert_eq!(count(&sent, cc::CONTEXT_SAVE), 0, "{sent:?}");
        });
        match kind {
            None => {
                a.policy_digest(session.handle).unwrap();
                a.hash_update(&sequence, b"data").unwrap();
            }
            Some(_) => {
                lost(a.policy_digest(session.handle));
                lost(a.hash_update(&sequence, b"data"));
            }
        }
        rig.assert_leave([a, b]);
    }
}

/// TPM2_Clear sets the TPM's counts of resets back, whoever sends it.
#[test]
fn g3_a_clear_is_not_taken_for_a_reset() {
    for is_clients in [true, false] {
        let rig = staying(Model::default());
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        if is_clients {
            b.clear().unwrap();
        } else {
            rig.raw().clear().unwrap();
        }
        let session = a.start(Kind::Policy).unwrap();
        let (started, hit) = rig.faulty(0, UNANSWERED, || b.start(Kind::Policy));
        assert!(started.is_err() && hit);
        a.policy_digest(session.handle).unwrap();
    }
}

/// A TPM counts how often it was resumed.
#[test]
fn g3_a_machine_that_has_slept_is_not_taken_for_a_reset() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    rig.set_idle(0);
    rig.withdraw();
    reset(&rig, Reset::Loaded);
    rig.set_idle(IDLE);
    a.policy_digest(session.handle).unwrap();
    let (started, hit) = rig.faulty(0, UNANSWERED, || b.start(Kind::Policy));
    assert!(started.is_err() && hit);
    a.policy_digest(session.handle).unwrap();
}

/// What is believed to be in the way is found to be gone all at once, not one by one.
#[test]
fn g1_no_shortage_shows_after_a_reset_however_much_was_loaded() {
    let rig = staying(Model {
        numbers: Numbers::RoundRobin,
        ..Model::default()
    });
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    for _ in 0..3 {
        a.start(Kind::Policy).unwrap();
    }
    reset(&rig, Reset::All);
    for _ in 0..4 {
        b.start(Kind::Policy).unwrap();
    }
    rig.assert_leave([a, b]);
}

/// What is saved survives a resume, also what nobody has the context of.
#[test]
fn g8_a_session_that_was_saved_without_an_answer_is_flushed_after_a_resume() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let faults = [
        (Nth(0), UNANSWERED),
        (Code(cc::CONTEXT_SAVE), Answer(rc::RETRY)),
    ];
    let (random, hits) = rig.under(&faults, || rig.raw().random());
    assert!(random.is_ok() && hits > 1);
    reset(&rig, Reset::Loaded);
    sequence_unanswered(&rig, &b);
    lost(a.policy_digest(session.handle));
    rig.assert_leave([a, b]);
}

/// What it then loads and makes is trusted: there is nothing to ask.
#[test]
fn g3_a_tpm_without_a_clock_keeps_what_is_loaded_and_is_not_asked_for_resets() {
    let rig = staying(Model {
        has_clock: false,
        ..Model::default()
    });
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let sequence = a.hash_start().unwrap();
    let [objects, sessions] = rig.loaded();
    assert_eq!((objects.len(), sessions), (1, vec![session.handle]));
    let (_, sent) = rig.sent(|| {
        let (started, hit) = rig.faulty(0, UNANSWERED, || b.start(Kind::Policy));
        assert!(started.is_err() && hit);
    });
    assert_eq!(count(&sent, cc::READ_CLOCK), 0, "{sent:?}");
    let (_, sent) = rig.sent(|| {
        a.policy_digest(session.handle).unwrap();
        a.hash_update(&sequence, b"data").unwrap();
    });
    assert_eq!(sent.len(), 2, "{sent:?}");
    rig.assert_leave([a, b]);
}

/// The lists would not tell what is ours.
#[test]
fn g3_a_clear_before_the_tpm_has_told_of_resets_has_the_books_read_later() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let session = a.start(Kind::Policy).unwrap();
    let sequence = a.hash_start().unwrap();
    rig.under(&[(Nth(0), UNANSWERED), TIMELESS], || {
        b.start(Kind::Policy).unwrap_err();
        rig.chip.borrow_mut().device.flush(session.handle).unwrap();
        let (cleared, sent) = rig.sent(|| b.clear());
        cleared.unwrap();
        let after = sent.iter().skip_while(|sent| sent.code() != cc::CLEAR);
        let asked = after.filter(|sent| sent.code() == cc::GET_CAPABILITY);
        assert_eq!(asked.count(), 0, "{sent:?}");
    });
    b.random().unwrap();
    let (used, sent) = rig.sent(|| a.policy_digest(session.handle));
    lost(used);
    assert_eq!(count(&sent, cc::POLICY_GET_DIGEST), 0, "{sent:?}");
    a.hash_update(&sequence, b"data").unwrap();
    rig.assert_leave([a, b]);
}

/// The TPM does not list what it has when the reset is noticed, and then makes an object without an answer.
#[test]
fn g5_a_reset_is_not_forgotten_before_the_tpm_has_listed_what_is_left() {
    let rig = staying(Model::default());
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let sequence = a.hash_start().unwrap();
    for _ in 0..3 {
        a.start(Kind::Policy).unwrap();
    }
    reset(&rig, Reset::All);
    // The session that is to make room is not there.
    let (started, hits) = rig.under(&[UNLISTED], || b.start(Kind::Policy));
    assert!(started.is_ok() && hits > 0);
    sequence_unanswered(&rig, &b);
    lost(a.hash_update(&sequence, b"of a"));
    rig.assert_leave([a, b]);
}
