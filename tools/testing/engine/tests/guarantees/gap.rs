// SPDX-License-Identifier: GPL-2.0

//! The context gap: a session that lies saved for long must not stop the others, nor be lost.

use harness::command::{Kind, AUDIT, CONTINUE};
use harness::fake::{Fake, Model};
use harness::rig::{rc, Rig, ALICE, BOB};
use harness::tpm::{cc, rc};

fn rig(gap: u64, loaded_sessions: usize) -> Rig<Fake> {
    let model = Model {
        gap,
        loaded_sessions,
        ..Model::default()
    };
    Rig::over(Fake::new(model), Default::default())
}

#[test]
fn harness_model_closes_the_gap_as_the_specification_says() {
    let rig = rig(10, 2);
    let tpm = rig.raw();
    let idle = tpm.start(Kind::Policy).unwrap();
    let oldest = tpm.save(idle.handle).unwrap();
    let busy = tpm.start(Kind::Policy).unwrap();
    let mut blobs = vec![];
    let refusal = loop {
        match tpm.save(busy.handle) {
            Ok(blob) => blobs.push(tpm.restore(&blob).unwrap()),
            failed => break rc(failed),
        }
    };
    assert_eq!((refusal, blobs.len()), (rc::CONTEXT_GAP, 10));
    // The last free slot is for the oldest.
    assert_eq!(rc(tpm.start(Kind::Policy)), rc::CONTEXT_GAP);
    tpm.restore(&oldest).unwrap();
    tpm.save(busy.handle).unwrap();
}

#[test]
fn g1_an_idle_session_elsewhere_stops_nobody() {
    for (gap, slots) in [(4, 2), (20, 3), (255, 3), (255, 2)] {
        let rig = rig(gap, slots);
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let idle = a.start(Kind::Policy).unwrap();
        let mut idle_hmac = a.start(Kind::Hmac).unwrap();
        let busy = b.start(Kind::Policy).unwrap();
        for n in 0..3 * gap {
            b.policy_digest(busy.handle)
                .unwrap_or_else(|e| panic!("gap {gap}, {slots} slots, command {n}: {e:?}"));
        }
        assert!(rig.chip.borrow().device.sessions_saved() > 2 * gap);
        if gap >= 20 {
            // Nor does anybody beside us: it never comes to that.
            let log = rig.chip.borrow().log.clone();
            assert!(log.iter().all(|sent| sent.rc() != Some(rc::CONTEXT_GAP)));
        }
        a.policy_digest(idle.handle).unwrap();
        a.audited_random(idle_hmac.with(AUDIT | CONTINUE, b""))
            .unwrap();
        for space in [a, b] {
            rig.close(space);
        }
        rig.assert_nothing();
    }
}

#[test]
fn g1_the_blob_that_was_issued_works_after_the_driver_saved_the_session_again() {
    let rig = rig(50, 3);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let mut session = a.start(Kind::Hmac).unwrap();
    a.audited_random(session.with(AUDIT | CONTINUE, b""))
        .unwrap();
    let blob = a.save(session.handle).unwrap();
    rig.close(a);
    let busy = b.start(Kind::Policy).unwrap();
    for _ in 0..200 {
        b.policy_digest(busy.handle).unwrap();
    }
    let c = rig.open(ALICE);
    assert_eq!(c.restore(&blob), Ok(session.handle));
    c.audited_random(session.with(AUDIT | CONTINUE, b""))
        .unwrap();
    crate::refused(c.restore(&blob));
    crate::refused(b.restore(&blob));
    let blob = c.save(session.handle).unwrap();
    for _ in 0..200 {
        b.policy_digest(busy.handle).unwrap();
    }
    c.restore(&blob).unwrap();
    c.flush(session.handle).unwrap();
    crate::refused(c.restore(&blob));
}

#[test]
fn g1_many_idle_sessions_are_kept_young_together() {
    let rig = rig(100, 3);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let idle: Vec<_> = (0..50).map(|_| a.start(Kind::Policy).unwrap()).collect();
    let busy = b.start(Kind::Policy).unwrap();
    for _ in 0..1000 {
        b.policy_digest(busy.handle).unwrap();
    }
    for session in &idle {
        a.policy_digest(session.handle).unwrap();
    }
}

#[test]
fn g1_keeping_sessions_young_costs_little() {
    let rig = rig(255, 3);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    for _ in 0..3 {
        a.start(Kind::Policy).unwrap();
    }
    let busy = b.start(Kind::Policy).unwrap();
    let (_, sent) = rig.sent(|| {
        for _ in 0..1000 {
            b.policy_digest(busy.handle).unwrap();
        }
    });
    // Load, command, save; and the three idle ones a few times.
    assert!(sent.len() < 3300, "{}", sent.len());
}

