// SPDX-License-Identifier: GPL-2.0

//! From asking for a session number to having one (G7).
//!
//! A number is first *kept* for who is next in the queue, and only then he is called. So it does
//! not matter for the others how soon he comes; and what is kept counts as his, for no longer than
//! a lease.

use crate::engine::{
    bell::News,
    clock::{
        Moment,
        Span, //
    },
    courier::ATTEMPTS,
    exhaustion::{
        census::Cause,
        evict::Taken,
        ledger::{
            Holding,
            Ledger, //
        },
        queue::State,
        victim::{
            earlier,
            Seeker,
            Source, //
        },
        Books, //
    },
    observer::{
        Event,
        Wait, //
    },
    policy::Barrier,
    refusal::{
        Outcome,
        Refusal, //
    },
    spaces::SpaceId,
    tpm::{
        Neighbours,
        Tpm, //
    },
    wire::{
        code::Tag,
        command::Command,
        message::Message,
        rc::ResponseCode, //
    },
    Engine,
    Progress, //
};
use kernel::prelude::*;

/// When the queue is served again, if nothing else happens, after the TPM would not end a session.
const PAUSE: Span = Span(100);

/// The TPM is asked before each number that is given away when less than this part of all is left.
const WATCHED: usize = 2;

/// Whether there is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seek {
    /// As many as are needed are kept, or free.
    Found,
    /// The space has a place in the queue.
    Waits,
}

/// Whom there is something for.
enum Next {
    Grant(SpaceId, Source),
    /// Nobody, perhaps until then.
    Nobody(Option<Moment>),
}

