// SPDX-License-Identifier: GPL-2.0

//! TPM2_ContextSave of a session by a client (Part 3, 28.2): the session is detached, and belongs
//! to whoever brings the context back.
//!
//! Between commands a session is saved already, and what we have is what the client gets.

use crate::engine::{
    names::{
        Names,
        Position, //
    },
    refusal::Outcome,
    session::Place,
    spaces::SpaceId,
    swap_session::Save,
    tpm::Tpm,
    wire::{
        handle::SessionHandle,
        message::Message,
        rc::ResponseCode, //
    },
    Engine,
};
use kernel::prelude::*;

impl Engine {
    /// Detaches a session of the space, and puts its context into `message`.
    ///
    /// # Errors
    ///
    /// - TPM_RC_REFERENCE_H0 of the resource manager when the session is not the space's, or turns
    ///   out to be lost.
    /// - `EIO` when the session cannot be saved now, `ENOMEM`, and those of
    ///   [`Engine::load_session`].
    ///
    /// Then the session is still the space's.
    pub(crate) fn detach_session(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        handle: SessionHandle,
        message: &mut Message,
    ) -> Outcome {
        let user = self.spaces.get(space).ok_or(EINVAL)?.user();
        let session = self
            .sessions
            .find(handle)
            .filter(|session| session.belongs_to(space))
            .ok_or(Position::FIRST.refusal())?;

        if session.place() == Place::Loaded || session.was_issued() {
            let handle = session.handle();

            self.load_session(tpm, handle, &Names::NONE)
                .map_err(|failure| failure.of(|| Position::FIRST.refusal()))?;
            match self.save_session(tpm, handle) {
                Save::Saved => {}
                Save::Lost => return Err(Position::FIRST.refusal()),
                Save::Gap | Save::Failed => return Err(EIO.into()),
            }
        }

        let session = self
            .sessions
            .find_mut(handle)
            .ok_or(Position::FIRST.refusal())?;

        message.set_response(ResponseCode::SUCCESS, &[session.context()])?;
        session.detach(user)?;
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.session_given_away(space);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.owner_changed();
        Ok(())
    }
}
