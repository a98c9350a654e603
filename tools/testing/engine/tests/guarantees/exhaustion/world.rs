// SPDX-License-Identifier: GPL-2.0

//! A world of users with spaces, and what must be true of it after every step.
//!
//! Attackers do what they like. Honest clients ask, and come at once when they are called. The world keeps
//! books of its own, from what the clients are told, and compares them with the TPM.

mod checks;
mod setup;

pub use self::setup::{bound, Action, Setup};

use super::REFUSED;
use harness::client::{Failure, Start};
use harness::clock::{now, pass_to};
use harness::command::Kind;
use harness::engine::{LossPolicy, Span};
use harness::fake::Fake;
use harness::rig::{Rig, Space};
use std::collections::BTreeMap;

struct Wait {
    start: Start<'static>,
    since: u64,
    /// Which of all waits it is, in order.
    serial: usize,
    /// How many users there were when it began, what its user had, and how many waited, this one included.
    users: usize,
    held: usize,
    j: usize,
    /// How many users have come since then.
    newcomers: usize,
    /// Whether its user gave up one that others may have got.
    has_given: bool,
    is_called: bool,
    /// Since when a number is kept for it: the lease of its session begins then.
    kept: Option<u64>,
    has_left: bool,
}

struct Client<'r> {
    space: Option<Space<'r>>,
    user: usize,
    is_honest: bool,
    wait: Option<Wait>,
    /// The sessions, and when each came into being.
    held: Vec<(u32, u64)>,
    is_fragile: bool,
    is_closed: bool,
}

impl<'r> Client<'r> {
    fn space(&self) -> &Space<'r> {
        self.space.as_ref().expect("it is open")
    }

    fn has_grant(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.is_called)
    }
}

/// A session in a file.
struct Saved {
    handle: u32,
    since: u64,
    user: usize,
    blob: Vec<u8>,
}

/// How things stood before the engine was called.
struct Before {
    /// For each user, what it had, with what was kept for it.
    had: Vec<usize>,
    /// The fair share at that time, as of who had or wanted any.
    share: usize,
    /// Who calls.
    actor: Option<usize>,
    starters: BTreeMap<u32, usize>,
}

pub struct World<'r> {
    rig: &'r Rig<Fake>,
    setup: &'r Setup,
    clients: Vec<Client<'r>>,
    files: Vec<Saved>,
    serial: usize,
    /// Who has started the session with this number: it counts as his.
    starters: BTreeMap<u32, usize>,
    /// Who had or wanted something after the last step.
    present: Vec<bool>,
    /// What happened, for the figures.
    pub seen: Seen,
}

/// What was seen to happen.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seen {
    pub waits: usize,
    pub losses: usize,
    pub refusals: usize,
    /// The longest wait of an honest client that ended with a session.
    pub longest: u64,
}

impl Seen {
    pub fn add(&mut self, other: Seen) {
        self.waits += other.waits;
        self.losses += other.losses;
        self.refusals += other.refusals;
        self.longest = self.longest.max(other.longest);
    }
}

fn number(handle: u32) -> u32 {
    handle & 0x00ff_ffff
}

impl<'r> World<'r> {
    pub fn new(rig: &'r Rig<Fake>, setup: &'r Setup) -> Self {
        let mut clients = vec![];
        for (user, (spaces, is_honest)) in setup.users.iter().enumerate() {
            for _ in 0..*spaces {
                clients.push(Client {
                    space: Some(rig.open(id(user))),
                    user,
                    is_honest: *is_honest,
                    wait: None,
                    held: vec![],
                    is_fragile: false,
                    is_closed: false,
                });
            }
        }
        Self {
            rig,
            setup,
            clients,
            files: vec![],
            serial: 0,
            starters: BTreeMap::new(),
            present: vec![false; setup.users.len()],
            seen: Seen::default(),
        }
    }

    /// Whether the action would change anything.
    pub fn is_possible(&self, action: Action) -> bool {
        let waits = |n: usize| self.clients[n].wait.as_ref();
        let can = |n: usize| waits(n).is_none() && !self.clients[n].is_closed;
        match action {
            Action::Ask(n) if self.clients[n].is_honest => can(n) && self.may_ask(n),
            Action::Ask(n) => can(n),
            Action::Try(n) => waits(n).is_some_and(|w| w.is_called || w.has_left),
            Action::Leave(n) => waits(n).is_some_and(|w| !w.has_left),
            Action::Flush(n) | Action::Save(n) | Action::Use(n) => {
                can(n) && !self.clients[n].held.is_empty()
            }
            Action::Take(n) => can(n) && self.files.iter().any(|f| f.user != self.clients[n].user),
            Action::Claim(n) => can(n) && self.files.iter().any(|f| f.user == self.clients[n].user),
            Action::Forget(n) => can(n) && !self.rig.lost(self.clients[n].space()).is_empty(),
            Action::Fragile(n) => can(n) && !self.clients[n].is_fragile,
            Action::Attend => self.rig.alarm().is_some_and(|at| at <= now()),
            Action::Reopen(_) | Action::Pass(_) => true,
        }
    }

