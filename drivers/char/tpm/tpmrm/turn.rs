// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is: a mutex that is waited for with signals.
//!
//! The lock of the chip cannot be interrupted, so a command waits here, and takes the lock of the
//! chip when no other of our commands is ahead of it.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard,
            Lock, //
        },
        LockClassKey, //
    },
    types::Opaque, //
};

/// A mutex that protects nothing but the order of things.
///
/// # Invariants
///
/// `mutex` is initialised.
#[pin_data]
pub(crate) struct Turn {
    #[pin]
    mutex: Opaque<kernel::bindings::mutex>,
}

// SAFETY: A mutex may be used from any thread.
unsafe impl Send for Turn {}

// SAFETY: A mutex may be used from any number of threads at a time.
unsafe impl Sync for Turn {}

/// It is our turn for as long as this lives.
pub(crate) type TurnGuard<'a> = Guard<'a, (), MutexBackend>;

impl Turn {
    /// A turn that nobody has.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: This initialises the mutex.
            // SAFETY: `slot` is valid for writing, it is pinned from now on, and the name and the
            // key live for ever.
            mutex <- Opaque::ffi_init(|slot| unsafe {
                kernel::bindings::__mutex_init(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Waits for our turn.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when a signal arrived first.
    pub(crate) fn take(&self) -> Result<TurnGuard<'_>> {
        // SAFETY: By the type invariant the mutex is initialised.
        to_result(unsafe { bindings::tpmrm_mutex_lock_interruptible(self.mutex.get()) })
            .map_err(|_| ERESTARTSYS)?;

        // SAFETY: We hold the mutex, and no other guard stands for it.
        Ok(unsafe { Guard::new(self.as_lock(), ()) })
    }

    /// Waits for our turn whatever happens.
    pub(crate) fn take_uninterruptible(&self) -> TurnGuard<'_> {
        self.as_lock().lock()
    }

    fn as_lock(&self) -> &Lock<(), MutexBackend> {
        // SAFETY: By the type invariant the mutex is initialised, and it lives as long as `self`.
        unsafe { Lock::from_raw(self.mutex.get()) }
    }
}
