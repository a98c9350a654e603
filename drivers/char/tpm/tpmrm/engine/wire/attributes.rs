// SPDX-License-Identifier: GPL-2.0

//! TPMA_CC: what a command does to handles (Part 2, 8.9).

use crate::engine::wire::code::CommandCode;

const INDEX: u32 = 0xffff;
const EXTENSIVE: u32 = 1 << 23;
const FLUSHED: u32 = 1 << 24;
const HANDLES_SHIFT: u32 = 25;
const HANDLES: u32 = 0x7;
const RESPONSE_HANDLE: u32 = 1 << 28;
const VENDOR: u32 = 1 << 29;

/// How many handles a TPMA_CC can announce.
pub(crate) const HANDLES_MAX: usize = 7;

/// A TPMA_CC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandAttributes(u32);

impl CommandAttributes {
    /// The attributes as a TPM reports them, with one correction.
    ///
    /// The handle of ContextSave stands where the handle area is, and some TPMs report that the
    /// command has no handle area.
    pub(crate) fn from_wire(attributes: u32) -> Self {
        let this = Self(attributes);
        if this.code() == CommandCode::CONTEXT_SAVE {
            Self((attributes & !(HANDLES << HANDLES_SHIFT)) | (1 << HANDLES_SHIFT))
        } else {
            this
        }
    }

    /// The command that they describe.
    pub(crate) fn code(self) -> CommandCode {
        CommandCode::from_wire(self.0 & (INDEX | VENDOR))
    }

    /// The number of handles in the handle area of the command, at most [`HANDLES_MAX`].
    pub(crate) fn handles(self) -> u8 {
        // CAST: three bits.
        ((self.0 >> HANDLES_SHIFT) & HANDLES) as u8
    }

    /// Whether the response has a handle area.
    pub(crate) fn has_response_handle(self) -> bool {
        self.0 & RESPONSE_HANDLE != 0
    }

    /// Whether success flushes the transient objects that the command names.
    pub(crate) fn flushes_named(self) -> bool {
        self.0 & FLUSHED != 0
    }

    /// Whether the command may flush any number of things that it does not name.
    pub(crate) fn is_extensive(self) -> bool {
        self.0 & EXTENSIVE != 0
    }
}
