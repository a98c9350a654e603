// SPDX-License-Identifier: GPL-2.0

//! How much each user has, counted once for all that is decided at a time.

use crate::engine::space::UserId;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// A count for each user who has numbers or waits for some.
pub(crate) struct Survey(KVec<(UserId, usize)>);

impl Survey {
    /// Nobody was counted.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// Makes sure that so many users can be counted.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn reserve(&mut self, users: usize) -> Result<(), AllocError> {
        self.0.clear();
        self.0.reserve(users, GFP_KERNEL)
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The user has so many more. There must be room for one user more, by [`Self::reserve`].
    pub(crate) fn add(&mut self, user: UserId, count: usize) {
        match self.0.iter_mut().find(|(other, _)| *other == user) {
            Some((_, held)) => *held = held.saturating_add(count),
            None => drop(self.0.push_within_capacity((user, count))),
        }
    }

    /// How many the user has.
    pub(crate) fn held_by(&self, user: UserId) -> usize {
        self.0
            .iter()
            .find(|(other, _)| *other == user)
            .map_or(0, |(_, held)| *held)
    }

    /// How many users there are.
    pub(crate) fn users(&self) -> usize {
        self.0.len()
    }
}
