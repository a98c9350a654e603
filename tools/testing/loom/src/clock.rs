// SPDX-License-Identifier: GPL-2.0

//! The time of the timers.

use crate::engine::{Clock, Moment};
use kernel::time::hrtimer;

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(hrtimer::now())
    }
}
