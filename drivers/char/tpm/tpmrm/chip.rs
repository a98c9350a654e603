// SPDX-License-Identifier: GPL-2.0

//! A chip of the kernel's TPM core: a counted reference, and the guard that holds its lock.
//!
//! C counterpart: `tpm_try_get_ops()`, `tpm_put_ops()` and `tpm_transmit_cmd()`.

use crate::{
    barrier::Gate,
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

/// The buffer that commands are sent from.
///
/// # Invariants
///
/// The buffer is valid, and ours alone.
struct Buffer(NonNull<bindings::tpmrm_buffer>);

impl Buffer {
    fn new() -> Result<Self> {
        // SAFETY: This only allocates.
        let buffer = unsafe { bindings::tpmrm_buffer_new() };

        // INVARIANT: The buffer was just made for us.
        NonNull::new(buffer).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the buffer is ours, and this is the last use of it.
        unsafe { bindings::tpmrm_buffer_free(self.0.as_ptr()) };
    }
}

/// A reference to a TPM 2.0 chip, and what is needed to send it commands.
///
/// # Invariants
///
/// `raw` is a chip whose node was added, and we own one reference to it. Only who has the chip to
/// himself uses `buffer`: who holds its lock, or is called while somebody else's command is on its
/// way to it.
pub(crate) struct Chip {
    raw: NonNull<bindings::tpm_chip>,
    buffer: Buffer,
    gate: Gate,
}

// SAFETY: A reference to a chip may be given back by any thread, and so may the buffer.
unsafe impl Send for Chip {}

// SAFETY: What `&Chip` offers is the lock of the chip, which any thread may take, and values that
// do not change while there is a reference. The buffer is used by one thread at a time.
unsafe impl Sync for Chip {}

impl Chip {
    /// Takes a reference to the chip that `node` belongs to.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `node` must be a valid device of the resource-managed class of the TPM core.
    pub(crate) unsafe fn of_node(node: *mut kernel::bindings::device) -> Result<Self> {
        let buffer = Buffer::new()?;
        let gate = Gate::new()?;
        // SAFETY: By the caller's promise `node` is the device within a chip, and a valid device
        // of a chip holds a reference to the chip.
        let raw = unsafe { bindings::tpmrm_chip_of_node(node) };

        // INVARIANT: The helper took the reference that we own; the buffer is new.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENODEV)?,
            buffer,
            gate,
        })
    }

    /// The chip, for helpers that need it.
    pub(crate) fn as_ptr(&self) -> *mut bindings::tpm_chip {
        self.raw.as_ptr()
    }

    /// What tells our commands from those of others.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
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

    /// Sends the command in `message` and puts the response in its place.
    ///
    /// # Errors
    ///
    /// Those of the transport, and `EINVAL` when the command or its room is too small.
    ///
    /// # Safety
    ///
    /// The caller must hold the chip's lock, or be in an [`Interlude`].
    unsafe fn transmit(&self, message: &mut Message) -> Result {
        let length = message.len();
        let room = message.room();

        if room.len() < bindings::TPMRM_BUFFER_SIZE as usize {
            return Err(EINVAL);
        }

        // SAFETY: By the type invariant the chip is valid, and by the caller's promise it takes
        // commands and nobody else uses the buffer or the gate. `room` is writable for the size
        // that the helper asks for, as was just checked.
        let answered = unsafe {
            bindings::tpmrm_chip_transmit(
                self.as_ptr(),
                self.gate.as_ptr(),
                self.buffer.0.as_ptr(),
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

    /// Whether the kernel keeps a session for itself.
    ///
    /// # Safety
    ///
    /// The caller must hold the chip's lock, or be in an [`Interlude`].
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    unsafe fn kernel_holds_session(&self) -> bool {
        // SAFETY: By the type invariant the chip is valid. By the caller's promise nobody changes
        // the session.
        unsafe { bindings::tpmrm_chip_holds_kernel_session(self.as_ptr()) }
    }

    /// Whether somebody has the raw node open.
    fn neighbours(&self) -> Neighbours {
        // SAFETY: By the type invariant the chip is valid.
        if unsafe { bindings::tpmrm_chip_is_open(self.as_ptr()) } {
            Neighbours::Possible
        } else {
            Neighbours::Absent
        }
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
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
        // SAFETY: By the type invariant we hold the lock of the chip.
        unsafe { self.chip.transmit(message) }
    }

    fn end_kernel_session(&mut self) {
        // SAFETY: By the type invariant the lock of the chip is held, which protects the session.
        unsafe {
            bindings::tpmrm_chip_end_kernel_session(self.chip.as_ptr(), self.chip.gate.as_ptr());
        }
    }

    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn kernel_holds_session(&self) -> bool {
        // SAFETY: By the type invariant we hold the lock of the chip.
        unsafe { self.chip.kernel_holds_session() }
    }

    fn neighbours(&self) -> Neighbours {
        self.chip.neighbours()
    }
}

impl Drop for ChipGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant we hold the lock.
        unsafe { bindings::tpmrm_chip_unlock(self.chip.as_ptr()) };
    }
}

/// The chip at the moment when somebody else's command is about to be given to it. It is ready for
/// commands, and ours come first.
///
/// # Invariants
///
/// This task is sending a command to `chip`, which has not got it yet: it holds the chip's lock, or
/// is taking the chip out of service, which nobody else can use any more then.
pub(crate) struct Interlude<'a> {
    chip: &'a Chip,
    _not_send: NotThreadSafe,
}

impl<'a> Interlude<'a> {
    /// # Safety
    ///
    /// To be called when a barrier announces a command for `chip`; the interlude must not outlive
    /// the announcement.
    pub(crate) unsafe fn new(chip: &'a Chip) -> Self {
        // INVARIANT: A command is announced before the chip gets it, by the task that sends it.
        Self {
            chip,
            _not_send: NotThreadSafe,
        }
    }
}

impl Tpm for Interlude<'_> {
    fn transmit(&mut self, message: &mut Message) -> Result {
        // SAFETY: By the type invariant the chip is ready, and ours.
        unsafe { self.chip.transmit(message) }
    }

    fn end_kernel_session(&mut self) {
        // The command that is announced may be about that session.
    }

    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn kernel_holds_session(&self) -> bool {
        // SAFETY: By the type invariant the chip is ours.
        unsafe { self.chip.kernel_holds_session() }
    }

    fn neighbours(&self) -> Neighbours {
        self.chip.neighbours()
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

    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn kernel_holds_session(&self) -> bool {
        // What is unknown cannot be ended either.
        false
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Possible
    }
}
