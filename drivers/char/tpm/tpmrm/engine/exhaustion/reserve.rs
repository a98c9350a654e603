// SPDX-License-Identifier: GPL-2.0

//! Reservations: several session numbers in one step, for who loses none.
//!
//! Clients that each need several sessions and wait for the last one while they hold the others
//! would wait for each other. Whoever has reserved what it needs never waits. Those who wait for a
//! reservation collect numbers in their turn, one client at a time.

use crate::engine::{
    exhaustion::{
        admit::Seek,
        LossPolicy, //
    },
    refusal::Refusal,
    spaces::SpaceId,
    tpm::Tpm,
    Engine,
    Progress, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// The spaces for which something is reserved; how much is in their standing.
pub(crate) struct Reservations(KVec<SpaceId>);

impl Reservations {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// The spaces.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SpaceId> + '_ {
        self.0.iter().copied()
    }

    /// Something will be reserved for the space.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn add(&mut self, space: SpaceId) -> Result<(), AllocError> {
        if !self.0.contains(&space) {
            self.0.push(space, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Nothing is reserved for the space any more.
    pub(crate) fn remove(&mut self, space: SpaceId) {
        self.0.retain(|other| *other != space);
    }
}

impl Engine {
    /// Keeps `count` session numbers for a space, those that it has among them, for as long as it
    /// is open or until another number is asked for. When [`Progress::Waits`], the same is to be
    /// asked again once the space is called.
    ///
    /// # Errors
    ///
    /// - `EPERM` when the space may lose sessions: see [`LossPolicy::Never`].
    /// - `EINVAL` when there are never so many, or no such space.
    /// - `EPIPE` when the space was closed.
    /// - `ETIMEDOUT` after the longest wait.
    /// - `ENOMEM`.
    ///
    /// Then what was reserved before still is.
    pub fn reserve_sessions(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        count: usize,
    ) -> Result<Progress> {
        self.check_open(space)?;
        self.begin_visit();

        let progress = self.try_reserve(tpm, space, count);

        self.serve_queue(tpm);
        progress
    }

    fn try_reserve(&mut self, tpm: &mut dyn Tpm, space: SpaceId, count: usize) -> Result<Progress> {
        let ledger = self.ledger(tpm);
        let most = ledger.for_users().min(ledger.terms().sessions_per_user);
        let has = ledger
            .held_in(space)
            .saturating_add(ledger.reserved_in(space));

        if count == 0 {
            self.leave_for_good(space);
            return self.set_reservation(space, 0);
        }
        if ledger.policy_of(space) != LossPolicy::Never {
            return Err(EPERM);
        }
        if count > most {
            return Err(EINVAL);
        }
        self.prepare_survey()?;
        self.exhaustion.reservations.add(space)?;

        let missing = count.saturating_sub(has);

        if missing > 0 {
            match self.seek_numbers(tpm, space, missing) {
                Ok(Seek::Found) => {}
                Ok(Seek::Waits) => return Ok(Progress::Waits),
                Err(Refusal::Errno(error)) => return Err(error),
                Err(Refusal::Response(_) | Refusal::NoNumber) => return Err(ETIMEDOUT),
            }
        }
        self.exhaustion.queue.remove(space);
        self.set_reservation(space, count)
    }

    /// A client has saved a session, which is the space's no longer. If its number was reserved, it
    /// is not any more: else the space could have one more for each that it saves.
    pub(crate) fn session_given_away(&mut self, space: SpaceId) {
        let held = self.sessions.held_by(space);

        if let Some(space) = self.spaces.get_mut(space) {
            let standing = space.standing_mut();

            if held < standing.reserved() {
                standing.reserve(standing.reserved().saturating_sub(1));
            }
        }
    }

    /// Who may lose sessions from now on has nothing reserved: the numbers go to others, and are
    /// not his again when he is spared again.
    pub(crate) fn end_lapsed_reservations(&mut self) {
        for id in self.exhaustion.reservations.iter() {
            if let Some(space) = self.spaces.get_mut(id) {
                let standing = space.standing_mut();

                if standing.policy(&self.exhaustion.terms) != LossPolicy::Never {
                    standing.reserve(0);
                }
            }
        }
    }

    fn set_reservation(&mut self, space: SpaceId, count: usize) -> Result<Progress> {
        self.spaces
            .get_mut(space)
            .ok_or(EINVAL)?
            .standing_mut()
            .reserve(count);
        Ok(Progress::Answered)
    }

    /// How many session numbers are reserved for a space, in use or not. Who may lose sessions has
    /// none: see [`Self::end_lapsed_reservations`].
    pub fn reserved_sessions(&self, space: SpaceId) -> usize {
        self.spaces
            .get(space)
            .map_or(0, |space| space.standing().reserved())
    }
}
