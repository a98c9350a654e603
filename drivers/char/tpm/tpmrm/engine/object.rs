// SPDX-License-Identifier: GPL-2.0

//! A transient object of a space: its virtual handle, and what there is of it outside the TPM.
//!
//! Whether it is loaded is for [`Slots`](crate::engine::slots::Slots) to tell.

use crate::engine::{
    rhythm::{
        Beat,
        Expected,
        Rhythm, //
    },
    wire::{
        context::ObjectKind,
        handle::VirtualHandle, //
    },
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// What there is of an object outside the TPM.
enum Context {
    /// A context that can be loaded. Entered when the object was saved, and when the client
    /// brought it.
    Current(KVec<u8>),
    /// No context that can be loaded, but memory for one. Entered when the object comes into
    /// being, and when a sequence is used. The object is loaded.
    Stale(KVec<u8>),
    /// The object is gone. Only its handle is left, so that it is refused by name.
    Lost,
}

/// A transient object.
pub(crate) struct Object {
    kind: ObjectKind,
    context: Context,
    rhythm: Rhythm,
}

/// What can be done with an object.
pub(crate) enum State<'a> {
    /// It can be loaded from this context.
    Current(&'a [u8]),
    /// It has to be saved before it leaves the TPM.
    Stale,
    /// It is gone.
    Lost,
}

impl Object {
    /// An object that the TPM is about to make. `room` is how large its context can be.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for the context.
    pub(crate) fn new(room: usize) -> Result<Self, AllocError> {
        Ok(Self {
            kind: ObjectKind::Ordinary,
            context: Context::Stale(KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?),
            rhythm: Rhythm::new(Beat::ZERO),
        })
    }

    /// An object that the TPM is about to load from a context that the client brought. `room` is
    /// how large its context can become.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for the context.
    pub(crate) fn from_context(
        kind: ObjectKind,
        context: &[u8],
        room: usize,
    ) -> Result<Self, AllocError> {
        let room = match kind {
            ObjectKind::Ordinary => context.len(),
            ObjectKind::Sequence => room.max(context.len()),
        };
        let mut this = Self {
            kind,
            context: Context::Current(copy(context, room)?),
            rhythm: Rhythm::new(Beat::ZERO),
        };

        // The client may use its context again; a sequence must not go back to it.
        this.used();
        Ok(this)
    }

    /// It has come into being.
    pub(crate) fn begin(&mut self, now: Beat) {
        self.rhythm = Rhythm::new(now);
    }

    /// A command is about to use it.
    pub(crate) fn note_use(&mut self, now: Beat) {
        self.rhythm.used(now);
    }

    /// How soon it is to be expected again.
    pub(crate) fn expected(&self, now: Beat) -> Expected {
        self.rhythm.expected(now)
    }

    /// What can be done with it.
    pub(crate) fn state(&self) -> State<'_> {
        match &self.context {
            Context::Current(context) => State::Current(context),
            Context::Stale(_) => State::Stale,
            Context::Lost => State::Lost,
        }
    }

    /// A command named the object: what was saved before is of no use if that changed it.
    pub(crate) fn used(&mut self) {
        if self.kind == ObjectKind::Sequence {
            self.context = match core::mem::replace(&mut self.context, Context::Lost) {
                Context::Current(buffer) | Context::Stale(buffer) => Context::Stale(buffer),
                Context::Lost => Context::Lost,
            };
        }
    }

    /// The object was saved, into the memory that it has: whoever needed its place in the TPM is
    /// not to pay for it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when the context is larger than the TPM said that any would be, and there is
    /// no memory for that.
    pub(crate) fn saved(&mut self, kind: ObjectKind, context: &[u8]) -> Result<(), AllocError> {
        let mut room = match core::mem::replace(&mut self.context, Context::Lost) {
            Context::Current(room) | Context::Stale(room) => room,
            Context::Lost => KVec::new(),
        };

        room.clear();
        room.extend_from_slice(context, GFP_KERNEL_ACCOUNT)?;
        self.kind = kind;
        self.context = Context::Current(room);
        Ok(())
    }

    /// Gives back the memory that its context does not need. That of a sequence changes, and needs
    /// it again.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for a copy; then it stays as it is.
    pub(crate) fn trim(&mut self) -> Result<(), AllocError> {
        if let (ObjectKind::Ordinary, Context::Current(context)) = (self.kind, &self.context) {
            if context.len() < context.capacity() {
                self.context = Context::Current(copy(context, context.len())?);
            }
        }
        Ok(())
    }

    /// The object is gone.
    pub(crate) fn lose(&mut self) {
        self.context = Context::Lost;
    }
}

fn copy(context: &[u8], room: usize) -> Result<KVec<u8>, AllocError> {
    let mut copy = KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;

    copy.extend_from_slice(context, GFP_KERNEL_ACCOUNT)?;
    Ok(copy)
}

/// An object within its space.
pub(crate) struct Entry {
    pub(crate) handle: VirtualHandle,
    pub(crate) object: Object,
}
