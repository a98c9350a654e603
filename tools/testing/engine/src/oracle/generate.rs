// SPDX-License-Identifier: GPL-2.0

//! Invents programs: what a client may do next with what it has, and now and then what it may not.

mod objects;
mod policies;
mod rsa_key;
mod sessions;
mod shared;
mod spoil;
mod templates;
mod using;

use super::program::{Auth, By, Call, Hex, Named, Part, Proof, Register, Step};
use super::seat::{client_of, DESCRIPTORS};
use super::session::CONTINUE;
use super::world::CLIENTS;
use crate::tpm::{cc, rh};
use crate::wire::Put;
use policies::Assertion;
use std::collections::{BTreeSet, VecDeque};
use templates::{bytes, Kind};

/// Numbers without much of a pattern, the same each time.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| list[self.below(list.len())].clone())
    }
}

/// An object that a client has, or thinks that it has.
#[derive(Clone, Debug)]
struct Item {
    register: Register,
    who: usize,
    kind: Kind,
    auth: Vec<u8>,
    hierarchy: u32,
    /// The program knows the key.
    exact: bool,
    /// How it was made, if it is primary.
    origin: Option<Call>,
    /// What has to be asserted to use it.
    policy: Option<Vec<Assertion>>,
}

/// A session that a client has.
#[derive(Clone, Debug)]
struct Session {
    register: Register,
    who: usize,
    is_policy: bool,
    /// What it is bound to.
    bound: Option<Register>,
    /// It can encrypt parameters.
    is_symmetric: bool,
}

/// A key that was created and can be loaded.
#[derive(Clone, Debug)]
struct Blob {
    /// Where the private and the public part are.
    private: Part,
    public: Part,
    client: usize,
    parent: Register,
    item: Item,
}

/// A saved context.
#[derive(Clone, Debug)]
enum Saved {
    Object(Item),
    Session(Session),
}

/// An NV index.
#[derive(Clone, Debug)]
struct Nv {
    index: u32,
    is_counter: bool,
}

/// A persistent object.
#[derive(Clone, Debug)]
struct Persistent {
    handle: u32,
    item: Item,
}

/// Commands that the programs so far lack.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub done: BTreeSet<u32>,
    pub failed: BTreeSet<u32>,
}

/// Who invents a program, and what it knows of what its clients have.
#[derive(Clone)]
pub struct Generator {
    wanted: Wanted,
    dice: Dice,
    queue: VecDeque<Step>,
    next: Register,
    serial: u32,
    items: Vec<Item>,
    sessions: Vec<Session>,
    blobs: Vec<Blob>,
    files: Vec<(Register, Saved)>,
    nv: Vec<Nv>,
    persistent: Vec<Persistent>,
    owner_auth: Vec<u8>,
    owner_is_enabled: bool,
}

/// How many objects a descriptor has at most.
const OBJECTS: usize = 12;
/// How many sessions there are at most: fewer than the TPM has, so that nobody goes without.
const SESSIONS: usize = 40;
/// How many things are thought of to find one that has not been done yet.
const IDEAS: usize = 3;
/// How often a command is spoilt, once in so many.
const SPOILT: usize = 5;

impl Generator {
    pub fn new(seed: u64, wanted: Wanted) -> Self {
        Self {
            wanted,
            dice: Dice(seed),
            queue: VecDeque::new(),
            next: 0,
            serial: 0,
            items: vec![],
            sessions: vec![],
            blobs: vec![],
            files: vec![],
            nv: vec![],
            persistent: vec![],
            owner_auth: vec![],
            owner_is_enabled: true,
        }
    }

    /// The next step. `has` says whether something is in a register.
    pub fn step(&mut self, has: impl Fn(Register) -> bool) -> Step {
        while self.queue.is_empty() {
            self.items.retain(|item| has(item.register));
            self.sessions.retain(|session| has(session.register));
            self.files.retain(|(register, _)| has(*register));
            self.invent_wanted();
            self.spoil();
        }
        self.queue.pop_front().unwrap_or(Step::Interrupt)
    }

    /// A step was taken without success.
    pub fn failed(&mut self, step: &Step) {
        if let Step::Call { call, .. } = step {
            self.wanted.failed.remove(&call.code);
        }
    }

    /// A step was taken with success.
    pub fn done(&mut self, step: &Step) {
        let Step::Call { call, .. } = step else {
            return;
        };
        self.wanted.done.remove(&call.code);
        match call.code {
            cc::CLEAR => self.owner_auth.clear(),
            cc::HIERARCHY_CHANGE_AUTH => {
                self.owner_auth = call.renews.clone().unwrap_or_default().0;
            }
            _ => self.note_shared(call),
        }
        if call.code == cc::CLEAR {
            self.nv.clear();
            self.persistent.retain(|p| p.item.hierarchy == rh::PLATFORM);
        }
    }

    /// Invents what has not been done yet, if that comes to mind.
    fn invent_wanted(&mut self) {
        for _ in 0..IDEAS {
            let mut idea = self.clone();
            idea.dice = Dice(self.dice.below(usize::MAX) as u64);
            idea.invent();
            if idea
                .queue
                .iter()
                .any(|step| is_one_of(step, &idea.wanted.done))
            {
                *self = idea;
                return;
            }
        }
        self.invent();
    }

