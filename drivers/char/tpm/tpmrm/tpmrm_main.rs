// SPDX-License-Identifier: GPL-2.0

//! A resource manager for TPM 2.0 chips: serves `/dev/tpmrmN` in place of the TPM core.
//!
//! What happens to a command is decided in [`engine`], which knows nothing of the kernel; the
//! other modules connect it to chips and to programs.

mod alarm;
mod bindings;
mod charge;
mod chip;
mod class;
mod client;
mod clock;
mod desk;
mod discovery;
mod engine;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod ioctl;
mod manager;
mod node;
mod parameters;
mod queue;
mod registry;
mod service;
mod turn;
mod wait;

use crate::{
    discovery::Discovery,
    registry::Registry, //
};
use kernel::prelude::*;

module! {
    type: TpmResourceManager,
    name: "tpmrm",
    authors: ["The tpmrm developers"],
    description: "TPM 2.0 resource manager",
    license: "GPL",
}

/// The module. Its fields are dropped in the order in which they are declared.
struct TpmResourceManager {
    /// Gives all nodes back.
    _discovery: Discovery,
    /// Then waits for those who were just opening one.
    _openers: Openers,
    /// Then there is nothing to be found any more.
    _registry: Registry,
}

impl kernel::Module for TpmResourceManager {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // SAFETY: A module is initialised once, and nothing else was called yet.
        let registry = unsafe { Registry::new() };
        let openers = Openers;
        // SAFETY: A module is initialised once.
        let discovery = unsafe { Discovery::new() }?;

        Ok(Self {
            _discovery: discovery,
            _openers: openers,
            _registry: registry,
        })
    }
}

/// Whoever was opening a node when it was given back. Dropping it waits for them.
struct Openers;

impl Drop for Openers {
    fn drop(&mut self) {
        node::settle();
    }
}
