// SPDX-License-Identifier: GPL-2.0

//! Moving an object into the TPM and out of it.

use crate::engine::{
    courier::{
        Verdict,
        ATTEMPTS,
        LOADS,
        OPINIONS, //
    },
    names::Names,
    object::State,
    observer::Event,
    policy::Urgency,
    refusal::Refusal,
    reread::Doubts,
    residency::Failure,
    slots::{
        Occupant,
        Occupied,
        Slot, //
    },
    spaces::ObjectId,
    tidy::Debris,
    tpm::Tpm,
    wire::{
        context::ObjectKind,
        handle::PhysicalHandle, //
    },
    Engine,
};
use kernel::prelude::*;

/// Whether there is a context of an object now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Saved,
    Unsaved,
    /// The TPM does not have it where we had it; it was struck off.
    Absent,
}

impl Engine {
    /// Has an object in the TPM, and returns the handle that it has there.
    pub(crate) fn load_object(
        &mut self,
        tpm: &mut dyn Tpm,
        id: ObjectId,
        needed: &Names,
    ) -> Result<PhysicalHandle, Failure> {
        if let Some(physical) = self.slots.touch(id) {
            return Ok(physical);
        }

        self.expect_objects(tpm, needed, 1);

        let mut refusal = Refusal::Errno(EIO);
        let mut condemnations: usize = 0;

        for _ in 0..LOADS {
            let context = match self.spaces.object(id).map(|object| object.state()) {
                Some(State::Current(context)) => context,
                Some(State::Stale | State::Lost) | None => return Err(self.lose_object(id)),
            };
            let code = match self.courier.load(tpm, context) {
                Verdict::Done(handle) => match handle.loaded_object() {
                    Some(physical) => {
                        self.place_object(physical, id);
                        self.learn_room();
                        return Ok(physical);
                    }
                    None => return Err(self.unknown_load(EIO)),
                },
                Verdict::Refused(code) => code,
                Verdict::Unknown(error) => return Err(self.unknown_load(error)),
            };

            if let Some(shortage) = code.shortage() {
                refusal = Refusal::ours(code);
                self.make_room(tpm, shortage, needed);
            } else if code.condemns_context() {
                condemnations = condemnations.saturating_add(1);
                if condemnations >= OPINIONS {
                    return Err(self.lose_object(id));
                }
            } else {
                return Err(Refusal::Response(code).into());
            }
        }
        Err(refusal.into())
    }

    /// The TPM has given a handle to an object. If another one of ours had it, that has ended.
    pub(crate) fn place_object(&mut self, physical: PhysicalHandle, id: ObjectId) {
        if let Occupied::Yes = self.slots.add(physical, Occupant::Object(id)) {
            self.doubts = Doubts::Reset;
        }
    }

    /// Takes an object out of the TPM; saves it first where that is needed. What cannot be saved
    /// stays, unless it has to leave: then it is lost.
    pub(crate) fn evict_object(&mut self, tpm: &mut dyn Tpm, slot: Slot, urgency: Urgency) {
        if let Occupant::Object(id) = slot.occupant {
            if let Some(State::Stale) = self.spaces.object(id).map(|object| object.state()) {
                match (self.save_object(tpm, id, slot.physical), urgency) {
                    (Kept::Saved, _) => {}
                    (Kept::Absent, _) => return,
                    (Kept::Unsaved, Urgency::CanStay) => return,
                    (Kept::Unsaved, Urgency::MustLeave) => {
                        let _ = self.lose_object(id);
                    }
                }
            }
        }

        match self.courier.flush(tpm, slot.physical) {
            Verdict::Done(()) => self.slots.remove(slot.physical),
            // The context will be loaded anew. This copy is only in the way, and once others have
            // used the TPM its handle is not to be trusted.
            Verdict::Refused(_) | Verdict::Unknown(_) => self.slots.abandon(slot.physical),
        }
    }

    fn save_object(&mut self, tpm: &mut dyn Tpm, id: ObjectId, physical: PhysicalHandle) -> Kept {
        let mut absences: usize = 0;

        if self.era.is_shaken() {
            return Kept::Unsaved;
        }
        for _ in 0..ATTEMPTS {
            match self.courier.save(tpm, physical) {
                Verdict::Done(header) => {
                    self.object_saved(id, header.object_kind());
                    return Kept::Saved;
                }
                Verdict::Refused(code) if code.says_absent() => {
                    absences = absences.saturating_add(1);
                    if absences >= OPINIONS {
                        return self.object_is_absent(id, physical);
                    }
                }
                // Saving an object does not change it, so that an unknown outcome is none.
                Verdict::Refused(_) | Verdict::Unknown(_) => {}
            }
        }
        Kept::Unsaved
    }

    /// The TPM does not have the object where we had it: it has ended, or never was there but under
    /// a handle that we were not told.
    fn object_is_absent(&mut self, id: ObjectId, physical: PhysicalHandle) -> Kept {
        let _ = self.lose_object(id);

        self.slots.remove(physical);
        self.debris = Debris::Suspected;
        self.doubts = Doubts::Reset;
        Kept::Absent
    }

    fn object_saved(&mut self, id: ObjectId, kind: ObjectKind) {
        let context = self.courier.context();

        if let Some(object) = self.spaces.object_mut(id) {
            match object.saved(kind, context) {
                Ok(()) => self.roomy.add(id),
                Err(_) => object.lose(),
            }
        }
    }

    /// The TPM does not have the object any more: without a context it is lost.
    pub(crate) fn object_left(&mut self, id: ObjectId) {
        if let Some(State::Stale) = self.spaces.object(id).map(|object| object.state()) {
            let _ = self.lose_object(id);
        }
    }

    /// Strikes an object off.
    pub(crate) fn lose_object(&mut self, id: ObjectId) -> Failure {
        if let Some(object) = self.spaces.object_mut(id) {
            object.lose();
            self.watch.note(Event::Lost {
                space: id.space,
                handle: id.handle.to_wire(),
            });
        }
        self.slots.abandon_object(id);
        Failure::Lost
    }

    /// The TPM may have loaded something whose handle we were not told.
    fn unknown_load(&mut self, error: Error) -> Failure {
        self.answer_missing();
        Refusal::Errno(error).into()
    }
}
