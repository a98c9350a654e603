// SPDX-License-Identifier: GPL-2.0

//! What the engine believes of session numbers when others take some, and the TPM does not tell.

use super::{fetch, hold, modelled, numbers, waits, DEFAULT, LEASE};
use harness::chip::Fault;
use harness::command::Kind;
use harness::engine::Terms;
use harness::fake::Model;
use harness::rig::{ALICE, BOB};
use harness::tpm::{cc, rc};

#[test]
fn g7_who_is_refused_by_a_tpm_that_does_not_count_waits_until_it_does() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 1);
    let others = rig.chip.borrow_mut().device.occupy_sessions(1);
    let raw = rig.raw();
    let saved: Vec<_> = (0..3)
        .map(|_| {
            let handle = raw.start(Kind::Policy).unwrap().handle;
            raw.save(handle).unwrap();
            handle
        })
        .collect();
    rig.chip
        .borrow_mut()
        .fail_code(cc::GET_CAPABILITY, Fault::Answer(rc::FAILURE));
    // As far as we know there are two more; the TPM says that there are none.
    let ((), sent) = rig.sent(|| waits(&bob));
    let refused = |code| sent.iter().filter(|s| s.rc() == Some(code)).count();
    assert_eq!(refused(rc::SESSION_HANDLES), 1, "{sent:?}");
    rig.chip.borrow_mut().fail_none();
    for handle in others.into_iter().chain(saved) {
        rig.chip.borrow_mut().device.flush(handle).unwrap();
    }
    rig.pass(LEASE);
    fetch(&bob);
}

#[test]
fn g1_the_kernels_own_session_is_in_nobodys_way_when_nothing_is_kept_for_it() {
    for kernel_reserve in [0, 1] {
        let rig = modelled(Model {
            active_sessions: 3,
            ..Model::default()
        });
        rig.set_terms(Terms {
            kernel_reserve,
            ..DEFAULT
        });
        let a = rig.open(ALICE);
        let kernel = rig.raw().start(Kind::Hmac).unwrap().handle;
        rig.chip.borrow_mut().kernel_session = Some(kernel);
        hold(&a, 1);
        // Somebody takes the last number between our look and our command.
        let taken = |device: &mut harness::fake::Fake| {
            assert_eq!(device.occupy_sessions(1).len(), 1);
        };
        rig.chip.borrow_mut().before_nth(0, Box::new(taken));
        let (outcome, sent) = rig.sent(|| a.start(Kind::Policy).map(drop));
        let refusals = sent
            .iter()
            .filter(|sent| sent.rc() == Some(rc::SESSION_HANDLES))
            .count();
        assert_eq!(refusals, 1, "{sent:?}");
        let ended = rig.chip.borrow().kernel_sessions_ended;
        match kernel_reserve {
            0 => assert_eq!((outcome.is_ok(), ended), (true, 1), "{sent:?}"),
            _ => assert_eq!((outcome.is_ok(), ended), (false, 0), "{sent:?}"),
        }
    }
}
