// SPDX-License-Identifier: GPL-2.0

//! Where a session number comes from: there is a free one, or somebody has to lose his.

use crate::engine::{
    clock::Moment,
    exhaustion::{
        ledger::{
            Holding,
            Ledger, //
        },
        strays::Stray,
        LossPolicy, //
    },
    session::{
        Owner,
        Session, //
    },
    space::UserId,
    spaces::SpaceId,
    tpm::Neighbours,
    wire::handle::SessionHandle, //
};
use core::cmp::Reverse;

/// Whoever needs a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeker {
    pub(crate) user: UserId,
    pub(crate) space: SpaceId,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// One is free.
    Free,
    /// This session has to go.
    Take(SessionHandle),
    /// There is none yet; there may be one then.
    Nothing(Option<Moment>),
}

/// What is taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nobody's: its space was closed, and it could not be flushed yet.
    Orphan,
    /// Nobody's that we know.
    Stray,
    /// Saved by a client, and not brought back.
    Detached,
    /// A space's.
    Live,
}

/// A session that might have to go.
struct Candidate {
    handle: SessionHandle,
    class: Class,
    /// How many its user has.
    of_user: usize,
    /// Whose it is, if it is a space's.
    space: Option<SpaceId>,
    used: Moment,
    /// When it may go.
    from: Moment,
}

impl Candidate {
    /// Whoever has the smallest goes first.
    fn rank(&self, ledger: &Ledger<'_>) -> impl Ord {
        (
            self.class,
            Reverse(self.of_user),
            Reverse(self.space.map_or(0, |space| ledger.held_in(space))),
            self.used,
        )
    }
}

impl Ledger<'_> {
    /// Where the number comes from that `seeker` needs.
    pub(crate) fn source(&self, seeker: Seeker, now: Moment) -> Source {
        let is_below_limit = self.held_by(seeker.user) < self.terms().sessions_per_user;
        let needs_another = self.good_numbers(seeker.space) == 0;

        if is_below_limit && !needs_another && self.room() > 0 {
            return Source::Free;
        }

        let share = self.fair_share();
        let candidates = || {
            let strays = self.exhaustion.strays.iter();

            self.sessions
                .iter()
                .filter_map(|session| self.candidate(session, seeker, share))
                .chain(strays.filter_map(|stray| self.stray(stray)))
                .filter(|candidate| is_below_limit || self.is_own(candidate, seeker))
                .filter(|candidate| !needs_another || self.helps(candidate, seeker))
        };
        // Who has less than his share loses nothing to himself while others owe him something.
        let spares_own = self.holding(seeker.user, share) == Holding::BelowShare
            && (self.has_kept_too_much(seeker.user, share)
                || candidates().any(|candidate| !self.is_own(&candidate, seeker)));
        let candidates =
            candidates().filter(|candidate| !spares_own || !self.is_own(candidate, seeker));
        let mut next = None;
        let mut first = None;

        for candidate in candidates {
            if candidate.from > now {
                next = earlier(next, candidate.from);
                continue;
            }

            let rank = candidate.rank(self);

            if first.as_ref().is_none_or(|(first, _)| rank < *first) {
                first = Some((rank, candidate.handle));
            }
        }
        first.map_or(Source::Nothing(next), |(_, handle)| Source::Take(handle))
    }

    /// What it would mean to take `session` for `seeker`, if it may ever be taken.
    fn candidate(&self, session: &Session, seeker: Seeker, share: usize) -> Option<Candidate> {
        let tenure = session.tenure();
        let mut candidate = Candidate {
            handle: session.handle(),
            class: Class::Orphan,
            of_user: 0,
            space: None,
            used: tenure.used(),
            from: Moment(0),
        };

        match session.owner() {
            Owner::Nobody => return Some(candidate),
            Owner::Detached { .. } => {
                (self.terms().policy != LossPolicy::Never).then_some(())?;
                candidate.class = Class::Detached;
            }
            Owner::Space(space) => {
                match self.policy_of(*space) {
                    LossPolicy::Fail => {}
                    // Nobody closes himself by asking for more.
                    LossPolicy::Close => (*space != seeker.space).then_some(())?,
                    LossPolicy::Never => return None,
                }
                candidate.class = Class::Live;
                candidate.space = Some(*space);
            }
        }

        let user = self.user_of(session)?;

        candidate.of_user = self.held_by(user);
        candidate.from = tenure.ends(self.lease());
        self.may_take(seeker.user, user, candidate.of_user, share)
            .then_some(candidate)
    }

    /// Whether `seeker` may take from `user`, who has `theirs`: from itself, and from who has more
    /// than the fair share. The one must not end up with what the other had before, unless it has
    /// nothing at all, lest they take turns for ever.
    fn may_take(&self, seeker: UserId, user: UserId, theirs: usize, share: usize) -> bool {
        if seeker == user {
            return true;
        }

        let own = self.held_by(seeker);

        theirs > share && (own == 0 || theirs > own.saturating_add(1))
    }

    fn stray(&self, stray: Stray) -> Option<Candidate> {
        match self.neighbours {
            // It may be his who has `/dev/tpmN` open.
            Neighbours::Possible => None,
            Neighbours::Absent => Some(Candidate {
                handle: stray.handle,
                class: Class::Stray,
                of_user: 0,
                space: None,
                used: Moment(0),
                from: stray.ends(self.lease()),
            }),
        }
    }

    /// Whether numbers are kept for another user who has more than the fair share: they come back
    /// within a lease, if nobody fetches them.
    fn has_kept_too_much(&self, seeker: UserId, share: usize) -> bool {
        let queue = &self.exhaustion.queue;

        queue
            .users()
            .any(|user| user != seeker && self.held_by(user) > share && queue.kept_for(user) > 0)
    }

    /// Whether the number of the session would be one that the space of `seeker` may have.
    fn helps(&self, candidate: &Candidate, seeker: Seeker) -> bool {
        // What a space loses now, it has lost.
        !self.spaces.has_lost(seeker.space, candidate.handle)
            && !self.sessions.belongs(candidate.handle, seeker.space)
    }

    fn is_own(&self, candidate: &Candidate, seeker: Seeker) -> bool {
        self.sessions
            .find(candidate.handle)
            .and_then(|session| self.user_of(session))
            == Some(seeker.user)
    }
}

/// The earlier of the moments that there are.
pub(crate) fn earlier(one: Option<Moment>, other: Moment) -> Option<Moment> {
    Some(one.map_or(other, |one| one.min(other)))
}
