// SPDX-License-Identifier: GPL-2.0

//! Contexts in more memory than they need. An object is saved into the room that was taken when it
//! came into being, whoever needs its place in the TPM; what is too much is given back afterwards,
//! and never while others wait for their command.

use crate::engine::{
    spaces::ObjectId,
    wire::attributes::HANDLES_MAX,
    Engine, //
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// The objects that were saved since the last time.
pub(crate) struct Roomy(KVec<ObjectId>);

impl Roomy {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// Makes sure that all can be added that are loaded, which are so many, and all that one
    /// command can load and make.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn reserve(&mut self, loaded: usize) -> Result<(), AllocError> {
        let more = loaded.saturating_add(HANDLES_MAX).saturating_add(1);

        self.0.reserve(more, GFP_KERNEL)
    }

    /// An object was saved. If there is no place for it, it keeps its room.
    pub(crate) fn add(&mut self, id: ObjectId) {
        drop(self.0.push_within_capacity(id));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Engine {
    /// Gives back the memory that contexts do not need, each at the charge of its owner.
    pub(crate) fn trim_contexts(&mut self) {
        while let Some(id) = self.roomy.0.pop() {
            if let Some(space) = self.spaces.get_mut(id.space) {
                space.trim(id.handle);
            }
        }
    }
}
