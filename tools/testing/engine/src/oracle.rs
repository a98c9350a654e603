// SPDX-License-Identifier: GPL-2.0

//! An oracle of what a client may see: each client of a random program is also alone on a TPM of its own.
//!
//! A [`program`] is run twice. On one side all clients share a TPM through the engine ([`ours`]), or through
//! the node of a running module ([`node`]). On the other each has a TPM in a process of its own
//! ([`crate::private`]) with the simplest manager that there can be ([`reference`]). What the commands come to
//! must be the same, step by step, but for what a TPM chooses ([`correspondence`], [`layout`]). What clients
//! rightly share, such as NV memory or TPM2_Clear, is done on the others' TPMs as well ([`shared`]).
//!
//! [`seat`] makes bytes of commands and registers of responses, [`generate`] invents programs, [`shrink`]
//! makes those that show a difference short, and [`coverage`] counts what was done.

pub mod codes;
pub mod correspondence;
pub mod coverage;
pub mod generate;
pub mod layout;
pub mod node;
pub mod ours;
pub mod program;
pub mod reference;
pub mod script;
pub mod seat;
pub mod session;
pub mod shared;
pub mod shrink;
pub mod world;
