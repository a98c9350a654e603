// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, which run when a module that was built with them is loaded.
//!
//! Those of the engine are the tests that also run on a developer's machine
//! ([`selftest`](crate::engine::selftest)); those of what wraps the kernel run here only. Tests of
//! what is private to a file stand at its end.

mod charge;
mod engine;
mod parameters;
mod queue;
mod turn;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod uapi;
mod wait;
