// SPDX-License-Identifier: GPL-2.0

//! What TPM2_ReadClock tells (TPMS_TIME_INFO; Part 2, 10.11), as far as it is about resets.

use crate::engine::wire::reader::{
    Reader,
    Truncated, //
};

/// How often a TPM was reset (resetCount), and resumed or restarted since (restartCount).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resets {
    resets: u32,
    restarts: u32,
}

impl Resets {
    /// TPM2_Clear sets both back.
    const CLEARED: Self = Self {
        resets: 0,
        restarts: 0,
    };

    /// Reads them from a response's body.
    ///
    /// # Errors
    ///
    /// [`Truncated`].
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(body);

        // time, and clock.
        reader.u64()?;
        reader.u64()?;
        Ok(Self {
            resets: reader.u32()?,
            restarts: reader.u32()?,
        })
    }

    /// Whether the TPM was reset, restarted or resumed since it told `old`. That it was cleared
    /// since is none of that.
    pub(crate) fn are_after(self, old: Self) -> bool {
        self != old && self != Self::CLEARED
    }
}
