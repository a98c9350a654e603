// SPDX-License-Identifier: GPL-2.0

//! Saved sessions that are none of ours: of a kernel before this one, of somebody who used
//! `/dev/tpmN`, of a client whose context outlived this module.

use crate::engine::{
    clock::{
        Moment,
        Span, //
    },
    wire::handle::SessionHandle,
};
use kernel::prelude::*;

/// One such session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stray {
    pub(crate) handle: SessionHandle,
    first_seen: Moment,
}

impl Stray {
    /// When its lease ends: nobody knows when it came into being.
    pub(crate) fn ends(&self, lease: Span) -> Moment {
        self.first_seen.after(lease)
    }
}

/// All of them, as of the last census.
pub(crate) struct Strays(KVec<Stray>);

impl Strays {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Stray> + '_ {
        self.0.iter().copied()
    }

    /// Whether the number is one of them.
    pub(crate) fn contains(&self, handle: SessionHandle) -> bool {
        self.iter().any(|stray| stray.handle == handle)
    }

    /// The session ended, or has an owner now.
    pub(crate) fn remove(&mut self, handle: SessionHandle) {
        self.0.retain(|stray| stray.handle != handle);
    }

    /// Keeps those for which `is_there` says so.
    pub(crate) fn retain(&mut self, is_there: impl Fn(SessionHandle) -> bool) {
        self.0.retain(|stray| is_there(stray.handle));
    }

    /// A session was seen. Without memory for it, it counts as somebody's whom we do not know.
    pub(crate) fn see(&mut self, handle: SessionHandle, now: Moment) {
        if !self.contains(handle) {
            let first_seen = now;

            let _ = self.0.push(Stray { handle, first_seen }, GFP_KERNEL);
        }
    }
}
