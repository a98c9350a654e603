// SPDX-License-Identifier: GPL-2.0

//! Whether the TPM was reset without anybody's word (G5).
//!
//! What is loaded is known by its handle alone. A reset ends it, and gives its handle to others. As
//! long as they are answered, the books follow. But what was made without an answer is on no books,
//! and may be where something of ours was. So an answer that is missing is a reason to ask the TPM
//! how often it was reset (TPM2_ReadClock; Part 3, 29.1) before anything that is loaded is used or
//! saved again. Otherwise this costs nothing.

use crate::engine::{
    commands::Commands,
    courier::{
        Verdict,
        ATTEMPTS, //
    },
    policy::Barrier,
    reread::Doubts,
    slots::Occupant,
    tidy::Debris,
    tpm::Tpm,
    wire::{
        clock::Resets,
        code::CommandCode, //
    },
    Engine,
};
use core::mem;

/// Whether handles of what is loaded still mean what they meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Sure,
    /// Entered when there was no answer to what makes or loads something, left when the TPM has
    /// told how often it was reset.
    Shaken,
}

/// How often the TPM was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// It cannot tell: its handles are trusted.
    Untold,
    /// It was not asked, or the answer is of no use any more.
    Unknown,
    /// So often when it was asked last.
    Known(Resets),
}

/// The time since the TPM was reset last.
pub(crate) struct Era {
    count: Count,
    trust: Trust,
}

impl Era {
    /// A TPM with these commands was not asked yet.
    pub(crate) fn new(commands: &Commands) -> Self {
        Self {
            count: match commands.find(CommandCode::READ_CLOCK) {
                Some(_) => Count::Unknown,
                None => Count::Untold,
            },
            trust: Trust::Sure,
        }
    }

    /// The count is of no use any more: nothing was to stay, or the TPM may have changed it itself.
    pub(crate) fn forget(&mut self) {
        if self.count != Count::Untold {
            self.count = Count::Unknown;
        }
    }

    /// Whether it is noticed when the TPM is reset, as far as that can be. Only then something is
    /// to stay.
    pub(crate) fn is_known(&self) -> bool {
        self.count != Count::Unknown
    }

    /// Whether nothing that is loaded is to be used or saved for now.
    pub(crate) fn is_shaken(&self) -> bool {
        self.trust == Trust::Shaken
    }
}

impl Engine {
    /// Asks for what is to be compared later, if something is to stay.
    pub(crate) fn learn_era(&mut self, tpm: &mut dyn Tpm) {
        if !self.era.is_known() && self.wish() == Barrier::Installed {
            if let Verdict::Done(resets) = self.courier.read_clock(tpm) {
                self.era.count = Count::Known(resets);
            }
        }
    }

    /// What was sent may have made something, and there was no answer.
    pub(crate) fn answer_missing(&mut self) {
        self.debris = Debris::Suspected;
        if let Count::Known(_) = self.era.count {
            self.era.trust = Trust::Shaken;
        }
    }

    /// Finds out whether what is loaded is still what it was. Needs no memory.
    pub(crate) fn settle_era(&mut self, tpm: &mut dyn Tpm) {
        if !self.era.is_shaken() {
            return;
        }
        for _ in 0..ATTEMPTS {
            if let Verdict::Done(resets) = self.courier.read_clock(tpm) {
                let before = mem::replace(&mut self.era.count, Count::Known(resets));

                self.era.trust = Trust::Sure;
                match before {
                    Count::Known(before) if !resets.are_after(before) => {}
                    Count::Known(_) | Count::Unknown | Count::Untold => self.strike_loaded(tpm),
                }
                return;
            }
        }
    }

    /// The TPM was reset since something was loaded, and what is there under a handle of ours may
    /// be what was made without an answer. Nothing tells it from what was loaded after the reset.
    fn strike_loaded(&mut self, tpm: &mut dyn Tpm) {
        while let Some(slot) = self.slots.get(0) {
            self.slots.remove(slot.physical);
            if let Occupant::Object(id) = slot.occupant {
                self.object_left(id);
            }
        }
        loop {
            let loaded = self.sessions.loaded().next();
            let Some(handle) = loaded else {
                break;
            };

            self.session_is_absent(tpm, handle);
        }
        self.give_up_sessions_in_doubt(tpm);
        self.debris = Debris::Suspected;
        self.doubts = Doubts::Reset;
    }
}
