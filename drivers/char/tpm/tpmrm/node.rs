// SPDX-License-Identifier: GPL-2.0

//! The device node: our file operations, and putting them in the place of the TPM core's.
//!
//! C counterpart: `tpmrm-dev.c`. Each operation converts what the kernel hands over, calls one
//! safe function, and turns its result into what the kernel wants.

use crate::{
    bindings,
    client::{
        Client,
        Mode, //
    },
    engine::UserId,
    manager::Manager,
    registry,
    service::Service, //
};
use core::ptr::NonNull;
use kernel::{
    bindings::{
        __poll_t,
        file,
        file_operations,
        inode,
        iov_iter,
        kiocb,
        module,
        poll_table_struct, //
    },
    fs::{
        file::flags::O_NONBLOCK,
        File,
        Kiocb, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use kernel::uaccess::UserPtr;

/// Tells the node of one chip from that of another. It says nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

impl NodeId {
    /// The node of the chip that `manager` manages.
    pub(crate) fn of_manager(manager: &Manager) -> Self {
        // SAFETY: A manager holds a reference to its chip.
        Self(unsafe { bindings::tpmrm_node_of_chip(manager.chip().as_ptr()) }.addr())
    }

    /// The node that `device` stands for.
    ///
    /// # Safety
    ///
    /// `device` must be a valid device of the resource-managed class of the TPM core.
    pub(crate) unsafe fn of_device(device: *const kernel::bindings::device) -> Self {
        // SAFETY: By the caller's promise the device is valid, and part of a chip.
        Self(unsafe { bindings::tpmrm_node_of_device(device) }.addr())
    }

    /// The node that is being opened through `inode`.
    ///
    /// # Safety
    ///
    /// `inode` must be a valid character device inode.
    unsafe fn of_inode(inode: *const inode) -> Self {
        // SAFETY: By the caller's promise the inode is valid, and belongs to a character device.
        Self(unsafe { bindings::tpmrm_node_of_inode(inode) }.addr())
    }
}

/// While this lives, opening the node of a chip ends up here.
///
/// # Invariants
///
/// `before` are the operations that the node had before us; they stay valid at least as long as
/// the node.
pub(crate) struct Takeover {
    service: Arc<Service>,
    before: NonNull<file_operations>,
}

// SAFETY: The table that `before` points to is constant, and any thread may put it back.
unsafe impl Send for Takeover {}

impl Takeover {
    /// Takes over the node of the chip that `service` is for.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the node has no operations: it is left that way.
    pub(crate) fn new(service: Arc<Service>) -> Result<Self> {
        let chip = service.chip().as_ptr();

        // SAFETY: `service` holds a reference to the chip. The table is constant, and stays until
        // `settle` was called after the last takeover ended.
        let before = unsafe { bindings::tpmrm_node_swap(chip, &OPERATIONS.0) };

        match NonNull::new(before.cast_mut()) {
            // INVARIANT: The TPM core points the node to a table of its own, and as long as the
            // node exists so does the core.
            Some(before) => Ok(Self { service, before }),
            None => {
                // SAFETY: As above; a null pointer is what the node had.
                unsafe { bindings::tpmrm_node_swap(chip, before) };
                Err(ENODEV)
            }
        }
    }

    /// Who serves the node.
    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

impl Drop for Takeover {
    fn drop(&mut self) {
        // SAFETY: `service` holds a reference to the chip, and by the type invariant the table is
        // valid.
        unsafe {
            bindings::tpmrm_node_swap(self.service.chip().as_ptr(), self.before.as_ptr());
        }
    }
}

/// Waits until nobody who is opening a node still looks at our operations without holding a
/// reference to this module. To be called after the last takeover ended.
pub(crate) fn settle() {
    // SAFETY: We are in the context of a task, where sleeping is allowed.
    unsafe { bindings::tpmrm_node_settle() };
}

/// A table of operations, which is constant and so can be shared.
#[repr(transparent)]
struct Operations(file_operations);

// SAFETY: The table is never written.
unsafe impl Sync for Operations {}

/// What an open descriptor holds on to, so that it is not unloaded.
#[cfg(MODULE)]
pub(crate) const OWNER: *mut module = {
    #[allow(
        improper_ctypes,
        reason = "some structures are empty in some configurations"
    )]
    extern "C" {
        static __this_module: kernel::types::Opaque<module>;
    }

    (&raw const __this_module).cast_mut().cast()
};

/// The kernel itself is never unloaded.
#[cfg(not(MODULE))]
pub(crate) const OWNER: *mut module = core::ptr::null_mut();

static OPERATIONS: Operations = Operations(file_operations {
    owner: OWNER,
    open: Some(open),
    release: Some(release),
    read_iter: Some(read_iter),
    write_iter: Some(write_iter),
    poll: Some(poll),
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    unlocked_ioctl: Some(ioctl),
    // The structures are the same for 32-bit programs.
    #[cfg(all(CONFIG_TCG_TPM_RM_EXHAUSTION, CONFIG_COMPAT))]
    compat_ioctl: kernel::bindings::compat_ptr_ioctl,
    ..pin_init::zeroed()
});

/// # Safety
///
/// To be called by the VFS only, as `open`.
unsafe extern "C" fn open(inode: *mut inode, file: *mut file) -> c_int {
    // SAFETY: The VFS hands over a valid inode, and our operations are those of character devices.
    let node = unsafe { NodeId::of_inode(inode) };
    // SAFETY: The VFS hands over a valid file, and no position of it is in use: it has none.
    let opener = unsafe { File::from_raw_file(file) }.cred().euid();
    let process = kernel::current!().group_leader().pid();

    match registry::open(node, UserId(opener.into_raw().val), process) {
        Ok(client) => {
            // SAFETY: `private_data` of a file that is being opened is the driver's to set.
            unsafe { (*file).private_data = client.into_foreign() };
            // SAFETY: Both are valid and the file is being opened. There is no position to seek.
            unsafe { kernel::bindings::stream_open(inode, file) }
        }
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// To be called by the VFS only, as `release` of a file that `open` opened.
unsafe extern "C" fn release(_inode: *mut inode, file: *mut file) -> c_int {
    // SAFETY: `open` put the client there, and this is the last use of the file.
    Client::release(unsafe { Arc::<Client>::from_foreign((*file).private_data) });
    0
}

/// # Safety
///
/// To be called by the VFS only, as `read_iter` of a file that `open` opened.
unsafe extern "C" fn read_iter(kiocb: *mut kiocb, iter: *mut iov_iter) -> isize {
    // SAFETY: The VFS hands over a valid request, whose file `open` gave a client.
    let request = unsafe { Kiocb::<Arc<Client>>::from_raw(kiocb) };
    // SAFETY: The VFS hands over a valid vector to be written to, which is ours during the call.
    let dest = unsafe { IovIterDest::from_raw(iter) };
    // SAFETY: The request is valid, and as long as it is so is its file.
    let mode = unsafe { mode((*kiocb).ki_filp) };

    transferred(request.file().read(dest, mode))
}

/// # Safety
///
/// To be called by the VFS only, as `write_iter` of a file that `open` opened.
unsafe extern "C" fn write_iter(kiocb: *mut kiocb, iter: *mut iov_iter) -> isize {
    // SAFETY: The VFS hands over a valid request, whose file `open` gave a client.
    let request = unsafe { Kiocb::<Arc<Client>>::from_raw(kiocb) };
    // SAFETY: The VFS hands over a valid vector to be read from, which is ours during the call.
    let source = unsafe { IovIterSource::from_raw(iter) };
    // SAFETY: The request is valid, and as long as it is so is its file.
    let mode = unsafe { mode((*kiocb).ki_filp) };

    transferred(Client::write(request.file(), source, mode))
}

/// # Safety
///
/// To be called by the VFS only, as `poll` of a file that `open` opened.
unsafe extern "C" fn poll(file: *mut file, table: *mut poll_table_struct) -> __poll_t {
    // SAFETY: `open` put the client there, and the file stays open during the call.
    let client = unsafe { Arc::<Client>::borrow((*file).private_data) };

    for queue in client.wait_queues() {
        // SAFETY: This is the poll operation of the file. The queues live as long as the client,
        // which is the file's until `release`.
        unsafe { queue.register(file, table) };
    }
    client.events()
}

/// # Safety
///
/// To be called by the VFS only, as `unlocked_ioctl` of a file that `open` opened.
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
unsafe extern "C" fn ioctl(file: *mut file, command: c_uint, argument: c_ulong) -> c_long {
    // SAFETY: `open` put the client there, and it stays there until `release`.
    let client = unsafe { Arc::<Client>::borrow((*file).private_data) };
    // SAFETY: The VFS hands over a valid file.
    let mode = unsafe { mode(file) };

    match crate::ioctl::ioctl(client, mode, command, UserPtr::from_addr(argument)) {
        Ok(()) => 0,
        // CAST: Never narrower.
        Err(error) => error.to_errno() as c_long,
    }
}

/// Whether a call may wait, as `file` is now.
///
/// # Safety
///
/// `file` must be valid.
unsafe fn mode(file: *const file) -> Mode {
    // SAFETY: By the caller's promise the file is valid. No position of it is in use: it has none.
    let file = unsafe { File::from_raw_file(file) };

    match file.flags() & O_NONBLOCK {
        0 => Mode::Blocking,
        _ => Mode::Nonblocking,
    }
}

/// The number of bytes, or the error, as the VFS wants it.
fn transferred(result: Result<usize>) -> isize {
    match result {
        // CAST: No message is longer than a few KiB.
        Ok(count) => count as isize,
        Err(error) => error.to_errno() as isize,
    }
}
