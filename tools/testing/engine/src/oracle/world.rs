// SPDX-License-Identifier: GPL-2.0

//! Both sides at once.

use super::correspondence::{Correspondence, Expected};
use super::coverage::{Coverage, MOVED};
use super::ours::Ours;
use super::program::Step;
use super::reference::{Holdings, Privates, Reference};
use super::script::Line;
use super::seat::{Outcome, Seat};
use super::shared;
use crate::chip::Device;
use crate::engine::Limits;
use crate::private::Private;
use crate::rig::Rig;
use crate::wire::su;
use std::path::Path;

/// How many clients there are.
pub const CLIENTS: usize = 3;

/// What becomes of what is loaded when a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    Leaves,
    Stays,
}

impl Afterwards {
    pub const BOTH: [Self; 2] = [Self::Leaves, Self::Stays];
}

/// For how long things stay, in milliseconds of virtual time.
pub const IDLE: u64 = 1000;

/// An engine over a TPM of its own. `program` is that of [`crate::private`].
pub fn rig(program: &Path, afterwards: Afterwards) -> Rig<Private> {
    let mut tpm = Private::start(program);
    shared::set_up(|command| tpm.process(command));
    let rig = Rig::over(tpm, Limits::default());
    match afterwards {
        Afterwards::Leaves => rig.check_empty.set(true),
        Afterwards::Stays => rig.let_stay(IDLE),
    }
    rig
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The command was executed on both sides, with success.
    Done,
    /// It was refused on both sides, or is no command.
    Other,
    /// It needs what is not there.
    Skipped,
}

/// Both sides.
pub struct World<'r> {
    ours: Seat<Ours<'r>>,
    theirs: Seat<Privates>,
    same: Correspondence,
    pub coverage: Coverage,
    /// What was done, and what had to come of it.
    pub lines: Vec<Line>,
}

impl<'r> World<'r> {
    /// All clients on `rig`, and each on a TPM of its own.
    pub fn new(rig: &'r Rig<Private>, program: &Path) -> Self {
        let private = || {
            let mut reference = Reference::start(program);
            shared::set_up(|command| reference.raw(command));
            reference
        };
        let privates = (0..CLIENTS).map(|_| private()).collect();
        Self {
            ours: Seat::new(Ours::new(rig)),
            theirs: Seat::new(Privates(privates)),
            same: Correspondence::default(),
            coverage: Coverage::default(),
            lines: vec![],
        }
    }

    /// Whether something is in a register.
    pub fn has(&self, register: usize) -> bool {
        self.ours.value(register).is_some()
    }

    /// Takes a step on both sides. `Err` tells the difference.
    pub fn step(&mut self, step: &Step) -> Result<Taken, String> {
        let Step::Call { who, call } = step else {
            self.lines.push(Line {
                step: step.clone(),
                expected: None,
            });
            self.ours.other(step);
            self.theirs.other(step);
            return Ok(Taken::Other);
        };
        let (Ok(our_bytes), Ok(their_bytes)) =
            (self.ours.render(*who, call), self.theirs.render(*who, call))
        else {
            self.coverage.skipped += 1;
            return Ok(Taken::Skipped);
        };
        let client = super::seat::client_of(*who);
        let Some(unknown) = self.theirs.side.0[client].unknown(*who, &their_bytes) else {
            self.coverage.skipped += 1;
            return Ok(Taken::Skipped);
        };
        let outcome = self
            .theirs
            .send(*who, call, &their_bytes)
            .map_err(|why| format!("the reference: {why}"))?;
        let active = self.theirs.side.0.iter().map(Reference::active).sum();
        let holdings = Holdings {
            active: su(active),
            ..self.theirs.side.0[client].holdings(*who)
        };
        let expected = Expected {
            outcome,
            unknown,
            holdings,
        };
        self.lines.push(Line {
            step: step.clone(),
            expected: Some(expected.clone()),
        });
        let rc = match expected.outcome {
            Outcome::Rc(rc) => rc,
            Outcome::Errno(_) | Outcome::Done(_) => 0,
        };
        shared::spread(&mut self.theirs, *who, call, rc)?;
        let before = call.again.and_then(|register| self.ours.value(register));
        let is_moved = before.is_some_and(|value| value.who != *who);
        let ours = self.ours.send(*who, call, &our_bytes)?;
        self.same.check(*who, call, &our_bytes, &ours, &expected)?;
        if is_moved && matches!(ours, Outcome::Done(_)) {
            self.coverage.feature(MOVED);
        }
        self.coverage.note(call, &ours);
        Ok(match ours {
            Outcome::Done(_) => Taken::Done,
            _ => Taken::Other,
        })
    }

    /// Ends the program: what is left is nothing.
    pub fn close_all(&mut self) {
        self.ours.side.close_all();
        self.coverage.programs += 1;
    }
}
