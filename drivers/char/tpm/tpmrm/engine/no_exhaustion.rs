// SPDX-License-Identifier: GPL-2.0

//! In the place of [`exhaustion`](crate::engine::exhaustion) without
//! `CONFIG_TCG_TPM_RM_EXHAUSTION`: who has session numbers keeps them, and nobody waits.

use crate::engine::{
    bell::Bell,
    clock::Moment,
    names::Names,
    observer::Event,
    refusal::Outcome,
    session::{
        Owner,
        Session, //
    },
    space::Space,
    spaces::SpaceId,
    tpm::Tpm,
    view::{
        Rows,
        SessionView, //
    },
    wire::{
        command::Command,
        handle::SessionHandle,
        message::Message, //
    },
    Engine,
    Progress, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Nothing is known of a chip.
pub(crate) struct Exhaustion;

impl Exhaustion {
    /// There is nothing to know.
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// Nobody asks how long a session has been there.
pub(crate) struct Tenure;

/// A space loses nothing that it would have to be told of.
pub(crate) struct Standing;

impl Standing {
    /// There is no need for the bell.
    pub(crate) fn new(_bell: Arc<dyn Bell>) -> Self {
        Self
    }
}

/// There is nothing to tell of session numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WholeTerms {}

/// Nor of a space's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceTerms {}

/// Whether a handle was that of a lost session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// It never is, since lost sessions are not remembered.
    #[allow(dead_code, reason = "without the layer no handle is")]
    Yes,
    No,
}

impl Engine {
    /// The client does not wait any more, which it never did.
    pub fn leave(&mut self, _space: SpaceId) {}

    /// Whoever waits is called: nobody.
    pub fn dismiss(&self) {}

    pub(crate) fn queue_alarm(&self) -> Option<Moment> {
        None
    }

    pub(crate) fn start_session(
        &mut self,
        tpm: &mut dyn Tpm,
        space: SpaceId,
        command: &Command,
        message: &mut Message,
    ) -> Outcome<Progress> {
        self.perform(tpm, space, command, message)?;
        Ok(Progress::Answered)
    }

    pub(crate) fn tenure_in(&self, _space: SpaceId) -> Tenure {
        Tenure
    }

    pub(crate) fn first_census(&mut self, _tpm: &mut dyn Tpm) {}

    pub(crate) fn begin_visit(&mut self) {}

    pub(crate) fn outsider_comes(&mut self) {}

    pub(crate) fn check_open(&self, _space: SpaceId) -> Result {
        Ok(())
    }

    pub(crate) fn serve_queue(&mut self, _tpm: &mut dyn Tpm) {}

    pub(crate) fn leave_for_good(&mut self, _space: SpaceId) {}

    pub(crate) fn owner_changed(&mut self) {}

    pub(crate) fn session_given_away(&mut self, _space: SpaceId) {}

    pub(crate) fn touch_sessions(&mut self, _names: &Names) {}

    pub(crate) fn bad_number(
        &mut self,
        _space: SpaceId,
        _command: &Command,
        _message: &Message,
    ) -> Option<SessionHandle> {
        None
    }

    pub(crate) fn set_aside(&mut self, _tpm: &mut dyn Tpm, _handle: SessionHandle) -> Outcome {
        Ok(())
    }

    pub(crate) fn refuse_lost_number(&self, _space: SpaceId, _handle: SessionHandle) -> Outcome {
        Ok(())
    }

    pub(crate) fn forget_lost(&mut self, _space: SpaceId, _handle: SessionHandle) -> Forgotten {
        Forgotten::No
    }

    pub(crate) fn prepare_loss(&mut self, space: SpaceId) -> Outcome {
        self.spaces.get(space).ok_or(EINVAL)?;
        Ok(())
    }

    pub(crate) fn no_stray(&mut self, _handle: SessionHandle) {}

    pub(crate) fn whole_terms(&self) -> Option<WholeTerms> {
        None
    }

    pub(crate) fn space_terms(&self, _id: SpaceId, _space: &Space) -> Option<SpaceTerms> {
        None
    }

    pub(crate) fn show_strays(&self, _rows: &mut Rows<SessionView>) {}

    pub(crate) fn lose_session(&mut self, handle: SessionHandle) {
        if let Some(Owner::Space(space)) = self.sessions.find(handle).map(Session::owner) {
            self.watch.note(Event::Lost {
                space: *space,
                handle: handle.to_wire(),
            });
        }
        self.sessions.remove(handle);
    }

    pub(crate) fn lose_sessions_unless(&mut self, is_alive: impl Fn(&Session) -> bool) {
        self.sessions.retain(is_alive);
    }
}
