// SPDX-License-Identifier: GPL-2.0

//! Virtual time: it stands still unless a test lets it pass. Every test thread has its own.

use crate::engine::{Clock, Moment};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000_000) };
}

/// The clock of the engines of this thread.
pub struct VirtualClock;

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        now()
    }
}

/// The one clock there is.
pub static CLOCK: VirtualClock = VirtualClock;

/// What time it is in this thread.
pub fn now() -> Moment {
    Moment(NOW.get())
}

/// Lets `ms` milliseconds pass.
pub fn pass(ms: u64) {
    NOW.set(NOW.get() + ms);
}

/// Lets time pass until `moment`, if that is still to come.
pub fn pass_to(moment: Moment) {
    NOW.set(NOW.get().max(moment.0));
}
