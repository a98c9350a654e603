// SPDX-License-Identifier: GPL-2.0

//! Pollers: all of them are told, however they wait.

use crate::wait::WaitQueue;
use core::ptr::NonNull;
use kernel::{
    bindings,
    macros::kunit_tests,
    prelude::*,
    static_lock_class,
    types::Opaque, //
};

/// How many pollers a test has.
const POLLERS: usize = 3;

/// What stands for a poller: a place in the queue, and how often it was told.
#[repr(C)]
struct Poller {
    table: bindings::poll_table_struct,
    entry: Opaque<bindings::wait_queue_entry>,
    head: *mut bindings::wait_queue_head,
    told: u32,
}

impl Poller {
    fn new() -> Self {
        Self {
            table: bindings::poll_table_struct {
                _qproc: Some(queued),
                _key: u32::MAX,
            },
            entry: Opaque::zeroed(),
            head: core::ptr::null_mut(),
            told: 0,
        }
    }
}

/// Puts a poller into a queue, as the kernel's own pollers do.
///
/// # Safety
///
/// `table` must be that of a [`Poller`], and `head` a queue in which it may stay until it leaves.
unsafe extern "C" fn queued(
    _file: *mut bindings::file,
    head: *mut bindings::wait_queue_head,
    table: *mut bindings::poll_table_struct,
) {
    let poller = table.cast::<Poller>();

    // SAFETY: By the caller's promise this is a poller, of which the table is the first field, and
    // nobody else uses it. An entry is good once it has a function.
    unsafe {
        (*poller).head = head;
        let entry = (*poller).entry.get();

        (*entry).private = poller.cast();
        (*entry).func = Some(told);
        bindings::add_wait_queue(head, entry);
    }
}

/// Counts that a poller was told.
///
/// # Safety
///
/// `entry` must be that of a [`Poller`] which was put into a queue.
unsafe extern "C" fn told(
    entry: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    _key: *mut c_void,
) -> c_int {
    // SAFETY: By the caller's promise `queued` made this a pointer to the poller, which is used
    // under the lock of the queue only.
    unsafe {
        let poller = (*entry).private.cast::<Poller>();

        (*poller).told = (*poller).told.wrapping_add(1);
    }
    1
}

#[kunit_tests(tpmrm_wait)]
mod tests {
    use super::*;

    #[test]
    fn every_poller_is_told_each_time() -> Result {
        let queue = KBox::pin_init(
            WaitQueue::new(c"tpmrm_kunit_pollers", static_lock_class!()),
            GFP_KERNEL,
        )?;
        let mut pollers = KVec::with_capacity(POLLERS, GFP_KERNEL)?;

        queue.wake_all();
        for _ in 0..POLLERS {
            pollers.push(Poller::new(), GFP_KERNEL)?;
        }
        for poller in pollers.iter_mut() {
            let table = NonNull::from(poller).cast().as_ptr();

            // SAFETY: There is no file, which `queued` does not need. The poller leaves below,
            // before the queue is gone.
            unsafe { queue.register(core::ptr::null_mut(), table) };
        }
        for _ in 0..2 {
            queue.wake_all();
        }
        for poller in pollers.iter() {
            assert!(!poller.head.is_null());
            // SAFETY: It is in this queue.
            unsafe { bindings::remove_wait_queue(poller.head, poller.entry.get()) };
        }
        queue.wake_all();
        for poller in pollers.iter() {
            assert_eq!(poller.told, 2);
        }
        Ok(())
    }
}
