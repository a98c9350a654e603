// SPDX-License-Identifier: GPL-2.0

//! What the engine sends for a trace, given who decides what leaves the TPM. Counted as the engine
//! counts.

use crate::policies::{Candidate, Policy};
use crate::trace::{Event, Id, Kind, Trace, What};
use std::collections::{HashMap, HashSet};
use std::ops::{Add, AddAssign};

/// TPM commands by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Commands of clients, repetitions included. FlushContext of a client is the driver's.
    pub sent: u64,
    pub loads: u64,
    pub saves: u64,
    pub flushes: u64,
}

impl Count {
    pub fn total(self) -> u64 {
        self.sent + self.loads + self.saves + self.flushes
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            loads: self.loads + other.loads,
            saves: self.saves + other.saves,
            flushes: self.flushes + other.flushes,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// How much fits into the TPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    pub objects: usize,
    pub sessions: usize,
}

impl Slots {
    /// Those of libtpms.
    pub const LIBTPMS: Self = Self {
        objects: 3,
        sessions: 3,
    };
}

/// Counts the commands for `trace`, with a policy for objects and one for sessions.
pub fn run(
    trace: &Trace,
    slots: Slots,
    objects: Box<dyn Policy>,
    sessions: Box<dyn Policy>,
) -> Count {
    let unknown = Slots {
        objects: usize::MAX,
        sessions: usize::MAX,
    };
    run_believing(trace, slots, unknown, objects, sessions)
}

/// The same for an engine that believes in so many slots at the beginning.
pub fn run_believing(
    trace: &Trace,
    slots: Slots,
    believed: Slots,
    objects: Box<dyn Policy>,
    sessions: Box<dyn Policy>,
) -> Count {
    let mut sim = Sim {
        objects: Pool::new(slots.objects, believed.objects, objects),
        sessions: Pool::new(slots.sessions, believed.sessions, sessions),
        owned: HashMap::new(),
        saved: HashSet::new(),
        issued: HashSet::new(),
        count: Count::default(),
    };
    trace.events.iter().for_each(|event| sim.event(event));
    sim.count
}

/// The loaded objects, or the loaded sessions.
struct Pool {
    capacity: usize,
    /// What the engine believes the capacity to be.
    known: usize,
    /// The least recently used first.
    resident: Vec<Id>,
    policy: Box<dyn Policy>,
}

impl Pool {
    fn new(capacity: usize, known: usize, policy: Box<dyn Policy>) -> Self {
        Self {
            capacity,
            known,
            resident: vec![],
            policy,
        }
    }

    fn holds(&self, id: Id) -> bool {
        self.resident.contains(&id)
    }

    fn remove(&mut self, id: Id) -> bool {
        let before = self.resident.len();
        self.resident.retain(|r| *r != id);
        before != self.resident.len()
    }

    fn touch(&mut self, id: Id) {
        self.remove(id);
        self.resident.push(id);
    }
}

struct Sim {
    objects: Pool,
    sessions: Pool,
    owned: HashMap<u32, Vec<Id>>,
    /// Objects of which there is a context that can be loaded.
    saved: HashSet<Id>,
    /// Sessions whose newest context a client has, or had.
    issued: HashSet<Id>,
    count: Count,
}

impl Sim {
    fn pool(&mut self, id: Id) -> &mut Pool {
        self.pool_of(id.kind.is_session())
    }

    fn pool_of(&mut self, session: bool) -> &mut Pool {
        if session {
            &mut self.sessions
        } else {
            &mut self.objects
        }
    }

