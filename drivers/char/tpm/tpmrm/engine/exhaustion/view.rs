// SPDX-License-Identifier: GPL-2.0

//! What is told of session numbers: see [`view`](crate::engine::view).

use crate::engine::{
    clock::Span,
    exhaustion::{
        queue::{
            State,
            Ticket, //
        },
        LossPolicy, //
    },
    space::Space,
    spaces::SpaceId,
    view::{
        OwnerView,
        PlaceView,
        Rows,
        SessionView, //
    },
    Engine,
};

/// What a wait for session numbers has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitView {
    /// It lasts.
    Waiting,
    /// A signal ended it, and its place is kept.
    Away,
    /// There is a number, and the client has not come yet.
    Granted,
    /// It was too long, and the client has not come yet.
    Expired,
}

/// What is told of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeTerms {
    /// How many session numbers there are, as the TPM last said; `None` before it did.
    pub numbers: Option<usize>,
    /// How many of them others have, whom we do not know.
    pub others: usize,
    /// How many spaces have a place in the queue.
    pub waiting: usize,
    /// How many numbers are kept for them.
    pub kept: usize,
}

/// What is told of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceTerms {
    /// How many sessions it has lost and not flushed.
    pub lost: usize,
    /// How many numbers are reserved for it, in use or not.
    pub reserved: usize,
    /// What becomes of it when somebody else needs its sessions.
    pub policy: LossPolicy,
    /// What it waits for, if it does, and how long that can last.
    pub wait: Option<(WaitView, Span)>,
}

impl Engine {
    pub(crate) fn whole_terms(&self) -> Option<WholeTerms> {
        let numbers = self.exhaustion.numbers;

        Some(WholeTerms {
            numbers: (numbers.all != usize::MAX).then_some(numbers.all),
            others: numbers.others,
            waiting: self.exhaustion.queue.spaces().count(),
            kept: self.exhaustion.queue.kept(),
        })
    }

    pub(crate) fn space_terms(&self, id: SpaceId, space: &Space) -> Option<SpaceTerms> {
        let standing = space.standing();

        Some(SpaceTerms {
            lost: standing.lost().count(),
            reserved: self.reserved_sessions(id),
            policy: standing.policy(&self.exhaustion.terms),
            wait: self
                .exhaustion
                .queue
                .find(id)
                .map(|ticket| self.view_wait(ticket)),
        })
    }

    /// Enters the strays.
    pub(crate) fn show_strays(&self, rows: &mut Rows<SessionView>) {
        for stray in self.exhaustion.strays.iter() {
            rows.add(SessionView {
                handle: stray.handle.to_wire(),
                owner: OwnerView::Stray,
                user: None,
                place: PlaceView::Saved,
            });
        }
    }

    fn view_wait(&self, ticket: &Ticket) -> (WaitView, Span) {
        let now = self.clock.now();
        let due = ticket.due(self.exhaustion.terms.lease).unwrap_or(now);
        let state = match ticket.state {
            State::Waiting => WaitView::Waiting,
            State::Away => WaitView::Away,
            State::Granted(_) => WaitView::Granted,
            State::Expired => WaitView::Expired,
        };

        (state, now.until(due))
    }
}
