// SPDX-License-Identifier: GPL-2.0

//! The loss of a session, and of a space: what is struck off, and who is told (G5, G6).

use crate::engine::{
    bell::News,
    courier::Verdict,
    exhaustion::LossPolicy,
    observer::Event,
    session::{
        Owner,
        Session, //
    },
    space::Space,
    spaces::SpaceId,
    tpm::Tpm,
    unanswered::Ended,
    wire::handle::SessionHandle,
    Engine,
};

/// What came of taking a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its number is free.
    Yes,
    /// The TPM would not end it; whoever has it keeps it.
    No,
}

impl Engine {
    /// Takes a session from whoever has it, so that `to` can have its number.
    pub(crate) fn take_session(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: SessionHandle,
        to: SpaceId,
    ) -> Taken {
        match self.courier.flush(tpm, handle) {
            Verdict::Done(()) => {}
            Verdict::Refused(_) => return Taken::No,
            Verdict::Unknown(_) => match self.has_ended(tpm, handle) {
                Ended::Yes => {}
                Ended::No | Ended::Untold => return Taken::No,
            },
        }

        let session = self.sessions.find(handle);

        self.watch.note(Event::Evicted {
            session: handle.to_wire(),
            from: session.and_then(|session| session.tenure().user()),
            to: self.spaces.get(to).map(Space::user),
        });
        self.no_stray(handle);
        if let Some(space) = self.strike_off(handle) {
            if self.policy(space) == Ok(LossPolicy::Close) {
                self.close_space(space);
            } else {
                self.tell(space, News::Lost);
            }
        }
        Taken::Yes
    }

    /// A session has ended, and not by its owner's doing: strikes it off, and tells the space that
    /// had it.
    pub(crate) fn lose_session(&mut self, handle: SessionHandle) {
        if let Some(space) = self.strike_off(handle) {
            self.tell(space, News::Lost);
        }
    }

    /// The same for a session that may still be in the TPM: it is nobody's until it is flushed.
    pub(crate) fn disown_session(&mut self, handle: SessionHandle) {
        let owner = self.enter_loss(handle);

        self.sessions.disown(handle);
        if let Some(space) = owner {
            self.tell(space, News::Lost);
        }
    }

    /// Strikes a session off, and enters it as lost by the space that had it; returns that.
    fn strike_off(&mut self, handle: SessionHandle) -> Option<SpaceId> {
        let owner = self.enter_loss(handle);

        self.sessions.remove(handle);
        owner
    }

    /// Enters a session as lost by the space that has it; returns that.
    fn enter_loss(&mut self, handle: SessionHandle) -> Option<SpaceId> {
        let session = self.sessions.find(handle)?;
        let handle = session.handle();
        let Owner::Space(space) = *session.owner() else {
            return None;
        };

        self.spaces.get_mut(space)?.standing_mut().lose(handle);
        self.watch.note(Event::Lost {
            space,
            handle: handle.to_wire(),
        });
        Some(space)
    }

    /// Strikes off the sessions that are gone.
    pub(crate) fn lose_sessions_unless(&mut self, is_alive: impl Fn(&Session) -> bool) {
        loop {
            let gone = self.sessions.iter().find(|session| !is_alive(session));
            let Some(handle) = gone.map(Session::handle) else {
                return;
            };

            self.lose_session(handle);
        }
    }

    /// Ends a space of which the client still has the descriptor: it has lost a session, and wants
    /// to be told by losing all.
    fn close_space(&mut self, id: SpaceId) {
        self.leave_for_good(id);
        self.slots.abandon_space(id);
        self.sessions.abandon_space(id);
        if let Some(space) = self.spaces.get_mut(id) {
            space.clear();
            space.standing_mut().close();
        }
        self.tell(id, News::Closed);
    }

    /// Tells the client of a space.
    pub(crate) fn tell(&self, space: SpaceId, news: News) {
        if let Some(space) = self.spaces.get(space) {
            space.standing().ring(news);
        }
    }

    /// The space waits for nothing any more, and nothing is reserved for it.
    pub(crate) fn leave_for_good(&mut self, space: SpaceId) {
        self.exhaustion.queue.remove(space);
        self.exhaustion.reservations.remove(space);
    }

    /// A session ended that was a stray, or has an owner now.
    pub(crate) fn no_stray(&mut self, handle: SessionHandle) {
        let exhaustion = &mut self.exhaustion;

        if exhaustion.strays.contains(handle) {
            exhaustion.strays.remove(handle);
            exhaustion.numbers.others = exhaustion.numbers.others.saturating_sub(1);
        }
    }
}