    fn event(&mut self, event: &Event) {
        match &event.what {
            What::Command {
                names,
                makes,
                ends,
                scratch,
            } => self.command(event.space, names, *makes, ends, *scratch),
            What::Flush(id) => {
                let was_loaded = self.end(event.space, *id);
                // An object that is not loaded is only struck off.
                if was_loaded || id.kind.is_session() {
                    self.count.flushes += 1;
                }
            }
            What::Detach(id) => {
                let loaded = self.sessions.holds(*id);
                if loaded || self.issued.contains(id) {
                    self.load(*id, &[]);
                    self.evict(*id);
                }
                self.issued.insert(*id);
                self.disown(event.space, *id);
            }
            What::Claim(id) => self.owned.entry(event.space).or_default().push(*id),
            What::Close => {
                for id in self.owned.remove(&event.space).unwrap_or_default() {
                    let pool = self.pool(id);
                    let was_loaded = pool.remove(id);
                    pool.policy.ended(id);
                    if was_loaded || id.kind.is_session() {
                        self.count.flushes += 1;
                    }
                }
            }
            What::Vacate => {
                for id in [
                    self.objects.resident.clone(),
                    self.sessions.resident.clone(),
                ]
                .concat()
                {
                    self.evict(id);
                }
            }
        }
    }

    fn command(
        &mut self,
        space: u32,
        names: &[Id],
        makes: Option<Id>,
        ends: &[Id],
        scratch: usize,
    ) {
        let of = |session: bool| {
            let of = |id: &&Id| id.kind.is_session() == session;
            names.iter().filter(of).copied().collect::<Vec<_>>()
        };
        self.objects.policy.used(&of(false));
        self.sessions.policy.used(&of(true));

        names.iter().for_each(|id| self.load(*id, names));
        let makes_session = makes.is_some_and(|id| id.kind.is_session());
        let makes_object = makes.is_some() && !makes_session;
        self.expect(true, usize::from(makes_session), names, |count| {
            &mut count.sent
        });
        self.expect(false, scratch + usize::from(makes_object), names, |count| {
            &mut count.sent
        });
        self.count.sent += 1;
        for id in names.iter().filter(|id| id.kind == Kind::Sequence) {
            self.saved.remove(id);
        }
        for id in ends {
            self.end(space, *id);
        }
        if let Some(id) = makes {
            if id.kind == Kind::Context {
                self.saved.insert(id);
            }
            self.pool(id).policy.made(id);
            self.pool(id).touch(id);
            self.owned.entry(space).or_default().push(id);
        }
    }

    fn load(&mut self, id: Id, needed: &[Id]) {
        if !self.pool(id).holds(id) {
            self.expect(id.kind.is_session(), 1, needed, |count| &mut count.loads);
            self.count.loads += 1;
        }
        self.pool(id).touch(id);
    }

    /// Makes room for so many more. Where the engine does not know that there is none, the TPM refuses
    /// something: that is how it learns.
    fn expect(
        &mut self,
        session: bool,
        more: usize,
        needed: &[Id],
        refused: impl Fn(&mut Count) -> &mut u64,
    ) {
        loop {
            let pool = self.pool_of(session);
            let wanted = pool.resident.len() + more;
            if more == 0 || wanted <= pool.capacity && wanted <= pool.known {
                return;
            }
            if wanted <= pool.known {
                pool.known = wanted - 1;
                *refused(&mut self.count) += 1;
            }
            self.evict_one(session, needed);
        }
    }

    fn evict_one(&mut self, session: bool, needed: &[Id]) {
        let saved = &self.saved;
        let pool = if session {
            &mut self.sessions
        } else {
            &mut self.objects
        };
        let candidates: Vec<_> = pool
            .resident
            .iter()
            .filter(|id| !needed.contains(id))
            .map(|id| Candidate {
                id: *id,
                is_saved: saved.contains(id),
            })
            .collect();
        assert!(!candidates.is_empty(), "a command names more than fits");
        let victim = pool.policy.victim(&candidates);
        self.evict(candidates[victim].id);
    }

    fn evict(&mut self, id: Id) {
        assert!(self.pool(id).remove(id), "it is loaded");
        if id.kind.is_session() {
            self.count.saves += 1;
            self.issued.remove(&id);
        } else {
            if self.saved.insert(id) {
                self.count.saves += 1;
            }
            self.count.flushes += 1;
        }
    }

    fn end(&mut self, space: u32, id: Id) -> bool {
        self.disown(space, id);
        let pool = self.pool(id);
        pool.policy.ended(id);
        pool.remove(id)
    }

    fn disown(&mut self, space: u32, id: Id) {
        if let Some(owned) = self.owned.get_mut(&space) {
            owned.retain(|o| *o != id);
        }
    }
}
