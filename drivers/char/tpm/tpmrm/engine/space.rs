// SPDX-License-Identifier: GPL-2.0

//! A space: what one open descriptor has. Its sessions are in
//! [`Sessions`](crate::engine::sessions::Sessions), since their numbers are the whole chip's.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::exhaustion::Standing;
use crate::engine::{
    bell::Bell,
    counters::Counters,
    object::{
        Entry,
        Object,
        State, //
    },
    refusal::{
        Outcome,
        Refusal, //
    },
    wire::{
        handle::VirtualHandle,
        rc::ResponseCode, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Who opened a space: what the kernel calls a uid. Sessions that were saved by a client can be
/// listed and flushed by the same user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub u32);

/// The objects of one descriptor.
pub(crate) struct Space {
    user: UserId,
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    standing: Standing,
    /// The handle of the next object.
    next: VirtualHandle,
    /// In the order of their handles.
    objects: KVec<Entry>,
    /// How many commands its client has written.
    commands: u64,
    /// Who pays for it.
    payer: Arc<dyn Bell>,
}

impl Space {
    /// A space without anything.
    pub(crate) fn new(user: UserId, bell: Arc<dyn Bell>) -> Self {
        Self {
            user,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            standing: Standing::new(bell.clone()),
            next: VirtualHandle::FIRST,
            objects: KVec::new(),
            commands: 0,
            payer: bell,
        }
    }

    /// Whose space it is.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// The process that opened it.
    pub(crate) fn process(&self) -> i32 {
        self.payer.process()
    }

    /// How many commands its client has written.
    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    /// Its client has written one more.
    pub(crate) fn count_command(&mut self) {
        Counters::add(&mut self.commands);
    }

    /// What it may lose and has lost.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What it may lose and has lost, to be changed.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    /// Forgets all objects.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn clear(&mut self) {
        self.objects = KVec::new();
    }

    /// The object with this handle, alive or lost.
    pub(crate) fn find(&self, handle: VirtualHandle) -> Option<&Object> {
        let index = self.index(handle)?;

        self.objects.get(index).map(|entry| &entry.object)
    }

    /// The object with this handle, to be changed.
    pub(crate) fn find_mut(&mut self, handle: VirtualHandle) -> Option<&mut Object> {
        let index = self.index(handle)?;

        self.objects.get_mut(index).map(|entry| &mut entry.object)
    }

    /// Gives back memory that the context of an object does not need. When there is none for a
    /// copy, it stays as it is.
    pub(crate) fn trim(&mut self, handle: VirtualHandle) {
        let payer = self.payer.clone();

        if let Some(object) = self.find_mut(handle) {
            payer.pay(&mut || {
                let _ = object.trim();
            });
        }
    }

    /// The handles of the objects that are alive, in order.
    pub(crate) fn alive(&self) -> impl Iterator<Item = VirtualHandle> + '_ {
        self.objects
            .iter()
            .filter(|entry| !is_lost(entry))
            .map(|entry| entry.handle)
    }

    /// How many objects were lost and not flushed.
    pub(crate) fn lost(&self) -> usize {
        self.objects.iter().filter(|entry| is_lost(entry)).count()
    }

    /// Makes sure that one more object can be added, with `limit` as the most that may be alive.
    ///
    /// # Errors
    ///
    /// - TPM_RC_OBJECT_MEMORY of the resource manager, when there are as many as there may be.
    /// - `ENOMEM`.
    pub(crate) fn reserve(&mut self, limit: usize) -> Outcome {
        let alive = self.alive().count();

        if alive >= limit {
            return Err(Refusal::ours(ResponseCode::OBJECT_MEMORY));
        }
        // What is lost costs memory too; the oldest is then only unknown.
        if self.objects.len() >= limit.saturating_mul(2) {
            if let Some(index) = self.objects.iter().position(is_lost) {
                self.discard(index);
            }
        }
        self.objects.reserve(1, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Adds an object, for which room was reserved, and gives it a handle that none had before
    /// it. Returns `None` when there is no room after all.
    pub(crate) fn add(&mut self, object: Object) -> Option<VirtualHandle> {
        let handle = self.next_free();
        let at = self.objects.partition_point(|entry| entry.handle < handle);

        self.objects
            .insert_within_capacity(at, Entry { handle, object })
            .ok()?;
        self.next = handle.next();
        Some(handle)
    }

    /// Removes an object, alive or lost.
    pub(crate) fn remove(&mut self, handle: VirtualHandle) {
        if let Some(index) = self.index(handle) {
            self.discard(index);
        }
    }

    /// Handles are reused only after all others were used.
    fn next_free(&self) -> VirtualHandle {
        let mut handle = self.next;

        // There are more handles than objects, so this ends.
        while self.index(handle).is_some() {
            handle = handle.next();
        }
        handle
    }

    fn index(&self, handle: VirtualHandle) -> Option<usize> {
        self.objects
            .binary_search_by_key(&handle, |entry| entry.handle)
            .ok()
    }

    fn discard(&mut self, index: usize) {
        // The index was just found, so there is nothing that could fail.
        drop(self.objects.remove(index));
    }
}

fn is_lost(entry: &Entry) -> bool {
    matches!(entry.object.state(), State::Lost)
}
