// SPDX-License-Identifier: GPL-2.0

//! A resource manager for TPM 2.0 chips: serves `/dev/tpmrmN` in place of the TPM core.
//!
//! What happens to a command is decided in [`engine`], which knows nothing of the kernel; the
//! other modules connect it to chips and to programs.

mod alarm;
mod barrier;
mod bindings;
mod charge;
mod chip;
mod class;
mod client;
mod clock;
mod debugfs;
mod desk;
mod discovery;
mod engine;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod ioctl;
#[cfg(CONFIG_TCG_TPM_RM_KUNIT_TEST)]
mod kunit;
mod manager;
mod node;
mod parameters;
mod queue;
mod registry;
mod service;
mod sleep;
mod trace;
mod turn;
mod wait;
mod window;

use crate::{
    debugfs::Folder,
    discovery::Discovery,
    registry::Registry,
    sleep::SleepNotifier, //
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
    /// Ends being told when the system sleeps.
    _sleep: SleepNotifier,
    /// Gives all nodes back, and removes all barriers.
    _discovery: Discovery,
    /// Then waits for those who were just using something of ours.
    _stragglers: Stragglers,
    /// Then there is nothing to be found any more.
    _registry: Registry,
    /// Nor to be read.
    _folder: Folder,
}

impl kernel::Module for TpmResourceManager {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // SAFETY: A module is initialised once, and no chip was found yet.
        let folder = unsafe { Folder::new() };
        // SAFETY: A module is initialised once, and nothing else of this file was called yet.
        let registry = unsafe { Registry::new() };
        let stragglers = Stragglers;
        // SAFETY: A module is initialised once.
        let discovery = unsafe { Discovery::new() }?;
        // SAFETY: A module is initialised once. The list of chips is dropped after the notifier.
        let sleep = unsafe { SleepNotifier::new() }?;

        Ok(Self {
            _sleep: sleep,
            _discovery: discovery,
            _stragglers: stragglers,
            _registry: registry,
            _folder: folder,
        })
    }
}

/// Whoever was opening a node when it was given back, or looked at the operations of a chip.
/// Dropping it waits for them.
struct Stragglers;

impl Drop for Stragglers {
    fn drop(&mut self) {
        node::settle();
        barrier::settle();
    }
}
