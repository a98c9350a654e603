// SPDX-License-Identifier: GPL-2.0

//! The chips that we serve, found by the nodes through which they are opened.
//!
//! The VFS and the driver core hand over an inode or a device and nothing of ours, so this is a
//! global variable. Its lock is held for looking something up and for changing the list.

use crate::{
    barrier::Barrier,
    chip::Chip,
    client::{
        Client,
        Pid, //
    },
    clock::SystemClock,
    debugfs::ChipFolder,
    engine::{
        Engine,
        Span,
        UserId, //
    },
    node::{
        NodeId,
        Takeover, //
    },
    parameters,
    service::Service,
    trace, //
};
use core::mem;
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

kernel::sync::global_lock! {
    // SAFETY: `Registry::new` initialises it before anybody can use it.
    unsafe(uninit) static SERVED: Mutex<KVec<Served>> = KVec::new();
}

/// A chip that we serve. Its fields are dropped in the order in which they are declared.
struct Served {
    /// Nobody opens the node any more.
    takeover: Takeover,
    /// Then the TPM is left empty.
    _barrier: Option<Barrier>,
    /// Nobody is shown anything any more.
    _folder: Option<ChipFolder>,
}

impl Served {
    fn service(&self) -> &Arc<Service> {
        self.takeover.service()
    }
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

/// Opens `node` for `user`, in `process`.
///
/// # Errors
///
/// `ENXIO` when the chip went away while its node was being opened, and those of [`Client::new`].
pub(crate) fn open(node: NodeId, user: UserId, process: Pid) -> Result<Arc<Client>> {
    let service = SERVED
        .lock()
        .iter()
        .map(Served::service)
        .find(|service| NodeId::of_manager(service) == node)
        .cloned()
        .ok_or(ENXIO)?;

    Client::new(service, user, process)
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
    let served = {
        let mut list = SERVED.lock();
        let index = list
            .iter()
            .position(|served| NodeId::of_manager(served.service()) == node);

        index.and_then(|index| list.remove(index).ok())
    };

    // Without the lock: this waits for whoever uses the chip.
    if let Some(served) = served {
        served.service().retire();
    }
}

/// Empties the TPMs that we serve.
pub(crate) fn vacate_all() {
    let mut index = SERVED.lock().len();

    // From the end: when one is removed in the meantime, those after it move forward, and one that
    // was done already is done again.
    while index > 0 {
        index = index.saturating_sub(1);

        let service = SERVED
            .lock()
            .get(index)
            .map(|served| served.service().clone());

        // Without the lock: this waits for a command.
        if let Some(service) = service {
            service.vacate();
        }
    }
}

/// Has `chip` managed and takes its node over.
fn serve(chip: Chip) -> Result {
    let engine = probe(&chip)?;
    let service = Service::new(chip, engine)?;
    // It takes part in the commands of others, so it is there only if it was asked for.
    let barrier = match parameters::idle() {
        Span(0) => None,
        _ => barrier(&service),
    };
    // Whatever comes of it: nobody depends on that.
    let folder = ChipFolder::new(service.manager()).ok();
    let mut list = SERVED.lock();

    // First the memory: the chip has to be in the list as soon as its node can be opened.
    list.reserve(1, GFP_KERNEL)?;
    let takeover = Takeover::new(service)?;
    // Once for a chip, as its own driver does when it finds it.
    pr_info!("{}: served from now on\n", takeover.service().chip().name());
    let served = Served {
        takeover,
        _barrier: barrier,
        _folder: folder,
    };

    list.push(served, GFP_KERNEL)?;
    Ok(())
}

/// Puts a barrier in front of the chip, if that is possible.
fn barrier(service: &Service) -> Option<Barrier> {
    Barrier::new(service.manager().clone())
        .inspect_err(|error| {
            // Once for a chip: commands take longer.
            pr_warn!(
                "{}: commands of others are not announced ({error:?}), so nothing stays in the TPM\n",
                service.chip().name()
            );
        })
        .ok()
}

/// Asks `chip` what it can do, and makes an engine for it.
fn probe(chip: &Chip) -> Result<Engine> {
    let mut tpm = chip.lock()?;
    let mut engine = Engine::probe(&mut tpm, &SystemClock, parameters::limits())?;

    engine.set_observer(trace::tracer(chip.name())?);
    Ok(engine)
}
