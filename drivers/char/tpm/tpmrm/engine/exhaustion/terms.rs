// SPDX-License-Identifier: GPL-2.0

//! What an administrator, or the owner of a space, decides about sessions.

use crate::engine::clock::Span;

/// What becomes of a client whose session somebody else needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossPolicy {
    /// It loses the session, and is refused when it names it.
    Fail,
    /// It loses the session, and every later command fails.
    Close,
    /// It loses nothing: whoever needs a session waits until there is one.
    Never,
}

/// The terms under which sessions are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a session cannot be lost to others, from its creation on.
    pub lease: Span,
    /// How long a command waits for a session before it is refused.
    pub wait: Span,
    /// How many numbers are left to the kernel.
    pub kernel_reserve: usize,
    /// How many sessions one user can have, saved ones included.
    pub sessions_per_user: usize,
    /// What spaces that have not chosen for themselves get.
    pub policy: LossPolicy,
}

impl Terms {
    /// What holds unless somebody says otherwise. The wait is long enough for two leases.
    pub const DEFAULT: Self = Self {
        lease: Span(2000),
        wait: Span(5000),
        kernel_reserve: 2,
        sessions_per_user: 64,
        policy: LossPolicy::Fail,
    };
}

impl Default for Terms {
    fn default() -> Self {
        Self::DEFAULT
    }
}
