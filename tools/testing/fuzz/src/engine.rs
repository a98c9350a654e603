// SPDX-License-Identifier: GPL-2.0

//! The driver's parsers, compiled once more for [`wire`](crate::wire): the engine shows them to nobody.

#![allow(
    dead_code,
    unused_imports,
    reason = "the rest of the engine is not here"
)]

#[path = "../../../../drivers/char/tpm/tpmrm/engine/short.rs"]
pub(crate) mod short;
#[path = "../../../../drivers/char/tpm/tpmrm/engine/wire/mod.rs"]
pub(crate) mod wire;
