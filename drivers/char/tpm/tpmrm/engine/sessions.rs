// SPDX-License-Identifier: GPL-2.0

//! All sessions of a chip that we know of.

use crate::engine::{
    rhythm::Beat,
    session::{
        Owner,
        Place,
        Session, //
    },
    spaces::SpaceId,
    wire::handle::SessionHandle, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// The sessions. There are as many at most as the TPM has numbers for.
pub(crate) struct Sessions {
    /// In the order of their numbers.
    table: KVec<Session>,
    /// The TPM's context counter, as of the newest context that we have seen.
    counter: u64,
    /// How often a session came or went.
    changes: u64,
    /// How many commands have used sessions.
    now: Beat,
}

impl Sessions {
    /// No sessions.
    pub(crate) const fn new() -> Self {
        Self {
            table: KVec::new(),
            counter: 0,
            changes: 0,
            now: Beat::ZERO,
        }
    }

    /// Makes sure that so many more sessions can be added.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn reserve(&mut self, sessions: usize) -> Result<(), AllocError> {
        self.table.reserve(sessions, GFP_KERNEL)
    }

    /// A session came into being; there must be room for it, by [`Self::reserve`].
    ///
    /// A session that had its number before ended without our knowledge.
    pub(crate) fn add(&mut self, mut session: Session) {
        self.remove(session.handle());

        let at = self.at(session.handle()).unwrap_or_else(|at| at);

        session.begin(self.tick());
        drop(self.table.insert_within_capacity(at, session));
        self.changes = self.changes.wrapping_add(1);
    }

    /// The session with this number.
    pub(crate) fn find(&self, handle: SessionHandle) -> Option<&Session> {
        self.table.get(self.at(handle).ok()?)
    }

    /// The session with this number, to be changed.
    pub(crate) fn find_mut(&mut self, handle: SessionHandle) -> Option<&mut Session> {
        let index = self.at(handle).ok()?;

        self.table.get_mut(index)
    }

    /// The session ended.
    pub(crate) fn remove(&mut self, handle: SessionHandle) {
        self.table.retain(|session| session.handle() != handle);
        self.changes = self.changes.wrapping_add(1);
    }

    /// Keeps the sessions for which `is_alive` says so.
    #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
    pub(crate) fn retain(&mut self, is_alive: impl Fn(&Session) -> bool) {
        self.table.retain(|session| is_alive(session));
    }

    /// Changes whenever a session comes or goes.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// All sessions, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> + '_ {
        self.table.iter()
    }

    /// Whether `space` can use the session.
    pub(crate) fn belongs(&self, handle: SessionHandle, space: SpaceId) -> bool {
        self.find(handle)
            .is_some_and(|session| session.belongs_to(space))
    }

    /// How many sessions a space has; those that the client saved are not among them.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn held_by(&self, space: SpaceId) -> usize {
        self.iter()
            .filter(|session| session.belongs_to(space))
            .count()
    }

    /// Leaves the sessions of a space to nobody; those that the client saved are not among them.
    pub(crate) fn abandon_space(&mut self, space: SpaceId) {
        for session in self.table.iter_mut() {
            if session.belongs_to(space) {
                session.abandon();
            }
        }
        self.changes = self.changes.wrapping_add(1);
    }

    /// Leaves a session to nobody, wherever it is.
    pub(crate) fn disown(&mut self, handle: SessionHandle) {
        if let Some(session) = self.find_mut(handle) {
            session.disown();
        }
        self.changes = self.changes.wrapping_add(1);
    }

    /// Any session that nobody has.
    pub(crate) fn orphan(&self, is_meant: impl Fn(SessionHandle) -> bool) -> Option<SessionHandle> {
        self.table
            .iter()
            .filter(|session| matches!(session.owner(), Owner::Nobody))
            .map(Session::handle)
            .find(|handle| is_meant(*handle))
    }

    /// The sessions that are loaded.
    pub(crate) fn loaded_sessions(&self) -> impl Iterator<Item = &Session> + '_ {
        self.table
            .iter()
            .filter(|session| session.place() == Place::Loaded)
    }

    /// The handles of the sessions that are loaded.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = SessionHandle> + '_ {
        self.loaded_sessions().map(Session::handle)
    }

    /// The sessions that are taken for saved, and may be loaded.
    pub(crate) fn in_doubt(&self) -> impl Iterator<Item = SessionHandle> + '_ {
        self.table
            .iter()
            .filter(|session| session.is_in_doubt())
            .map(Session::handle)
    }

    /// How many commands have used sessions.
    pub(crate) fn now(&self) -> Beat {
        self.now
    }

    /// One more command uses sessions.
    pub(crate) fn tick(&mut self) -> Beat {
        self.now = self.now.next();
        self.now
    }

    /// The saved session whose context is the oldest, and how many contexts of sessions the TPM
    /// has saved since then.
    pub(crate) fn oldest(&self) -> Option<(SessionHandle, u64)> {
        self.table
            .iter()
            .filter(|session| session.place() == Place::Saved)
            .min_by_key(|session| session.sequence())
            .map(|session| {
                let age = self.counter.saturating_sub(session.sequence());
                (session.handle(), age)
            })
    }

    /// A session was saved.
    ///
    /// # Errors
    ///
    /// Those of [`Session::saved`].
    pub(crate) fn saved(
        &mut self,
        handle: SessionHandle,
        sequence: u64,
        context: &[u8],
    ) -> Result<(), AllocError> {
        self.counter = sequence;
        match self.find_mut(handle) {
            Some(session) => session.saved(sequence, context),
            None => Ok(()),
        }
    }

    fn at(&self, handle: SessionHandle) -> Result<usize, usize> {
        self.table
            .binary_search_by_key(&handle.index(), |session| session.handle().index())
    }
}
