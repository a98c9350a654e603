// SPDX-License-Identifier: GPL-2.0

//! TPM2_ContextLoad of a session by a client (Part 3, 28.3): whoever brings the context that a
//! client got has the session.

use crate::engine::{
    refusal::{
        Outcome,
        Refusal, //
    },
    spaces::SpaceId,
    wire::{
        handle::SessionHandle,
        message::Message,
        rc::ResponseCode, //
    },
    Engine,
};

impl Engine {
    /// Gives a session that we know to the space, if `message` brings the right context. The TPM
    /// has no part in it: the context need not be the newest, and the session is loaded when a
    /// command names it.
    ///
    /// # Errors
    ///
    /// What a TPM says of a context that is not the newest, in the resource manager's layer: when
    /// the session is in use, and when the client has another context. The TPM must not see it:
    /// if that context is the newest, it is ours, and was never given to a client.
    pub(crate) fn claim_session(
        &mut self,
        space: SpaceId,
        handle: SessionHandle,
        message: &mut Message,
    ) -> Outcome {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.prepare_loss(space)?;
        #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
        self.spaces.get(space).ok_or(kernel::prelude::EINVAL)?;

        let session = self
            .sessions
            .find_mut(handle)
            .filter(|session| session.is_claimed_by(message.body()))
            .ok_or(Refusal::ours(ResponseCode::STALE_CONTEXT))?;
        let handle = session.handle().to_wire().to_be_bytes();

        message.set_response(ResponseCode::SUCCESS, &[&handle])?;
        session.attach(space);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.owner_changed();
        Ok(())
    }
}
