// SPDX-License-Identifier: GPL-2.0

//! Having in the TPM what a command names, and making room for it.
//!
//! How an object or a session is moved is in [`swap_object`](crate::engine::swap_object) and
//! [`swap_session`](crate::engine::swap_session); which one has to go, [`Policy`] decides.

use crate::engine::{
    names::{
        Names,
        Position,
        Target, //
    },
    policy::{
        Policy,
        Resident, //
    },
    refusal::{
        Outcome,
        Refusal, //
    },
    slots::Occupant,
    tpm::Tpm,
    wire::{
        command::Command,
        message::Message,
        rc::Shortage, //
    },
    Engine,
};
/// Why something could not be loaded.
pub(crate) enum Failure {
    /// It is gone, and was struck off.
    Lost,
    /// It is still there, for a later command.
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    /// What the client gets for the name that could not be loaded.
    pub(crate) fn of(self, lost: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Lost => lost(),
            Self::Refused(refusal) => refusal,
        }
    }
}

impl Engine {
    /// Loads everything that a command names, and puts the handles of the TPM into `message`.
    ///
    /// # Errors
    ///
    /// - TPM_RC_REFERENCE_Hn or Sn of the resource manager when it turns out that a name is lost.
    /// - What the TPM said when it is in trouble, or has no room although nothing of ours is in
    ///   the way.
    /// - `ENOMEM`, and those of the transport.
    pub(crate) fn load_named(
        &mut self,
        tpm: &mut dyn Tpm,
        names: &Names,
        message: &mut Message,
    ) -> Outcome {
        for name in names.iter() {
            let loaded = match name.target {
                Target::Object(id) => self.load_object(tpm, id, names).map(Some),
                Target::Session(handle) => self.load_session(tpm, handle, names).map(|()| None),
            };
            let physical = loaded.map_err(|failure| failure.of(|| name.position.refusal()))?;

            if let (Some(physical), Position::Handle(n)) = (physical, name.position) {
                message.set_u32_at(Command::handle_offset(n), physical.to_wire());
            }
        }
        Ok(())
    }

    /// Takes something out of the TPM that `needed` does not name, so that there is room.
    ///
    /// This may fail: whoever needs the room tries again and sees.
    pub(crate) fn make_room(&mut self, tpm: &mut dyn Tpm, shortage: Shortage, needed: &Names) {
        match shortage {
            Shortage::Object => {
                let mut candidates = self
                    .slots
                    .iter()
                    .filter(|slot| match slot.occupant {
                        Occupant::Object(id) => !needed.include(Target::Object(id)),
                        Occupant::Nobody => true,
                    })
                    .map(Resident::Object);
                let victim = self.policy.victim(&mut candidates);

                drop(candidates);
                if let Some(victim) = victim {
                    self.evict(tpm, victim);
                }
            }
            Shortage::Session => {
                let mut candidates = self
                    .sessions
                    .loaded()
                    .filter(|handle| !needed.include(Target::Session(*handle)))
                    .map(Resident::Session);
                let victim = self.policy.victim(&mut candidates);

                drop(candidates);
                match victim {
                    Some(victim) => self.evict(tpm, victim),
                    None => tpm.end_kernel_session(),
                }
            }
            // Nothing that is loaded is in the way of it.
            Shortage::SessionNumber => {}
            Shortage::ContextGap => self.reopen_gap(tpm),
        }
    }

    /// Takes something out of the TPM. When that fails, it is tried again by a later command.
    pub(crate) fn evict(&mut self, tpm: &mut dyn Tpm, resident: Resident) {
        match resident {
            Resident::Object(slot) => self.evict_object(tpm, slot),
            Resident::Session(handle) => {
                // What cannot be saved stays where it is.
                let _ = self.save_session(tpm, handle);
            }
        }
    }
}
