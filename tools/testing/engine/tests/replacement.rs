// SPDX-License-Identifier: GPL-2.0

//! The simulator of tools/testing/replacement against the engine: both must count the same commands.

use harness::client::Client;
use harness::play::{counters, play, since, stay};
use harness::record::Tape;
use harness::rig::{label, Rig, ALICE};
use replacement::policies::{Candidate, Engine, Lirs, Lru, Mru, Policy, Random};
use replacement::sim::{run, run_believing, Count, Slots};
use replacement::{models, optimum, trace::Trace};
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

const TRACES: &str = "../replacement/traces";

fn simulate(trace: &Trace, slots: Slots) -> Count {
    let policy = || Box::new(Engine::default());
    run(trace, slots, policy(), policy())
}

fn compare(trace: &Trace, slots: Slots) {
    let sent = play(trace, slots);
    assert_eq!(simulate(trace, slots), sent, "{} {slots:?}", trace.name);
}

#[test]
fn g1_the_simulator_predicts_what_the_engine_sends_for_recorded_traces() {
    let mut traces = 0;
    for entry in fs::read_dir(TRACES).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let trace = Trace::parse(&name, &fs::read_to_string(&path).unwrap()).unwrap();
        for n in [3, 4, 7] {
            let slots = Slots {
                objects: n,
                sessions: n,
            };
            compare(&trace, slots);
        }
        traces += 1;
    }
    assert!(traces > 0);
}

/// Clients in turn, with a key each, on libtpms: what the engine sent, and the trace.
fn in_turn(clients: usize, rounds: usize) -> (Count, Trace) {
    let rig = Rig::new();
    let tape = RefCell::new(Tape::new(&rig));
    stay(&rig);
    let before = counters(&rig);
    let spaces: Vec<_> = (0..clients).map(|_| rig.open(ALICE)).collect();
    let watched: Vec<_> = spaces
        .iter()
        .enumerate()
        .map(|(n, space)| {
            let tape = &tape;
            Client::new(Box::new(move |command| {
                let outcome = space.bytes(command);
                tape.borrow_mut()
                    .note(u32::try_from(n).unwrap(), command, &outcome);
                outcome
            }))
        })
        .collect();
    let keys: Vec<_> = (0..clients).map(|n| label("key", n)).collect();
    let objects: Vec<_> = watched
        .iter()
        .zip(&keys)
        .map(|(client, key)| client.mac_key(key).unwrap())
        .collect();
    for _ in 0..rounds {
        for ((client, object), key) in watched.iter().zip(&objects).zip(&keys) {
            client.assert_mac_key(object, key);
        }
    }
    let trace = tape.borrow().trace("in turn", "");
    (since(before, counters(&rig)), trace)
}

#[test]
fn g1_clients_in_turn_cost_at_most_a_quarter_more_than_the_optimum() {
    for clients in 1..=8 {
        let (sent, trace) = in_turn(clients, 20);
        assert_eq!(simulate(&trace, Slots::LIBTPMS), sent, "{clients} clients");
        let optimum = optimum::total(&trace, Slots::LIBTPMS).unwrap();
        assert!(
            4 * sent.total() <= 5 * optimum,
            "{clients} clients: {sent:?}, optimum {optimum}"
        );
        if clients <= 3 {
            assert_eq!(sent.total(), trace.commands());
        }
    }
}

#[test]
fn g1_the_simulator_predicts_what_the_engine_sends() {
    for trace in models::all() {
        for n in [3, 4, 5, 7] {
            let slots = Slots {
                objects: n,
                sessions: n,
            };
            compare(&trace, slots);
        }
    }
}

#[test]
fn g1_the_simulator_predicts_what_the_engine_sends_for_everything_at_once() {
    for seed in 0..60 {
        let trace = models::mixture(seed);
        let objects = 3 + usize::try_from(seed).unwrap() % 5;
        compare(
            &trace,
            Slots {
                objects,
                sessions: 3,
            },
        );
    }
}

/// Decisions one after the other: which of how many candidates. What is not decided yet is 0.
#[derive(Default)]
struct Decisions {
    made: Vec<(usize, usize)>,
    next: usize,
}

struct Decided(Rc<RefCell<Decisions>>);

impl Policy for Decided {
    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let decisions = &mut *self.0.borrow_mut();
        if decisions.next == decisions.made.len() {
            decisions.made.push((0, candidates.len()));
        }
        decisions.next += 1;
        decisions.made[decisions.next - 1].0
    }
}

/// The fewest commands, by trying all decisions, and how many there were; nothing when those are too
/// many.
fn by_trying(trace: &Trace, slots: Slots) -> Option<(u64, usize)> {
    let decisions = Rc::new(RefCell::new(Decisions::default()));
    let policy = || Box::new(Decided(decisions.clone()));
    let (mut best, mut most) = (u64::MAX, 0);
    loop {
        decisions.borrow_mut().next = 0;
        let count = run_believing(trace, slots, slots, policy(), policy());
        best = best.min(count.total());
        let made = &mut decisions.borrow_mut().made;
        most = most.max(made.len());
        if most > 11 {
            return None;
        }
        while made.last().is_some_and(|(choice, of)| choice + 1 == *of) {
            made.pop();
        }
        match made.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return Some((best, most)),
        }
    }
}

#[test]
fn g1_the_optimum_is_what_trying_everything_finds() {
    let mut compared = 0;
    let traces = models::all()
        .into_iter()
        .chain((0..40).map(models::mixture));
    for trace in traces {
        for events in [12, 15, 18, 21, 24, 27, 30, 36] {
            let mut part = trace.clone();
            part.events.truncate(events);
            let Some((best, decisions)) = by_trying(&part, Slots::LIBTPMS) else {
                break;
            };
            let optimum = optimum::total(&part, Slots::LIBTPMS);
            assert_eq!(optimum, Some(best), "{} {events}", trace.name);
            compared += usize::from(decisions > 3);
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn g1_no_policy_needs_less_than_the_optimum() {
    let policies: [fn() -> Box<dyn Policy>; 5] = [
        || Box::new(Lru),
        || Box::new(Mru),
        || Box::new(Random(1)),
        || Box::new(Lirs::default()),
        || Box::new(Engine::default()),
    ];
    for trace in models::all() {
        let optimum = optimum::total(&trace, Slots::LIBTPMS).unwrap();
        for policy in policies {
            let total = run(&trace, Slots::LIBTPMS, policy(), policy()).total();
            assert!(total >= optimum, "{}: {total} {optimum}", trace.name);
        }
    }
}
