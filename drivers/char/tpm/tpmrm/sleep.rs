// SPDX-License-Identifier: GPL-2.0

//! Before the system sleeps, and until it is awake again, the TPM is left empty.
//!
//! C counterpart: `register_pm_notifier()`. When a TPM loses its power, what was loaded is lost.
//! Most chips are sent TPM2_Shutdown, which a barrier announces as any other command, but not all,
//! and not in every kind of sleep; and who restores an image from disk finds a TPM that others
//! have used. While programs are not frozen yet, they can send commands: what they use leaves
//! again at once.

use crate::{
    bindings,
    registry, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Whether the system is about to sleep, or has not been awake for long.
static NEAR: Atomic<bool> = Atomic::new(false);

/// Whether nothing may stay in the TPM.
pub(crate) fn is_near() -> bool {
    // ORDERING: Asked under the engine's lock. Who gets it after the one that the notifier holds
    // when it vacates the TPM sees what the notifier stored before.
    NEAR.load(Relaxed)
}

/// Being told when the system is to sleep and when it is awake. There is one, in the module.
pub(crate) struct SleepNotifier(());

impl SleepNotifier {
    /// # Errors
    ///
    /// What the kernel says when it does not take a notifier.
    ///
    /// # Safety
    ///
    /// To be called once, and the list of chips must be usable until the notifier is dropped.
    pub(crate) unsafe fn new() -> Result<Self> {
        // SAFETY: By the caller's promise this is the only call, and the function may be called.
        to_result(unsafe { bindings::tpmrm_sleep_watch(Some(changed)) })?;
        Ok(Self(()))
    }
}

impl Drop for SleepNotifier {
    fn drop(&mut self) {
        // SAFETY: There is a notifier as long as we live.
        unsafe { bindings::tpmrm_sleep_unwatch() };
    }
}

/// The system is to sleep, or is awake.
///
/// # Safety
///
/// To be called by the notifier only.
unsafe extern "C" fn changed(near: bool) {
    // ORDERING: See `is_near`.
    NEAR.store(near, Relaxed);
    if near {
        registry::vacate_all();
    }
}
