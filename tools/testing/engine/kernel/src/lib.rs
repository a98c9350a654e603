// SPDX-License-Identifier: GPL-2.0

//! A stand-in on the host for the kernel crate: allocation and errors, as the engine uses them.
//!
//! Names, signatures and results are those of the kernel crate of Linux 7.3; what the kernel lacks
//! is not offered here, so that code which compiles against this compiles in the module as well.
//! The one addition is [`fault`]: every allocation that can fail in the kernel can be made to fail.

#![forbid(unsafe_code)]

pub mod alloc;
pub mod error;
pub mod fault;
pub mod prelude;
pub mod sync;
