// SPDX-License-Identifier: GPL-2.0

//! What leaves the TPM, and when. Loading what a command names is not decided here.

use crate::engine::{
    slots::{
        Occupant,
        Slot, //
    },
    wire::handle::SessionHandle, //
};

/// Something of ours that is loaded in the TPM.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resident {
    /// An object.
    Object(Slot),
    /// A session.
    Session(SessionHandle),
}

/// What is to become of a resident when a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It leaves the TPM.
    Leaves,
    /// It stays until room is needed.
    #[expect(dead_code, reason = "the one policy there is empties the TPM")]
    Stays,
}

/// Decides about evictions.
pub(crate) trait Policy {
    /// Which of `candidates`, which come the least recently used first, is to make room.
    fn victim(&self, candidates: &mut dyn Iterator<Item = Resident>) -> Option<Resident>;

    /// What is to become of `resident` now that a command has ended.
    fn after_command(&self, resident: Resident) -> Fate;
}

/// Leaves the TPM empty after every command, so that everybody else always finds it empty (G9).
pub(crate) struct EmptyAfterCommand;

impl Policy for EmptyAfterCommand {
    fn victim(&self, candidates: &mut dyn Iterator<Item = Resident>) -> Option<Resident> {
        let mut oldest = None;

        for resident in candidates {
            match resident {
                // Costs nobody anything.
                Resident::Object(slot) if slot.occupant == Occupant::Nobody => {
                    return Some(resident);
                }
                Resident::Object(_) | Resident::Session(_) => {
                    oldest = oldest.or(Some(resident));
                }
            }
        }
        oldest
    }

    fn after_command(&self, _resident: Resident) -> Fate {
        Fate::Leaves
    }
}
