// SPDX-License-Identifier: GPL-2.0

//! Bytes become programs of several clients, or messages, and what the driver makes of them is checked.
//!
//! [`program`] plays a whole engine over a TPM that knows what everything in it really is ([`tpm`]), with
//! faults, raw users, resets and time, and holds what clients are told and what the TPM was sent against books
//! of its own ([`books`], [`checks`]). [`wire`] does so with the parsers alone. Nothing here is about how the
//! engine works inside: all is seen from outside.

pub mod books;
pub mod checks;
pub mod commands;
mod engine;
pub mod input;
pub mod program;
pub mod steps;
pub mod tpm;
pub mod wire;

/// What plays one input of a target.
pub type Play = fn(&[u8]);

/// The target with this name.
pub fn target(name: &str) -> Option<Play> {
    match name {
        "engine" => Some(program::play),
        "wire" => Some(wire::parse),
        _ => None,
    }
}
