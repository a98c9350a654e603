// SPDX-License-Identifier: GPL-2.0

//! The policies that are compared.

use crate::trace::Id;
use std::collections::HashMap;

#[path = "../../../../drivers/char/tpm/tpmrm/engine/rhythm.rs"]
mod rhythm;

use rhythm::{Beat, Rhythm};

/// The engine's own policy, compiled from the engine's file.
pub struct Engine {
    rhythms: HashMap<Id, Rhythm>,
    now: Beat,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            rhythms: HashMap::new(),
            now: Beat::ZERO,
        }
    }
}

impl Policy for Engine {
    fn used(&mut self, ids: &[Id]) {
        if !ids.is_empty() {
            self.now = self.now.next();
        }
        for id in ids {
            if let Some(rhythm) = self.rhythms.get_mut(id) {
                rhythm.used(self.now);
            }
        }
    }

    fn made(&mut self, id: Id) {
        self.now = self.now.next();
        self.rhythms.insert(id, Rhythm::new(self.now));
    }

    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let expected = |n: &usize| {
            let rhythm = self.rhythms.get(&candidates[*n].id);
            rhythm.map(|rhythm| rhythm.expected(self.now))
        };
        (0..candidates.len()).max_by_key(expected).expect("one")
    }

    fn ended(&mut self, id: Id) {
        self.rhythms.remove(&id);
    }
}

/// Something that may leave.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub id: Id,
    /// There is a context already; never true of a session.
    pub is_saved: bool,
}

/// Decides what leaves. Told of every command, whether it hits or misses.
pub trait Policy {
    /// A command names these, or none. Comes before room is made for any of them.
    fn used(&mut self, _ids: &[Id]) {}

    /// A command has made this.
    fn made(&mut self, id: Id) {
        self.used(&[id]);
    }

    /// The index of what leaves, of candidates that come the least recently used first. There is one
    /// at least.
    fn victim(&mut self, candidates: &[Candidate]) -> usize;

    /// It does not exist any more.
    fn ended(&mut self, _id: Id) {}
}

pub struct Lru;

impl Policy for Lru {
    fn victim(&mut self, _: &[Candidate]) -> usize {
        0
    }
}

pub struct Mru;

impl Policy for Mru {
    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        candidates.len() - 1
    }
}

/// Any, with a fixed seed.
pub struct Random(pub u64);

impl Policy for Random {
    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % candidates.len()
    }
}

/// New arrivals are the next to leave until they are used again (LIP); every `n`-th arrives as the
/// most recently used (BIP).
#[derive(Default)]
pub struct Insertion {
    nth: u32,
    arrivals: u32,
    /// Higher leaves later. Those that are not resident are not in it.
    rank: HashMap<Id, i64>,
    now: i64,
}

impl Insertion {
    pub fn new(nth: u32) -> Self {
        Self {
            nth,
            ..Self::default()
        }
    }
}

impl Policy for Insertion {
    fn used(&mut self, ids: &[Id]) {
        for id in ids {
            self.now += 1;
            let now = self.now;
            if self.rank.contains_key(id) {
                self.rank.insert(*id, now);
            } else {
                self.arrivals += 1;
                let bimodal = self.nth != 0 && self.arrivals % self.nth == 0;
                self.rank.insert(*id, if bimodal { now } else { -now });
            }
        }
    }

    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let rank = |c: &Candidate| self.rank.get(&c.id).copied().unwrap_or(0);
        let n = (0..candidates.len())
            .min_by_key(|n| rank(&candidates[*n]))
            .expect("one");
        self.rank.remove(&candidates[n].id);
        n
    }

    fn ended(&mut self, id: Id) {
        self.rank.remove(&id);
    }
}

/// The one whose use before the last is the longest ago leaves (LRU-2).
#[derive(Default)]
pub struct Lru2 {
    uses: HashMap<Id, (u64, u64)>,
    now: u64,
}

impl Policy for Lru2 {
    fn used(&mut self, ids: &[Id]) {
        self.now += 1;
        for id in ids {
            let last = self.uses.get(id).map_or(0, |u| u.0);
            self.uses.insert(*id, (self.now, last));
        }
    }

    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let key = |n: &usize| self.uses.get(&candidates[*n].id).map(|u| (u.1, u.0));
        (0..candidates.len()).min_by_key(key).expect("one")
    }

    fn ended(&mut self, id: Id) {
        self.uses.remove(&id);
    }
}

/// The one that was used the least often leaves; every use counts half after `half` uses of others.
pub struct Lfu {
    half: f64,
    score: HashMap<Id, (f64, u64)>,
    now: u64,
}

impl Lfu {
    pub fn new(half: f64) -> Self {
        Self {
            half,
            score: HashMap::new(),
            now: 0,
        }
    }

    fn score(&self, id: Id) -> f64 {
        let (score, at) = self.score.get(&id).copied().unwrap_or((0.0, 0));
        score * (-((self.now - at) as f64) / self.half).exp2()
    }
}

impl Policy for Lfu {
    fn used(&mut self, ids: &[Id]) {
        self.now += 1;
        for id in ids {
            let score = self.score(*id) + 1.0;
            self.score.insert(*id, (score, self.now));
        }
    }

    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let less = |a: &usize, b: &usize| {
            self.score(candidates[*a].id)
                .total_cmp(&self.score(candidates[*b].id))
        };
        (0..candidates.len()).min_by(less).expect("one")
    }

    fn ended(&mut self, id: Id) {
        self.score.remove(&id);
    }
}

/// The largest of age and last interval leaves (as LIRS); with equal ones the most recently used.
#[derive(Default)]
pub struct Lirs {
    uses: HashMap<Id, (u64, u64)>,
    now: u64,
}

impl Policy for Lirs {
    fn used(&mut self, ids: &[Id]) {
        self.now += 1;
        for id in ids {
            let gap = self.uses.get(id).map_or(u64::MAX / 2, |u| self.now - u.0);
            self.uses.insert(*id, (self.now, gap));
        }
    }

    fn victim(&mut self, candidates: &[Candidate]) -> usize {
        let key = |n: &usize| {
            let u = self.uses[&candidates[*n].id];
            (u.1.max(self.now - u.0), u.0)
        };
        (0..candidates.len()).max_by_key(key).expect("one")
    }

    fn ended(&mut self, id: Id) {
        self.uses.remove(&id);
    }
}
