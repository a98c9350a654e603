// SPDX-License-Identifier: GPL-2.0

//! Moving a session into the TPM and out of it.
//!
//! A session is either loaded or saved, never both: loading spends the context, and saving takes
//! the session out of the TPM's memory.

use crate::engine::{
    courier::{
        Verdict,
        ATTEMPTS,
        LOADS,
        OPINIONS, //
    },
    in_doubt::Numbers,
    names::Names,
    refusal::Refusal,
    reread::Doubts,
    residency::Failure,
    session::{
        Place,
        Session, //
    },
    tidy::Debris,
    tpm::Tpm,
    wire::{
        handle::SessionHandle,
        rc::{
            ResponseCode,
            Shortage, //
        },
    },
    Engine,
};
use kernel::prelude::*;

/// What one try to load a session came to.
pub(crate) enum Load {
    Loaded,
    /// There is no room for it.
    Short(Shortage, ResponseCode),
    Failed(Failure),
}

/// What one try to save a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Save {
    Saved,
    /// The oldest saved session has to be saved again first.
    Gap,
    /// The session is gone, and was struck off.
    Lost,
    /// It is still loaded, and may be tried again.
    Failed,
}

/// Whether the TPM has told where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    Told,
    Untold,
}

impl Engine {
    /// Has a session in the TPM.
    pub(crate) fn load_session(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: SessionHandle,
        needed: &Names,
    ) -> Result<(), Failure> {
        let mut refusal = Refusal::Errno(EIO);

        if self.numbers == Numbers::Untold {
            self.settle_sessions_in_doubt(tpm).map_err(Refusal::Errno)?;
        }
        if self.sessions.find(handle).map(Session::place) == Some(Place::Saved) {
            self.expect_session(tpm, needed);
        }
        for _ in 0..LOADS {
            match self.try_load_session(tpm, handle) {
                Load::Loaded => return Ok(()),
                Load::Short(shortage, code) => {
                    refusal = Refusal::ours(code);
                    self.make_room(tpm, shortage, needed);
                }
                Load::Failed(failure) => return Err(failure),
            }
        }
        Err(refusal.into())
    }

