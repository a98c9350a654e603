// SPDX-License-Identifier: GPL-2.0

//! Global session exhaustion: who gets a session number when there are not enough for all.
//!
//! A TPM has numbers for 64 sessions, as a rule, and saved sessions count. Whoever asks for one
//! that is not there waits in the [`queue`]; [`ledger`] tells who has how many; [`victim`] decides
//! from whom one is taken, and [`evict`] takes it; [`admit`] brings them together. What was lost is
//! remembered in the [`standing`] of its space, so that the number never comes to mean something
//! else there: see [`exchange`]. [`census`] keeps the books true to the TPM.
//!
//! That makes one more of the engine's guarantees. G7: who asks for a session gets one within a
//! bound that no other user can stretch. And it adds to G9: the kernel and raw users find session
//! numbers left for them.
//!
//! The layer is all of this folder, and `CONFIG_TCG_TPM_RM_EXHAUSTION` is about it, and about where
//! the rest of the engine calls it. Without it, `losses.rs` says what becomes of sessions that are
//! gone.

mod admit;
mod census;
mod evict;
mod exchange;
mod ledger;
mod queue;
mod reserve;
mod standing;
mod strays;
mod survey;
mod tenure;
mod terms;
mod victim;
mod view;

pub(crate) use self::{
    exchange::Forgotten,
    standing::Standing,
    tenure::Tenure, //
};
pub use self::{
    terms::{
        LossPolicy,
        Terms, //
    },
    view::{
        SpaceTerms,
        WaitView,
        WholeTerms, //
    },
};

use self::{
    census::{
        Cause,
        Numbers, //
    },
    ledger::Fingerprint,
    queue::Queue,
    reserve::Reservations,
    standing::Condition,
    strays::Strays,
    survey::Survey, //
};
use crate::engine::{
    bell::News,
    clock::Moment,
    names::Names,
    policy::Barrier,
    spaces::SpaceId,
    tpm::Tpm,
    Engine, //
};
use kernel::prelude::*;

/// How many sessions are taken each time that the chip was locked. More would let one client's
/// command wait for what others need.
const TAKES_PER_VISIT: usize = 1;

/// Whether the TPM was asked how many sessions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Books {
    /// Since anybody else could change something: since the chip was locked for what is done now,
    /// or, if others are announced, since the last of them came.
    Compared,
    /// Before, if at all.
    Old,
}

/// What the layer knows of a chip.
pub(crate) struct Exhaustion {
    terms: Terms,
    queue: Queue,
    reservations: Reservations,
    strays: Strays,
    numbers: Numbers,
    survey: Survey,
    /// What the queue was last served for.
    served: Option<Fingerprint>,
    books: Books,
    /// How many sessions may still be taken during this visit.
    takes_left: usize,
    /// When the books were last compared with the TPM.
    counted: Moment,
    /// When something may have become possible for those who wait, as of the last look.
    look_again: Option<Moment>,
}

impl Exhaustion {
    /// Nobody waits, and nothing is known of the TPM yet.
    pub(crate) const fn new() -> Self {
        Self {
            terms: Terms::DEFAULT,
            queue: Queue::new(),
            reservations: Reservations::new(),
            strays: Strays::new(),
            numbers: Numbers::UNKNOWN,
            survey: Survey::new(),
            served: None,
            books: Books::Old,
            takes_left: 0,
            counted: Moment(0),
            look_again: None,
        }
    }
}

impl Engine {
    /// Says on which terms sessions are had from now on.
    pub fn set_terms(&mut self, terms: Terms) {
        if self.exhaustion.terms != terms {
            self.exhaustion.terms = terms;
            self.end_lapsed_reservations();
            self.look_at_once();
        }
    }

    /// Chooses for a space what becomes of it when somebody else needs its sessions; `None` leaves
    /// that to the terms.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such space.
    pub fn set_policy(&mut self, space: SpaceId, policy: Option<LossPolicy>) -> Result {
        self.spaces
            .get_mut(space)
            .ok_or(EINVAL)?
            .standing_mut()
            .set_policy(policy);
        self.end_lapsed_reservations();
        self.look_at_once();
        Ok(())
    }

    /// What becomes of a space when somebody else needs its sessions.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such space.
    pub fn policy(&self, space: SpaceId) -> Result<LossPolicy> {
        let space = self.spaces.get(space).ok_or(EINVAL)?;

        Ok(space.standing().policy(&self.exhaustion.terms))
    }

    /// The handles of the sessions that the space has lost and not flushed, in the order in which
    /// they were lost.
    pub fn lost_sessions(&self, space: SpaceId) -> impl Iterator<Item = u32> + '_ {
        self.spaces
            .get(space)
            .into_iter()
            .flat_map(|space| space.standing().lost())
            .map(|handle| handle.to_wire())
    }

    /// The first look at the TPM: what is there already is not ours.
    pub(crate) fn first_census(&mut self, tpm: &mut dyn Tpm) {
        self.take_census(tpm, Cause::Doubt);
    }

    /// Whether a space may be used.
    ///
    /// # Errors
    ///
    /// `EPIPE` when it may not.
    pub(crate) fn check_open(&self, space: SpaceId) -> Result {
        match self
            .spaces
            .get(space)
            .map(|space| space.standing().condition())
        {
            Some(Condition::Closed) => Err(EPIPE),
            Some(Condition::Open) | None => Ok(()),
        }
    }

    /// The command that was just sent named these.
    pub(crate) fn touch_sessions(&mut self, names: &Names) {
        let now = self.clock.now();

        for handle in names.sessions() {
            if let Some(session) = self.sessions.find_mut(handle) {
                session.tenure_mut().touch(now);
            }
        }
    }

    /// The chip was locked: until now others may have used it, if they are not announced.
    pub(crate) fn begin_visit(&mut self) {
        if self.barrier == Barrier::Absent {
            self.outsider_comes();
        }
        self.exhaustion.takes_left = TAKES_PER_VISIT;
    }

    /// Somebody else uses the TPM, or may have.
    pub(crate) fn outsider_comes(&mut self) {
        self.exhaustion.books = Books::Old;
    }

    /// When the queue is to be served unless something else is done before; perhaps at once.
    pub(crate) fn queue_alarm(&self) -> Option<Moment> {
        let exhaustion = &self.exhaustion;
        let due = exhaustion.queue.due(exhaustion.terms.lease)?;

        Some(exhaustion.look_again.map_or(due, |look| look.min(due)))
    }

    /// Whoever waits is called: the chip is gone.
    pub fn dismiss(&self) {
        for space in self.exhaustion.queue.spaces() {
            self.tell(space, News::Called);
        }
    }

    /// A session has another owner, or none.
    pub(crate) fn owner_changed(&mut self) {
        self.look_at_once();
    }

    /// Something has changed for those who wait.
    fn look_at_once(&mut self) {
        self.exhaustion.look_again = Some(self.clock.now());
    }
}
