// SPDX-License-Identifier: GPL-2.0

//! G5, G6: a session number that was lost stays lost, and the TPM never hears of it.

use super::{active, handle, hold, lives, modelled, numbers, rounds, LEASE, RESERVE};
use crate::count;
use harness::chip::{Fault, Sent};
use harness::client::{signing_template, Failure};
use harness::clock::pass;
use harness::command::{Command, Kind, Session, AUDIT, CONTINUE, EMPTY};
use harness::engine::{LossPolicy, News};
use harness::fake::{Fake, Model, Numbers, Reset};
use harness::rig::{rc, until_unreached, Rig, Space, ALICE, BOB, CAROL};
use harness::tpm::{alg, cc, rc, rh};
use harness::wire::Put;
use kernel::error::code::ENOMEM;

const ORDERS: [Numbers; 3] = [Numbers::Lowest, Numbers::RoundRobin, Numbers::Random];

/// The number in a handle: what HMAC and policy sessions share.
fn number(handle: u32) -> u32 {
    handle & 0x00ff_ffff
}

/// A space that loses nothing.
fn sure(rig: &Rig<Fake>, user: u32) -> Space<'_> {
    let space = rig.open(user);
    rig.set_policy(&space, Some(LossPolicy::Never)).unwrap();
    space
}

/// Has the space lose so many of its sessions, which nobody else's can be taken for: to others of its user.
fn lose<'r>(rig: &'r Rig<Fake>, space: &Space<'_>, count: usize) -> Vec<Space<'r>> {
    pass(LEASE);
    let takers: Vec<_> = (0..count)
        .map(|_| {
            let taker = rig.open(space.user());
            rig.start(&taker, Kind::Policy).unwrap();
            taker
        })
        .collect();
    assert_eq!(rig.lost(space).len(), count);
    takers
}

#[test]
fn g6_a_lost_session_is_refused_in_every_position_and_the_tpm_hears_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let bob = rig.open(BOB);
    let parent = a.primary(rh::OWNER).unwrap();
    // Protected against dictionary attacks: no NO_DA in the attributes.
    let mut template = signing_template(b"");
    template[6] &= !0x04;
    let key = a.create(&parent, &template, b"secret").unwrap();
    let key = a.load(&parent, &key).unwrap();
    let counter = 0x20e;
    let mut lost = a.start(Kind::Hmac).unwrap();
    let _ = a.sign(&key, lost.auth(b"secret"));
    a.sign(&key, lost.auth(b"secret")).unwrap();
    let mut policy = a.start(Kind::Policy).unwrap();
    pass(LEASE);
    let mut alive = a.start(Kind::Hmac).unwrap();
    a.sign(&key, alive.auth(b"secret")).unwrap();
    let mut other = a.start(Kind::Hmac).unwrap();
    hold(&a, 58);
    for _ in 0..2 {
        rig.start(&bob, Kind::Hmac).unwrap();
    }
    assert_eq!(rig.lost(&a), [lost.handle, policy.handle]);
    assert_eq!(a.property(counter), Ok(0));

    let sign = |auths: Vec<harness::command::Auth<'_>>| {
        let mut command = Command::new(cc::SIGN)
            .named(key.handle, &key.name)
            .params(vec![0; 4]);
        for auth in auths {
            command = command.auth(auth);
        }
        let (outcome, sent) = rig.sent(|| rc(a.run(command)));
        assert!(sent.is_empty(), "{sent:?}");
        outcome
    };
    let audit = AUDIT | CONTINUE;
    assert_eq!(sign(vec![lost.auth(b"secret")]), rc::LOST_S0);
    assert_eq!(sign(vec![policy.auth(b"")]), rc::LOST_S0);
    let refused = sign(vec![alive.clone().auth(b"secret"), lost.with(audit, b"")]);
    assert_eq!(refused, rc::LOST_S0 + 1);
    let refused = sign(vec![
        alive.clone().auth(b"secret"),
        other.clone().with(audit, b""),
        lost.with(CONTINUE, b""),
    ]);
    assert_eq!(refused, rc::LOST_S0 + 2);
    // In the handle area, first and second.
    let (refused, sent) = rig.sent(|| rc(a.policy_restart(policy.handle)));
    assert_eq!((refused, sent.len()), (rc::LOST_H0, 0));
    let second = Command::new(cc::POLICY_SECRET)
        .handle(rh::OWNER)
        .handle(policy.handle)
        .auth(EMPTY)
        .params(vec![].sized(b"").sized(b"").sized(b"").u32(0));
    let (refused, sent) = rig.sent(|| rc(a.run(second)));
    assert_eq!((refused, sent.len()), (rc::LOST_H0 + 1, 0));
    let (refused, sent) = rig.sent(|| rc(a.save(lost.handle)));
    assert_eq!((refused, sent.len()), (rc::LOST_H0, 0));

    // Nothing was counted, and those that live go on where they were.
    assert_eq!(a.property(counter), Ok(0));
    a.sign(&key, alive.auth(b"secret")).unwrap();
    a.sign(&key, other.auth(b"secret")).unwrap();
    assert_eq!(rig.lost(&a), [lost.handle, policy.handle]);
}

