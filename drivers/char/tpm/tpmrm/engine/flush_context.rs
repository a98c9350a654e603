// SPDX-License-Identifier: GPL-2.0

//! TPM2_FlushContext by a client (Part 3, 28.4): an end to what is its own.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::exhaustion::Forgotten;
use crate::engine::{
    courier::Verdict,
    names::Position,
    refusal::{
        Outcome,
        Refusal, //
    },
    session::Session,
    spaces::{
        ObjectId,
        SpaceId, //
    },
    tpm::Tpm,
    unanswered::Ended,
    wire::{
        handle::{
            SessionHandle,
            VirtualHandle, //
        },
        message::Message,
        rc::ResponseCode, //
    },
    Engine,
};
use kernel::prelude::*;

impl Engine {
    /// Ends an object of the space. Needs no TPM command where the object is not loaded. A lost
    /// object is forgotten.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the space has no such object.
    pub(crate) fn flush_client_object(
        &mut self,
        space: SpaceId,
        handle: VirtualHandle,
        message: &mut Message,
    ) -> Outcome {
        let id = ObjectId { space, handle };

        self.spaces.object(id).ok_or(EINVAL)?;
        message.set_response(ResponseCode::SUCCESS, &[])?;
        // If it is loaded, it leaves the TPM when the command ends.
        self.slots.abandon_object(id);
        if let Some(space) = self.spaces.get_mut(space) {
            space.remove(handle);
        }
        Ok(())
    }

    /// Ends a session of the space, or one that its user has saved. A lost session is forgotten.
    ///
    /// # Errors
    ///
    /// - TPM_RC_REFERENCE_H0 of the resource manager when the session is neither.
    /// - What the TPM said; then nothing has changed.
    /// - Those of the transport; then nothing has changed, or it is lost.
    pub(crate) fn flush_client_session(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        handle: SessionHandle,
        message: &mut Message,
    ) -> Outcome {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        if self.forget_lost(space, handle) == Forgotten::Yes {
            return Ok(message.set_response(ResponseCode::SUCCESS, &[])?);
        }

        let user = self.spaces.get(space).ok_or(EINVAL)?.user();
        // Under the handle that the TPM gave: a saved session is listed under another type.
        let handle = self
            .sessions
            .find(handle)
            .filter(|session| session.belongs_to(space) || session.is_detached_of(user))
            .map(Session::handle)
            .ok_or(Position::FIRST.refusal())?;

        match self.flush_session(tpm, handle) {
            Verdict::Done(()) => {}
            Verdict::Refused(code) => return Err(Refusal::Response(code)),
            // The chip is gone, and with it whatever could have its number.
            Verdict::Unknown(error) if error == EPIPE => return Err(error.into()),
            Verdict::Unknown(error) => match self.has_ended(tpm, handle) {
                Ended::Yes => self.sessions.remove(handle),
                Ended::No => return Err(error.into()),
                Ended::Untold => {
                    self.end_session(tpm, handle);
                    return Err(error.into());
                }
            },
        }
        Ok(message.set_response(ResponseCode::SUCCESS, &[])?)
    }
}
