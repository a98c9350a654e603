// SPDX-License-Identifier: GPL-2.0

//! Host tests of the engine: the module's own engine files and what drives them.
//!
//! [`rig::Rig`] is the place to start: an engine over a TPM, with clients. The TPM is libtpms in this
//! process ([`libtpms`]), or a model ([`fake`]) for what libtpms cannot be brought to do. [`chip`] records
//! what the engine sends, and fails what it is told to. Time is virtual ([`clock`]): who waits for a session
//! number waits until a test lets time pass ([`waiting`]), and his bell ([`bell`]) remembers what it was told.
//! [`record`] writes down what clients do as a
//! trace of tools/testing/replacement, and [`play`] does what a trace says. [`oracle`] compares what clients
//! see with what each would see alone, on TPMs in processes of their own ([`private`]).
//! [`client`], [`command`] and [`wire`] are a small TSS that shares no code with the engine.

#[cfg(engine)]
#[path = "../../../../drivers/char/tpm/tpmrm/engine/mod.rs"]
pub mod engine;

#[cfg(engine)]
pub mod bell;
#[cfg(engine)]
pub mod chip;
pub mod client;
#[cfg(engine)]
pub mod clock;
pub mod command;
#[cfg(engine)]
pub mod fake;
pub mod libtpms;
#[cfg(engine)]
pub mod oracle;
#[cfg(engine)]
pub mod play;
#[cfg(engine)]
pub mod private;
#[cfg(engine)]
pub mod record;
#[cfg(engine)]
pub mod rig;
pub mod tpm;
#[cfg(engine)]
pub mod waiting;
pub mod wire;
