// SPDX-License-Identifier: GPL-2.0

//! What a command is about to bring into being: memory for it before, its place in the space after.

use crate::engine::{
    object::Object,
    refusal::Outcome,
    session::{
        Owner,
        Session, //
    },
    spaces::{
        ObjectId,
        SpaceId, //
    },
    wire::{
        code::CommandCode,
        command::Command,
        context::ContextHeader,
        handle::RawHandle,
        message::{
            Message,
            HEADER_SIZE, //
        },
    },
    Engine,
};
use kernel::prelude::*;

/// What will have the handle in the response.
pub(crate) enum Newcomer {
    /// There is no handle.
    Nobody,
    /// An object.
    Object(Object),
    /// A session, with room for its context.
    Session(KVec<u8>),
}

impl Engine {
    /// Allocates all that a success of `command` needs.
    ///
    /// # Errors
    ///
    /// - TPM_RC_OBJECT_MEMORY of the resource manager, when the space has as many objects as it
    ///   may have.
    /// - `ENOMEM`.
    pub(crate) fn prepare(
        &mut self,
        space: SpaceId,
        command: &Command,
        message: &Message,
    ) -> Outcome<Newcomer> {
        self.slots.reserve()?;
        self.roomy.reserve(self.slots.iter().count())?;
        if !command.attributes.has_response_handle() {
            return Ok(Newcomer::Nobody);
        }
        match command.header.code {
            CommandCode::START_AUTH_SESSION => self.prepare_session(space),
            CommandCode::CONTEXT_LOAD => match ContextHeader::parse(message.body()) {
                Ok(header) if header.saved_handle.session().is_some() => {
                    self.prepare_session(space)
                }
                Ok(header) => {
                    self.reserve_object(space)?;
                    Ok(Newcomer::Object(Object::from_context(
                        header.object_kind(),
                        message.body(),
                        self.properties.object_context,
                    )?))
                }
                // The TPM will say what is wrong with it.
                Err(_) => Ok(Newcomer::Nobody),
            },
            _ => {
                self.reserve_object(space)?;
                Ok(Newcomer::Object(Object::new(
                    self.properties.object_context,
                )?))
            }
        }
    }

    /// Gives the newcomer its place, and the client the handle that it has in the space.
    ///
    /// # Errors
    ///
    /// `EIO` when the response has not the handle that was to be expected.
    pub(crate) fn welcome(
        &mut self,
        space: SpaceId,
        newcomer: Newcomer,
        message: &mut Message,
    ) -> Result {
        let handle = message
            .u32_at(HEADER_SIZE)
            .map(RawHandle::from_wire)
            .ok_or(EIO)?;

        match newcomer {
            Newcomer::Nobody => Err(EIO),
            Newcomer::Object(mut object) => {
                let physical = handle.loaded_object().ok_or(EIO)?;

                object.begin(self.slots.tick());

                let handle = self
                    .spaces
                    .get_mut(space)
                    .and_then(|space| space.add(object))
                    .ok_or(EIO)?;

                self.place_object(physical, ObjectId { space, handle });
                self.learn_room();
                message.set_u32_at(HEADER_SIZE, handle.to_wire());
                Ok(())
            }
            Newcomer::Session(room) => {
                let handle = handle.session().ok_or(EIO)?;
                let owner = Owner::Space(space);
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                let session = Session::new(handle, owner, room, self.tenure_in(space));
                #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
                let session = Session::new(handle, owner, room);

                self.number_given(handle);
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                self.no_stray(handle);
                self.sessions.add(session);
                self.learn_room();
                Ok(())
            }
        }
    }

    fn prepare_session(&mut self, space: SpaceId) -> Outcome<Newcomer> {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.prepare_loss(space)?;
        #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
        self.spaces.get(space).ok_or(EINVAL)?;
        self.sessions.reserve(1)?;
        Ok(Newcomer::Session(Session::room(
            self.properties.session_context,
        )?))
    }

    fn reserve_object(&mut self, space: SpaceId) -> Outcome {
        let limit = self.limits.objects_per_space;

        self.spaces.get_mut(space).ok_or(EINVAL)?.reserve(limit)
    }
}
