// SPDX-License-Identifier: GPL-2.0

//! Time, which passes only when a timer goes off.

pub mod hrtimer;

/// A span of time.
#[derive(Clone, Copy, Debug)]
pub struct Delta(i64);

impl Delta {
    pub fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    pub fn as_millis(self) -> i64 {
        self.0
    }
}

/// The clock.
pub struct Monotonic;
