// SPDX-License-Identifier: GPL-2.0

//! What of ours a command names, found and judged before the TPM sees anything of it (G3, G4, G6).

use crate::engine::{
    object::State,
    refusal::{
        Outcome,
        Refusal, //
    },
    sessions::Sessions,
    short::Short,
    spaces::{
        ObjectId,
        SpaceId,
        Spaces, //
    },
    wire::{
        attributes::HANDLES_MAX,
        command::{
            Command,
            SESSIONS_MAX, //
        },
        handle::{
            ClientHandle,
            SessionHandle,
            VirtualHandle, //
        },
        rc::ResponseCode, //
    },
};
use kernel::prelude::*;

/// How many names a command can have.
const NAMES_MAX: usize = HANDLES_MAX + SESSIONS_MAX;

/// Where in a command a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// In the handle area, counted from 0.
    Handle(u8),
    /// In the authorization area, counted from 0.
    Authorization(u8),
}

impl Position {
    /// That of the handle of ContextSave, and of FlushContext, where it is the only parameter.
    pub(crate) const FIRST: Self = Self::Handle(0);

    /// The refusal of a name that stands for nothing that the space could use.
    pub(crate) fn refusal(self) -> Refusal {
        Refusal::ours(match self {
            Self::Handle(n) => ResponseCode::reference_handle(n),
            Self::Authorization(n) => ResponseCode::reference_session(n),
        })
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An object of the space, alive.
    Object(ObjectId),
    /// A session of the space.
    Session(SessionHandle),
}

/// One name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) position: Position,
    pub(crate) target: Target,
}

/// All names of a command that need a resource manager.
pub(crate) struct Names(Short<Name, NAMES_MAX>);

impl Names {
    /// No names.
    pub(crate) const NONE: Self = Self(Short::new());

    /// Finds what `command` names in `space`.
    ///
    /// # Errors
    ///
    /// - TPM_RC_REFERENCE_Hn or Sn of the resource manager for a lost object, and for a session
    ///   that is lost or somebody else's.
    /// - `EINVAL` for an object that the space never had.
    pub(crate) fn find(
        command: &Command,
        space: SpaceId,
        spaces: &Spaces,
        sessions: &Sessions,
    ) -> Outcome<Self> {
        let mut names = Short::new();

        for (n, handle) in command.handles.positions() {
            let position = Position::Handle(n);
            let target = match handle.of_client() {
                ClientHandle::Object(handle) => {
                    Target::Object(object(space, handle, position, spaces)?)
                }
                ClientHandle::Session(handle) => {
                    Target::Session(session(space, handle, position, sessions)?)
                }
                ClientHandle::Unmanaged => continue,
            };

            names.push(Name { position, target }).map_err(|_| EINVAL)?;
        }
        for (n, authorization) in command.authorizations.positions() {
            let position = Position::Authorization(n);

            if let ClientHandle::Session(handle) = authorization.handle.of_client() {
                let target = Target::Session(session(space, handle, position, sessions)?);

                names.push(Name { position, target }).map_err(|_| EINVAL)?;
            }
        }
        Ok(Self(names))
    }

    /// The names, in the order in which they stand in the command.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Name> + '_ {
        self.0.iter()
    }

    /// Whether the command needs this.
    pub(crate) fn include(&self, target: Target) -> bool {
        self.iter().any(|name| name.target == target)
    }

    /// The sessions that the command names.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionHandle> + '_ {
        self.iter().filter_map(|name| match name.target {
            Target::Session(handle) => Some(handle),
            Target::Object(_) => None,
        })
    }

    /// The objects that the command names.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.iter().filter_map(|name| match name.target {
            Target::Object(id) => Some(id),
            Target::Session(_) => None,
        })
    }
}

fn object(
    space: SpaceId,
    handle: VirtualHandle,
    position: Position,
    spaces: &Spaces,
) -> Outcome<ObjectId> {
    let id = ObjectId { space, handle };

    match spaces.object(id).ok_or(EINVAL)?.state() {
        State::Lost => Err(position.refusal()),
        State::Current(_) | State::Stale => Ok(id),
    }
}

fn session(
    space: SpaceId,
    handle: SessionHandle,
    position: Position,
    sessions: &Sessions,
) -> Outcome<SessionHandle> {
    if sessions.belongs(handle, space) {
        Ok(handle)
    } else {
        Err(position.refusal())
    }
}
