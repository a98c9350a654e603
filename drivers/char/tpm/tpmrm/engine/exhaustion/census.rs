// SPDX-License-Identifier: GPL-2.0

//! Asking the TPM how many sessions there are, and whose: others have sessions too, and ours may
//! end behind our back.

use crate::engine::{
    courier::Verdict,
    exhaustion::Books,
    tpm::Tpm,
    wire::{
        capability,
        handle::{
            HandleGroup,
            SessionHandle, //
        },
    },
    Engine,
};

/// How many session numbers there are, as the TPM last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// All of them, in use or not.
    pub(crate) all: usize,
    /// In use, but neither by us nor by the kernel's own session: strays, and what users of
    /// `/dev/tpmN` have.
    pub(crate) others: usize,
}

impl Numbers {
    /// The TPM was not asked yet. Whoever needs a number finds out.
    pub(crate) const UNKNOWN: Self = Self {
        all: usize::MAX,
        others: 0,
    };
}

/// How many sessions the kernel has: its own one, or none.
pub(crate) fn kernel_sessions(tpm: &dyn Tpm) -> usize {
    usize::from(tpm.kernel_holds_session())
}

/// How a census came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// To see whether the books are still right.
    Doubt,
    /// The TPM has refused a session that the books had a number for.
    Refusal,
}

impl Engine {
    /// Counts the sessions, and asks for names where the number is not what was to be expected.
    ///
    /// Without an answer the books stay as they are. A TPM that has just refused a session has as
    /// many as are in use.
    pub(crate) fn take_census(&mut self, tpm: &mut dyn Tpm, cause: Cause) {
        let before = self.exhaustion.numbers;

        self.exhaustion.books = Books::Compared;
        self.exhaustion.counted = self.clock.now();

        let ours = self.sessions.iter().count();
        let question = [capability::TPM_PROPERTIES, capability::HR_ACTIVE, 2];
        let verdict = self.courier.ask(tpm, question, |_, mut reader| {
            let _two = reader.u32().ok()?;
            let mut number = |name| {
                let (found, value) = (reader.u32().ok()?, reader.u32().ok()?);

                (found == name).then_some(usize::try_from(value).ok()?)
            };

            Some((
                number(capability::HR_ACTIVE)?,
                number(capability::HR_ACTIVE_AVAIL)?,
            ))
        });

        match verdict {
            Verdict::Done((active, available)) => {
                self.count(tpm, active, available);
                // Something of ours has ended when there are fewer than we have.
                if before != self.exhaustion.numbers || active < ours || cause == Cause::Refusal {
                    self.name_sessions(tpm);
                    self.count(tpm, active, available);
                }
            }
            Verdict::Refused(_) | Verdict::Unknown(_) if cause == Cause::Refusal => {
                let kernel = kernel_sessions(tpm);
                let others = self.exhaustion.numbers.others;

                self.exhaustion.numbers.all = ours.saturating_add(kernel).saturating_add(others);
            }
            Verdict::Refused(_) | Verdict::Unknown(_) => {}
        }
    }

    /// Enters what the TPM said.
    fn count(&mut self, tpm: &dyn Tpm, active: usize, available: usize) {
        let ours = self.sessions.iter().count();

        self.exhaustion.numbers = Numbers {
            all: active.saturating_add(available),
            others: active
                .saturating_sub(ours)
                .saturating_sub(kernel_sessions(tpm)),
        };
    }

    /// Compares names: strikes off what is gone, and finds the strays.
    fn name_sessions(&mut self, tpm: &mut dyn Tpm) {
        let Ok(found) = self.list(tpm, HandleGroup::SavedSession) else {
            return;
        };
        let is_listed =
            |handle: SessionHandle| found.iter().any(|listed| listed.session() == Some(handle));
        let now = self.clock.now();

        self.lose_sessions_unless(|session| {
            session.may_be_unlisted() || is_listed(session.handle())
        });
        self.exhaustion.strays.retain(is_listed);
        for handle in found.iter().filter_map(|listed| listed.session()) {
            if self.sessions.find(handle).is_none() {
                self.exhaustion.strays.see(handle, now);
            }
        }
    }
}
