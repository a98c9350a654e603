// SPDX-License-Identifier: GPL-2.0

//! How a space stands: what it may lose, and what it has lost.

use crate::engine::{
    bell::{
        Bell,
        News, //
    },
    exhaustion::terms::{
        LossPolicy,
        Terms, //
    },
    wire::handle::SessionHandle,
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

/// Whether a space may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Open,
    /// It lost a session, and is not to be used any more. Entered under [`LossPolicy::Close`].
    Closed,
}

/// The standing of one space.
pub(crate) struct Standing {
    bell: Arc<dyn Bell>,
    /// Its own choice, if it made one.
    policy: Option<LossPolicy>,
    condition: Condition,
    /// How many numbers are kept for it, in use or not.
    reserved: usize,
    /// The tombstones: handles of sessions that were lost and not flushed since, in the order of
    /// loss. Has room for all sessions that the space has.
    lost: KVec<SessionHandle>,
}

impl Standing {
    /// The standing of a new space.
    pub(crate) fn new(bell: Arc<dyn Bell>) -> Self {
        Self {
            bell,
            policy: None,
            condition: Condition::Open,
            reserved: 0,
            lost: KVec::new(),
        }
    }

    /// Tells the client.
    pub(crate) fn ring(&self, news: News) {
        self.bell.ring(news);
    }

    /// What becomes of it when somebody else needs its sessions.
    pub(crate) fn policy(&self, terms: &Terms) -> LossPolicy {
        self.policy.unwrap_or(terms.policy)
    }

    /// Chooses that, or leaves it to the terms.
    pub(crate) fn set_policy(&mut self, policy: Option<LossPolicy>) {
        self.policy = policy;
    }

    /// Whether it may be used.
    pub(crate) fn condition(&self) -> Condition {
        self.condition
    }

    /// It must not be used any more.
    pub(crate) fn close(&mut self) {
        self.condition = Condition::Closed;
        self.reserved = 0;
    }

    /// How many numbers are kept for it, in use or not.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// Keeps `count` numbers for it.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.reserved = count;
    }

    /// Makes sure that `sessions` more can be lost without need for memory.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn prepare_loss(&mut self, sessions: usize) -> Result<(), AllocError> {
        self.lost.reserve(sessions, GFP_KERNEL_ACCOUNT)
    }

    /// A session was lost. There must be room for it, by [`Self::prepare_loss`].
    pub(crate) fn lose(&mut self, handle: SessionHandle) {
        self.forget(handle);
        drop(self.lost.push_within_capacity(handle));
    }

    /// Whether the number is that of a lost session.
    pub(crate) fn has_lost(&self, handle: SessionHandle) -> bool {
        self.lost.contains(&handle)
    }

    /// The client knows that it has lost the session.
    pub(crate) fn forget(&mut self, handle: SessionHandle) {
        self.lost.retain(|lost| *lost != handle);
    }

    /// The handles of the lost sessions.
    pub(crate) fn lost(&self) -> impl Iterator<Item = SessionHandle> + '_ {
        self.lost.iter().copied()
    }
}