impl Engine {
    /// TPM2_StartAuthSession (Part 3, 11.1), when there is a number for the session.
    ///
    /// # Errors
    ///
    /// - TPM_RC_SESSION_HANDLES of the resource manager after the longest wait.
    /// - TPM_RC_SESSION_HANDLES of the TPM, when it says so again and again although there should
    ///   be numbers.
    /// - Those of [`Engine::perform`].
    pub(crate) fn start_session(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome<Progress> {
        for _ in 0..ATTEMPTS {
            if !self.ledger(tpm).has_reserved(space) {
                match self.seek_numbers(tpm, space, 1)? {
                    Seek::Found => {}
                    Seek::Waits => return Ok(Progress::Waits),
                }
            }
            match self.try_start(tpm, space, command, message) {
                Err(Refusal::NoNumber) => self.number_refused(tpm, space),
                result => {
                    self.exhaustion.queue.remove(space);
                    return result.map(|()| Progress::Answered);
                }
            }
        }
        self.exhaustion.queue.remove(space);
        Err(Refusal::NoNumber)
    }

    fn try_start(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome {
        if command.header.tag == Tag::Sessions {
            self.avoid_lost_numbers(tpm, space)?;
        }
        self.perform(tpm, space, command, message)
    }

    /// The TPM has no number although there should be one: others have taken it.
    fn number_refused(&mut self, tpm: &mut dyn Tpm, space: SpaceId) {
        // What was set aside to get past lost numbers.
        self.tidy(tpm);
        if self.exhaustion.terms.kernel_reserve == 0 {
            tpm.end_kernel_session();
        }
        self.take_census(tpm, Cause::Refusal);
        self.exhaustion.queue.wait(space);
    }

    /// Finds `needed` numbers for a space, or gives it a place in the queue.
    ///
    /// # Errors
    ///
    /// - TPM_RC_SESSION_HANDLES of the resource manager after the longest wait.
    /// - `ENOMEM`.
    pub(crate) fn seek_numbers(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        needed: usize,
    ) -> Outcome<Seek> {
        let user = self.spaces.get(space).ok_or(EINVAL)?.user();
        let now = self.clock.now();

        self.exhaustion.queue.ask(space, needed);
        match self.state(space) {
            Some(State::Granted(_) | State::Expired) => return self.fetch(space),
            Some(State::Waiting | State::Away) => self.exhaustion.queue.wait(space),
            None => {
                if self.may_have_changed(tpm, now) {
                    self.compare_books(tpm);
                }

                let seeker = Seeker { user, space };

                if needed == 1
                    && self.exhaustion.queue.is_empty()
                    && self.ledger(tpm).source(seeker, now) == Source::Free
                {
                    return Ok(Seek::Found);
                }

                let deadline = now.after(self.exhaustion.terms.wait);

                self.prepare_survey()?;
                self.exhaustion.queue.join(user, space, needed, deadline)?;
                self.note_wait(space, Wait::Begins);
            }
        }
        self.serve_queue(tpm);
        self.fetch(space)
    }

    fn state(&self, space: SpaceId) -> Option<State> {
        self.exhaustion.queue.find(space).map(|ticket| ticket.state)
    }

    /// What a place in the queue has come to.
    fn fetch(&mut self, space: SpaceId) -> Outcome<Seek> {
        match self.state(space) {
            Some(State::Granted(_)) => Ok(Seek::Found),
            Some(State::Waiting | State::Away) => Ok(Seek::Waits),
            Some(State::Expired) | None => {
                self.exhaustion.queue.remove(space);
                Err(Refusal::ours(ResponseCode::SESSION_HANDLES))
            }
        }
    }

    /// Nobody waits any more for the command that [`Progress::Waits`]. Its place is kept for the
    /// case that the same is asked for again.
    pub fn leave(&mut self, space: SpaceId) {
        self.exhaustion.queue.leave(space);
        self.note_wait(space, Wait::Left);
        self.look_at_once();
    }

    /// Keeps what there is for those who wait, and calls them; ends what was kept or waited for
    /// long enough. Costs nothing when nobody waits.
    pub(crate) fn serve_queue(&mut self, tpm: &mut dyn Tpm) {
        if self.exhaustion.queue.is_empty() {
            self.exhaustion.look_again = None;
            return;
        }

        let now = self.clock.now();
        let lease = self.exhaustion.terms.lease;

        self.exhaustion.queue.take_back(lease, now);
        if self.is_due(tpm, now) {
            self.exhaustion.look_again = self.grant_all(tpm, now);
            self.exhaustion.served = Some(self.fingerprint(tpm));
        }
        while let Some(space) = self.exhaustion.queue.expire(now) {
            self.note_wait(space, Wait::Expired);
            self.tell(space, News::Called);
        }
        // A space that was closed has left more than the one session.
        self.tidy(tpm);
    }

    /// Whether there may be something for those who wait that was not there at the last look.
    fn is_due(&self, tpm: &dyn Tpm, now: Moment) -> bool {
        self.exhaustion.look_again.is_none_or(|look| look <= now)
            || self.exhaustion.served != Some(self.fingerprint(tpm))
    }

    /// Keeps numbers for those who wait as long as there are any; returns when to look again.
    fn grant_all(&mut self, tpm: &mut dyn Tpm, now: Moment) -> Option<Moment> {
        loop {
            match self.next(tpm, now) {
                Next::Nobody(then) => {
                    let count_at = self.exhaustion.counted.after(self.exhaustion.terms.lease);

                    if count_at > now {
                        return earlier(then, count_at);
                    }
                    self.take_census(tpm, Cause::Doubt);
                }
                // What others did behind our back may change whom there is something for.
                Next::Grant(..) if self.exhaustion.books == Books::Old => self.compare_books(tpm),
                Next::Grant(space, Source::Take(handle)) => {
                    if self.exhaustion.takes_left == 0 {
                        return Some(now);
                    }
                    if self.take_session(tpm, handle, space) == Taken::No {
                        return Some(now.after(PAUSE));
                    }
                    self.exhaustion.takes_left = self.exhaustion.takes_left.saturating_sub(1);
                    self.grant(space, now);
                }
                Next::Grant(space, _) => self.grant(space, now),
            }
        }
    }

    fn grant(&mut self, space: SpaceId, now: Moment) {
        if let Some(State::Granted(_)) = self.exhaustion.queue.grant(space, now) {
            self.note_wait(space, Wait::Granted);
            self.tell(space, News::Called);
        }
    }

    fn note_wait(&self, space: SpaceId, wait: Wait) {
        self.watch.note(Event::Wait { space, wait });
    }

    /// Whom there is something for: first those whose user has less than the fair share, lest
    /// others renew or take meanwhile what those could have.
    fn next(&mut self, tpm: &dyn Tpm, now: Moment) -> Next {
        let ledger = self.ledger(tpm);
        let mut then = None;

        for holding in [Holding::BelowShare, Holding::Share] {
            match ledger.next_among(holding, now) {
                Next::Nobody(moment) => then = moment.map_or(then, |moment| earlier(then, moment)),
                grant @ Next::Grant(..) => return grant,
            }
        }
        Next::Nobody(then)
    }

    /// Whether what the TPM last said of its sessions is not good enough to give one more away:
    /// somebody else came since. If others are not announced: somebody who is there may start some,
    /// there are few left, or it was long ago.
    fn may_have_changed(&mut self, tpm: &dyn Tpm, now: Moment) -> bool {
        match self.barrier {
            Barrier::Installed => self.exhaustion.books == Books::Old,
            Barrier::Absent => {
                tpm.neighbours() == Neighbours::Possible
                    || self.ledger(tpm).room() < self.exhaustion.numbers.all / WATCHED
                    || self.exhaustion.counted.after(self.exhaustion.terms.lease) <= now
            }
        }
    }

    /// Asks the TPM how many sessions there are, if somebody else may have been there since.
    fn compare_books(&mut self, tpm: &mut dyn Tpm) {
        if self.exhaustion.books == Books::Old {
            self.take_census(tpm, Cause::Doubt);
        }
    }
}

impl Ledger<'_> {
    /// Whom there is something for among those whose user has so much.
    fn next_among(&self, holding: Holding, now: Moment) -> Next {
        let share = self.fair_share();
        let collector = self.exhaustion.queue.collector();
        let mut then = None;
        let mut nothing_for = None;

        for (user, ticket) in self.exhaustion.queue.waiting() {
            let space = ticket.space;
            let has_to_wait = ticket.collects() && collector.is_some_and(|other| other != space);

            if has_to_wait || nothing_for == Some(user) || self.holding(user, share) != holding {
                continue;
            }
            match self.source(Seeker { user, space }, now) {
                Source::Nothing(moment) => {
                    then = moment.map_or(then, |moment| earlier(then, moment));
                    // Then it is the same for the others of this user.
                    if !self.is_particular(space) {
                        nothing_for = Some(user);
                    }
                }
                source => return Next::Grant(space, source),
            }
        }
        Next::Nobody(then)
    }
}
