// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is. A signal that arrives before the turn is taken counts; one while it is waited for comes too
//! late, which a kernel may do as well.

use kernel::{
    error::{code::ERESTARTSYS, Result},
    macros::PinInit,
    prelude::CStr,
    sync::{LockClassKey, Mutex, MutexGuard},
    task, //
};

pub(crate) struct Turn(Mutex<()>);

pub(crate) type TurnGuard<'a> = MutexGuard<'a, ()>;

impl Turn {
    pub(crate) fn new(_: &'static CStr, _: LockClassKey) -> impl PinInit<Self> {
        Self(Mutex::new(()))
    }

    pub(crate) fn take(&self) -> Result<TurnGuard<'_>> {
        if task::has_signal() {
            return Err(ERESTARTSYS);
        }
        Ok(self.0.lock())
    }

    pub(crate) fn take_uninterruptible(&self) -> TurnGuard<'_> {
        self.0.lock()
    }
}
