// SPDX-License-Identifier: GPL-2.0

//! What is not known of sessions because the TPM did not answer: whether one is loaded, and whether
//! there is another one.
//!
//! Another session can have the number of one that has ended, and the TPM lists both alike. So the
//! TPM is asked before there can be another one. Where it did not tell in time, a session in doubt
//! is not trusted any more, and none is loaded that could be another one (G5).

use crate::engine::{
    courier::{
        Verdict,
        OPINIONS, //
    },
    session::Session,
    tidy::Debris,
    tpm::Tpm,
    wire::handle::{
        HandleGroup,
        SessionHandle, //
    },
    Engine,
};
use kernel::prelude::*;

/// Whether the TPM has told which numbers it has given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Told,
    /// A session may have been made, and there was no answer. Entered then, left when the TPM has
    /// listed what is loaded.
    Untold,
}

impl Engine {
    /// Asks which sessions are loaded, if that is not known.
    ///
    /// # Errors
    ///
    /// `EIO` when the TPM may have been reset, and those of [`Self::list`].
    pub(crate) fn settle_sessions_in_doubt(&mut self, tpm: &mut dyn Tpm) -> Result {
        if self.sessions.in_doubt().next().is_none() && self.numbers == Numbers::Told {
            return Ok(());
        }
        if self.era.is_shaken() {
            return Err(EIO);
        }

        let listed = self.list(tpm, HandleGroup::LoadedSession)?;

        self.numbers = Numbers::Told;
        for handle in listed.iter().filter_map(|handle| handle.session()) {
            // It has ended, and this is another one. Whose, is seen when nobody else is there.
            if self.sessions.find(handle).is_some_and(Session::is_saved) {
                self.lose_session(handle);
            }
        }
        loop {
            let next = self.sessions.in_doubt().next();
            let Some(session) = next.and_then(|handle| self.sessions.find_mut(handle)) else {
                return Ok(());
            };

            if listed
                .iter()
                .any(|listed| listed.session() == Some(session.handle()))
            {
                session.loaded();
            } else {
                session.is_not_loaded();
            }
        }
    }

    /// Saves a session that may be loaded: that tells, and makes its context good either way.
    pub(crate) fn settle_by_saving(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) {
        for opinion in 1..=OPINIONS {
            match self.courier.save(tpm, handle) {
                Verdict::Done(header) => {
                    let _ = self.session_saved(tpm, handle, header.sequence);
                    return;
                }
                Verdict::Refused(code) if code.says_absent() => {
                    self.debris = Debris::Suspected;
                    // What is loaded under its number from now on is another one.
                    if opinion == OPINIONS {
                        let _ = self.sessions.find_mut(handle).map(Session::is_not_loaded);
                    }
                }
                // The TPM is in trouble: what it lists will tell.
                Verdict::Refused(_) => {
                    self.debris = Debris::Suspected;
                    return;
                }
                Verdict::Unknown(_) => {
                    self.debris = Debris::Suspected;
                    self.save_unanswered(handle);
                    return;
                }
            }
        }
    }

    /// Somebody else comes: has no session loaded that is in doubt. Needs no memory.
    pub(crate) fn evict_sessions_in_doubt(&mut self, tpm: &mut dyn Tpm) {
        loop {
            let next = self.sessions.in_doubt().next();
            let Some(handle) = next else {
                return;
            };

            // Else what is saved may be something else.
            if !self.era.is_shaken() {
                self.settle_by_saving(tpm, handle);
            }
            if self.sessions.in_doubt().next() == Some(handle) {
                self.end_session(tpm, handle);
            }
        }
    }

    /// A session may have been made that nobody was told of, and have the number of any that has
    /// ended. What is in doubt is given up.
    pub(crate) fn session_may_be_made(&mut self, tpm: &mut dyn Tpm) {
        self.numbers = Numbers::Untold;
        self.give_up_sessions_in_doubt(tpm);
    }

    /// Has no session in doubt any more.
    pub(crate) fn give_up_sessions_in_doubt(&mut self, tpm: &mut dyn Tpm) {
        loop {
            let next = self.sessions.iter().find(|session| session.may_be_loaded());
            let Some(handle) = next.map(Session::handle) else {
                return;
            };

            self.end_session(tpm, handle);
        }
    }
}
