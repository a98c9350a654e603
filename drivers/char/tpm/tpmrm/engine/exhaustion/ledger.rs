// SPDX-License-Identifier: GPL-2.0

//! Who has how many session numbers, and what each may have.
//!
//! The ledger is not a table of its own: it is a look at the tables that there are, of sessions,
//! of those who wait, and of reservations. So it cannot differ from them.

use crate::engine::{
    clock::Span,
    exhaustion::{
        census::{
            kernel_sessions,
            Numbers, //
        },
        survey::Survey,
        Exhaustion,
        LossPolicy,
        Terms, //
    },
    session::{
        Owner,
        Session, //
    },
    sessions::Sessions,
    space::UserId,
    spaces::{
        SpaceId,
        Spaces, //
    },
    tpm::{
        Neighbours,
        Tpm, //
    },
    wire::handle::SessionHandle,
    Engine,
};
use core::mem;
use kernel::alloc::AllocError;

/// How much a user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Less than the fair share.
    BelowShare,
    /// As much as that, or more.
    Share,
}

/// What the queue was last served for: while it is the same, there is nothing new for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    sessions: u64,
    queue: u64,
    numbers: Numbers,
    kernel: usize,
    neighbours: Neighbours,
}

impl Engine {
    /// The books, in short.
    pub(crate) fn fingerprint(&self, tpm: &dyn Tpm) -> Fingerprint {
        Fingerprint {
            sessions: self.sessions.changes(),
            queue: self.exhaustion.queue.changes(),
            numbers: self.exhaustion.numbers,
            kernel: kernel_sessions(tpm),
            neighbours: tpm.neighbours(),
        }
    }
}

/// The books, for reading.
pub(crate) struct Ledger<'a> {
    pub(crate) sessions: &'a Sessions,
    pub(crate) exhaustion: &'a Exhaustion,
    pub(crate) spaces: &'a Spaces,
    /// How many sessions the kernel has now.
    kernel: usize,
    /// Whether strays may belong to somebody who is still there.
    pub(crate) neighbours: Neighbours,
}

impl Engine {
    /// The books as they are now, with what each user has counted.
    pub(crate) fn ledger(&mut self, tpm: &dyn Tpm) -> Ledger<'_> {
        let mut survey = mem::replace(&mut self.exhaustion.survey, Survey::new());

        survey.clear();
        self.view(tpm).count(&mut survey);
        self.exhaustion.survey = survey;
        self.view(tpm)
    }

    fn view(&self, tpm: &dyn Tpm) -> Ledger<'_> {
        Ledger {
            sessions: &self.sessions,
            exhaustion: &self.exhaustion,
            spaces: &self.spaces,
            kernel: kernel_sessions(tpm),
            neighbours: tpm.neighbours(),
        }
    }

    /// Makes sure that one user more can be counted.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn prepare_survey(&mut self) -> Result<(), AllocError> {
        let exhaustion = &mut self.exhaustion;
        let users = self
            .sessions
            .iter()
            .count()
            .saturating_add(exhaustion.queue.users().count())
            .saturating_add(exhaustion.reservations.iter().count());

        exhaustion.survey.reserve(users.saturating_add(1))
    }
}

