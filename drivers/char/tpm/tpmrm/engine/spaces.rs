// SPDX-License-Identifier: GPL-2.0

//! All spaces of a chip.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::wire::handle::SessionHandle;
use crate::engine::{
    bell::Bell,
    object::Object,
    space::{
        Space,
        UserId, //
    },
    wire::handle::VirtualHandle, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

/// Names a space for as long as it is open, and nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceId {
    index: usize,
    /// No two spaces have the same, so that a stale name is told from that of a successor.
    serial: u64,
}

impl SpaceId {
    /// A number that no other space of the chip ever has.
    pub fn number(self) -> u64 {
        self.serial
    }
}

/// An object of some space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectId {
    pub(crate) space: SpaceId,
    pub(crate) handle: VirtualHandle,
}

struct Entry {
    serial: u64,
    space: Space,
}

/// The spaces, found in constant time however many there are.
pub(crate) struct Spaces {
    table: KVVec<Option<Entry>>,
    /// The places of the table that are empty. Has room for all of them.
    free: KVVec<usize>,
    next: u64,
}

impl Spaces {
    /// No spaces.
    pub(crate) const fn new() -> Self {
        Self {
            table: KVVec::new(),
            free: KVVec::new(),
            next: 0,
        }
    }

    /// Opens a space for `user`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for it.
    pub(crate) fn open(
        &mut self,
        user: UserId,
        bell: Arc<dyn Bell>,
    ) -> Result<SpaceId, AllocError> {
        if self.free.is_empty() {
            let index = self.table.len();

            // So that closing needs no memory.
            self.free.reserve(index.saturating_add(1), GFP_KERNEL)?;
            self.table.push(None, GFP_KERNEL)?;
            self.free.push(index, GFP_KERNEL)?;
        }

        let index = self.free.pop().ok_or(AllocError)?;
        let serial = self.next;

        self.next = serial.wrapping_add(1);
        if let Some(entry) = self.table.get_mut(index) {
            *entry = Some(Entry {
                serial,
                space: Space::new(user, bell),
            });
        }
        Ok(SpaceId { index, serial })
    }

    /// Closes a space, and returns it if it was open.
    pub(crate) fn close(&mut self, id: SpaceId) -> Option<Space> {
        self.get(id)?;

        let entry = self.table.get_mut(id.index)?.take()?;

        // There is room: `open` reserved it.
        drop(self.free.push_within_capacity(id.index));
        Some(entry.space)
    }

    /// The space, if it is open.
    pub(crate) fn get(&self, id: SpaceId) -> Option<&Space> {
        match self.table.get(id.index) {
            Some(Some(entry)) if entry.serial == id.serial => Some(&entry.space),
            _ => None,
        }
    }

    /// The space, to be changed.
    pub(crate) fn get_mut(&mut self, id: SpaceId) -> Option<&mut Space> {
        match self.table.get_mut(id.index) {
            Some(Some(entry)) if entry.serial == id.serial => Some(&mut entry.space),
            _ => None,
        }
    }

    /// All of them that are open.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SpaceId, &Space)> + '_ {
        self.table.iter().enumerate().filter_map(|(index, entry)| {
            let entry = entry.as_ref()?;
            let serial = entry.serial;

            Some((SpaceId { index, serial }, &entry.space))
        })
    }

    /// Whether the space has lost a session of this number.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn has_lost(&self, id: SpaceId, handle: SessionHandle) -> bool {
        self.get(id)
            .is_some_and(|space| space.standing().has_lost(handle))
    }

    /// The object, alive or lost.
    pub(crate) fn object(&self, id: ObjectId) -> Option<&Object> {
        self.get(id.space)?.find(id.handle)
    }

    /// The object, to be changed.
    pub(crate) fn object_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.get_mut(id.space)?.find_mut(id.handle)
    }
}
