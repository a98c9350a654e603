// SPDX-License-Identifier: GPL-2.0

//! A client's command, from what it names to what it leaves behind.

use crate::engine::{
    counters::Counters,
    courier::ATTEMPTS,
    names::Names,
    newcomer::Newcomer,
    refusal::{
        Outcome,
        Refusal, //
    },
    reread::Found,
    spaces::{
        ObjectId,
        SpaceId, //
    },
    tpm::{
        exchange,
        Tpm, //
    },
    wire::{
        code::CommandCode,
        command::{
            Command,
            Continuation, //
        },
        handle::ClientHandle,
        message::Message,
        rc::{
            ResponseCode,
            Shortage, //
        },
    },
    Engine,
};
use kernel::prelude::*;

impl Engine {
    /// Has the TPM execute a command with all that it names, and leaves the response in `message`.
    ///
    /// Whatever could fail on our side is done before: what the TPM has executed is answered (G2).
    ///
    /// # Errors
    ///
    /// Those of [`Names::find`], [`Engine::prepare`] and [`Engine::load_named`], and those of the
    /// transport.
    pub(crate) fn perform(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome {
        let names = Names::find(command, space, &self.spaces, &self.sessions)?;
        let newcomer = self.prepare(space, command, message)?;

        let is_session = matches!(newcomer, Newcomer::Session(_));

        self.note_uses(&names);

        let sent = self.send(
            tpm,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            space,
            command,
            &names,
            message,
        );

        // It may hold secrets.
        self.request.clear();

        let answer = match sent {
            Ok(code) => Ok(code),
            Err(Sent::Never(refusal)) => return Err(refusal),
            Err(Sent::WithoutAnswer(error)) => Err(error),
        };

        // Whatever came of it, the TPM may have changed them.
        for id in names.objects() {
            if let Some(object) = self.spaces.object_mut(id) {
                object.used();
            }
        }
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.touch_sessions(&names);

        let result = match answer {
            Ok(ResponseCode::SUCCESS) => self.succeeded(tpm, space, command, newcomer, message),
            Ok(_) => return Ok(()),
            Err(error) => Err(error),
        };

        if result.is_err() {
            self.settle_unanswered(tpm, command, &names);
            if command.attributes.has_response_handle() {
                self.answer_missing();
            }
            if is_session {
                self.session_may_be_made(tpm);
            }
        }
        result.map_err(Into::into)
    }

    /// Sends the command until the TPM has room for it, and has nothing to say against what it
    /// starts.
    fn send(
        &mut self,
        tpm: &mut dyn Tpm,
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)] space: SpaceId,
        command: &Command,
        names: &Names,
        message: &mut Message,
    ) -> Result<ResponseCode, Sent> {
        let mut left = ATTEMPTS;

        self.request.copy_from(message);
        loop {
            self.load_named(tpm, names, message).map_err(Sent::Never)?;
            self.expect_started_session(tpm, command, names);
            self.expect_objects(tpm, names, object_slots(command));
            Counters::add(&mut self.counters.sent);

            let code = exchange(tpm, message).map_err(Sent::WithoutAnswer)?;

            if code.may_name_absent()
                && left > 1
                && self.look_for_named(tpm, names) == Found::NotAll
            {
                left = left.saturating_sub(1);
                message.copy_from(&self.request);
                continue;
            }
            match code.shortage() {
                #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
                Some(Shortage::SessionNumber) => return Ok(code),
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                Some(Shortage::SessionNumber) => {
                    message.copy_from(&self.request);
                    return Err(Sent::Never(Refusal::NoNumber));
                }
                Some(shortage) if left > 1 => {
                    left = left.saturating_sub(1);
                    self.make_room_for(tpm, shortage, names, object_slots(command).max(1));
                    // If the TPM was reset, most of what is believed to be in the way is not there.
                    self.recheck(tpm);
                }
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                None if code == ResponseCode::SUCCESS => {
                    let Some(handle) = self.bad_number(space, command, message) else {
                        return Ok(code);
                    };

                    self.set_aside(tpm, handle).map_err(Sent::Never)?;
                    if command.header.tag != crate::engine::wire::code::Tag::NoSessions {
                        // It is protected by a session, and cannot be sent again.
                        let refusal = Refusal::ours(ResponseCode::SESSION_HANDLES);

                        return Err(Sent::Never(refusal));
                    }
                    if self.sessions.find(handle).is_none() {
                        // It has ended already, and the number may come again and again.
                        left = left.saturating_sub(1);
                        if left == 0 {
                            return Err(Sent::Never(Refusal::Errno(EIO)));
                        }
                    }
                }
                _ => return Ok(code),
            }
            Counters::add(&mut self.counters.retries);
            message.copy_from(&self.request);
        }
    }

    /// Makes room for the session that the command is about to start.
    fn expect_started_session(&mut self, tpm: &mut dyn Tpm, command: &Command, names: &Names) {
        if command.header.code == CommandCode::START_AUTH_SESSION {
            self.expect_session(tpm, names);
        }
    }

    /// Does on our books what the TPM has done.
    ///
    /// # Errors
    ///
    /// `EIO` when the response is not one of this command.
    fn succeeded(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        newcomer: Newcomer,
        message: &mut Message,
    ) -> Result {
        // Else it does not tell whether the authorizations were used.
        if message.tag() != command.header.tag {
            return Err(EIO);
        }
        if command.attributes.flushes_named() {
            self.flushed_by(command, space);
        }
        for authorization in command.authorizations.iter() {
            if authorization.continuation == Continuation::Ends {
                if let ClientHandle::Session(handle) = authorization.handle.of_client() {
                    self.sessions.remove(handle);
                }
            }
        }
        if command.attributes.is_extensive() {
            self.reread(tpm);
        }
        if command.attributes.has_response_handle() {
            self.welcome(space, newcomer, message)?;
        }
        Ok(())
    }

    /// The TPM has flushed the objects that the command names.
    fn flushed_by(&mut self, command: &Command, space: SpaceId) {
        for handle in command.handles.iter() {
            if let ClientHandle::Object(handle) = handle.of_client() {
                self.slots.remove_object(ObjectId { space, handle });
                if let Some(space) = self.spaces.get_mut(space) {
                    space.remove(handle);
                }
            }
        }
    }
}

/// How many object slots the TPM needs for a command, beside those of the transient objects that it
/// names: for what it makes, and while it lasts for persistent objects and for a key that it
/// creates without loading it.
fn object_slots(command: &Command) -> usize {
    let persistent = command
        .handles
        .iter()
        .filter(|handle| handle.is_persistent())
        .count();
    let made = match command.header.code {
        CommandCode::CREATE => true,
        CommandCode::START_AUTH_SESSION => false,
        _ => command.attributes.has_response_handle(),
    };

    persistent.saturating_add(usize::from(made))
}

/// Why there is no response to a command.
enum Sent {
    /// The TPM never saw it.
    Never(Refusal),
    /// Whether the TPM executed it is unknown.
    WithoutAnswer(Error),
}
