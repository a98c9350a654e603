// SPDX-License-Identifier: GPL-2.0

//! Waiting for session numbers in virtual time: what the kernel's timer and the sleeping clients do.

use crate::chip::Device;
use crate::client::{Failure, Outcome};
use crate::clock::{now, pass_to};
use crate::command::{Kind, Session};
#[cfg(feature = "exhaustion")]
use crate::engine::{LossPolicy, Progress, Terms};
use crate::engine::{Moment, Span};
use crate::rig::{Rig, Space};

/// More calls than any story needs: what goes on for longer does not end.
const ENDLESS: usize = 10_000;

impl<D: Device> Rig<D> {
    /// When the engine wants to be attended.
    pub fn alarm(&self) -> Option<Moment> {
        self.ask(|engine| engine.alarm())
    }

    /// What the timer does once.
    pub fn attend(&self) {
        self.call(|engine, chip| engine.attend(chip));
    }

    /// What the timer does now, until nothing is due.
    pub fn settle(&self) {
        for _ in 0..ENDLESS {
            match self.alarm() {
                Some(at) if at <= now() => self.attend(),
                _ => return,
            }
        }
        panic!("the alarm is for ever due");
    }

    /// Lets time pass, from alarm to alarm.
    pub fn pass(&self, ms: u64) {
        let end = now().after(Span(ms));
        self.settle();
        while let Some(at) = self.alarm().filter(|at| *at <= end) {
            pass_to(at);
            self.settle();
        }
        pass_to(end);
    }

    /// Lets time pass until the space is called, if it is not yet.
    pub fn pass_until_called(&self, space: &Space<'_>) {
        for _ in 0..ENDLESS {
            if space.is_called() {
                return;
            }
            pass_to(self.alarm().expect("whoever waits waits for something"));
            self.attend();
        }
        panic!("the client is never called");
    }

    /// Does what may have to wait until it is done: at once, and whenever the space is called.
    pub fn wait<T>(&self, space: &Space<'_>, mut again: impl FnMut() -> Outcome<T>) -> Outcome<T> {
        for _ in 0..ENDLESS {
            match again() {
                Err(Failure::Waits) => self.pass_until_called(space),
                done => return done,
            }
        }
        panic!("the client is called for nothing");
    }

    /// Starts a session, however long that takes.
    pub fn start(&self, space: &Space<'_>, kind: Kind) -> Outcome<Session> {
        let mut start = space.starting(kind);
        self.wait(space, || start.send(space))
    }
}

#[cfg(feature = "exhaustion")]
impl<D: Device> Rig<D> {
    /// The client whose command waits got a signal.
    pub fn leave(&self, space: &Space<'_>) {
        self.call(|engine, _| engine.leave(space.id()));
    }

    /// The chip is gone for good.
    pub fn dismiss(&self) {
        self.ask(|engine| engine.dismiss());
    }

    /// Changes the module's parameters.
    pub fn set_terms(&self, terms: Terms) {
        self.call(|engine, _| engine.set_terms(terms));
    }

    /// Chooses what becomes of the space when others need its sessions.
    pub fn set_policy(&self, space: &Space<'_>, policy: Option<LossPolicy>) -> Outcome {
        self.call(|engine, _| engine.set_policy(space.id(), policy))
            .map_err(|e| Failure::Errno(-e.to_errno()))
    }

    /// The policy in force.
    pub fn policy(&self, space: &Space<'_>) -> LossPolicy {
        self.ask(|engine| engine.policy(space.id()))
            .expect("the space is open")
    }

    /// Asks once to keep so many numbers for the space.
    pub fn reserve(&self, space: &Space<'_>, count: usize) -> Outcome {
        space.bell().answer();
        match self.call(|engine, chip| engine.reserve_sessions(chip, space.id(), count)) {
            Ok(Progress::Answered) => Ok(()),
            Ok(Progress::Waits) => Err(Failure::Waits),
            Err(e) => Err(Failure::Errno(-e.to_errno())),
        }
    }

    /// How many numbers are kept for the space.
    pub fn reserved(&self, space: &Space<'_>) -> usize {
        self.ask(|engine| engine.reserved_sessions(space.id()))
    }

    /// What the space has lost and not flushed.
    pub fn lost(&self, space: &Space<'_>) -> Vec<u32> {
        self.ask(|engine| engine.lost_sessions(space.id()).collect())
    }
}
