// SPDX-License-Identifier: GPL-2.0

//! For whom a session counts, since when, and when it was of use.

use crate::engine::{
    clock::{
        Moment,
        Span, //
    },
    exhaustion::queue::State,
    space::{
        Space,
        UserId, //
    },
    spaces::SpaceId,
    Engine,
};

/// What the ledger wants to know of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenure {
    /// Who started it. It counts as his for as long as it lives, whoever has claimed it since: or
    /// two users could hand each other sessions before their leases end, and so keep more than
    /// their share for ever.
    user: Option<UserId>,
    since: Moment,
    used: Moment,
}

impl Tenure {
    /// For whom it counts, if it does for anybody.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.user
    }

    /// A command named the session.
    pub(crate) fn touch(&mut self, now: Moment) {
        self.used = now;
    }

    /// When it was last of use.
    pub(crate) fn used(&self) -> Moment {
        self.used
    }

    /// When its lease ends.
    pub(crate) fn ends(&self, lease: Span) -> Moment {
        self.since.after(lease)
    }
}

impl Engine {
    /// The tenure of a session that comes into being for a space. Its lease begins when its number
    /// was kept for it, so that nobody has a number for more than one lease.
    pub(crate) fn tenure_in(&self, space: SpaceId) -> Tenure {
        let now = self.clock.now();
        let state = self.exhaustion.queue.find(space).map(|ticket| ticket.state);

        Tenure {
            user: self.spaces.get(space).map(Space::user),
            since: match state {
                Some(State::Granted(since)) => since,
                _ => now,
            },
            used: now,
        }
    }

    /// The tenure of a session that is only there to be flushed.
    pub(crate) fn tenure_of_nobody(&self) -> Tenure {
        let now = self.clock.now();

        Tenure {
            user: None,
            since: now,
            used: now,
        }
    }
}