#[test]
fn g5_flushing_a_lost_session_succeeds_without_the_tpm_and_forgets_it() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 3);
    lose(&rig, &a, 3);
    assert_eq!(rig.lost(&a), held, "in the order of loss");
    let (outcome, sent) = rig.sent(|| a.flush(held[1]));
    assert_eq!(outcome, Ok(()));
    assert_eq!(count(&sent, cc::FLUSH_CONTEXT), 0);
    assert_eq!(rig.lost(&a), [held[0], held[2]]);
    // A second time it is nobody's, and somebody else's stays so.
    assert_eq!(rc(a.flush(held[1])), rc::LOST_H0);
    assert_eq!(rc(bob.flush(held[0])), rc::LOST_H0);
    assert!(!lives(&rig, &a, held[0]) && !lives(&rig, &a, held[1]));
    a.flush(held[0]).unwrap();
    a.flush(held[2]).unwrap();
    assert_eq!(rig.lost(&a), []);
    assert_eq!(active(&rig), 3);
}

#[test]
fn g5_what_was_lost_is_listed_in_order_and_told_each_time() {
    let rig = numbers(4);
    let a = rig.open(ALICE);
    let mut held = hold(&a, 4);
    pass(LEASE);
    // The order of use is the order of loss.
    held.rotate_left(2);
    for handle in &held {
        assert!(lives(&rig, &a, *handle));
        pass(1);
    }
    lose(&rig, &a, 4);
    assert_eq!(rig.lost(&a), held);
    assert_eq!(a.news(), [News::Lost; 4]);
    assert_eq!(a.handles(rh::LOADED_SESSION, 9), Ok((false, vec![])));
}

/// The case of the thread: "the app gets 02000000 again and is confused".
fn never_again(order: Numbers, kind: Kind, other: Kind) {
    let rig = modelled(Model {
        active_sessions: 3 + RESERVE,
        numbers: order,
        ..Model::default()
    });
    let a = rig.open(ALICE);
    let first = a.start(kind).unwrap().handle;
    let filler = sure(&rig, CAROL);
    let mut filling = hold(&filler, 2);
    let mut takers = lose(&rig, &a, 1);
    assert_eq!(rig.lost(&a), [first]);
    // Somebody else has had the number, or not; it is free now, as are the others.
    rig.close(takers.remove(0));
    for handle in filling.drain(..) {
        filler.flush(handle).unwrap();
    }
    for n in 0..rounds(2000) {
        let kind = if n % 2 == 0 { kind } else { other };
        let (got, sent) = rig.sent(|| handle(a.start(kind)).unwrap());
        assert_ne!(number(got), number(first), "{order:?}");
        assert!(!lives(&rig, &a, first), "{order:?}");
        assert_eq!(
            active(&rig),
            1,
            "no dummy is left over: {order:?}, {sent:?}"
        );
        a.flush(got).unwrap();
        assert_eq!(active(&rig), 0, "{order:?}");
    }
    // Once it was flushed, the number is as good as any.
    a.flush(first).unwrap();
    let again = (0..200).any(|_| {
        let got = handle(a.start(kind)).unwrap();
        a.flush(got).unwrap();
        number(got) == number(first)
    });
    assert!(again, "{order:?}: the number is never given again");
}

#[test]
fn g5_a_lost_number_never_comes_back_on_any_tpm() {
    for order in ORDERS {
        for (kind, other) in [
            (Kind::Policy, Kind::Policy),
            (Kind::Hmac, Kind::Hmac),
            (Kind::Hmac, Kind::Policy),
            (Kind::Policy, Kind::Hmac),
        ] {
            never_again(order, kind, other);
        }
    }
}

