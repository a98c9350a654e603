// SPDX-License-Identifier: GPL-2.0

//! The chips that we serve, found by the nodes through which they are opened.
//!
//! The VFS and the driver core hand over an inode or a device and nothing of ours, so this is a
//! global variable. Its lock is held for looking something up and for changing the list.

use crate::{
    chip::Chip,
    client::Client,
    clock::SystemClock,
    engine::{
        Engine,
        UserId, //
    },
    node::{
        NodeId,
        Takeover, //
    },
    parameters,
    service::Service, //
};
use core::mem;
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

kernel::sync::global_lock! {
    // SAFETY: `Registry::new` initialises it before anybody can use it.
    unsafe(uninit) static SERVED: Mutex<KVec<Takeover>> = KVec::new();
}

/// The list of the chips that we serve, empty at first. There is one, in the module.
pub(crate) struct Registry(());

impl Registry {
    /// # Safety
    ///
    /// To be called once, and before any other function of this file.
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: By the caller's promise this is the only call, and the first use.
        unsafe { SERVED.init() };
        Self(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Statics are not dropped when a module goes, so the memory of the list is freed here.
        let served = mem::replace(&mut *SERVED.lock(), KVec::new());

        drop(served);
    }
}

/// Opens `node` for `user`.
///
/// # Errors
///
/// `ENXIO` when the chip went away while its node was being opened, and those of [`Client::new`].
pub(crate) fn open(node: NodeId, user: UserId) -> Result<Arc<Client>> {
    let service = SERVED
        .lock()
        .iter()
        .map(Takeover::service)
        .find(|service| NodeId::of_manager(service) == node)
        .cloned()
        .ok_or(ENXIO)?;

    Client::new(service, user)
}

/// Serves the chip of a node. When that is not possible, the node stays as it is.
///
/// # Safety
///
/// To be called by the driver core only, for devices of the TPM core's resource-managed class.
pub(crate) unsafe extern "C" fn node_added(node: *mut bindings::device) -> c_int {
    // SAFETY: The driver core hands over valid devices, and of this class by the promise above.
    match unsafe { Chip::of_node(node) }.and_then(serve) {
        Ok(()) => 0,
        Err(error) => {
            // SAFETY: As above; the name is not changed after the device was added.
            let name = unsafe { CStr::from_char_ptr(crate::bindings::tpmrm_node_name(node)) };

            pr_err!("{name}: cannot be served, and stays as it is: {error:?}\n");
            error.to_errno()
        }
    }
}

/// Serves the chip of a node no longer: its node is the TPM core's again, its clients are told.
///
/// # Safety
///
/// To be called by the driver core only, for devices of the TPM core's resource-managed class.
pub(crate) unsafe extern "C" fn node_removed(node: *mut bindings::device) {
    // SAFETY: The driver core hands over valid devices, and of this class by the promise above.
    let node = unsafe { NodeId::of_device(node) };
    let takeover = {
        let mut served = SERVED.lock();
        let index = served
            .iter()
            .position(|takeover| NodeId::of_manager(takeover.service()) == node);

        index.and_then(|index| served.remove(index).ok())
    };

    if let Some(takeover) = takeover {
        takeover.service().retire();
    }
}

/// Has `chip` managed and takes its node over.
fn serve(chip: Chip) -> Result {
    let engine = probe(&chip)?;
    let service = Service::new(chip, engine)?;
    let mut served = SERVED.lock();

    // First the memory: the chip has to be in the list as soon as its node can be opened.
    served.reserve(1, GFP_KERNEL)?;
    let takeover = Takeover::new(service)?;
    // Once for a chip, as its own driver does when it finds it.
    pr_info!("{}: served from now on\n", takeover.service().chip().name());
    served.push(takeover, GFP_KERNEL)?;
    Ok(())
}

/// Asks `chip` what it can do, and makes an engine for it.
fn probe(chip: &Chip) -> Result<Engine> {
    let mut tpm = chip.lock()?;

    Engine::probe(&mut tpm, &SystemClock, parameters::limits())
}
