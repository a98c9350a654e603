// SPDX-License-Identifier: GPL-2.0

//! Which objects of ours are loaded in the TPM.

use crate::engine::{
    rhythm::Beat,
    spaces::{
        ObjectId,
        SpaceId, //
    },
    wire::{
        attributes::HANDLES_MAX,
        handle::PhysicalHandle, //
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// Whose a loaded object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// An object of a space.
    Object(ObjectId),
    /// Nobody's any more: it is only to be flushed. Entered when its space was closed, when it was
    /// lost, and when it could not be flushed.
    Nobody,
}

/// Whether a handle that the TPM gave away was that of an object: then that has ended without our
/// knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Occupied {
    Yes,
    No,
}

/// An object in the TPM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) physical: PhysicalHandle,
    pub(crate) occupant: Occupant,
}

/// All slots of the TPM that we have filled.
pub(crate) struct Slots {
    /// The least recently used first.
    table: KVec<Slot>,
    /// How many commands have used objects.
    now: Beat,
}

impl Slots {
    /// Nothing is loaded.
    pub(crate) const fn new() -> Self {
        Self {
            table: KVec::new(),
            now: Beat::ZERO,
        }
    }

    /// Makes sure that all that one command can load, and what it can make, can be added.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn reserve(&mut self) -> Result<(), AllocError> {
        self.table.reserve(HANDLES_MAX + 1, GFP_KERNEL)
    }

    /// How many commands have used objects.
    pub(crate) fn now(&self) -> Beat {
        self.now
    }

    /// One more command uses objects.
    pub(crate) fn tick(&mut self) -> Beat {
        self.now = self.now.next();
        self.now
    }

    /// An object was loaded. There must be room for it, by [`Self::reserve`]. Says whether an
    /// object was believed to be there.
    pub(crate) fn add(&mut self, physical: PhysicalHandle, occupant: Occupant) -> Occupied {
        let is_occupied =
            |slot: &Slot| slot.physical == physical && matches!(slot.occupant, Occupant::Object(_));
        let occupied = if self.table.iter().any(is_occupied) {
            Occupied::Yes
        } else {
            Occupied::No
        };

        // The TPM gave the handle away, so that it cannot stand for anything older.
        self.remove(physical);
        drop(self.table.push_within_capacity(Slot { physical, occupant }));
        occupied
    }

    /// The handle of an object in the TPM, if it is loaded. It counts as used.
    pub(crate) fn touch(&mut self, id: ObjectId) -> Option<PhysicalHandle> {
        let index = self
            .table
            .iter()
            .position(|slot| slot.occupant == Occupant::Object(id))?;
        let slot = self.table.remove(index).ok()?;
        let physical = slot.physical;

        // There is room for what was just removed.
        drop(self.table.push_within_capacity(slot));
        Some(physical)
    }

    /// The handle of an object in the TPM, if it is loaded.
    pub(crate) fn find(&self, id: ObjectId) -> Option<PhysicalHandle> {
        self.table
            .iter()
            .find(|slot| slot.occupant == Occupant::Object(id))
            .map(|slot| slot.physical)
    }

    /// The object left the TPM.
    pub(crate) fn remove(&mut self, physical: PhysicalHandle) {
        self.table.retain(|slot| slot.physical != physical);
    }

    /// The object stays in the TPM, but nobody will use it.
    pub(crate) fn abandon(&mut self, physical: PhysicalHandle) {
        for slot in self.table.iter_mut() {
            if slot.physical == physical {
                slot.occupant = Occupant::Nobody;
            }
        }
    }

    /// The TPM flushed the object of its own accord.
    pub(crate) fn remove_object(&mut self, id: ObjectId) {
        self.table
            .retain(|slot| slot.occupant != Occupant::Object(id));
    }

    /// Nobody will use what is left of an object.
    pub(crate) fn abandon_object(&mut self, id: ObjectId) {
        self.abandon_if(|object| object == id);
    }

    /// Nobody will use what is left of a space.
    pub(crate) fn abandon_space(&mut self, space: SpaceId) {
        self.abandon_if(|object| object.space == space);
    }

    /// The slot at a place in that order.
    pub(crate) fn get(&self, index: usize) -> Option<Slot> {
        self.table.get(index).copied()
    }

    /// All slots, the least recently used first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.table.iter().copied()
    }

    /// Whether we have loaded what has this handle.
    pub(crate) fn holds(&self, physical: PhysicalHandle) -> bool {
        self.table.iter().any(|slot| slot.physical == physical)
    }

    fn abandon_if(&mut self, is_meant: impl Fn(ObjectId) -> bool) {
        for slot in self.table.iter_mut() {
            if let Occupant::Object(id) = slot.occupant {
                if is_meant(id) {
                    slot.occupant = Occupant::Nobody;
                }
            }
        }
    }
}
