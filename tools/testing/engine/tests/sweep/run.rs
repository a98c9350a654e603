// SPDX-License-Identifier: GPL-2.0

//! Runs a program in a world of its own, and counts what was covered.

use crate::programs::{Program, IDLE};
use crate::trouble::Trouble;
use crate::world::World;
use harness::chip::Sent;
use harness::engine::Neighbours;
use harness::fake::{Fake, Model};
use harness::rig::Rig;
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// How many failures are told in full.
const TOLD: usize = 5;

/// Whether contexts stay in the TPM when a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    Leave,
    Stay,
}

impl Residency {
    pub const BOTH: [Residency; 2] = [Residency::Leave, Residency::Stay];
}

/// A program on a TPM.
#[derive(Clone, Copy)]
pub struct Play<'a> {
    pub program: &'a Program,
    pub model: Model,
    pub residency: Residency,
    /// Whether others may have something loaded.
    pub neighbours: Neighbours,
}

/// What a program does when nothing goes wrong.
pub struct Course {
    pub sent: Vec<Sent>,
    pub allocations: usize,
}

impl Play<'_> {
    fn rig(&self) -> Rig<Fake> {
        let shape = self.program.shape;
        let rig = Rig::over(Fake::new(shape(self.model)), Default::default());
        rig.chip.borrow_mut().neighbours = self.neighbours;
        if self.residency == Residency::Stay {
            rig.let_stay(IDLE);
        }
        rig
    }

    /// Runs it without trouble.
    pub fn course(&self) -> Course {
        let rig = self.rig();
        let mut world = World::new(&rig, self.residency, self.program.spare);
        let (sent_before, asked_before) = (rig.chip.borrow().log.len(), rig.allocations());
        (self.program.run)(&mut world);
        let sent = rig.chip.borrow().log[sent_before..].to_vec();
        let allocations = rig.allocations() - asked_before;
        world.audit();
        Course { sent, allocations }
    }

    /// Runs it with trouble at its `n`-th transmission or allocation, which must be the one of `course`.
    fn with(&self, n: usize, trouble: Trouble, course: &Course) {
        let rig = self.rig();
        let mut world = World::new(&rig, self.residency, self.program.spare);
        let before = rig.chip.borrow().log.len();
        world.expect(n, trouble);
        (self.program.run)(&mut world);
        match trouble {
            Trouble::Always(code, _) => {
                let chip = rig.chip.borrow();
                let is_reached = chip.log[before..].iter().any(|sent| sent.code() == code);
                assert!(is_reached, "it was not reached");
            }
            Trouble::Fault(_) | Trouble::Pair(..) | Trouble::Event(_) => {
                let chip = rig.chip.borrow();
                let (came, should) = (&chip.log[before + n], &course.sent[n]);
                assert_eq!(came.command, should.command, "it is another transmission");
            }
            Trouble::Starved | Trouble::Starving => assert!(rig.is_starved(), "it was not reached"),
        }
        assert!(world.struck.is_some(), "it did not happen in any action");
        world.audit();
    }
}

/// What was covered.
#[derive(Default)]
pub struct Tally {
    pub plays: usize,
    /// Transmissions, or allocations, at which something went wrong.
    pub points: usize,
    /// What went wrong at one of them.
    pub runs: usize,
    /// What would have made no difference there.
    pub without_effect: usize,
    failures: Vec<String>,
}

impl Tally {
    /// Runs the play once for each point and each trouble that `troubles` has for it.
    pub fn cover(
        &mut self,
        play: &Play<'_>,
        course: &Course,
        points: usize,
        troubles: impl Fn(usize) -> Vec<Trouble>,
    ) {
        assert!(points > 0, "{} does nothing", play.program.name);
        self.plays += 1;
        for n in 0..points {
            self.points += 1;
            for trouble in troubles(n) {
                self.runs += 1;
                let run = AssertUnwindSafe(|| play.with(n, trouble, course));
                if let Err(why) = catch_unwind(run) {
                    self.failures.push(format!(
                        "{}, {:?}, {:?}, {trouble:?} at {n}: {}",
                        play.program.name,
                        play.residency,
                        play.model,
                        words(why)
                    ));
                }
            }
        }
    }

    /// Says what was covered, and panics if anything failed.
    pub fn close(&self, what: &str) {
        println!(
            "{what}: {} runs at {} points of {} plays; {} without effect",
            self.runs, self.points, self.plays, self.without_effect
        );
        let told = self.failures.iter().take(TOLD).cloned();
        assert!(
            self.failures.is_empty(),
            "{} of {} runs failed:\n{}",
            self.failures.len(),
            self.runs,
            told.collect::<Vec<_>>().join("\n")
        );
    }
}

fn words(why: Box<dyn Any + Send>) -> String {
    let formatted = why.downcast_ref::<String>().cloned();
    let constant = why.downcast_ref::<&str>().map(|why| (*why).to_string());
    formatted.or(constant).unwrap_or_default()
}
