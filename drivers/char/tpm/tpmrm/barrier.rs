// SPDX-License-Identifier: GPL-2.0

//! Nobody else's command reaches a chip before the TPM is empty.
//!
//! C counterpart: `barrier.c`, which has us told of each such command. Because of it, contexts of
//! ours can stay in the TPM when a command has ended.

use crate::{
    bindings,
    chip::Interlude,
    engine,
    manager::Manager, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    ffi::c_void,
    prelude::*,
    sync::Arc, //
};

/// The place in front of a chip where a barrier can be put, and where our own commands are marked.
///
/// # Invariants
///
/// It is valid, and ours alone.
pub(crate) struct Gate(NonNull<bindings::tpmrm_barrier>);

impl Gate {
    /// A gate without a barrier, for one chip.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: This only allocates.
        let gate = unsafe { bindings::tpmrm_barrier_new() };

        // INVARIANT: The gate was just made for us.
        NonNull::new(gate).map(Self).ok_or(ENOMEM)
    }

    /// The gate, for helpers that need it.
    pub(crate) fn as_ptr(&self) -> *mut bindings::tpmrm_barrier {
        self.0.as_ptr()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the gate is ours. No barrier is there any more, since a
        // barrier holds the manager, and so the chip and its gate.
        unsafe { bindings::tpmrm_barrier_free(self.as_ptr()) };
    }
}

/// While this lives, the engine vacates the TPM before each command of somebody else.
///
/// # Invariants
///
/// The barrier of the chip that `manager` manages is installed, and announces to `manager`.
pub(crate) struct Barrier {
    manager: Arc<Manager>,
}

impl Barrier {
    /// Puts a barrier in front of the chip that `manager` manages, which has none. The caller holds
    /// no lock that a command is sent under.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the chip is gone.
    /// - `EOPNOTSUPP` when its driver is of another kind.
    /// - `EBUSY` when there is a barrier, or somebody still uses what was one.
    pub(crate) fn new(manager: Arc<Manager>) -> Result<Self> {
        let chip = manager.chip();

        // SAFETY: The manager holds the chip, and the chip its gate. `announced` may be called with
        // the manager until the barrier is removed, and until then we hold it.
        to_result(unsafe {
            bindings::tpmrm_barrier_install(
                chip.gate().as_ptr(),
                chip.as_ptr(),
                Some(announced),
                Arc::as_ptr(&manager).cast_mut().cast(),
            )
        })?;

        // INVARIANT: It was just installed.
        let this = Self { manager };

        this.manager.set_barrier(engine::Barrier::Installed);
        Ok(this)
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        let chip = self.manager.chip();

        // First nothing stays in the TPM any more.
        self.manager.set_barrier(engine::Barrier::Absent);

        // SAFETY: By the type invariant the barrier is installed; this is the end of it.
        let removed = to_result(unsafe { bindings::tpmrm_barrier_remove(chip.gate().as_ptr()) });

        if removed.is_err() {
            // Once for a chip, and something that an administrator has to know.
            pr_warn!(
                "{}: somebody has changed the chip's operations after us; ours stay in memory\n",
                chip.name()
            );
        }
    }
}

/// Somebody else's command is about to be given to the chip.
///
/// # Safety
///
/// To be called by a barrier only, with the manager that it was installed with.
unsafe extern "C" fn announced(manager: *mut c_void) {
    // SAFETY: By the caller's promise this is the manager that the barrier holds.
    let manager = unsafe { &*manager.cast::<Manager>() };
    // SAFETY: This is the announcement, and the interlude ends before it.
    let mut tpm = unsafe { Interlude::new(manager.chip()) };

    manager.vacate_for_others(&mut tpm);
}

/// Waits until the memory of all gates that were dropped is freed.
pub(crate) fn settle() {
    // SAFETY: We are in the context of a task, where sleeping is allowed.
    unsafe { bindings::tpmrm_barrier_settle() };
}
