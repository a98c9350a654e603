// SPDX-License-Identifier: GPL-2.0

//! A chip of the kernel's TPM core: a counted reference, and the guard that holds its lock.
//!
//! C counterpart: `tpm_try_get_ops()`, `tpm_put_ops()` and `tpm_transmit_cmd()`.

use crate::{
    bindings,
    engine::{
        Message,
        Neighbours,
        Tpm, //
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// A reference to a TPM 2.0 chip, with the buffer that its commands are sent from.
///
/// # Invariants
///
/// `raw` is a chip whose node was added, and we own one reference to it. `buffer` is valid, and
/// only who holds the chip's lock uses it.
pub(crate) struct Chip {
    raw: NonNull<bindings::tpm_chip>,
    buffer: NonNull<bindings::tpmrm_buffer>,
}

// SAFETY: A reference to a chip may be given back by any thread, and so may the buffer.
unsafe impl Send for Chip {}

// SAFETY: What `&Chip` offers is the lock of the chip, which any thread may take, and values that
// do not change while there is a reference. The buffer is used under the lock only.
unsafe impl Sync for Chip {}

impl Chip {
    /// Takes a reference to the chip that `node` belongs to.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for the buffer.
    ///
    /// # Safety
    ///
    /// `node` must be a valid device of the resource-managed class of the TPM core.
    pub(crate) unsafe fn of_node(node: *mut kernel::bindings::device) -> Result<Self> {
        // SAFETY: This only allocates.
        let buffer = NonNull::new(unsafe { bindings::tpmrm_buffer_new() }).ok_or(ENOMEM)?;

        // SAFETY: By the caller's promise `node` is the device within a chip, and a valid device
        // of a chip holds a reference to the chip.
        let raw = unsafe { bindings::tpmrm_chip_of_node(node) };

        match NonNull::new(raw) {
            // INVARIANT: The helper took the reference that we own; the buffer is new.
            Some(raw) => Ok(Self { raw, buffer }),
            None => {
                // SAFETY: The buffer is ours, and nobody has seen it.
                unsafe { bindings::tpmrm_buffer_free(buffer.as_ptr()) };
                Err(ENODEV)
            }
        }
    }

    /// The chip, for helpers that need it.
    pub(crate) fn as_ptr(&self) -> *mut bindings::tpm_chip {
        self.raw.as_ptr()
    }

    /// The name of the device node.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: By the type invariant the chip is valid and its node has a name, which lives as
        // long as the chip and is not changed after the device was added.
        unsafe { CStr::from_char_ptr(bindings::tpmrm_chip_node_name(self.as_ptr())) }
    }

    /// Waits until nobody else uses the chip. Somebody may use it again right afterwards.
    ///
    /// # Errors
    ///
    /// `EINTR` when a signal arrived first.
    pub(crate) fn wait(&self) -> Result {
        // SAFETY: By the type invariant the chip is valid, and so is its lock.
        to_result(unsafe { bindings::tpmrm_chip_wait(self.as_ptr()) })
    }

    /// Takes the chip's lock and powers the chip up.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the chip is gone for good.
    /// - `EAGAIN` when the chip is asleep because the system is.
    /// - Whatever the chip's driver says when it cannot make the chip ready.
    pub(crate) fn lock(&self) -> Result<ChipGuard<'_>> {
        // SAFETY: By the type invariant the chip is valid.
        to_result(unsafe { bindings::tpmrm_chip_lock(self.as_ptr()) })?;

        // INVARIANT: The helper took the lock.
        Ok(ChipGuard {
            chip: self,
            _not_send: NotThreadSafe,
        })
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the buffer is ours; there is no guard, since a guard
        // borrows `self`.
        unsafe { bindings::tpmrm_buffer_free(self.buffer.as_ptr()) };
        // SAFETY: By the type invariant we own a reference, and this is the last use of it.
        unsafe { bindings::tpmrm_chip_put(self.raw.as_ptr()) };
    }
}

/// The chip's lock. While it is held, the chip is ready for commands and nobody else's command
/// reaches it.
///
/// # Invariants
///
/// The lock of `chip` is held by this task.
#[must_use = "the chip is unlocked when the guard is dropped"]
pub(crate) struct ChipGuard<'a> {
    chip: &'a Chip,
    _not_send: NotThreadSafe,
}

impl Tpm for ChipGuard<'_> {
    fn transmit(&mut self, message: &mut Message) -> Result {
        let length = message.len();
        let room = message.room();

        if room.len() < bindings::TPMRM_BUFFER_SIZE as usize {
            return Err(EINVAL);
        }

        // SAFETY: By the type invariants the lock of the chip is held, so that the chip takes
        // commands and nobody else uses the buffer. `room` is writable for the size that the
        // helper asks for, as was just checked.
        let answered = unsafe {
            bindings::tpmrm_chip_transmit(
                self.chip.as_ptr(),
                self.chip.buffer.as_ptr(),
                room.as_mut_ptr(),
                length,
            )
        };

        match usize::try_from(answered) {
            Ok(answered) => {
                message.set_len(answered);
                Ok(())
            }
            Err(_) => Err(Error::from_errno(answered)),
        }
    }

    fn end_kernel_session(&mut self) {
        // SAFETY: By the type invariant the lock of the chip is held, which protects the session.
        unsafe { bindings::tpmrm_chip_end_kernel_session(self.chip.as_ptr()) };
    }

    fn kernel_holds_session(&self) -> bool {
        // SAFETY: By the type invariant the lock of the chip is held, which protects the session.
        unsafe { bindings::tpmrm_chip_holds_kernel_session(self.chip.as_ptr()) }
    }

    fn neighbours(&self) -> Neighbours {
        // SAFETY: By the type invariant the chip is valid.
        if unsafe { bindings::tpmrm_chip_is_open(self.chip.as_ptr()) } {
            Neighbours::Possible
        } else {
            Neighbours::Absent
        }
    }
}

impl Drop for ChipGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant we hold the lock.
        unsafe { bindings::tpmrm_chip_unlock(self.chip.as_ptr()) };
    }
}

/// A TPM that is there but cannot be reached at the moment. The engine keeps what it could not
/// flush on its books.
pub(crate) struct OutOfReach(pub(crate) Error);

impl Tpm for OutOfReach {
    fn transmit(&mut self, _message: &mut Message) -> Result {
        Err(self.0)
    }

    fn end_kernel_session(&mut self) {}

    fn kernel_holds_session(&self) -> bool {
        // What is unknown cannot be ended either.
        false
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Possible
    }
}
