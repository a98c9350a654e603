// SPDX-License-Identifier: GPL-2.0

//! A stand-in for the kernel crate, for the driver's code between programs and the engine.
//!
//! Memory and errors are those of tools/testing/engine/kernel. Locks, sleeping, work and timers are made of
//! loom's, so that loom decides in which order things happen. Signals and the interrupts of timers come from
//! the test ([`task`], [`time::hrtimer`]).

#![feature(coerce_unsized, unsize, dispatch_from_dyn)]

pub use host::{alloc, error, fault};

pub mod iov;
pub mod macros;
pub mod sync;
pub mod task;
pub mod time;
pub mod workqueue;

/// The names that a kernel module imports by default.
pub mod prelude {
    pub use crate::pin_init;
    pub use core::ffi::CStr;
    pub use core::pin::Pin;
    pub use host::prelude::*;
    pub use loom_macros::pin_data;
}
