// SPDX-License-Identifier: GPL-2.0

//! The TPM 2.0 wire format, as far as a resource manager reads it.
//!
//! Everything here is total: no input makes it panic, and nothing looks past the bytes that it was
//! given. A raw `u32` stops here; the rest of the engine works with the types below.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) mod algorithm;
pub(crate) mod attributes;
pub(crate) mod capability;
pub(crate) mod clock;
pub(crate) mod code;
pub(crate) mod command;
pub(crate) mod context;
pub(crate) mod handle;
pub(crate) mod message;
pub(crate) mod rc;
pub(crate) mod reader;
