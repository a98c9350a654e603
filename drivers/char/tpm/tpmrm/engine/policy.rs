// SPDX-License-Identifier: GPL-2.0

//! What leaves the TPM, and when. Loading what a command names is not decided here.
//!
//! When room is needed, that leaves whose next use is expected the latest: see
//! [`rhythm`](crate::engine::rhythm). This is only a matter of cost. What a command names stays or
//! is loaded whatever is decided here.

use crate::engine::{
    rhythm::Expected,
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

/// A resident that no command needs right now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) resident: Resident,
    /// When it is to be expected again; [`None`] when nobody will use it.
    pub(crate) expected: Option<Expected>,
}

/// What is to become of a resident when a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It leaves the TPM.
    Leaves(Urgency),
    /// It stays until room is needed, others use the TPM, or nobody does for a while.
    Stays,
}

/// Whether what cannot be saved may stay in the TPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It may: others are announced before they use the TPM, and it is tried again then.
    CanStay,
    /// It must leave: others come next, or may. What is only in the TPM could be flushed by them,
    /// and its handle come to mean something of theirs (G5).
    MustLeave,
}

/// Decides about evictions.
pub(crate) trait Policy {
    /// Which of `candidates` is to make room.
    fn victim(&self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<Resident>;

    /// What is to become of `resident` now that a command has ended.
    fn after_command(&self, resident: Resident) -> Fate;

    /// Whether what makes room during a command may stay if it cannot be saved.
    fn urgency(&self) -> Urgency;
}

/// Whether we are told before others use the TPM. If we are, what is loaded can stay: everybody
/// else finds the TPM empty all the same (G9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Others come unannounced.
    Absent,
    /// [`Engine::vacate`](crate::engine::Engine::vacate) is called before each of their commands.
    Installed,
}

impl Policy for Barrier {
    fn victim(&self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<Resident> {
        candidates
            // What nobody will use costs nobody anything.
            .max_by_key(|candidate| (candidate.expected.is_none(), candidate.expected))
            .map(|candidate| candidate.resident)
    }

    fn after_command(&self, resident: Resident) -> Fate {
        match (self, resident) {
            (Self::Installed, Resident::Object(slot)) if slot.occupant != Occupant::Nobody => {
                Fate::Stays
            }
            (Self::Installed, Resident::Session(_)) => Fate::Stays,
            (Self::Installed, Resident::Object(_)) | (Self::Absent, _) => {
                Fate::Leaves(self.urgency())
            }
        }
    }

    fn urgency(&self) -> Urgency {
        match self {
            Self::Absent => Urgency::MustLeave,
            Self::Installed => Urgency::CanStay,
        }
    }
}
