// SPDX-License-Identifier: GPL-2.0

//! Faults while a session number is looked for, taken, kept, fetched or exchanged: at every transmission, in
//! every way, and at every allocation.
//!
//! Nobody loses what he should not (G3), no number leaks (G8), and the queue goes on (G7).

use super::{active, forget, handle, hold, modelled, taking, LEASE, RESERVE, WAIT};
use crate::random::{any_faults, Dice};
use harness::chip::{Fault, Sent};
use harness::client::{Failure, Outcome};
use harness::clock::pass;
use harness::command::{Kind, AUDIT, CONTINUE};
use harness::engine::LossPolicy;
use harness::fake::{Fake, Model};
use harness::rig::{Rig, Space, ALICE, BOB, CAROL};
use harness::tpm::{cc, rc, rh};

/// Users have so many numbers.
const NUMBERS: usize = 5;

/// Alice has more than is fair; Carol has one, and must keep it; Bob comes.
struct World<'r> {
    rig: &'r Rig<Fake>,
    alice: Space<'r>,
    held: Vec<u32>,
    carol: Space<'r>,
    kept: u32,
    bob: Space<'r>,
}

/// What goes wrong while it happens.
struct Story {
    name: &'static str,
    setup: fn(&World<'_>),
    /// What the fault hits. `Ok`: Bob, or Alice, has this session now.
    run: fn(&World<'_>) -> Outcome<Option<u32>>,
}

impl<'r> World<'r> {
    fn new(rig: &'r Rig<Fake>) -> Self {
        let (alice, carol, bob) = (rig.open(ALICE), rig.open(CAROL), rig.open(BOB));
        let kept = hold(&carol, 1)[0];
        let held = hold(&alice, NUMBERS - 1);
        Self {
            rig,
            alice,
            held,
            carol,
            kept,
            bob,
        }
    }

    fn ask(&self, space: &Space<'_>) -> Outcome<Option<u32>> {
        match handle(space.start(Kind::Policy)) {
            Ok(handle) => Ok(Some(handle)),
            Err(Failure::Waits) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Has Alice lose a session whose number is free now.
    fn alice_loses(&self) {
        pass(LEASE);
        let taker = self.rig.open(ALICE);
        taker.start(Kind::Policy).unwrap();
        self.rig.close(taker);
        assert_eq!(self.rig.lost(&self.alice).len(), 1);
    }
}

const STORIES: &[Story] = &[
    Story {
        name: "a start that takes one",
        setup: |_| pass(LEASE),
        run: |w| w.ask(&w.bob),
    },
    Story {
        name: "a start that has to wait",
        setup: |_| {},
        run: |w| w.ask(&w.bob),
    },
    Story {
        name: "the timer that takes one",
        setup: |w| {
            super::waits(&w.bob);
            pass(LEASE);
        },
        run: |w| {
            w.rig.attend();
            Ok(None)
        },
    },
    Story {
        name: "fetching what is kept",
        setup: |w| {
            super::waits(&w.bob);
            w.rig.pass(LEASE);
            assert!(w.bob.is_called());
        },
        run: |w| w.ask(&w.bob),
    },
    Story {
        name: "giving one up for who waits",
        setup: |w| super::waits(&w.bob),
        run: |w| {
            w.alice.flush(w.held[0])?;
            w.rig.attend();
            Ok(None)
        },
    },
    Story {
        name: "a number that was lost",
        setup: |w| w.alice_loses(),
        run: |w| w.ask(&w.alice),
    },
    Story {
        name: "a number that was lost, for a command that cannot be sent twice",
        setup: |w| w.alice_loses(),
        run: |w| {
            // Alice's newest session is one that can audit.
            let flushed = *w.held.last().expect("she has one");
            w.alice.flush(flushed)?;
            let mut audit = w.alice.start(Kind::Hmac)?;
            let auths = vec![audit.with(AUDIT | CONTINUE, b"")];
            let started = handle(w.alice.starting_with(Kind::Policy, auths).send(&w.alice));
            w.alice.flush(audit.handle)?;
            started.map(Some)
        },
    },
    Story {
        name: "a space that closes with its session",
        setup: |w| {
            w.rig.set_policy(&w.alice, Some(LossPolicy::Close)).unwrap();
            pass(LEASE);
        },
        run: |w| w.ask(&w.bob),
    },
    Story {
        name: "a reservation that takes two",
        setup: |w| {
            w.rig.set_policy(&w.bob, Some(LossPolicy::Never)).unwrap();
            pass(LEASE);
        },
        run: |w| match w.rig.reserve(&w.bob, 2) {
            Ok(()) | Err(Failure::Waits) => Ok(None),
            Err(failure) => Err(failure),
        },
    },
    Story {
        name: "closing with others waiting",
        setup: |w| super::waits(&w.bob),
        run: |w| {
            let other = w.rig.open(ALICE);
            w.alice.flush(w.held[0])?;
            w.rig.attend();
            w.rig.close(other);
            Ok(None)
        },
    },
];

fn rig() -> Rig<Fake> {
    modelled(Model {
        active_sessions: NUMBERS + RESERVE,
        ..Model::default()
    })
}

/// What must be true afterwards, without a fault. `destroys`: the fault itself may have ended a session, or
/// started one that nobody knows of.
fn check(w: World<'_>, outcome: Outcome<Option<u32>>, destroys: bool, context: &str) {
    let rig = w.rig;
    // Two by the fault and by what is done about it: what the TPM has done is not known at first.
    let lost = [&w.alice, &w.bob, &w.carol].map(|space| rig.lost(space).len());
    let most = 3 + usize::from(destroys);
    assert!(lost[0] <= most, "G3: Alice lost {}: {context}", lost[0]);
    // What the fault itself ended was Bob's own.
    assert!(lost[1] <= usize::from(destroys), "G3: Bob lost: {context}");
    assert_eq!(lost[2], 0, "G3: {context}");
    assert!(
        w.carol.policy_digest(w.kept).is_ok(),
        "G3: Carol's: {context}"
    );
    if let Ok(Some(handle)) = outcome {
        let has = [&w.alice, &w.bob].map(|space| space.policy_digest(handle).is_ok());
        assert!(destroys || has.contains(&true), "made: {context}");
    }
    // The queue goes on: whatever became of it, Bob gets one.
    let (got, waited) = taking(|| handle(rig.start(&w.bob, Kind::Policy)));
    assert!(got.is_ok(), "G7: {got:?}: {context}");
    assert!(waited <= LEASE + 200, "G7: after {waited} ms: {context}");
    let is_closed = w.alice.random() == Err(Failure::Errno(32));
    let unknown: Vec<u32> = w
        .held
        .iter()
        .copied()
        .filter(|handle| !rig.lost(&w.alice).contains(handle))
        .filter(|handle| w.alice.policy_digest(*handle).is_err())
        .collect();
    // One that she flushed herself, and one that the fault ended without our knowledge.
    assert!(
        is_closed || unknown.len() <= 1 + usize::from(destroys),
        "G3: {unknown:x?}: {context}"
    );
    // A clean command, and what is in the TPM is what they have.
    w.bob.random().unwrap();
    let told = [&w.alice, &w.bob, &w.carol].map(|space| {
        let listed = space.handles(rh::LOADED_SESSION, 99);
        listed.map_or(0, |listed| listed.1.len())
    });
    assert_eq!(told.iter().sum::<usize>(), active(rig), "G8: {context}");
    assert!(active(rig) <= NUMBERS, "G9: {context}");
    forget(rig, &w.bob);
    rig.close(w.alice);
    rig.close(w.bob);
    rig.close(w.carol);
    assert_eq!(rig.alarm(), None, "nobody waits: {context}");
    rig.open(ALICE).random().unwrap();
    rig.assert_nothing();
}

fn run_with_fault(story: &Story, n: usize, fault: Fault) -> bool {
    let rig = rig();
    let world = World::new(&rig);
    (story.setup)(&world);
    let before = rig.chip.borrow().log.len();
    let (outcome, reached) = rig.faulty(n, fault, || (story.run)(&world));
    if !reached {
        return false;
    }
    let sent: Vec<Sent> = rig.chip.borrow().log[before..].to_vec();
    let context = format!(
        "{}: transmission {n}: {fault:?}: {outcome:?} after {sent:x?}",
        story.name
    );
    check(world, outcome, fault.executes(), &context);
    true
}

fn sweep(faults: &[Fault]) -> usize {
    let mut points = 0;
    let mut failures = vec![];
    for story in STORIES {
        for fault in faults {
            for n in 0.. {
                assert!(n < 100, "{} does not end", story.name);
                let run = std::panic::catch_unwind(|| run_with_fault(story, n, *fault));
                match run {
                    Ok(false) => break,
                    Ok(true) => points += 1,
                    Err(why) => {
                        let why = why.downcast_ref::<String>().cloned();
                        failures
                            .push(why.unwrap_or_else(|| format!("{} {n} {fault:?}", story.name)));
                    }
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        failures.len() + points,
        failures.join("\n")
    );
    points
}

#[test]
fn g3_g7_g8_hold_when_any_one_transmission_fails_while_numbers_are_short() {
    let points = sweep(Fault::ALL);
    println!("{points} faults while numbers are short");
    assert!(points > 300);
}

#[test]
fn g3_g7_g8_hold_when_the_tpm_says_once_that_it_has_no_number() {
    let points = sweep(&[Fault::Answer(rc::SESSION_HANDLES)]);
    println!("{points} times without a number");
}

#[test]
fn g7_a_tpm_that_never_has_a_number_is_an_answer_and_not_a_loop() {
    let rig = rig();
    let world = World::new(&rig);
    world.alice.flush(world.held[0]).unwrap();
    rig.chip
        .borrow_mut()
        .fail_code(cc::START_AUTH_SESSION, Fault::Answer(rc::SESSION_HANDLES));
    let (_, sent) = rig.sent(|| {
        let (outcome, waited) = taking(|| handle(rig.start(&world.bob, Kind::Policy)));
        assert!(matches!(outcome, Err(Failure::Rc(_))), "{outcome:?}");
        assert!(waited <= WAIT);
    });
    assert!(sent.len() < 400, "{} transmissions", sent.len());
    rig.chip.borrow_mut().fail_none();
    rig.start(&world.bob, Kind::Policy).unwrap();
    assert!(world.carol.policy_digest(world.kept).is_ok());
}

#[test]
fn g7_a_tpm_that_ends_no_session_lets_nobody_lose_and_refuses_in_the_end() {
    let rig = rig();
    let world = World::new(&rig);
    pass(LEASE);
    rig.chip
        .borrow_mut()
        .fail_code(cc::FLUSH_CONTEXT, Fault::Answer(rc::FAILURE));
    let (_, sent) = rig.sent(|| {
        let (outcome, waited) = taking(|| handle(rig.start(&world.bob, Kind::Policy)));
        assert_eq!((outcome, waited), (Err(super::REFUSED), WAIT));
    });
    assert!(sent.len() < 1000, "{} transmissions", sent.len());
    rig.chip.borrow_mut().fail_none();
    assert_eq!(super::living(&rig, &world.alice, &world.held), world.held);
    rig.start(&world.bob, Kind::Policy).unwrap();
}

#[test]
fn g3_g7_g8_hold_when_any_one_allocation_fails_while_numbers_are_short() {
    let mut points = 0;
    for story in STORIES {
        for all in [false, true] {
            for n in 1.. {
                assert!(n < 100, "{} does not end", story.name);
                let rig = rig();
                let world = World::new(&rig);
                (story.setup)(&world);
                let (outcome, reached) = rig.without_memory(n, all, || (story.run)(&world));
                if !reached {
                    break;
                }
                points += 1;
                let context = format!("{}: allocation {n}, all {all}: {outcome:?}", story.name);
                let none = Err(Failure::Errno(12));
                assert!(outcome.is_ok() || outcome == none, "{context}");
                check(world, outcome, false, &context);
            }
        }
    }
    println!("{points} allocations while numbers are short");
    assert!(points > 10);
}

/// Clients of several users do anything, while the TPM or the way to it fails at any time.
fn play(seed: u64) {
    let mut dice = Dice(seed);
    dice.below(2);
    let numbers = 2 + dice.below(6);
    let rig = modelled(Model {
        active_sessions: numbers + RESERVE,
        ..Model::default()
    });
    let open = |n: usize| rig.open(1000 + u32::try_from(n % 4).unwrap());
    let mut spaces: Vec<_> = (0..7).map(open).collect();
    let mut held: Vec<Vec<u32>> = vec![vec![]; spaces.len()];
    let mut files: Vec<(usize, Vec<u8>)> = vec![];
    let watch = rig.open(999);
    for step in 0..400 {
        let n = dice.below(spaces.len());
        for fault in any_faults(&mut dice) {
            rig.chip.borrow_mut().fail_nth(dice.below(10), fault);
        }
        let space = &spaces[n];
        match dice.below(14) {
            0..=3 => {
                if let Ok(got) = handle(space.start(Kind::Policy)) {
                    held[n].retain(|handle| *handle != got);
                    held[n].push(got);
                }
            }
            4 if !held[n].is_empty() => {
                let flushed = held[n].remove(0);
                let _ = space.flush(flushed);
            }
            5 if !held[n].is_empty() => {
                if let Ok(blob) = space.save(held[n][0]) {
                    held[n].remove(0);
                    files.push((n % 4, blob));
                }
            }
            6 if !files.is_empty() => {
                let at = dice.below(files.len());
                if files[at].0 == n % 4 {
                    if let Ok(got) = space.restore(&files.remove(at).1) {
                        held[n].push(got);
                    }
                }
            }
            7 => rig.leave(space),
            8 => rig.attend(),
            9 => {
                for lost in rig.lost(space) {
                    let _ = space.flush(lost);
                }
            }
            10 if dice.below(2) == 0 => {
                let policies = [LossPolicy::Fail, LossPolicy::Close, LossPolicy::Never];
                let policy = policies.get(dice.below(4)).copied();
                rig.set_policy(space, policy).unwrap();
            }
            11 => {
                let _ = rig.reserve(space, dice.below(4));
            }
            12 if dice.below(4) == 0 => {
                let closing = std::mem::replace(&mut spaces[n], open(n));
                rig.close(closing);
                held[n].clear();
            }
            _ => pass(dice.below(1500) as u64),
        }
        rig.chip.borrow_mut().fail_none();
        if step % 5 == 0 {
            // One command without a fault, and whatever was left is gone.
            watch.random().unwrap();
            rig.assert_empty();
            let mut seen = vec![];
            for (space, held) in spaces.iter().zip(&mut held) {
                held.retain(|handle| match space.policy_digest(*handle) {
                    Ok(_) => true,
                    Err(failure) => {
                        let closed = Failure::Errno(32);
                        assert!([Failure::Rc(rc::LOST_H0), closed].contains(&failure));
                        false
                    }
                });
                seen.extend(held.iter().map(|handle| handle & 0x00ff_ffff));
            }
            seen.sort_unstable();
            let count = seen.len();
            seen.dedup();
            assert_eq!(seen.len(), count, "a number has two owners");
        }
    }
    // Those who lose nothing let others have their turn.
    for space in &spaces {
        let _ = rig.set_policy(space, None);
    }
    // Everybody can still get one: nothing has leaked, and the queue goes on.
    let late = rig.open(9000);
    let mut tries = 0;
    while handle(rig.start(&late, Kind::Policy)).is_err() {
        tries += 1;
        assert!(tries < 3, "a number leaked");
    }
    rig.close(late);
    rig.close(watch);
    for space in spaces {
        rig.close(space);
    }
    assert_eq!(rig.alarm(), None);
    for user in 1000..1004 {
        let space = rig.open(user);
        space.random().unwrap();
        for handle in space.handles(rh::SAVED_SESSION, 100).unwrap().1 {
            space.flush(handle).unwrap();
        }
        rig.close(space);
    }
    // What nobody knows of is a stray, and goes when there is need.
    rig.pass(2 * LEASE);
    let last = rig.open(ALICE);
    for _ in 0..numbers {
        rig.start(&last, Kind::Policy).unwrap();
    }
    rig.close(last);
    assert!(active(&rig) <= numbers, "the kernel has what is its own");
}

#[test]
fn g3_g7_g8_hold_in_random_programs_with_faults_while_numbers_are_short() {
    let programs = std::env::var("TPMRM_RANDOM_PROGRAMS");
    let programs = programs.map_or(60, |n| n.parse::<u64>().expect("a number") * 8);
    for seed in 0..programs {
        let played = std::panic::catch_unwind(|| play(seed));
        assert!(played.is_ok(), "random program {seed}");
    }
    println!("{programs} random programs with faults while numbers are short");
}
