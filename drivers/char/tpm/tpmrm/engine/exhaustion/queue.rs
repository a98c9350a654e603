// SPDX-License-Identifier: GPL-2.0

//! Who waits for a session number: a line for each user, served in turn, and within a line first
//! come, first served.

use crate::engine::{
    clock::{
        Moment,
        Span, //
    },
    space::UserId,
    spaces::SpaceId, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// How it stands with one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits. Entered when it comes, and when it did not fetch in time what was kept for it.
    Waiting,
    /// A signal ended the wait. Its place is kept, since most programs come back after a signal;
    /// until then others are served.
    Away,
    /// What it needs is kept for it since then, and it was called.
    Granted(Moment),
    /// It has waited long enough, and was called to be told so.
    Expired,
}

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) space: SpaceId,
    pub(crate) state: State,
    /// How many numbers it needs.
    pub(crate) need: usize,
    /// How many of them are kept for it already.
    pub(crate) kept: usize,
    deadline: Moment,
}

impl Ticket {
    /// Whether it needs more than one number, and so may have to collect them.
    pub(crate) fn collects(&self) -> bool {
        self.need > 1
    }

    /// When its wait, or what is kept for it, is over; `None` when it is.
    pub(crate) fn due(&self, lease: Span) -> Option<Moment> {
        match self.state {
            State::Waiting | State::Away => Some(self.deadline),
            State::Granted(since) => Some(since.after(lease)),
            State::Expired => None,
        }
    }

    /// Gives back what is kept for it.
    fn give_back(&mut self, state: State) {
        self.kept = 0;
        self.state = state;
    }
}

/// All who wait and have the same user.
struct Line {
    user: UserId,
    /// In the order in which they came.
    tickets: KVec<Ticket>,
}

/// Everybody who waits.
pub(crate) struct Queue {
    /// Who is served next comes first.
    lines: KVec<Line>,
    /// How often something was changed.
    changes: u64,
}

impl Queue {
    /// Nobody waits.
    pub(crate) const fn new() -> Self {
        Self {
            lines: KVec::new(),
            changes: 0,
        }
    }

    /// Changes whenever a place does.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// Whether nobody has a place.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The place of a space, if it has one.
    pub(crate) fn find(&self, space: SpaceId) -> Option<&Ticket> {
        self.tickets().find(|ticket| ticket.space == space)
    }

    fn find_mut(&mut self, space: SpaceId) -> Option<&mut Ticket> {
        self.tickets_mut().find(|ticket| ticket.space == space)
    }

