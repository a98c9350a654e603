// SPDX-License-Identifier: GPL-2.0

//! Leaving the TPM as others want to find it (G8, G9), also when something went wrong before.

use crate::engine::{
    courier::Verdict,
    listing::HANDLES_MAX,
    policy::{
        Fate,
        Policy,
        Resident, //
    },
    session::Place,
    tpm::{
        Neighbours,
        Tpm, //
    },
    wire::handle::HandleGroup,
    Engine,
};
use kernel::prelude::*;

/// Whether the TPM may hold something of ours that we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debris {
    /// It does not.
    None,
    /// A command that makes or loads something was sent, and it is not known what came of it.
    Suspected,
}

impl Engine {
    /// Takes out of the TPM what the policy does not want to stay, and what nobody wants any more.
    /// Costs nothing when there is nothing to do; what fails is left for the next time.
    pub(crate) fn tidy(&mut self, tpm: &mut dyn Tpm) {
        self.settle_era(tpm);
        // Without an answer, it is asked again later.
        let _ = self.settle_sessions_in_doubt(tpm);

        self.clear_debris(tpm);
        self.recheck(tpm);
        self.flush_orphans(tpm);

        let (residence, barrier) = (self.residence(), self.barrier);

        // Nothing is to stay, but others are announced all the same.
        let fate = |resident| match residence.after_command(resident) {
            Fate::Leaves(_) => Fate::Leaves(barrier.urgency()),
            Fate::Stays => Fate::Stays,
        };

        self.evict_objects(tpm, fate);
        self.evict_sessions(tpm, fate);
        self.trim_contexts();
        self.plan_chores();
    }

    fn flush_orphans(&mut self, tpm: &mut dyn Tpm) {
        // Each one once, in the order of their numbers.
        let mut done = None;

        while let Some(handle) = self
            .sessions
            .orphan(|handle| done.is_none_or(|done| handle.index() > done))
        {
            done = Some(handle.index());
            let _ = self.flush_session(tpm, handle);
        }
    }

    /// Takes out the objects whose fate it is to leave.
    pub(crate) fn evict_objects(&mut self, tpm: &mut dyn Tpm, fate: impl Fn(Resident) -> Fate) {
        let mut stay: usize = 0;

        while let Some(slot) = self.slots.get(stay) {
            if let Fate::Leaves(urgency) = fate(Resident::Object(slot)) {
                self.evict_object(tpm, slot, urgency);
            }
            // Those that follow take the place of one that has left.
            if self.slots.holds(slot.physical) {
                stay = stay.saturating_add(1);
            }
        }
    }

    /// Takes out the sessions whose fate it is to leave.
    pub(crate) fn evict_sessions(&mut self, tpm: &mut dyn Tpm, fate: impl Fn(Resident) -> Fate) {
        let mut done = None;

        loop {
            let leaving = self
                .sessions
                .loaded()
                .filter(|handle| done.is_none_or(|done| handle.index() > done))
                .find(|handle| fate(Resident::Session(*handle)) != Fate::Stays);
            let Some(handle) = leaving else {
                return;
            };

            done = Some(handle.index());
            // What cannot be saved stays where it is: its number keeps its meaning.
            let _ = self.save_session(tpm, handle);
        }
    }

    /// Flushes what is loaded and not on our books, if there may be something. That is only
    /// right when nobody else could have loaded it, so with others around it waits until they
    /// have gone. Needs no memory.
    pub(crate) fn clear_debris(&mut self, tpm: &mut dyn Tpm) {
        if self.debris == Debris::None || tpm.neighbours() == Neighbours::Possible {
            return;
        }
        // It would look like debris.
        tpm.end_kernel_session();

        self.debris = Debris::None;
        if self.clear_objects(tpm).is_err() {
            self.debris = Debris::Suspected;
        }
        if self.clear_sessions(tpm).is_err() {
            self.debris = Debris::Suspected;
        }
    }

    /// Flushes the loaded objects that are on nobody's books.
    ///
    /// # Errors
    ///
    /// Those of [`Courier::next_listed`], and `EIO` when there is no end.
    ///
    /// [`Courier::next_listed`]: crate::engine::courier::Courier::next_listed
    fn clear_objects(&mut self, tpm: &mut dyn Tpm) -> Result {
        let mut done = None;

        for _ in 0..HANDLES_MAX {
            let slots = &self.slots;
            let next = self
                .courier
                .next_listed(tpm, HandleGroup::Transient, done, |listed| {
                    listed
                        .loaded_object()
                        .filter(|physical| !slots.holds(*physical))
                })?;
            let Some((index, physical)) = next else {
                return Ok(());
            };

            done = Some(index);

            let flushed = self.courier.flush(tpm, physical);

            self.note(flushed);
        }
        Err(EIO)
    }

    /// Flushes the loaded sessions that are on nobody's books.
    ///
    /// # Errors
    ///
    /// Those of [`Courier::next_listed`], and `EIO` when there is no end.
    ///
    /// [`Courier::next_listed`]: crate::engine::courier::Courier::next_listed
    fn clear_sessions(&mut self, tpm: &mut dyn Tpm) -> Result {
        let mut done = None;

        for _ in 0..HANDLES_MAX {
            let sessions = &self.sessions;
            let next =
                self.courier
                    .next_listed(tpm, HandleGroup::LoadedSession, done, |listed| {
                        listed.session().filter(|handle| {
                            sessions
                                .find(*handle)
                                .is_none_or(|session| session.place() != Place::Loaded)
                        })
                    })?;
            let Some((index, handle)) = next else {
                return Ok(());
            };

            done = Some(index);
            match self.sessions.find_mut(handle) {
                // It was loaded, and we were not told. It leaves with the others.
                Some(session) if session.may_be_loaded() => session.loaded(),
                // It is none of ours, or ours has ended without our knowledge, and this is another
                // one of its number.
                Some(_) | None => {
                    self.lose_session(handle);

                    let flushed = self.courier.flush(tpm, handle);

                    self.note(flushed);
                }
            }
        }
        Err(EIO)
    }

    fn note(&mut self, flushed: Verdict) {
        match flushed {
            Verdict::Done(()) => {}
            Verdict::Refused(_) | Verdict::Unknown(_) => self.debris = Debris::Suspected,
        }
    }
}
