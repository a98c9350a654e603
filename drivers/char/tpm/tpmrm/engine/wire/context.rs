// SPDX-License-Identifier: GPL-2.0

//! TPMS_CONTEXT: the readable part of a saved context (Part 2, 14.5).

use crate::engine::wire::handle::RawHandle;
use crate::engine::wire::reader::{
    Reader,
    Truncated, //
};

/// The savedHandle of a sequence object.
const SAVED_SEQUENCE: u32 = 0x8000_0001;

/// Whether an object changes when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// It never changes: a context of it stays valid as long as the object could be loaded.
    Ordinary,
    /// A hash, HMAC or event sequence: every use changes it.
    Sequence,
}

/// The fields of a TPMS_CONTEXT that the TPM leaves readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextHeader {
    /// For a session, the value of the TPM's context counter when it was saved.
    pub(crate) sequence: u64,
    /// What was saved: the session's own handle, or the kind of object.
    pub(crate) saved_handle: RawHandle,
    /// The hierarchy whose proof protects the context.
    pub(crate) hierarchy: u32,
}

impl ContextHeader {
    /// Reads it from the front of `context`.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when `context` is shorter than a TPMS_CONTEXT says of itself.
    pub(crate) fn parse(context: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(context);
        let header = Self {
            sequence: reader.u64()?,
            saved_handle: RawHandle::from_wire(reader.u32()?),
            hierarchy: reader.u32()?,
        };
        reader.sized()?;
        Ok(header)
    }

    /// Whether it can be what a ContextSave of `handle` answers: an object has no number in its
    /// context, but a session has its own.
    pub(crate) fn is_of(&self, handle: RawHandle) -> bool {
        self.saved_handle.session() == handle.session()
            && self.saved_handle.loaded_object().is_some() == handle.loaded_object().is_some()
    }

    /// The kind of the object that was saved.
    pub(crate) fn object_kind(&self) -> ObjectKind {
        if self.saved_handle.to_wire() == SAVED_SEQUENCE {
            ObjectKind::Sequence
        } else {
            ObjectKind::Ordinary
        }
    }
}