    /// Gives a space the last place in the line of its user, for `need` numbers; it has none yet.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn join(
        &mut self,
        user: UserId,
        space: SpaceId,
        need: usize,
        deadline: Moment,
    ) -> Result<(), AllocError> {
        self.changed();

        let ticket = Ticket {
            space,
            state: State::Waiting,
            need,
            kept: 0,
            deadline,
        };

        if let Some(line) = self.lines.iter_mut().find(|line| line.user == user) {
            line.tickets.push(ticket, GFP_KERNEL_ACCOUNT)?;
            return Ok(());
        }

        let mut tickets = KVec::with_capacity(1, GFP_KERNEL_ACCOUNT)?;

        tickets.push(ticket, GFP_KERNEL_ACCOUNT)?;
        self.lines
            .push(Line { user, tickets }, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// The space asks for `need` numbers, which may not be what it asked for when it came. What is
    /// kept for it beyond that is free; when it is too little, it waits again.
    pub(crate) fn ask(&mut self, space: SpaceId, need: usize) {
        self.changed();
        if let Some(ticket) = self.find_mut(space) {
            ticket.need = need;
            if let State::Granted(_) = ticket.state {
                if ticket.kept < need {
                    ticket.give_back(State::Waiting);
                }
                ticket.kept = ticket.kept.min(need);
            }
        }
    }

    /// The space has come back, or was refused by the TPM: it waits, at its old place.
    pub(crate) fn wait(&mut self, space: SpaceId) {
        self.changed();
        if let Some(ticket) = self.find_mut(space) {
            ticket.give_back(State::Waiting);
        }
    }

    /// Nobody waits at the place of the space at present.
    pub(crate) fn leave(&mut self, space: SpaceId) {
        self.changed();
        if let Some(ticket) = self.find_mut(space) {
            match ticket.state {
                State::Waiting | State::Granted(_) => ticket.give_back(State::Away),
                State::Away => {}
                State::Expired => self.remove(space),
            }
        }
    }

    /// The space needs its place no longer. What was kept for it is free.
    pub(crate) fn remove(&mut self, space: SpaceId) {
        self.changed();
        for line in self.lines.iter_mut() {
            line.tickets.retain(|ticket| ticket.space != space);
        }
        self.lines.retain(|line| !line.tickets.is_empty());
    }

    /// Keeps one more number for a space, and returns what state that brought it to. Its line is
    /// the last one now.
    pub(crate) fn grant(&mut self, space: SpaceId, now: Moment) -> Option<State> {
        self.changed();

        let has_space = |line: &Line| line.tickets.iter().any(|ticket| ticket.space == space);
        let index = self.lines.iter().position(has_space)?;

        if let Some(served) = self.lines.get_mut(index..) {
            served.rotate_left(1);
        }

        let ticket = self.find_mut(space)?;

        ticket.kept = ticket.kept.saturating_add(1);
        if ticket.kept >= ticket.need {
            ticket.state = State::Granted(now);
        }
        Some(ticket.state)
    }

    /// Ends the waits that have been long enough; returns one whose end is still to be told.
    pub(crate) fn expire(&mut self, now: Moment) -> Option<SpaceId> {
        loop {
            let over = self
                .tickets_mut()
                .filter(|ticket| matches!(ticket.state, State::Waiting | State::Away))
                .find(|ticket| ticket.deadline <= now)?;
            let space = over.space;
            let state = over.state;

            if state == State::Waiting {
                over.give_back(State::Expired);
                self.changed();
                return Some(space);
            }
            self.remove(space);
        }
    }

    /// Takes back what was not fetched within a lease.
    pub(crate) fn take_back(&mut self, lease: Span, now: Moment) {
        let mut is_changed = false;

        for ticket in self.tickets_mut() {
            if let State::Granted(since) = ticket.state {
                if since.after(lease) <= now {
                    ticket.give_back(State::Waiting);
                    is_changed = true;
                }
            }
        }
        if is_changed {
            self.changed();
        }
    }

    /// When the next wait, or the next grant, is over. `None` when nobody waits.
    pub(crate) fn due(&self, lease: Span) -> Option<Moment> {
        self.tickets().filter_map(|ticket| ticket.due(lease)).min()
    }

    /// Those who wait now, in the order in which they are served, each with its user.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (UserId, &Ticket)> + '_ {
        self.lines.iter().flat_map(|line| {
            line.tickets
                .iter()
                .filter(|ticket| ticket.state == State::Waiting)
                .map(|ticket| (line.user, ticket))
        })
    }

    /// The users who wait, are away, or have something kept for them. Who is away may come back to
    /// a place ahead of others, and so counts all the time.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        let counts = |ticket: &Ticket| ticket.state != State::Expired;

        self.lines
            .iter()
            .filter(move |line| line.tickets.iter().any(counts))
            .map(|line| line.user)
    }

    /// How many numbers are kept for those of `user` who wait.
    pub(crate) fn kept_for(&self, user: UserId) -> usize {
        self.lines
            .iter()
            .filter(|line| line.user == user)
            .flat_map(|line| line.tickets.iter())
            .fold(0, |sum, ticket| sum.saturating_add(ticket.kept))
    }

    /// How many numbers are kept for those who wait.
    pub(crate) fn kept(&self) -> usize {
        self.tickets()
            .fold(0, |sum, ticket| sum.saturating_add(ticket.kept))
    }

    /// The one who has begun to collect several numbers. There is one at a time, so that no two
    /// wait for what the other has.
    pub(crate) fn collector(&self) -> Option<SpaceId> {
        self.tickets()
            .find(|ticket| ticket.collects() && ticket.kept > 0 && ticket.state == State::Waiting)
            .map(|ticket| ticket.space)
    }

    /// Everybody with a place.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = SpaceId> + '_ {
        self.tickets().map(|ticket| ticket.space)
    }

    fn tickets(&self) -> impl Iterator<Item = &Ticket> + '_ {
        self.lines.iter().flat_map(|line| line.tickets.iter())
    }

    fn tickets_mut(&mut self) -> impl Iterator<Item = &mut Ticket> + '_ {
        self.lines
            .iter_mut()
            .flat_map(|line| line.tickets.iter_mut())
    }
}