    fn invent(&mut self) {
        let who = self.dice.below(CLIENTS * DESCRIPTORS);
        self.serial += 1;
        match self.dice.below(100) {
            0..=7 => self.create_primary(who),
            8..=15 => self.create(who),
            16..=23 => self.load(who),
            24..=28 => self.load_external(who),
            29..=33 => self.flush_object(who),
            34..=53 => self.use_object(who),
            54..=58 => self.sequence(who),
            59..=64 => self.start_session(who),
            65..=69 => self.use_session(who),
            70..=74 => self.assert_something(who),
            75 => self.bring_old_context(who),
            76..=79 => self.move_context(who),
            80..=82 => self.flush_session(who),
            83..=85 => self.sealed_by_policy(who),
            86..=90 => self.ask(who),
            91..=97 => self.use_shared(who),
            _ => self.meanwhile(who),
        }
    }

    fn meanwhile(&mut self, who: usize) {
        match self.dice.below(5) {
            0 => {
                self.queue.push_back(Step::Close { who });
                self.items.retain(|item| item.who != who);
                self.sessions.retain(|session| session.who != who);
            }
            1 | 2 => self.queue.push_back(Step::Interrupt),
            _ => {
                let ms = 100 * self.dice.below(20) as u64;
                self.queue.push_back(Step::Pass(ms));
            }
        }
    }

    fn register(&mut self) -> Register {
        self.next += 1;
        self.next
    }

    /// Bytes that nobody else has.
    fn label(&mut self, text: &str) -> Vec<u8> {
        self.serial += 1;
        text.as_bytes().to_vec().u32(self.serial)
    }

    fn push(&mut self, who: usize, call: Call) {
        self.queue.push_back(Step::Call { who, call });
    }

    fn own(&mut self, who: usize, is_meant: impl Fn(&Item) -> bool) -> Option<Item> {
        let own = |item: &&Item| item.who == who && is_meant(item);
        let own: Vec<Item> = self.items.iter().filter(own).cloned().collect();
        self.dice.pick(&own)
    }

    fn own_session(&mut self, who: usize, is_meant: impl Fn(&Session) -> bool) -> Option<Session> {
        let own = |session: &&Session| session.who == who && is_meant(session);
        let own: Vec<Session> = self.sessions.iter().filter(own).cloned().collect();
        self.dice.pick(&own)
    }

    fn count(&self, who: usize) -> usize {
        self.items.iter().filter(|item| item.who == who).count()
    }

    fn has_room_for_session(&self) -> bool {
        let saved = |(_, saved): &&(Register, Saved)| matches!(saved, Saved::Session(_));
        self.sessions.len() + self.files.iter().filter(saved).count() < SESSIONS
    }

    fn auth_value(&mut self) -> Vec<u8> {
        match self.dice.below(3) {
            0 => vec![],
            _ => self.label("auth"),
        }
    }

    fn hierarchy_auth(&self, hierarchy: u32) -> Vec<u8> {
        match hierarchy {
            rh::OWNER => self.owner_auth.clone(),
            _ => vec![],
        }
    }

    /// Authorizes a hierarchy.
    fn by_hierarchy(&mut self, who: usize, hierarchy: u32) -> Auth {
        let value = self.hierarchy_auth(hierarchy);
        self.by_value(who, None, &value)
    }

    /// Authorizes something with its value: itself, or by an HMAC session.
    fn by_value(&mut self, who: usize, entity: Option<Register>, value: &[u8]) -> Auth {
        let session = match self.dice.below(5) {
            0 | 1 => self.own_session(who, |session| !session.is_policy),
            _ => None,
        };
        let Some(session) = session else {
            return password(value);
        };
        let bound = entity.is_some() && session.bound == entity;
        self.by_session(&session, value, Proof::Value, bound)
    }

    /// Authorizes by a session, which may end.
    fn by_session(&mut self, session: &Session, value: &[u8], proof: Proof, bound: bool) -> Auth {
        let mut attributes = CONTINUE;
        if self.dice.once_in(4) {
            attributes = 0;
            self.forget(session.register);
        }
        Auth {
            by: By::Session(session.register),
            attributes,
            value: Hex(value.to_vec()),
            proof,
            bound,
        }
    }

    fn forget(&mut self, register: Register) {
        // Some clients use what is gone.
        if !self.dice.once_in(6) {
            self.sessions.retain(|session| session.register != register);
        }
    }

    /// Authorizes the use of an object, by what it takes. May start a session for that.
    fn by_item(&mut self, item: &Item, code: u32) -> Auth {
        match item.policy.clone() {
            None => self.by_value(item.who, Some(item.register), &item.auth),
            Some(assertions) => self.by_policy(item, &assertions, code),
        }
    }
}

/// Whether this is one of these commands.
fn is_one_of(step: &Step, codes: &BTreeSet<u32>) -> bool {
    matches!(step, Step::Call { call, .. } if codes.contains(&call.code))
}

/// Authorizes with a value.
fn password(value: &[u8]) -> Auth {
    Auth {
        by: By::Password,
        attributes: CONTINUE,
        value: Hex(value.to_vec()),
        proof: Proof::Value,
        bound: false,
    }
}

/// A command on an object.
fn on(code: u32, item: &Item) -> Call {
    Call {
        code,
        handles: vec![Named::Of(item.register)],
        exact: item.exact,
        ..Call::default()
    }
}

/// A buffer as parameter.
fn sized(data: &[u8]) -> Part {
    bytes(vec![].sized(data))
}

/// Whether these belong to one client.
fn are_of_one(a: usize, b: usize) -> bool {
    client_of(a) == client_of(b)
}