#[test]
fn g1_a_gap_closed_by_others_stops_nobody() {
    let rig = rig(50, 3);
    let a = rig.open(ALICE);
    let raw = rig.raw();
    let idle = a.start(Kind::Policy).unwrap();
    let detached = a.start(Kind::Policy).unwrap();
    let blob = a.save(detached.handle).unwrap();
    // A raw user saves until the TPM refuses: the gap is closed behind the engine's back.
    let foreign = raw.start(Kind::Policy).unwrap();
    loop {
        match raw.save(foreign.handle) {
            Ok(saved) => {
                raw.restore(&saved).unwrap();
            }
            failed => {
                assert_eq!(rc(failed), rc::CONTEXT_GAP);
                break;
            }
        }
    }
    raw.flush(foreign.handle).unwrap();
    rig.check_empty.set(true);
    a.policy_digest(idle.handle).unwrap();
    let fresh = a.start(Kind::Policy).unwrap();
    a.policy_digest(fresh.handle).unwrap();
    a.restore(&blob).unwrap();
    a.policy_digest(detached.handle).unwrap();
}

#[test]
fn g2_a_gap_that_shows_after_the_command_costs_no_response() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let mut other = a.start(Kind::Hmac).unwrap();
    let mut session = a.start(Kind::Hmac).unwrap();
    let reached = harness::rig::until_unreached(0..100, |n| {
        let fault = harness::chip::Fault::Answer(rc::CONTEXT_GAP);
        let (done, reached) = rig.faulty(n, fault, || {
            a.mac_with(&key, session.auth(b""), b"data").map(drop)
        });
        done.unwrap();
        a.mac_with(&key, other.auth(b""), b"data").unwrap();
        reached
    });
    assert!(reached >= 3);
}

#[test]
fn g1_the_real_tpms_gap_of_65535_is_passed() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    let mut idle = a.start(Kind::Hmac).unwrap();
    let mut detached = a.start(Kind::Hmac).unwrap();
    let blob = a.save(detached.handle).unwrap();
    let foreign = raw.start(Kind::Policy).unwrap();
    let mut last = Ok(vec![]);
    for _ in 0..70_000 {
        last = raw.save(foreign.handle);
        match &last {
            Ok(saved) => raw.restore(saved).unwrap(),
            Err(_) => break,
        };
    }
    assert_eq!(rc(last), rc::CONTEXT_GAP);
    raw.flush(foreign.handle).unwrap();
    a.mac_with(&key, idle.auth(b""), b"data").unwrap();
    a.restore(&blob).unwrap();
    a.mac_with(&key, detached.auth(b""), b"data").unwrap();
    let (_, sent) = rig.sent(|| a.start(Kind::Hmac).unwrap());
    assert_eq!(crate::count(&sent, cc::START_AUTH_SESSION), 1);
}

/// A raw user saves a session of his again and again, until the TPM refuses.
fn close_gap(rig: &Rig<Fake>) {
    let raw = rig.raw();
    let foreign = raw.start(Kind::Policy).unwrap();
    while let Ok(saved) = raw.save(foreign.handle) {
        raw.restore(&saved).unwrap();
    }
    raw.flush(foreign.handle).unwrap();
}

#[test]
fn g1_a_closed_gap_with_one_slot_left_stops_nobody() {
    let rig = rig(50, 3);
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let (idle, other) = (
        a.start(Kind::Policy).unwrap(),
        a.start(Kind::Policy).unwrap(),
    );
    close_gap(&rig);
    let foreign = [
        raw.start(Kind::Policy).unwrap(),
        raw.start(Kind::Policy).unwrap(),
    ];
    // The TPM keeps its last slot for the oldest session, until that is saved again.
    let fresh = a.start(Kind::Policy).unwrap();
    for session in [&fresh, &other, &idle] {
        a.policy_digest(session.handle).unwrap();
    }
    for session in &foreign {
        raw.policy_digest(session.handle).unwrap();
    }
}

#[test]
fn g1_a_gap_that_shows_with_no_slot_left_costs_the_kernels_session_only() {
    let rig = rig(50, 3);
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let idle = a.start(Kind::Policy).unwrap();
    let busy = a.start(Kind::Policy).unwrap();
    let foreign = [
        raw.start(Kind::Policy).unwrap(),
        raw.start(Kind::Policy).unwrap(),
    ];
    let kernel = raw.start(Kind::Policy).unwrap();
    rig.chip.borrow_mut().kernel_session = Some(kernel.handle);
    // What the TPM would say if it judged the gap before the slots.
    let gap = harness::chip::Fault::Answer(rc::CONTEXT_GAP);
    let (done, _) = rig.faulty(0, gap, || a.policy_digest(busy.handle));
    done.unwrap();
    assert_eq!(rig.chip.borrow().kernel_sessions_ended, 1);
    a.policy_digest(idle.handle).unwrap();
    for session in &foreign {
        raw.policy_digest(session.handle).unwrap();
    }
}

#[test]
fn g9_a_session_that_is_not_the_oldest_is_saved_though_the_gap_is_closed() {
    let rig = rig(50, 3);
    let a = rig.open(ALICE);
    let idle = a.start(Kind::Policy).unwrap();
    let busy = a.start(Kind::Policy).unwrap();
    close_gap(&rig);
    rig.check_empty.set(true);
    let (_, sent) = rig.sent(|| a.policy_digest(busy.handle).unwrap());
    assert!(
        sent.iter().any(|sent| sent.rc() == Some(rc::CONTEXT_GAP)),
        "the gap was closed: {sent:?}"
    );
    a.policy_digest(idle.handle).unwrap();
    a.policy_digest(busy.handle).unwrap();
}
