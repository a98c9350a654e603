// SPDX-License-Identifier: GPL-2.0

//! Session numbers that a space must not get, because it has lost a session of that number and may
//! still use the old handle (G5).
//!
//! A new session with such a number is set aside, as one that nobody has, and another one is
//! started while the number is taken. What was set aside is flushed when the command ends.

use crate::engine::{
    courier::Verdict,
    names::Names,
    refusal::{
        Outcome,
        Refusal, //
    },
    session::{
        Owner,
        Session, //
    },
    spaces::SpaceId,
    tidy::Debris,
    tpm::Tpm,
    wire::{
        code::CommandCode,
        command::Command,
        handle::{
            RawHandle,
            SessionHandle, //
        },
        message::{
            Message,
            HEADER_SIZE, //
        },
        rc::ResponseCode, //
    },
    Engine,
};
use kernel::prelude::*;

/// How often a session is started to get past lost numbers: more often than a TPM has numbers.
const STARTS_MAX: usize = 1024;

impl Engine {
    /// The number of the session that was just started, if the space must not have it.
    pub(crate) fn bad_number(
        &mut self,
        space: SpaceId,
        command: &Command,
        message: &Message,
    ) -> Option<SessionHandle> {
        if command.header.code != CommandCode::START_AUTH_SESSION {
            return None;
        }

        let handle = message
            .u32_at(HEADER_SIZE)
            .and_then(|handle| RawHandle::from_wire(handle).session())?;

        self.number_given(handle);
        self.spaces.has_lost(space, handle).then_some(handle)
    }

    /// Keeps the number of a new session in use until the command ends, but not the TPM's memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; then it has ended.
    pub(crate) fn set_aside(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Outcome {
        let tenure = self.tenure_of_nobody();
        let room = Session::room(self.properties.session_context);

        // One more place is for the session that the client gets.
        match (room, self.sessions.reserve(2)) {
            (Ok(room), Ok(())) => {
                self.no_stray(handle);
                self.sessions
                    .add(Session::new(handle, Owner::Nobody, room, tenure));
                // If it cannot be saved, room is made when there is need.
                let _ = self.save_session(tpm, handle);
                Ok(())
            }
            _ => {
                match self.courier.flush(tpm, handle) {
                    Verdict::Done(()) => {}
                    Verdict::Refused(_) | Verdict::Unknown(_) => self.debris = Debris::Suspected,
                }
                Err(ENOMEM.into())
            }
        }
    }

    /// Makes sure that the next session gets a number that the space may have: for a command that
    /// cannot be sent twice, because it is itself protected by a session.
    ///
    /// Nobody knows which number a TPM hands out next, so all bad ones are taken first.
    ///
    /// # Errors
    ///
    /// What the TPM said, `ENOMEM`, and those of the transport.
    pub(crate) fn avoid_lost_numbers(&mut self, tpm: &mut dyn Tpm, space: SpaceId) -> Outcome {
        for _ in 0..STARTS_MAX {
            if !self.may_meet_lost_number(space) {
                break;
            }
            match self.courier.start_session(tpm) {
                Verdict::Done(handle) => {
                    self.number_given(handle);
                    self.set_aside(tpm, handle)?;
                }
                // All numbers are taken now, the bad ones too.
                Verdict::Refused(ResponseCode::SESSION_HANDLES) => break,
                Verdict::Refused(code) => match code.shortage() {
                    Some(shortage) => self.make_room(tpm, shortage, &Names::NONE),
                    None => return Err(Refusal::Response(code)),
                },
                Verdict::Unknown(error) => {
                    self.answer_missing();
                    self.session_may_be_made(tpm);
                    return Err(error.into());
                }
            }
        }
        self.flush_good_numbers(tpm, space);
        Ok(())
    }

    /// Frees the numbers that were set aside without need.
    fn flush_good_numbers(&mut self, tpm: &mut dyn Tpm, space: SpaceId) {
        // Each one once, in the order of their numbers.
        let mut done = None;

        while let Some(handle) = self.sessions.orphan(|handle| {
            done.is_none_or(|done| handle.index() > done) && !self.spaces.has_lost(space, handle)
        }) {
            done = Some(handle.index());
            let _ = self.flush_session(tpm, handle);
        }
    }

    /// Whether a lost number of the space is in nobody's use, as far as we know.
    fn may_meet_lost_number(&self, space: SpaceId) -> bool {
        self.spaces.get(space).is_some_and(|space| {
            space
                .standing()
                .lost()
                .any(|handle| self.sessions.find(handle).is_none())
        })
    }

    /// Refuses a session of a context, if the space may still use the number for another one.
    ///
    /// # Errors
    ///
    /// TPM_RC_SESSION_HANDLES of the resource manager.
    pub(crate) fn refuse_lost_number(&self, space: SpaceId, handle: SessionHandle) -> Outcome {
        if self.spaces.has_lost(space, handle) {
            return Err(Refusal::ours(ResponseCode::SESSION_HANDLES));
        }
        Ok(())
    }

    /// A client flushes a handle. If it is that of a lost session, nothing else is to be done.
    pub(crate) fn forget_lost(&mut self, space: SpaceId, handle: SessionHandle) -> Forgotten {
        match self.spaces.get_mut(space) {
            Some(space) if space.standing().has_lost(handle) => {
                space.standing_mut().forget(handle);
                // There may be a number for it now.
                self.look_at_once();
                Forgotten::Yes
            }
            _ => Forgotten::No,
        }
    }

    /// Makes sure that the space can have one session more, and lose all, without need for memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn prepare_loss(&mut self, space: SpaceId) -> Outcome {
        let held = self.sessions.held_by(space);

        self.prepare_survey()?;

        let space = self.spaces.get_mut(space).ok_or(EINVAL)?;

        Ok(space.standing_mut().prepare_loss(held.saturating_add(1))?)
    }
}

/// Whether a handle was that of a lost session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgotten {
    Yes,
    No,
}
