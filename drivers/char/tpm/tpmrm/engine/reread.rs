// SPDX-License-Identifier: GPL-2.0

//! Asking the TPM what it still has, after something that may have ended more than it named.

use crate::engine::{
    courier::{
        More,
        Verdict, //
    },
    object::State,
    session::Place,
    short::Short,
    slots::Occupant,
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

/// How many handles are asked for at once, and how many we take notice of.
const PIECE: usize = 64;

/// How many pieces a listing has at most. A TPM has far fewer sessions than that.
const PIECES: usize = 16;

/// A part of a listing.
pub(crate) type Piece = Short<RawHandle, PIECE>;

impl Engine {
    /// Calls `each` with the handles of a group that the TPM has, in order and piece by piece.
    /// Returns whether the listing was complete.
    pub(crate) fn list(
        &mut self,
        tpm: &mut dyn Tpm,
        group: HandleGroup,
        mut each: impl FnMut(&mut Self, &mut dyn Tpm, &Piece),
    ) -> Listing {
        let mut first = group.first();

        for _ in 0..PIECES {
            // CAST: `PIECE` is small.
            let question = [capability::HANDLES, first, PIECE as u32];
            let verdict = self.courier.ask(tpm, question, |more, mut reader| {
                let mut piece = Piece::new();

                for _ in 0..reader.u32().ok()? {
                    piece.push(RawHandle::from_wire(reader.u32().ok()?)).ok()?;
                }
                Some((more, piece))
            });
            let Verdict::Done((more, piece)) = verdict else {
                return Listing::Incomplete;
            };

            each(self, tpm, &piece);
            match (more, piece.iter().last()) {
                (More::Yes, Some(last)) => first = group.after(last),
                (More::Yes, None) => return Listing::Incomplete,
                (More::No, _) => return Listing::Complete,
            }
        }
        Listing::Incomplete
    }

    /// Strikes off the loaded objects that the TPM does not have any more. Those that were saved
    /// are judged when they are loaded: only then the TPM tells.
    pub(crate) fn reread_objects(&mut self, tpm: &mut dyn Tpm) {
        if self.slots.iter().next().is_none() {
            return;
        }

        let mut found = KVec::new();
        let mut short_of_memory = Ok(());
        let listing = self.list(tpm, HandleGroup::Transient, |_, _, piece| {
            for handle in piece.iter().filter_map(RawHandle::loaded_object) {
                short_of_memory = short_of_memory.and(found.push(handle, GFP_KERNEL));
            }
        });

        if listing == Listing::Incomplete || short_of_memory.is_err() {
            // Then they are judged when they are evicted.
            return;
        }
        loop {
            let gone = self.slots.iter().find(|s| !found.contains(&s.physical));
            let Some(slot) = gone else {
                return;
            };

            self.slots.remove(slot.physical);
            if let Occupant::Object(id) = slot.occupant {
                if let Some(object) = self.spaces.object_mut(id) {
                    if let State::Stale = object.state() {
                        object.lose();
                    }
                }
            }
        }
    }

    /// Strikes off the saved sessions that the TPM does not know any more.
    pub(crate) fn reread_sessions(&mut self, tpm: &mut dyn Tpm) {
        let mut found = KVec::new();
        let mut short_of_memory = Ok(());
        let listing = self.list(tpm, HandleGroup::SavedSession, |_, _, piece| {
            for handle in piece.iter().filter_map(RawHandle::session) {
                short_of_memory = short_of_memory.and(found.push(handle, GFP_KERNEL));
            }
        });

        if listing == Listing::Incomplete || short_of_memory.is_err() {
            // Then they are judged when they are loaded.
            return;
        }
        self.sessions.retain(|session| match session.place() {
            Place::Saved => found.contains(&session.handle()),
            Place::Loaded => true,
        });
    }
}

/// Whether a listing was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Listing {
    Complete,
    Incomplete,
}
