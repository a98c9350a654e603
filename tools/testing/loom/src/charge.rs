// SPDX-License-Identifier: GPL-2.0

//! Nobody pays for memory here.

pub(crate) struct Charge(());

impl Charge {
    pub(crate) fn current() -> Self {
        Self(())
    }

    pub(crate) fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        f()
    }
}