#[test]
fn g5_many_lost_numbers_never_come_back_on_any_tpm() {
    for order in ORDERS {
        let rig = modelled(Model {
            active_sessions: 8 + RESERVE,
            numbers: order,
            ..Model::default()
        });
        let a = rig.open(ALICE);
        let lost = hold(&a, 5);
        hold(&sure(&rig, BOB), 3);
        let takers = lose(&rig, &a, 5);
        for taker in takers {
            rig.close(taker);
        }
        let lost: Vec<_> = lost.into_iter().map(number).collect();
        let mut held = vec![];
        for _ in 0..rounds(1000) {
            let (got, _) = rig.sent(|| handle(rig.start(&a, Kind::Policy)).unwrap());
            assert!(!lost.contains(&number(got)), "{order:?}: {got:#x}");
            held.push(got);
            if held.len() > 1 {
                a.flush(held.remove(0)).unwrap();
            }
            assert_eq!(active(&rig), 3 + held.len(), "{order:?}");
        }
    }
}

#[test]
fn g5_when_only_lost_numbers_are_free_another_one_is_found() {
    for order in ORDERS {
        let rig = modelled(Model {
            active_sessions: 3 + RESERVE,
            numbers: order,
            ..Model::default()
        });
        let (a, hog) = (rig.open(ALICE), sure(&rig, BOB));
        let lost = hold(&a, 1);
        let held = hold(&hog, 2);
        let taker = lose(&rig, &a, 1).remove(0);
        rig.close(taker);
        // One is free for users, and it may be the very one.
        let got = handle(rig.start(&a, Kind::Policy)).unwrap();
        assert_ne!(number(got), number(lost[0]), "{order:?}");
        assert_eq!(super::living(&rig, &hog, &held), held, "{order:?}");
        assert_eq!(active(&rig), 3, "{order:?}");
    }
}

#[test]
fn g5_with_every_number_lost_the_client_is_refused_and_not_confused() {
    let rig = numbers(2);
    rig.set_terms(harness::engine::Terms {
        kernel_reserve: 0,
        ..super::DEFAULT
    });
    let a = rig.open(ALICE);
    let held = hold(&a, 4);
    let takers = lose(&rig, &a, 4);
    for taker in takers {
        rig.close(taker);
    }
    assert_eq!(active(&rig), 0);
    // Every number that there is would mean something else.
    let outcome = handle(rig.start(&a, Kind::Policy));
    assert_eq!(outcome, Err(super::REFUSED));
    assert_eq!(active(&rig), 0);
    a.flush(held[2]).unwrap();
    let got = handle(rig.start(&a, Kind::Policy)).unwrap();
    assert_eq!(number(got), number(held[2]));
    assert_eq!(active(&rig), 1);
}

/// The number that must not be given comes again each time, because no session can be set aside.
#[test]
fn g7_a_start_ends_when_whatever_is_set_aside_is_lost() {
    let rig = numbers(2);
    let a = rig.open(ALICE);
    hold(&a, 2);
    for taker in lose(&rig, &a, 1) {
        rig.close(taker);
    }
    {
        let mut chip = rig.chip.borrow_mut();
        chip.fail_code(cc::CONTEXT_SAVE, Fault::Cut(13));
        chip.before_nth(1000, Box::new(|_| panic!("it does not end")));
    }
    assert_eq!(
        rig.start(&a, Kind::Policy).map(drop),
        Err(Failure::Errno(5))
    );
    rig.chip.borrow_mut().fail_none();
    rig.start(&a, Kind::Policy).unwrap();
    rig.close(a);
    assert_eq!(active(&rig), 0);
}

/// What is reserved for it are numbers that it has lost: it waits for others, and is refused in time.
#[test]
fn g5_g7_a_reservation_of_lost_numbers_alone_does_not_pass_on_the_tpms_refusal() {
    let rig = numbers(2);
    rig.set_terms(harness::engine::Terms {
        kernel_reserve: 0,
        ..super::DEFAULT
    });
    let a = rig.open(ALICE);
    rig.set_policy(&a, Some(LossPolicy::Never)).unwrap();
    rig.reserve(&a, 4).unwrap();
    let held = hold(&a, 2);
    rig.chip.borrow_mut().device.reset(Reset::All);
    for session in &held {
        crate::lost(a.policy_digest(*session));
    }
    hold(&a, 2);
    let (outcome, waited) = super::taking(|| handle(rig.start(&a, Kind::Policy)));
    assert_eq!((outcome, waited), (Err(super::REFUSED), super::WAIT));
    a.flush(held[0]).unwrap();
    handle(rig.start(&a, Kind::Policy)).unwrap();
}

