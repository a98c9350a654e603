// SPDX-License-Identifier: GPL-2.0

//! Host tests of the engine: the module's own engine files and what drives them.

#[cfg(engine)]
#[path = "../../../../drivers/char/tpm/tpmrm/engine/mod.rs"]
pub mod engine;
