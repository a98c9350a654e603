// SPDX-License-Identifier: GPL-2.0

//! Who polls a descriptor and is to be told when something changes.
//!
//! The kernel crate's `PollCondVar` waits for an RCU grace period when it is dropped, which would
//! make every close slow. The VFS needs no such thing of us, as [`WaitQueue::register`] says.

use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    task::TASK_NORMAL,
    types::Opaque, //
};

/// A queue of pollers.
///
/// # Invariants
///
/// `raw` is initialised.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    raw: Opaque<bindings::wait_queue_head>,
}

// SAFETY: A wait queue may be used from any thread.
unsafe impl Send for WaitQueue {}

// SAFETY: A wait queue has a lock of its own.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// A queue without anybody in it.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: This initialises the queue.
            // SAFETY: `slot` is valid for writing, it is pinned from now on, and the name and the
            // key live for ever.
            raw <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Has whoever polls `file` by means of `table` told from now on.
    ///
    /// # Safety
    ///
    /// - To be called in the `poll` operation of `file`, with the table that it was given.
    /// - The queue must live until the `release` operation of `file` is called, or longer. Who
    ///   polls holds a reference to the file for as long as it is in the queue; only epoll does
    ///   not, but it leaves the queue before `release` is called (`eventpoll_release()`).
    pub(crate) unsafe fn register(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) {
        // SAFETY: By the type invariant the queue is initialised. By the caller's promise the file
        // and the table are those of a poll operation, and whoever enters the queue leaves it
        // before it is freed.
        unsafe { bindings::poll_wait(file, self.raw.get(), table) };
    }

    /// Tells everybody.
    pub(crate) fn wake_all(&self) {
        // SAFETY: By the type invariant the queue is initialised. 0 stands for everybody.
        unsafe { bindings::__wake_up(self.raw.get(), TASK_NORMAL, 0, core::ptr::null_mut()) };
    }
}