#[test]
fn g3_nobody_loses_his_own_for_a_number_that_he_must_not_have() {
    let rig = numbers(2);
    rig.set_terms(harness::engine::Terms {
        kernel_reserve: 0,
        ..super::DEFAULT
    });
    let a = rig.open(ALICE);
    let held = hold(&a, 4);
    for taker in lose(&rig, &a, 2) {
        rig.close(taker);
    }
    // The two that are free are lost ones of hers, and so would be those that she has.
    assert_eq!(active(&rig), 2);
    let (outcome, waited) = super::taking(|| handle(rig.start(&a, Kind::Policy)));
    assert_eq!((outcome, waited), (Err(super::REFUSED), super::WAIT));
    assert_eq!(super::living(&rig, &a, &held), held[2..]);
}

/// Starts a session by a command that another session audits: it cannot be sent twice.
fn start_audited(space: &Space<'_>, audit: &mut Session) -> Result<u32, Failure> {
    let mut start = space.starting_with(Kind::Policy, vec![audit.with(AUDIT | CONTINUE, b"")]);
    handle(start.send(space))
}

#[test]
fn g5_a_start_that_a_session_protects_gets_no_lost_number_either() {
    for order in ORDERS {
        let rig = modelled(Model {
            active_sessions: 6 + RESERVE,
            numbers: order,
            ..Model::default()
        });
        let a = rig.open(ALICE);
        let lost: Vec<_> = hold(&a, 3).into_iter().map(number).collect();
        let mut audit = a.start(Kind::Hmac).unwrap();
        let filler = sure(&rig, CAROL);
        hold(&filler, 2);
        pass(1);
        // What she needs is used last.
        a.audited_random(audit.with(AUDIT | CONTINUE, b"")).unwrap();
        let takers = lose(&rig, &a, 3);
        for taker in takers {
            rig.close(taker);
        }
        for round in 0..rounds(2000) {
            let got = start_audited(&a, &mut audit).unwrap();
            assert!(
                !lost.contains(&number(got)),
                "{order:?}: round {round}: {got:#x}"
            );
            assert_eq!(active(&rig), 4, "{order:?}: no dummy is left over");
            a.flush(got).unwrap();
            // The client's session is in step with the TPM's.
            a.audited_random(audit.with(AUDIT | CONTINUE, b"")).unwrap();
        }
    }
}

#[test]
fn g5_g7_a_start_that_a_session_protects_ends_when_nothing_can_be_flushed() {
    let rig = modelled(Model {
        active_sessions: 6 + 2 * RESERVE,
        numbers: Numbers::RoundRobin,
        ..Model::default()
    });
    rig.set_terms(harness::engine::Terms {
        kernel_reserve: 2 * RESERVE,
        ..super::DEFAULT
    });
    let a = rig.open(ALICE);
    hold(&a, 2);
    let mut audit = a.start(Kind::Hmac).unwrap();
    let filler = sure(&rig, CAROL);
    hold(&filler, 3);
    pass(1);
    a.audited_random(audit.with(AUDIT | CONTINUE, b"")).unwrap();
    for taker in lose(&rig, &a, 2) {
        rig.close(taker);
    }
    let refusal = Fault::Answer(rc::RETRY);
    rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, refusal);
    // Two that she may have come first, and are set aside with those that she may not.
    let (_, sent) = rig.sent(|| start_audited(&a, &mut audit));
    assert_eq!(count(&sent, cc::START_AUTH_SESSION), 5, "{sent:?}");
    rig.chip.borrow_mut().fail_none();
    a.random().unwrap();
    let lost = rig.lost(&a);
    assert_eq!(lost.len(), 2);
    let listed = a.handles(rh::LOADED_SESSION, 99).unwrap().1;
    assert!(listed.iter().all(|handle| !lost.contains(handle)));
}

#[test]
fn g7_a_start_that_a_session_protects_can_wait() {
    let rig = numbers(3);
    let (a, hog) = (rig.open(ALICE), rig.open(BOB));
    let mut audit = a.start(Kind::Hmac).unwrap();
    let mut check = audit.clone();
    let held = hold(&hog, 2);
    let mut start = a.starting_with(Kind::Policy, vec![audit.with(AUDIT | CONTINUE, b"")]);
    assert_eq!(handle(start.send(&a)), Err(Failure::Waits));
    hog.flush(held[0]).unwrap();
    rig.settle();
    let got = handle(start.send(&a)).unwrap();
    drop(start);
    assert!(lives(&rig, &a, got));
    a.audited_random(audit.with(AUDIT | CONTINUE, b"")).unwrap();
    crate::refused(a.audited_random(check.with(AUDIT | CONTINUE, b"")));
}

