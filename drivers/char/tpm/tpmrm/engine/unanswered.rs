// SPDX-License-Identifier: GPL-2.0

//! What a command that was not answered may have ended.
//!
//! The TPM may give the handle of what it ended to something else, and when that is not answered
//! either, nobody can tell the one from the other (G5). So the TPM is asked at once; what it does
//! not tell of is not trusted any more.

use crate::engine::{
    courier::ATTEMPTS,
    names::{
        Names,
        Target, //
    },
    reread::Doubts,
    session::{
        Place,
        Session, //
    },
    slots::Occupant,
    spaces::ObjectId,
    tpm::Tpm,
    wire::{
        command::{
            Command,
            Continuation, //
        },
        handle::{
            ClientHandle,
            HandleGroup,
            RawHandle,
            SessionHandle, //
        },
    },
    Engine,
};
use kernel::prelude::*;

/// Which loaded objects a command may have ended.
#[derive(Clone, Copy)]
enum Reach<'a> {
    /// Those that it names.
    Named(&'a Names),
    /// Any.
    All,
}

/// Whether the TPM has ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    No,
    /// It does not tell.
    Untold,
}

impl Engine {
    /// The TPM may have executed `command` or not.
    pub(crate) fn settle_unanswered(
        &mut self,
        tpm: &mut dyn Tpm,
        command: &Command,
        names: &Names,
    ) {
        if command.attributes.is_extensive() {
            self.objects_may_have_ended(tpm, Reach::All);
            self.doubts = Doubts::Reset;
        } else if command.attributes.flushes_named() {
            self.objects_may_have_ended(tpm, Reach::Named(names));
        }
        for authorization in command.authorizations.iter() {
            if authorization.continuation == Continuation::Ends {
                if let ClientHandle::Session(handle) = authorization.handle.of_client() {
                    self.session_may_have_ended(tpm, handle);
                }
            }
        }
    }

    fn objects_may_have_ended(&mut self, tpm: &mut dyn Tpm, reach: Reach<'_>) {
        if insist(|| self.reread_objects(tpm)).is_ok() {
            return;
        }
        loop {
            let next = self.slots.iter().find_map(|slot| reach.of(slot.occupant));
            let Some(id) = next else {
                return;
            };

            self.object_left(id);
            self.slots.abandon_object(id);
        }
    }

    /// A session may have ended.
    pub(crate) fn session_may_have_ended(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) {
        match self.has_ended(tpm, handle) {
            Ended::No => {}
            Ended::Yes => self.lose_session(handle),
            Ended::Untold => self.end_session(tpm, handle),
        }
    }

    /// Asks whether a session has ended, before its number can be that of another one.
    pub(crate) fn has_ended(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Ended {
        let group = match self.sessions.find(handle).map(Session::place) {
            Some(Place::Loaded) => HandleGroup::LoadedSession,
            Some(Place::Saved) => HandleGroup::SavedSession,
            None => return Ended::Yes,
        };
        let is_it = |listed: &RawHandle| listed.session() == Some(handle);

        match insist(|| self.list(tpm, group)) {
            Ok(listed) if listed.iter().any(is_it) => Ended::No,
            Ok(_) => Ended::Yes,
            Err(_) => Ended::Untold,
        }
    }
}

impl Reach<'_> {
    /// The object, if it is one of these.
    fn of(self, occupant: Occupant) -> Option<ObjectId> {
        let Occupant::Object(id) = occupant else {
            return None;
        };

        match self {
            Self::Named(names) if !names.include(Target::Object(id)) => None,
            Self::Named(_) | Self::All => Some(id),
        }
    }
}

/// Asks until there is an answer, for a few times.
fn insist<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let mut answer = ask();

    for _ in 1..ATTEMPTS {
        if answer.is_ok() {
            break;
        }
        answer = ask();
    }
    answer
}