    /// Tries once to load a session; makes no room.
    pub(crate) fn try_load_session(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Load {
        if self.numbers == Numbers::Untold {
            // Another one may have its number, and be taken for it when there is no answer.
            return Load::Failed(Refusal::Errno(EIO).into());
        }

        let whereabouts = self.find_out(tpm, handle);

        for _ in 0..OPINIONS {
            let Some(session) = self.sessions.find(handle) else {
                return Load::Failed(Failure::Lost);
            };
            if session.place() == Place::Loaded {
                return Load::Loaded;
            }

            match self.courier.load(tpm, session.context()) {
                Verdict::Done(loaded) if loaded.session() == Some(handle) => {
                    if let Some(session) = self.sessions.find_mut(handle) {
                        session.loaded();
                    }
                    self.learn_room();
                    return Load::Loaded;
                }
                Verdict::Done(_) => return self.unknown_session_load(tpm, handle, EIO),
                Verdict::Refused(code) => match code.shortage() {
                    Some(shortage) => return Load::Short(shortage, code),
                    None if code.condemns_context() => {}
                    None => return Load::Failed(Refusal::Response(code).into()),
                },
                Verdict::Unknown(error) => return self.unknown_session_load(tpm, handle, error),
            }
        }
        match whereabouts {
            Whereabouts::Told => {
                self.session_is_absent(tpm, handle);
                Load::Failed(Failure::Lost)
            }
            // A context is refused as well when the session is loaded.
            Whereabouts::Untold => {
                self.debris = Debris::Suspected;
                Load::Failed(Refusal::Errno(EIO).into())
            }
        }
    }

    /// Saves a session if a load of it was not answered: if it is loaded, its context is of no use.
    fn find_out(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Whereabouts {
        match self.sessions.find(handle) {
            Some(session) if session.place() == Place::Saved && session.may_be_loaded() => {}
            _ => return Whereabouts::Told,
        }
        match self.courier.save(tpm, handle) {
            Verdict::Done(header) => {
                let _ = self.session_saved(tpm, handle, header.sequence);
                Whereabouts::Told
            }
            Verdict::Refused(ResponseCode::CONTEXT_GAP) => {
                // It could be saved, if the oldest one were not so old.
                if let Some(session) = self.sessions.find_mut(handle) {
                    session.seems_loaded();
                }
                Whereabouts::Told
            }
            Verdict::Refused(code) if code.says_absent() => Whereabouts::Told,
            Verdict::Refused(_) => Whereabouts::Untold,
            Verdict::Unknown(_) => {
                self.save_unanswered(handle);
                Whereabouts::Untold
            }
        }
    }

    /// The session may be loaded or not.
    fn unknown_session_load(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: SessionHandle,
        error: Error,
    ) -> Load {
        if let Some(session) = self.sessions.find_mut(handle) {
            session.load_unanswered();
        }
        self.settle_by_saving(tpm, handle);
        Load::Failed(Refusal::Errno(error).into())
    }

    /// Takes a session out of the TPM's memory.
    pub(crate) fn save_session(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Save {
        let mut outcome = Save::Failed;

        for _ in 0..ATTEMPTS {
            outcome = self.try_save_session(tpm, handle);
            match outcome {
                Save::Saved | Save::Lost => break,
                Save::Gap => self.reopen_gap(tpm),
                Save::Failed => {}
            }
        }
        outcome
    }

    /// Tries to save a session; does nothing about the gap.
    pub(crate) fn try_save_session(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Save {
        let mut absences: usize = 0;

        // It may have made room for another while the gap was opened.
        if self.sessions.find(handle).map(Session::place) == Some(Place::Saved) {
            return Save::Saved;
        }
        if self.era.is_shaken() {
            return Save::Failed;
        }
        for _ in 0..ATTEMPTS {
            match self.courier.save(tpm, handle) {
                Verdict::Done(header) => return self.session_saved(tpm, handle, header.sequence),
                Verdict::Refused(ResponseCode::CONTEXT_GAP) => return Save::Gap,
                Verdict::Refused(code) if code.says_absent() => {
                    absences = absences.saturating_add(1);
                    if absences >= OPINIONS {
                        return self.session_is_not_loaded(tpm, handle);
                    }
                }
                Verdict::Refused(_) => {}
                Verdict::Unknown(_) => self.save_unanswered(handle),
            }
        }
        Save::Failed
    }

    /// The session was to be saved, and there was no answer.
    pub(crate) fn save_unanswered(&mut self, handle: SessionHandle) {
        if let Some(session) = self.sessions.find_mut(handle) {
            session.save_unanswered();
        }
    }

    /// The TPM does not have the session loaded, where we had it.
    pub(crate) fn session_is_not_loaded(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: SessionHandle,
    ) -> Save {
        match self.sessions.find_mut(handle).map(Session::is_not_loaded) {
            Some(Place::Saved) => Save::Saved,
            Some(Place::Loaded) | None => {
                self.session_is_absent(tpm, handle);
                Save::Lost
            }
        }
    }

    /// The TPM does not have the session where we had it. It has ended, or a save that was not
    /// answered was executed: then nobody has the context, and the TPM would keep the number.
    ///
    /// Strikes it off. It is rarely the only one: when the TPM was reset, all have ended. That is
    /// looked into when the command ends.
    pub(crate) fn session_is_absent(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) {
        let Some(session) = self.sessions.find(handle) else {
            return;
        };

        if session.context().is_empty() {
            // It was never saved: perhaps it is there, under a number that we were not told.
            self.debris = Debris::Suspected;
        }
        if session.may_be_saved() {
            self.end_session(tpm, handle);
        } else {
            self.lose_session(handle);
        }
        self.doubts = Doubts::Reset;
    }

    /// The TPM has given a number to a new session. If another one of ours had it, that has ended.
    pub(crate) fn number_given(&mut self, handle: SessionHandle) {
        if self.sessions.find(handle).is_some() {
            self.lose_session(handle);
            self.doubts = Doubts::Reset;
        }
    }

    /// The context of a session, which is in the courier's hands, is the newest one now.
    pub(crate) fn session_saved(
        &mut self,
        tpm: &mut dyn Tpm,
        handle: SessionHandle,
        sequence: u64,
    ) -> Save {
        let stored = self
            .sessions
            .saved(handle, sequence, self.courier.context());

        if stored.is_err() {
            // The TPM broke its word about the size, and there is no memory for that.
            self.end_session(tpm, handle);
            return Save::Lost;
        }
        Save::Saved
    }

    /// Ends a session that is of no use any more to whoever has it. If the TPM does not end it
    /// now, it is tried again.
    pub(crate) fn end_session(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) {
        match self.courier.flush(tpm, handle) {
            Verdict::Done(()) => self.lose_session(handle),
            Verdict::Refused(_) | Verdict::Unknown(_) => {
                self.debris = Debris::Suspected;
                self.disown_session(handle);
            }
        }
    }

    /// Ends a session in the TPM, and strikes it off when that is done.
    pub(crate) fn flush_session(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) -> Verdict {
        let verdict = self.courier.flush(tpm, handle);

        if let Verdict::Done(()) = verdict {
            self.sessions.remove(handle);
        }
        verdict
    }
}
