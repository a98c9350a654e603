// SPDX-License-Identifier: GPL-2.0

//! What a chip was asked to do, and how often: for administrators and benchmarks.

/// Commands since the chip is served. They start again at 0 only with the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commands that clients have written.
    pub client: u64,
    /// Commands of clients that were sent to the TPM, repetitions included.
    pub sent: u64,
    /// ContextLoad by the driver.
    pub loads: u64,
    /// ContextSave by the driver.
    pub saves: u64,
    /// FlushContext by the driver.
    pub flushes: u64,
    /// Other commands by the driver: what the TPM has, and sessions to get past a number.
    pub questions: u64,
    /// Sessions that were saved again because their contexts had become old.
    pub regaps: u64,
    /// Commands of others before which something that was loaded had to leave.
    pub barriers: u64,
    /// How often all that was loaded left for another reason.
    pub rests: u64,
    /// Commands of clients that were sent again because the TPM had no room.
    pub retries: u64,
}

impl Counters {
    /// Nothing was done.
    pub(crate) const NONE: Self = Self {
        client: 0,
        sent: 0,
        loads: 0,
        saves: 0,
        flushes: 0,
        questions: 0,
        regaps: 0,
        barriers: 0,
        rests: 0,
        retries: 0,
    };

    /// Counts one more.
    pub(crate) fn add(counter: &mut u64) {
        *counter = counter.saturating_add(1);
    }
}