impl Ledger<'_> {
    /// The terms that hold now.
    pub(crate) fn terms(&self) -> &Terms {
        &self.exhaustion.terms
    }

    /// The lease that holds now.
    pub(crate) fn lease(&self) -> Span {
        self.terms().lease
    }

    /// For whom a session counts, if it does for anybody.
    pub(crate) fn user_of(&self, session: &Session) -> Option<UserId> {
        match session.owner() {
            Owner::Space(_) | Owner::Detached { .. } => session.tenure().user(),
            Owner::Nobody => None,
        }
    }

    /// What becomes of a space when somebody else needs its sessions.
    pub(crate) fn policy_of(&self, space: SpaceId) -> LossPolicy {
        self.spaces.get(space).map_or(self.terms().policy, |space| {
            space.standing().policy(self.terms())
        })
    }

    /// How many sessions a space has.
    pub(crate) fn held_in(&self, space: SpaceId) -> usize {
        self.sessions.held_by(space)
    }

    /// Counts what each user has: sessions, saved ones included, what is kept for it, and what is
    /// reserved. Who only waits is counted too, with nothing.
    fn count(&self, survey: &mut Survey) {
        let queue = &self.exhaustion.queue;

        for user in self
            .sessions
            .iter()
            .filter_map(|session| self.user_of(session))
        {
            survey.add(user, 1);
        }
        for user in queue.users() {
            survey.add(user, queue.kept_for(user));
        }
        for id in self.exhaustion.reservations.iter() {
            if let Some(space) = self.spaces.get(id) {
                survey.add(space.user(), self.reserved_in(id));
            }
        }
    }

    /// How many numbers a user has.
    pub(crate) fn held_by(&self, user: UserId) -> usize {
        self.exhaustion.survey.held_by(user)
    }

    /// How many numbers more are reserved for a space than it has sessions.
    pub(crate) fn reserved_in(&self, id: SpaceId) -> usize {
        self.spaces.get(id).map_or(0, |space| {
            space.standing().reserved().saturating_sub(self.held_in(id))
        })
    }

    /// Whether a number is reserved for a space that it may have: not all that are left are those
    /// of sessions which it has lost.
    pub(crate) fn has_reserved(&self, id: SpaceId) -> bool {
        self.reserved_in(id) > 0 && self.good_numbers(id) > 0
    }

    /// How many numbers are reserved, beyond the sessions that there are.
    fn reserved(&self) -> usize {
        self.exhaustion
            .reservations
            .iter()
            .fold(0, |sum, id| sum.saturating_add(self.reserved_in(id)))
    }

    /// How many numbers users can have, all together.
    pub(crate) fn for_users(&self) -> usize {
        let strays = match self.neighbours {
            // They can be taken.
            Neighbours::Absent => self.exhaustion.strays.iter().count(),
            Neighbours::Possible => 0,
        };

        self.not_of_others().saturating_add(strays)
    }

    /// How many numbers are left for whoever comes next.
    pub(crate) fn room(&self) -> usize {
        self.not_of_others()
            .saturating_sub(self.sessions.iter().count())
            .saturating_sub(self.exhaustion.queue.kept())
            .saturating_sub(self.reserved())
    }

    /// The numbers that neither the kernel nor others have, or can claim.
    fn not_of_others(&self) -> usize {
        let numbers = self.exhaustion.numbers;

        numbers
            .all
            .saturating_sub(self.terms().kernel_reserve.max(self.kernel))
            .saturating_sub(numbers.others)
    }

    /// The most that each user can have if all want as much as they can get: the fair share.
    pub(crate) fn fair_share(&self) -> usize {
        let users = self.exhaustion.survey.users();

        self.for_users().checked_div(users).unwrap_or(0)
    }

    /// What a user has, measured by `share`, the fair one, or by one number if there is less than
    /// that for each.
    pub(crate) fn holding(&self, user: UserId, share: usize) -> Holding {
        if self.held_by(user) < share.max(1) {
            Holding::BelowShare
        } else {
            Holding::Share
        }
    }

    /// How many numbers the TPM can hand out of which none is that of a session which `space` has
    /// lost. Those that the kernel's reserve keeps are among them: they can help to get past a bad
    /// one.
    pub(crate) fn good_numbers(&self, space: SpaceId) -> usize {
        let numbers = self.exhaustion.numbers;
        let free = numbers
            .all
            .saturating_sub(numbers.others)
            .saturating_sub(self.kernel)
            .saturating_sub(self.sessions.iter().count());
        let bad = self.spaces.get(space).map_or(0, |space| {
            space
                .standing()
                .lost()
                .filter(|handle| !self.is_in_use(*handle))
                .count()
        });

        free.saturating_sub(bad)
    }

    /// Whether the numbers that a space can get, or what may be taken for it, differ from those of
    /// others of the same user.
    pub(crate) fn is_particular(&self, space: SpaceId) -> bool {
        self.policy_of(space) == LossPolicy::Close || self.good_numbers(space) == 0
    }

    fn is_in_use(&self, handle: SessionHandle) -> bool {
        self.sessions.find(handle).is_some() || self.exhaustion.strays.contains(handle)
    }
}
