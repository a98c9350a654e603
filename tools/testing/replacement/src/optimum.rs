// SPDX-License-Identifier: GPL-2.0

//! The fewest TPM commands that anybody needs for a trace who knows all of it: exact, by dynamic
//! programming over what is loaded and what is saved.
//!
//! Objects and sessions do not compete, so that each pool is solved by itself. Nothing is evicted
//! before room is needed, and no more than is needed: doing it later never costs more. A state that
//! another one can imitate for no more commands is dropped. The optimum never pays for refusals: it
//! knows how many slots there are.

use crate::sim::Slots;
use crate::trace::{Id, Kind, Trace, What};
use std::collections::HashMap;

/// The optimum, if it was found with so many states at a time at most.
pub fn total(trace: &Trace, slots: Slots) -> Option<u64> {
    let objects = pool(trace, slots.objects, false)?;
    let sessions = pool(trace, slots.sessions, true)?;
    let is_command = |e: &&crate::trace::Event| matches!(e.what, What::Command { .. });
    Some(trace.events.iter().filter(is_command).count() as u64 + objects + sessions)
}

const STATES_MAX: usize = 400_000;

/// The loaded and the saved of the live ids, as bits.
type Key = u64;
type States = HashMap<Key, Vec<(u64, u32)>>;

/// Names the live ids by bits.
#[derive(Default)]
struct Bits {
    live: Vec<Option<Id>>,
}

impl Bits {
    fn of(&self, id: Id) -> u64 {
        let n = self
            .live
            .iter()
            .position(|l| *l == Some(id))
            .expect("it is alive");
        1 << n
    }

    fn add(&mut self, id: Id) -> u64 {
        let n = match self.live.iter().position(Option::is_none) {
            Some(n) => n,
            None => {
                self.live.push(None);
                self.live.len() - 1
            }
        };
        assert!(n < 64, "too many live at a time");
        self.live[n] = Some(id);
        1 << n
    }

    fn remove(&mut self, id: Id) {
        for l in &mut self.live {
            if *l == Some(id) {
                *l = None;
            }
        }
    }

    fn mask(&self, is_meant: impl Fn(Kind) -> bool) -> u64 {
        self.live
            .iter()
            .enumerate()
            .fold(0, |mask, (n, id)| match id {
                Some(id) if is_meant(id.kind) => mask | 1 << n,
                _ => mask,
            })
    }
}

fn pool(trace: &Trace, capacity: usize, sessions: bool) -> Option<u64> {
    let mut bits = Bits::default();
    let mut owned: HashMap<u32, Vec<Id>> = HashMap::new();
    let mut states: States = HashMap::from([(0, vec![(0, 0)])]);
    let ours = |id: &&Id| id.kind.is_session() == sessions;

    for event in &trace.events {
        match &event.what {
            What::Command {
                names,
                makes,
                ends,
                scratch,
            } => {
                let named = names.iter().filter(ours).fold(0, |m, id| m | bits.of(*id));
                let makes = makes.as_ref().filter(ours);
                let extra = usize::from(makes.is_some()) + if sessions { 0 } else { *scratch };
                if named != 0 || extra != 0 {
                    states = step(&states, named, extra, capacity, sessions);
                }
                let sequences = bits.mask(|kind| kind == Kind::Sequence) & named;
                let ended = ends.iter().filter(ours).fold(0, |m, id| m | bits.of(*id));
                let mut made = 0;
                let mut made_saved = 0;
                for id in ends.iter().filter(ours) {
                    bits.remove(*id);
                    owned.entry(event.space).or_default().retain(|o| o != id);
                }
                // Not the bit of something that just ended.
                if let Some(id) = makes {
                    made = bits.add(*id);
                    made_saved = if id.kind == Kind::Context { made } else { 0 };
                    owned.entry(event.space).or_default().push(*id);
                }
                if ended | sequences | made != 0 {
                    states = change(&states, |loaded, saved| {
                        let loaded = loaded & !ended | made;
                        (loaded, saved & !ended & !sequences | made_saved, 0)
                    });
                }
            }
            What::Flush(id) if ours(&id) => {
                let bit = bits.of(*id);
                states = ended(&states, bit, sessions);
                bits.remove(*id);
                owned.entry(event.space).or_default().retain(|o| o != id);
            }
            What::Close => {
                let gone: Vec<Id> = owned.remove(&event.space).unwrap_or_default();
                for id in gone {
                    let bit = bits.of(id);
                    states = ended(&states, bit, sessions);
                    bits.remove(id);
                }
            }
            What::Vacate => {
                states = change(&states, |loaded, saved| {
                    let cost = evicting(loaded, saved, sessions);
                    (0, saved | loaded, cost)
                });
            }
            What::Detach(id) if ours(&id) => {
                let bit = bits.of(*id);
                // A context that no client had yet can be given away as it is.
                states = each(&states, |loaded, saved, next, cost| {
                    if loaded & bit != 0 {
                        insert(next, loaded & !bit, saved & !bit, cost + 1);
                    } else if saved & bit != 0 {
                        insert(next, loaded, saved & !bit, cost);
                    } else {
                        let from = States::from([(loaded, vec![(saved, cost)])]);
                        let there = step(&from, bit, 0, capacity, sessions);
                        for (loaded, list) in there {
                            for (saved, cost) in list {
                                insert(next, loaded & !bit, saved & !bit, cost + 1);
                            }
                        }
                    }
                });
                owned.entry(event.space).or_default().retain(|o| o != id);
            }
            What::Claim(id) if ours(&id) => {
                owned.entry(event.space).or_default().push(*id);
            }
            What::Flush(_) | What::Detach(_) | What::Claim(_) => {}
        }
        prune(&mut states, capacity, bits.live.len());
        if states.values().map(Vec::len).sum::<usize>() > STATES_MAX {
            return None;
        }
    }
    states.values().flatten().map(|s| u64::from(s.1)).min()
}

