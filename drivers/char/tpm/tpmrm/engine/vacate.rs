// SPDX-License-Identifier: GPL-2.0

//! An empty TPM for others: before their commands, before the system sleeps, and when nobody uses
//! ours for a while (G9).

use crate::engine::{
    clock::{
        Moment,
        Span, //
    },
    counters::Counters,
    observer::Event,
    policy::{
        Barrier,
        Fate,
        Policy,
        Urgency, //
    },
    tpm::Tpm,
    Engine,
};

/// How long what is loaded stays when no command comes, unless somebody says otherwise: not at all.
pub(crate) const IDLE: Span = Span(0);

/// Whether anything happens to what is loaded if no command comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// It leaves when the last command is long enough ago.
    Awaited,
    /// It was to leave: what is still there is tried again, see
    /// [`chores`](crate::engine::chores).
    Over,
}

impl Engine {
    /// Says whether commands of others are announced from now on. Before that is known, they are
    /// not.
    pub fn set_barrier(&mut self, tpm: &mut dyn Tpm, barrier: Barrier) {
        self.barrier = barrier;
        self.era.forget();
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.outsider_comes();
        self.learn_era(tpm);
        if barrier == Barrier::Absent {
            self.vacate(tpm);
        }
    }

    /// Says how long what is loaded stays when no command comes; nothing stays when that is 0.
    pub fn set_idle(&mut self, idle: Span) {
        if self.idle == Span(0) {
            // The TPM may have slept, which it counts.
            self.era.forget();
        }
        self.idle = idle;
    }

    /// Whether anything stays loaded when a command has ended.
    pub(crate) fn residence(&self) -> Barrier {
        if self.era.is_known() {
            self.wish()
        } else {
            Barrier::Absent
        }
    }

    /// The same, as far as it is a matter of wishes.
    pub(crate) fn wish(&self) -> Barrier {
        if self.idle == Span(0) {
            Barrier::Absent
        } else {
            self.barrier
        }
    }

    /// Takes all that is ours out of the TPM: somebody else's command comes next, whatever becomes
    /// of ours. An object that cannot be saved is lost (G5).
    ///
    /// Needs no memory, as long as contexts are not larger than the TPM said that any would be.
    pub fn vacate(&mut self, tpm: &mut dyn Tpm) {
        self.room.forget();
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.outsider_comes();
        if !self.is_vacant() {
            Counters::add(&mut self.counters.barriers);
            self.watch.note(Event::Barrier);
            self.empty(tpm, Urgency::MustLeave);
            self.plan_chores();
        }
    }

    /// Takes all that is ours out of the TPM, if others are announced before they use it: what
    /// cannot be saved stays until then.
    pub fn withdraw(&mut self, tpm: &mut dyn Tpm) {
        if !self.is_vacant() {
            Counters::add(&mut self.counters.rests);
            self.empty(tpm, self.barrier.urgency());
            self.trim_contexts();
            self.plan_chores();
        }
    }

    fn empty(&mut self, tpm: &mut dyn Tpm, urgency: Urgency) {
        // If the TPM was reset, what is saved now would be something else.
        self.settle_era(tpm);
        self.evict_objects(tpm, |_| Fate::Leaves(urgency));
        self.evict_sessions(tpm, |_| Fate::Leaves(urgency));
        if urgency == Urgency::MustLeave {
            self.evict_sessions_in_doubt(tpm);
        }
    }

    /// Whether nothing of ours is loaded, for certain.
    pub fn is_vacant(&self) -> bool {
        self.slots.iter().next().is_none()
            && self.sessions.loaded().next().is_none()
            && self.sessions.in_doubt().next().is_none()
    }

    /// Does what time has made due.
    pub fn attend(&mut self, tpm: &mut dyn Tpm) {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.begin_visit();
        self.recheck(tpm);
        self.do_chores(tpm);
        if self.idle_at().is_some_and(|at| at <= self.clock.now()) {
            self.quiet = Quiet::Over;
            self.withdraw(tpm);
        }
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.serve_queue(tpm);
    }

    /// When [`Self::attend`] is to be called unless something else is done before; perhaps at once.
    pub fn alarm(&self) -> Option<Moment> {
        [
            self.idle_at(),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            self.queue_alarm(),
            self.chores_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When what is loaded has not been used for long enough. Where nothing is to stay, what is
    /// loaded would not leave.
    fn idle_at(&self) -> Option<Moment> {
        match (self.residence(), self.quiet) {
            (Barrier::Installed, Quiet::Awaited) if !self.is_vacant() => {
                Some(self.last_command.after(self.idle))
            }
            (_, _) => None,
        }
    }
}
