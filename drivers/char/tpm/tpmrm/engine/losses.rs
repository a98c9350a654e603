// SPDX-License-Identifier: GPL-2.0

//! Sessions that have ended, and not by their owner's doing. They are struck off; what names one
//! of them is refused as anything else that a space does not have.

use crate::engine::{
    observer::Event,
    session::{
        Owner,
        Session, //
    },
    wire::handle::SessionHandle,
    Engine, //
};

impl Engine {
    /// The session is gone.
    pub(crate) fn lose_session(&mut self, handle: SessionHandle) {
        self.note_loss(handle);
        self.sessions.remove(handle);
    }

    /// The same for a session that may still be in the TPM: it is nobody's until it is flushed.
    pub(crate) fn disown_session(&mut self, handle: SessionHandle) {
        self.note_loss(handle);
        self.sessions.disown(handle);
    }

    fn note_loss(&self, handle: SessionHandle) {
        if let Some(Owner::Space(space)) = self.sessions.find(handle).map(Session::owner) {
            self.watch.note(Event::Lost {
                space: *space,
                handle: handle.to_wire(),
            });
        }
    }

    /// The sessions for which `is_alive` does not say so are gone.
    pub(crate) fn lose_sessions_unless(&mut self, is_alive: impl Fn(&Session) -> bool) {
        self.sessions.retain(is_alive);
    }
}
