// SPDX-License-Identifier: GPL-2.0

//! One TPM command or response in a buffer that holds the largest of either.

use crate::engine::wire::code::{
    CommandCode,
    Tag, //
};
use crate::engine::wire::rc::ResponseCode;
use crate::engine::wire::reader::Reader;
use kernel::alloc::{
    AllocError,
    Flags, //
};
use kernel::prelude::*;

/// The largest message, in bytes: what the TPM core of the kernel passes on.
pub const MESSAGE_MAX: usize = 4096;

/// The size of the header of commands and responses: tag, size, code (Part 1, 18.2).
pub const HEADER_SIZE: usize = 10;

/// Where the size field of the header is.
const SIZE_FIELD: core::ops::Range<usize> = 2..6;

/// One command or response.
///
/// # Invariants
///
/// `buffer` is [`MESSAGE_MAX`] bytes long and `len` is not larger.
pub struct Message {
    buffer: KVec<u8>,
    len: usize,
}

impl Message {
    /// An empty message; its buffer is allocated at once and zeroed.
    ///
    /// # Errors
    ///
    /// [`AllocError`] when there is no memory for the buffer.
    pub fn new(flags: Flags) -> Result<Self, AllocError> {
        // INVARIANT: the vector has this very length, and nothing changes it.
        Ok(Self {
            buffer: KVec::from_elem(0, MESSAGE_MAX, flags)?,
            len: 0,
        })
    }

    /// The bytes of the message.
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// The whole buffer, to fill it; [`Self::set_len`] then says how far it was filled.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Says that the message is the first `len` bytes of the buffer, at most [`MESSAGE_MAX`].
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(MESSAGE_MAX);
    }

    /// The length of the message in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The TPM_CC of the command that the message is; 0 when it is shorter than a header.
    pub fn command(&self) -> u32 {
        self.u32_at(SIZE_FIELD.end).unwrap_or_default()
    }

    /// The code of the response that the message is.
    ///
    /// # Errors
    ///
    /// `EIO` when it is no response: shorter than a header, or not as long as its header says.
    pub(crate) fn received(&self) -> Result<ResponseCode> {
        let size = self.u32_at(SIZE_FIELD.start).ok_or(EIO)?;
        let code = self.u32_at(SIZE_FIELD.end).ok_or(EIO)?;

        if usize::try_from(size) == Ok(self.len) {
            Ok(ResponseCode::from_wire(code))
        } else {
            Err(EIO)
        }
    }

    /// The tag that the message begins with.
    pub(crate) fn tag(&self) -> Tag {
        Reader::new(self.as_slice())
            .u16()
            .map_or(Tag::Other, Tag::from_wire)
    }

    /// What follows the header.
    pub(crate) fn body(&self) -> &[u8] {
        self.as_slice().get(HEADER_SIZE..).unwrap_or_default()
    }

    /// The big-endian number at `offset`, if the message reaches so far.
    pub(crate) fn u32_at(&self, offset: usize) -> Option<u32> {
        Reader::new(self.as_slice().get(offset..)?).u32().ok()
    }

    /// Replaces the four bytes at `offset`; does nothing where the message is too short.
    pub(crate) fn set_u32_at(&mut self, offset: usize, value: u32) {
        let end = offset.saturating_add(size_of::<u32>());
        if end <= self.len {
            if let Some(field) = self.buffer.get_mut(offset..end) {
                field.copy_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// Replaces the byte at `offset`; does nothing where the message is too short.
    pub(crate) fn set_u8_at(&mut self, offset: usize, value: u8) {
        if offset < self.len {
            if let Some(field) = self.buffer.get_mut(offset) {
                *field = value;
            }
        }
    }

    /// Makes this message empty; what was in it is overwritten.
    pub(crate) fn clear(&mut self) {
        if let Some(used) = self.buffer.get_mut(..self.len) {
            used.fill(0);
        }
        self.len = 0;
    }

    /// Makes this message the same as `other`.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.set_len(other.len);
        let source = other.as_slice();
        if let Some(target) = self.buffer.get_mut(..source.len()) {
            target.copy_from_slice(source);
        }
    }

    /// Makes this message the command `code` without sessions and with `parts` as its body.
    ///
    /// # Errors
    ///
    /// `E2BIG` when it does not fit.
    pub(crate) fn set_command(&mut self, code: CommandCode, parts: &[&[u8]]) -> Result {
        self.compose(code.to_wire(), parts)
    }

    /// Makes this message a response without sessions and with `parts` as its body.
    ///
    /// # Errors
    ///
    /// `E2BIG` when it does not fit.
    pub(crate) fn set_response(&mut self, code: ResponseCode, parts: &[&[u8]]) -> Result {
        self.compose(code.to_wire(), parts)
    }

    fn compose(&mut self, code: u32, parts: &[&[u8]]) -> Result {
        self.len = 0;
        self.append(&Tag::of_own_messages().to_be_bytes())?;
        self.append(&[0; SIZE_FIELD.end - SIZE_FIELD.start])?;
        self.append(&code.to_be_bytes())?;
        for part in parts {
            self.append(part)?;
        }
        Ok(())
    }

    /// Adds `bytes` at the end and corrects the size field.
    ///
    /// # Errors
    ///
    /// `E2BIG` when they do not fit.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result {
        let end = self.len.checked_add(bytes.len()).ok_or(E2BIG)?;
        self.buffer
            .get_mut(self.len..end)
            .ok_or(E2BIG)?
            .copy_from_slice(bytes);
        self.len = end;
        let size = u32::try_from(end).map_err(|_| E2BIG)?;
        self.set_u32_at(SIZE_FIELD.start, size);
        Ok(())
    }
}
