// SPDX-License-Identifier: GPL-2.0

//! The driver's own files between programs and the engine, and the engine, for [loom](https://docs.rs/loom).
//!
//! `client.rs` (by symbolic links, so that it finds its own folder), `manager.rs`, `desk.rs`, `alarm.rs` and `service.rs` are the module's, with what is in their
//! folders. What they stand on in the kernel is in this crate, with the names that it has there: a chip that is
//! a modelled TPM ([`chip`]), the turn, those who poll, those who look, the queue, parameters. Tests are in `tests`, and reach
//! all of it through [`rig`].

#![feature(coerce_unsized, unsize)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "what the rest of the driver uses is not used here"
)]

#[path = "../../../../drivers/char/tpm/tpmrm/alarm.rs"]
mod alarm;
mod bindings;
mod charge;
mod chip;
mod client;
mod clock;
#[path = "../../../../drivers/char/tpm/tpmrm/desk.rs"]
mod desk;
#[path = "../../../../drivers/char/tpm/tpmrm/engine/mod.rs"]
mod engine;
#[path = "../../../../drivers/char/tpm/tpmrm/manager.rs"]
mod manager;
mod model;
mod parameters;
mod queue;
pub mod rig;
#[path = "../../../../drivers/char/tpm/tpmrm/service.rs"]
mod service;
mod sleep;
mod turn;
mod wait;
mod window;