#[test]
fn g5_a_session_that_is_lost_while_its_start_waits_refuses_the_start() {
    let rig = numbers(2);
    let (a, hog) = (rig.open(ALICE), rig.open(BOB));
    let mut audit = a.start(Kind::Hmac).unwrap();
    hold(&hog, 1);
    let mut start = a.starting_with(Kind::Policy, vec![audit.with(AUDIT | CONTINUE, b"")]);
    assert_eq!(handle(start.send(&a)), Err(Failure::Waits));
    // At the end of its lease, her own session is what she takes: the one that she names.
    let (outcome, sent) = rig.sent(|| handle(rig.wait(&a, || start.send(&a))));
    if let Err(failure) = outcome {
        assert!(
            [Failure::Rc(rc::LOST_S0), super::REFUSED].contains(&failure),
            "{failure:?}"
        );
        let is_hers = |sent: &&Sent| sent.command[1] == 2 && sent.code() == cc::START_AUTH_SESSION;
        assert_eq!(sent.iter().filter(is_hers).count(), 0);
    }
    rig.settle();
    assert!(active(&rig) <= 2);
    assert_eq!(rig.alarm().filter(|at| *at <= harness::clock::now()), None);
}

#[test]
fn g5_what_others_find_is_no_longer_the_losers() {
    // The new owner of the number uses it; the loser never touches it.
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    pass(LEASE);
    let got = handle(bob.start(Kind::Policy)).unwrap();
    assert_eq!(
        number(got),
        number(held[0]),
        "the TPM gives the lowest number"
    );
    assert!(!lives(&rig, &a, held[0]));
    crate::refused(a.save(held[0]));
    a.flush(held[0]).unwrap();
    assert!(lives(&rig, &bob, got));
    crate::refused(a.flush(held[0]));
    assert!(lives(&rig, &bob, got));
}

#[test]
fn g5_a_lost_number_is_not_claimed_by_a_context_either() {
    let rig = numbers(2);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    let held = hold(&a, 2);
    pass(LEASE);
    let got = bob.start(Kind::Policy).unwrap();
    assert_eq!(number(got.handle), number(held[0]));
    let blob = bob.save(got.handle).unwrap();
    // Bob gives her his session, of the number that she has lost and not flushed.
    crate::refused(a.restore(&blob));
    assert!(!lives(&rig, &a, held[0]));
    a.flush(held[0]).unwrap();
    assert_eq!(a.restore(&blob), Ok(got.handle));
    assert!(lives(&rig, &a, got.handle));
}

#[test]
fn g5_g8_a_lost_number_that_can_neither_be_kept_nor_flushed_goes_later() {
    let rig = numbers(2);
    let a = rig.open(ALICE);
    hold(&a, 2);
    for taker in lose(&rig, &a, 1) {
        rig.close(taker);
    }
    let lost = rig.lost(&a);
    let mut refused_late = 0;
    until_unreached(1..100, |n| {
        let refusal = Fault::Answer(rc::RETRY);
        rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, refusal);
        let start = || rig.without_memory(n, true, || handle(a.start(Kind::Policy)));
        let ((outcome, met), sent) = rig.sent(start);
        if outcome.is_err() {
            refused_late += count(&sent, cc::START_AUTH_SESSION);
        }
        rig.chip.borrow_mut().fail_none();
        a.random().unwrap();
        match outcome {
            Ok(handle) => {
                assert!(!lost.contains(&handle));
                a.flush(handle).unwrap();
            }
            Err(failure) => assert_eq!(failure, Failure::Errno(-ENOMEM.to_errno())),
        }
        assert_eq!(active(&rig), 1);
        met
    });
    // It was started, and could not be given to the client.
    assert_eq!(refused_late, 1);
}

#[test]
fn g5_tombstones_go_with_their_space() {
    let rig = numbers(2);
    let a = rig.open(ALICE);
    hold(&a, 2);
    lose(&rig, &a, 2)
        .into_iter()
        .for_each(|taker| rig.close(taker));
    rig.close(a);
    let again = rig.open(ALICE);
    assert_eq!(rig.lost(&again), []);
    let got = hold(&again, 2);
    assert_eq!(got.into_iter().map(number).collect::<Vec<_>>(), [0, 1]);
    let _ = alg::NULL;
}

#[test]
fn g5_a_client_that_never_flushes_loses_for_ever_without_filling_memory() {
    let rig = numbers(3);
    let (a, bob) = (rig.open(ALICE), rig.open(BOB));
    hold(&a, 3);
    for _ in 0..rounds(3000) {
        let _ = handle(rig.start(&a, Kind::Policy));
        let _ = handle(rig.start(&bob, Kind::Policy));
        assert!(
            rig.lost(&a).len() <= 5,
            "there are no more numbers than that"
        );
        assert!(active(&rig) <= 3);
    }
}