fn evicting(victims: u64, saved: u64, sessions: bool) -> u32 {
    if sessions {
        victims.count_ones()
    } else {
        victims.count_ones() + (victims & !saved).count_ones()
    }
}

/// FlushContext: of an object only if it is loaded.
fn ended(states: &States, bit: u64, sessions: bool) -> States {
    change(states, |loaded, saved| {
        let cost = u32::from(sessions || loaded & bit != 0);
        (loaded & !bit, saved & !bit, cost)
    })
}

fn change(states: &States, f: impl Fn(u64, u64) -> (u64, u64, u32)) -> States {
    each(states, |loaded, saved, next, cost| {
        let (loaded, saved, more) = f(loaded, saved);
        insert(next, loaded, saved, cost + more);
    })
}

fn each(states: &States, f: impl Fn(u64, u64, &mut States, u32)) -> States {
    let mut next = States::new();
    for (&loaded, list) in states {
        for &(saved, cost) in list {
            f(loaded, saved, &mut next, cost);
        }
    }
    next
}

/// Loads what is named, and makes room for as many more.
fn step(states: &States, named: u64, extra: usize, capacity: usize, sessions: bool) -> States {
    let mut next = States::new();
    for (&loaded, list) in states {
        let all = loaded | named;
        let missing = (named & !loaded).count_ones();
        let excess = (all.count_ones() as usize + extra).saturating_sub(capacity);
        for_subsets(loaded & !named, excess, 0, &mut |victims| {
            for &(saved, cost) in list {
                let more = missing + evicting(victims, saved, sessions);
                // Of a session that is loaded there is no context.
                let saved = if sessions { saved & !named } else { saved } | victims;
                insert(&mut next, all & !victims, saved, cost + more);
            }
        });
    }
    next
}

fn for_subsets(from: u64, count: usize, chosen: u64, f: &mut impl FnMut(u64)) {
    if count == 0 {
        return f(chosen);
    }
    let mut rest = from;
    while rest.count_ones() as usize >= count {
        let bit = rest & rest.wrapping_neg();
        rest &= !bit;
        for_subsets(rest, count - 1, chosen | bit, f);
    }
}

/// Whoever has saved more needs at most two commands less for each: one save of an object, or to load
/// and save a session.
fn imitates((saved, cost): (u64, u32), (other_saved, other_cost): (u64, u32)) -> bool {
    cost + 2 * (other_saved & !saved).count_ones() <= other_cost
}

fn insert(states: &mut States, loaded: u64, saved: u64, cost: u32) {
    let list = states.entry(loaded).or_default();
    if list.iter().any(|s| imitates(*s, (saved, cost))) {
        return;
    }
    list.retain(|s| !imitates((saved, cost), *s));
    list.push((saved, cost));
}

/// What is loaded can be exchanged for anything else at three commands each, and what is not saved
/// costs two more at most.
fn prune(states: &mut States, capacity: usize, live: usize) {
    let Some(best) = states.values().flatten().map(|s| s.1).min() else {
        return;
    };
    let limit = best + u32::try_from(3 * capacity + 2 * live).expect("few");
    for list in states.values_mut() {
        list.retain(|s| s.1 <= limit);
    }
    states.retain(|_, list| !list.is_empty());
}
