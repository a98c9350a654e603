// SPDX-License-Identifier: GPL-2.0

//! What could not be done when a command ended is tried again, also when no other command comes
//! (G8, G9): flushing what nobody wants any more, looking for what was made without an answer,
//! taking out what did not want to leave, and giving back memory.

use crate::engine::{
    clock::{
        Moment,
        Span, //
    },
    policy::Barrier,
    slots::Occupant,
    tidy::Debris,
    tpm::Tpm,
    vacate::Quiet,
    Engine,
};

/// How soon something is tried again at first, and at most: a TPM that is in trouble for long is
/// asked less and less often.
const FIRST: Span = Span(1000);
const LONGEST: Span = Span(1024 * 1000);

/// When to try again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chores {
    /// `None` when there is nothing to do.
    due: Option<Moment>,
    /// How long it is until the time after that.
    pause: Span,
}

impl Chores {
    /// There is nothing to do.
    pub(crate) const NONE: Self = Self {
        due: None,
        pause: FIRST,
    };
}

impl Engine {
    /// Everything was tried: sees whether something is left.
    pub(crate) fn plan_chores(&mut self) {
        if !self.has_chores() {
            self.chores = Chores::NONE;
            return;
        }

        let now = self.clock.now();

        if self.chores.due.is_none_or(|due| due <= now) {
            let pause = self.chores.pause;

            self.chores = Chores {
                due: Some(now.after(pause)),
                pause: Span(pause.0.saturating_mul(2).min(LONGEST.0)),
            };
        }
    }

    /// Tries again what is due.
    pub(crate) fn do_chores(&mut self, tpm: &mut dyn Tpm) {
        let now = self.clock.now();

        if self.chores.due.is_some_and(|due| due <= now) {
            self.tidy(tpm);
            if self.quiet == Quiet::Over {
                self.withdraw(tpm);
            }
        }
    }

    /// When [`Self::do_chores`] has something to do.
    pub(crate) fn chores_at(&self) -> Option<Moment> {
        self.chores.due
    }

    fn has_chores(&self) -> bool {
        let is_littered = self.debris == Debris::Suspected
            || self.era.is_shaken()
            || self.sessions.orphan(|_| true).is_some()
            || self
                .slots
                .iter()
                .any(|slot| slot.occupant == Occupant::Nobody);

        let is_to_be_empty = self.quiet == Quiet::Over || self.residence() == Barrier::Absent;

        is_littered || !self.roomy.is_empty() || (is_to_be_empty && !self.is_vacant())
    }
}
