// SPDX-License-Identifier: GPL-2.0

//! Asking the TPM what it still has, after something that may have ended more than it named.

use crate::engine::{
    names::Names,
    session::Place,
    slots::{
        Occupant,
        Slot, //
    },
    tidy::Debris,
    tpm::Tpm,
    wire::handle::{
        HandleGroup,
        RawHandle,
        SessionHandle, //
    },
    Engine,
};
use kernel::prelude::*;

/// Whether all that a command names is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    All,
    NotAll,
}

/// Whether the TPM may have been reset without our knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubts {
    None,
    /// Entered when the TPM did not have something where we had it, or gave its handle away; left
    /// when the TPM was asked for all that it has.
    Reset,
}

impl Engine {
    /// Strikes off the loaded objects that the TPM does not have any more. Those that were saved
    /// are judged when they are loaded: only then the TPM tells.
    ///
    /// # Errors
    ///
    /// Those of [`Self::list`]; then nothing has changed.
    pub(crate) fn reread_objects(&mut self, tpm: &mut dyn Tpm) -> Result {
        if self.slots.iter().next().is_none() {
            return Ok(());
        }

        let found = self.list(tpm, HandleGroup::Transient)?;
        let is_there = |slot: &Slot| {
            found
                .iter()
                .any(|handle| handle.loaded_object() == Some(slot.physical))
        };

        loop {
            let gone = self.slots.iter().find(|slot| !is_there(slot));
            let Some(slot) = gone else {
                return Ok(());
            };

            self.slots.remove(slot.physical);
            if let Occupant::Object(id) = slot.occupant {
                self.object_left(id);
            }
        }
    }

    /// The TPM says that something which a command names is not there. Looks whether that is one
    /// of those that were loaded, and strikes it off: then nobody has told us that the TPM was
    /// reset.
    pub(crate) fn look_for_named(&mut self, tpm: &mut dyn Tpm, names: &Names) -> Found {
        let mut found = Found::All;

        if names.objects().next().is_some() {
            let before = self.slots.iter().count();

            let _ = self.reread_objects(tpm);

            if self.slots.iter().count() < before {
                found = Found::NotAll;
            }
        }
        if names.sessions().next().is_some() {
            if let Ok(listed) = self.list(tpm, HandleGroup::LoadedSession) {
                for handle in names.sessions() {
                    let is_there = |listed: &RawHandle| listed.session() == Some(handle);

                    let place = self.sessions.find(handle).map(|session| session.place());

                    match place.filter(|_| !listed.iter().any(is_there)) {
                        Some(Place::Loaded) => {
                            let _ = self.session_is_not_loaded(tpm, handle);

                            found = Found::NotAll;
                        }
                        // It had to leave again to open the gap.
                        Some(Place::Saved) => found = Found::NotAll,
                        None => {}
                    }
                }
            }
        }
        if found == Found::NotAll {
            // What is there instead? And what else is not there?
            self.debris = Debris::Suspected;
            self.doubts = Doubts::Reset;
        }
        found
    }

    /// Asks for all that there is if there is doubt. Not done at once where that arises: it needs
    /// memory, and the commands of others may wait.
    pub(crate) fn recheck(&mut self, tpm: &mut dyn Tpm) {
        if self.doubts == Doubts::Reset && !self.era.is_shaken() {
            self.reread(tpm);
        }
    }

    /// Strikes off whatever the TPM does not have any more.
    pub(crate) fn reread(&mut self, tpm: &mut dyn Tpm) {
        if self.era.is_shaken() {
            // The lists do not tell what is ours.
            self.doubts = Doubts::Reset;
            return;
        }

        let objects = self.reread_objects(tpm);
        let sessions = self.reread_loaded_sessions(tpm);

        self.reread_sessions(tpm);
        if objects.and(sessions).is_err() {
            // What is believed to be loaded may be something else the next time: it is asked again.
            self.doubts = Doubts::Reset;
            return;
        }
        self.doubts = Doubts::None;
        // From here on the books are right, and a reset that comes later is told from those before.
        self.era.forget();
        self.learn_era(tpm);
    }

    /// Strikes off the loaded sessions that the TPM does not have any more.
    ///
    /// # Errors
    ///
    /// Those of [`Self::list`]; then nothing has changed.
    fn reread_loaded_sessions(&mut self, tpm: &mut dyn Tpm) -> Result {
        if self.sessions.loaded().next().is_none() {
            return Ok(());
        }

        let found = self.list(tpm, HandleGroup::LoadedSession)?;

        loop {
            let is_there = |handle: &SessionHandle| {
                found.iter().any(|listed| listed.session() == Some(*handle))
            };
            let gone = self.sessions.loaded().find(|handle| !is_there(handle));
            let Some(handle) = gone else {
                return Ok(());
            };

            let _ = self.session_is_not_loaded(tpm, handle);
        }
    }

    /// Strikes off the saved sessions that the TPM does not know any more.
    pub(crate) fn reread_sessions(&mut self, tpm: &mut dyn Tpm) {
        // Without a list, they are judged when they are loaded.
        let Ok(found) = self.list(tpm, HandleGroup::SavedSession) else {
            return;
        };

        self.lose_sessions_unless(|session| {
            session.may_be_unlisted()
                || found
                    .iter()
                    .any(|handle| handle.session() == Some(session.handle()))
        });
    }
}
