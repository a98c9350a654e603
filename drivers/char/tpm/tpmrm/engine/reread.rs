// SPDX-License-Identifier: GPL-2.0

//! Asking the TPM what it still has, after something that may have ended more than it named.

use crate::engine::{
    courier::{
        More,
        Verdict, //
    },
    names::Names,
    object::State,
    session::Place,
    slots::{
        Occupant,
        Slot, //
    },
    tidy::Debris,
    tpm::Tpm,
    wire::{
        capability,
        handle::{
            HandleGroup,
            RawHandle, //
        },
    },
    Engine,
};
use kernel::prelude::*;

/// How many handles are asked for at once.
const MANY: u32 = 254;

/// How many handles a listing has at most: more than any TPM has slots and sessions.
const HANDLES_MAX: usize = 4096;

/// Whether all that a command names is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    All,
    NotAll,
}

/// Whether saved sessions may have ended without our knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubts {
    None,
    /// Entered when the TPM did not have one where we had it; left when it was asked for all.
    Sessions,
}

impl Engine {
    /// The handles of a group that the TPM has, in order.
    ///
    /// # Errors
    ///
    /// When there is no complete list: for want of memory, or because of what the TPM says.
    pub(crate) fn list(
        &mut self,
        tpm: &mut dyn Tpm,
        group: HandleGroup,
    ) -> Result<KVec<RawHandle>> {
        let mut list = KVec::new();
        let mut first = group.first();

        loop {
            let question = [capability::HANDLES, first, MANY];
            let before = list.len();
            let verdict = self.courier.ask(tpm, question, |more, mut reader| {
                for _ in 0..reader.u32().ok()? {
                    let handle = RawHandle::from_wire(reader.u32().ok()?);

                    list.push(handle, GFP_KERNEL).ok()?;
                }
                Some(more)
            });
            let more = match verdict {
                Verdict::Done(more) => more,
                Verdict::Refused(_) => return Err(EIO),
                Verdict::Unknown(error) => return Err(error),
            };

            match (more, list.last()) {
                (More::No, _) => return Ok(list),
                (More::Yes, Some(last)) if before < list.len() && list.len() < HANDLES_MAX => {
                    first = group.after(*last);
                }
                (More::Yes, _) => return Err(EIO),
            }
        }
    }

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
                if let Some(State::Stale) = self.spaces.object(id).map(|object| object.state()) {
                    let _ = self.lose_object(id);
                }
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
                            self.session_is_absent(tpm, handle);
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
            // What is there instead?
            self.debris = Debris::Suspected;
        }
        found
    }

    /// Asks for the saved sessions if there is doubt. Not done at once where that arises: it needs
    /// memory, and the commands of others may wait.
    pub(crate) fn recheck_sessions(&mut self, tpm: &mut dyn Tpm) {
        if self.doubts == Doubts::Sessions {
            self.doubts = Doubts::None;
            self.reread_sessions(tpm);
        }
    }

    /// Strikes off the saved sessions that the TPM does not know any more.
    pub(crate) fn reread_sessions(&mut self, tpm: &mut dyn Tpm) {
        // Without a list, they are judged when they are loaded.
        let Ok(found) = self.list(tpm, HandleGroup::SavedSession) else {
            return;
        };

        self.lose_sessions_unless(|session| match session.place() {
            Place::Saved => found
                .iter()
                .any(|handle| handle.session() == Some(session.handle())),
            Place::Loaded => true,
        });
    }
}
