// SPDX-License-Identifier: GPL-2.0

//! The engine's clock: the kernel's monotonic time, which stands still while the system sleeps.
//!
//! C counterpart: `ktime_get()`.

use crate::engine::{
    Clock,
    Moment, //
};
use kernel::time::{
    hrtimer::HrTimerExpires,
    Delta,
    Instant,
    Monotonic, //
};

/// The one clock of the module.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        // Time since the system was started.
        let nanos = HrTimerExpires::as_nanos(&Instant::<Monotonic>::now());

        Moment(u64::try_from(Delta::from_nanos(nanos).as_millis()).unwrap_or_default())
    }
}