    /// Honest users stay within what is fair, or a little beyond, whoever else is there.
    fn may_ask(&self, n: usize) -> bool {
        let user = self.clients[n].user;
        let share = (self.setup.numbers / self.setup.users.len()).max(1) + self.setup.greed;
        let waiting = self.waiting(user);
        self.held(user) + waiting < share
    }

    fn held(&self, user: usize) -> usize {
        let live = self.clients.iter().flat_map(|client| &client.held);
        let all = live
            .map(|held| held.0)
            .chain(self.files.iter().map(|file| file.handle));
        all.filter(|handle| self.starters[&number(*handle)] == user)
            .count()
    }

    fn waiting(&self, user: usize) -> usize {
        let waits = |client: &&Client<'_>| client.user == user && client.wait.is_some();
        self.clients.iter().filter(waits).count()
    }

    /// Which users have something, or want it.
    fn present(&self) -> Vec<bool> {
        let wants = |c: &Client<'_>| {
            let is_in_time = |w: &Wait| w.is_called || now().0 < w.since + self.setup.wait;
            c.wait.as_ref().is_some_and(is_in_time)
        };
        let is_present = |user: usize| {
            self.held(user) > 0 || self.clients.iter().any(|c| c.user == user && wants(c))
        };
        (0..self.setup.users.len()).map(is_present).collect()
    }

    fn before(&self, actor: Option<usize>) -> Before {
        let users = self.setup.users.len();
        let is_actors = |user: usize| actor.is_some_and(|n| self.clients[n].user == user);
        let counts = |user: &usize| self.held(*user) + self.waiting(*user) > 0 || is_actors(*user);
        let present = (0..users).filter(counts).count().max(1);
        let grants = |user: usize| {
            let has = |client: &&Client<'_>| client.user == user && client.has_grant();
            self.clients.iter().filter(has).count()
        };
        Before {
            had: (0..users)
                .map(|user| self.held(user) + grants(user))
                .collect(),
            share: self.setup.numbers / present,
            actor,
            starters: self.starters.clone(),
        }
    }

    /// One step, and all that follows from it at once.
    pub fn act(&mut self, action: Action) {
        if !self.is_possible(action) {
            return;
        }
        match action {
            Action::Ask(n) => self.ask(n),
            Action::Try(n) => self.retry(n),
            Action::Pass(ms) => return self.pass(ms),
            Action::Attend => {
                let before = self.before(None);
                self.rig.attend();
                self.observe(&before);
            }
            Action::Reopen(n) => self.reopen(n),
            Action::Leave(n) => {
                let before = self.before(Some(n));
                self.rig.leave(self.clients[n].space());
                let client = &mut self.clients[n];
                let wait = client.wait.as_mut().expect("it waits");
                wait.has_left = true;
                wait.is_called = false;
                client.space().bell().answer();
                self.observe(&before);
            }
            Action::Fragile(n) => {
                let before = self.before(None);
                let close = Some(LossPolicy::Close);
                self.rig.set_policy(self.clients[n].space(), close).unwrap();
                self.clients[n].is_fragile = true;
                self.observe(&before);
            }
            Action::Flush(n)
            | Action::Save(n)
            | Action::Claim(n)
            | Action::Take(n)
            | Action::Use(n)
            | Action::Forget(n) => {
                let before = self.before(Some(n));
                self.command(n, action);
                self.observe(&before);
            }
        }
        self.serve_honest();
    }

    fn ask(&mut self, n: usize) {
        let before = self.before(Some(n));
        let user = self.clients[n].user;
        let granted = |c: &&Client<'_>| c.user == user && c.has_grant();
        let j = self.waiting(user) - self.clients.iter().filter(granted).count() + 1;
        let start = self.clients[n].space().starting(Kind::Policy);
        self.serial += 1;
        let present = self.present();
        self.clients[n].wait = Some(Wait {
            start,
            since: now().0,
            serial: self.serial,
            users: present.iter().filter(|is| **is).count() + usize::from(!present[user]),
            held: before.had[user],
            j,
            newcomers: 0,
            has_given: false,
            is_called: false,
            kept: None,
            has_left: false,
        });
        self.send(n, &before);
    }

    fn retry(&mut self, n: usize) {
        let before = self.before(Some(n));
        self.send(n, &before);
    }

    fn send(&mut self, n: usize, before: &Before) {
        let mut wait = self.clients[n].wait.take().expect("it waits");
        wait.is_called = false;
        wait.has_left = false;
        let outcome = wait.start.send(self.clients[n].space());
        let waited = now().0 - wait.since;
        match outcome {
            Ok(session) => {
                self.in_order(n, &wait);
                let since = wait.kept.unwrap_or(now().0);
                self.clients[n].held.push((session.handle, since));
                let user = self.clients[n].user;
                self.starters.insert(number(session.handle), user);
                if self.clients[n].is_honest {
                    self.seen.longest = self.seen.longest.max(waited);
                }
            }
            Err(Failure::Waits) => {
                self.seen.waits += 1;
                self.clients[n].wait = Some(wait);
            }
            Err(REFUSED) => {
                self.seen.refusals += 1;
                assert!(
                    waited >= self.setup.wait,
                    "client {n} was refused after {waited} ms"
                );
                let bound = self.bound(n, &wait);
                assert!(
                    !self.clients[n].is_honest || bound.is_none_or(|bound| bound > self.setup.wait),
                    "honest client {n} was refused within the bound"
                );
            }
            Err(failure) => {
                assert_eq!(failure, Failure::Errno(32), "client {n}");
                assert!(self.clients[n].is_fragile);
            }
        }
        self.observe(before);
    }

    fn command(&mut self, n: usize, action: Action) {
        let client = &mut self.clients[n];
        match action {
            Action::Flush(_) => {
                let (handle, _) = client.held.remove(0);
                client.space().flush(handle).expect("it is its own");
                let user = client.user;
                let own = self.clients.iter_mut().filter(|c| c.user == user);
                for wait in own.filter_map(|c| c.wait.as_mut()) {
                    wait.has_given |= wait.held + wait.j > self.setup.numbers / wait.users;
                }
            }
            Action::Save(_) => {
                let (handle, since) = client.held.remove(0);
                let blob = client.space().save(handle).expect("it is its own");
                self.files.push(Saved {
                    handle,
                    since,
                    user: client.user,
                    blob,
                });
            }
            Action::Claim(_) | Action::Take(_) => {
                let user = client.user;
                let is_own = matches!(action, Action::Claim(_));
                let at = self
                    .files
                    .iter()
                    .position(|file| (file.user == user) == is_own);
                let file = &self.files[at.expect("there is one")];
                match client.space().restore(&file.blob) {
                    Ok(handle) => {
                        assert_eq!(handle, file.handle);
                        client.held.push((handle, file.since));
                        self.files.remove(at.unwrap());
                    }
                    // Only if the number is one that the space has lost.
                    Err(_) => {
                        let lost = self.rig.lost(client.space());
                        let has_lost = |lost: &u32| number(*lost) == number(file.handle);
                        assert!(lost.iter().any(has_lost), "a session in a file is gone");
                    }
                }
            }
            Action::Use(_) => {
                let (handle, _) = client.held[0];
                client.space().policy_digest(handle).expect("it lives");
                client.held.rotate_left(1);
            }
            _ => {
                for lost in self.rig.lost(client.space()) {
                    client.space().flush(lost).expect("it is on the list");
                }
            }
        }
    }

    fn reopen(&mut self, n: usize) {
        let before = self.before(None);
        let space = self.clients[n].space.take().expect("it is open");
        self.rig.close(space);
        let client = &mut self.clients[n];
        client.held.clear();
        client.wait = None;
        client.is_fragile = false;
        client.is_closed = false;
        client.space = Some(self.rig.open(id(client.user)));
        self.observe(&before);
    }

    /// Time passes, and the timer is never late.
    fn pass(&mut self, ms: u64) {
        let end = now().after(Span(ms));
        for step in 0.. {
            assert!(step < 2000, "the alarm is for ever due");
            match self.rig.alarm().filter(|at| *at <= end) {
                Some(at) => pass_to(at),
                None => break,
            }
            let before = self.before(None);
            self.rig.attend();
            self.observe(&before);
            self.serve_honest();
        }
        pass_to(end);
        self.in_time();
    }

    fn serve_honest(&mut self) {
        while let Some(n) = (0..self.clients.len())
            .find(|n| self.clients[*n].is_honest && self.clients[*n].has_grant())
        {
            self.retry(n);
        }
        for n in 0..self.clients.len() {
            if self.clients[n].is_honest && self.is_possible(Action::Forget(n)) {
                self.act(Action::Forget(n));
            }
        }
    }
}

/// What the kernel calls the user.
fn id(user: usize) -> u32 {
    1000 + u32::try_from(user).unwrap()
}
