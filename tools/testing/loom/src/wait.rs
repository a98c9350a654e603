// SPDX-License-Identifier: GPL-2.0

//! Who polls: counts how often they were told.

use kernel::{macros::PinInit, prelude::CStr, sync::LockClassKey};
use loom::sync::Mutex;

pub(crate) struct WaitQueue(Mutex<usize>);

impl WaitQueue {
    pub(crate) fn new(_: &'static CStr, _: LockClassKey) -> impl PinInit<Self> {
        Self(Mutex::new(0))
    }

    pub(crate) fn wake_all(&self) {
        *self.0.lock().unwrap() += 1;
    }

    /// How often they were told.
    pub(crate) fn told(&self) -> usize {
        *self.0.lock().unwrap()
    }
}
