// SPDX-License-Identifier: GPL-2.0

//! Asking which handles of a group the TPM has (GetCapability, Part 3, 30.2).

use crate::engine::{
    courier::{
        Courier,
        More,
        Verdict, //
    },
    tpm::Tpm,
    wire::{
        capability,
        handle::{
            HandleGroup,
            RawHandle, //
        },
    },
    Engine,
};
use kernel::prelude::*;

/// How many handles are asked for at once.
const MANY: u32 = 254;

/// How many handles a listing has at most: more than any TPM has slots and sessions.
pub(crate) const HANDLES_MAX: usize = 4096;

impl Courier {
    /// Shows every handle of a group that the TPM has to `visit`, which may have seen some of them
    /// when there is an error.
    ///
    /// # Errors
    ///
    /// Those of `visit`, and when there is no complete listing because of what the TPM says.
    fn visit_listed(
        &mut self,
        tpm: &mut dyn Tpm,
        group: HandleGroup,
        mut visit: impl FnMut(RawHandle) -> Result,
    ) -> Result {
        let mut first = group.first();
        let mut seen: usize = 0;

        loop {
            let mut last = None;
            let mut visited = Ok(());
            let question = [capability::HANDLES, first, MANY];
            let verdict = self.ask(tpm, question, |more, mut reader| {
                for _ in 0..reader.u32().ok()? {
                    let handle = RawHandle::from_wire(reader.u32().ok()?);

                    last = Some(handle);
                    seen = seen.saturating_add(1);
                    visited = visited.and_then(|()| visit(handle));
                }
                Some(more)
            });
            let more = match verdict {
                Verdict::Done(more) => more,
                Verdict::Refused(_) => return Err(EIO),
                Verdict::Unknown(error) => return Err(error),
            };

            visited?;
            match (more, last) {
                (More::No, _) => return Ok(()),
                (More::Yes, Some(last)) if seen < HANDLES_MAX => first = group.after(last),
                (More::Yes, _) => return Err(EIO),
            }
        }
    }

    /// Of the handles of a group that the TPM has, and of which `choose` makes something, the one
    /// with the lowest number after `done`. Needs no memory.
    ///
    /// # Errors
    ///
    /// When there is no complete listing.
    pub(crate) fn next_listed<T>(
        &mut self,
        tpm: &mut dyn Tpm,
        group: HandleGroup,
        done: Option<u32>,
        choose: impl Fn(RawHandle) -> Option<T>,
    ) -> Result<Option<(u32, T)>> {
        let mut next: Option<(u32, T)> = None;

        // The numbers of sessions need not be in order, since the two types are listed together.
        self.visit_listed(tpm, group, |handle| {
            let index = handle.index();
            let is_next = done.is_none_or(|done| index > done)
                && next.as_ref().is_none_or(|(found, _)| index < *found);

            if let Some(chosen) = choose(handle).filter(|_| is_next) {
                next = Some((index, chosen));
            }
            Ok(())
        })?;
        Ok(next)
    }
}

impl Engine {
    /// The handles of a group that the TPM has, in its order.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and when there is no complete listing.
    pub(crate) fn list(
        &mut self,
        tpm: &mut dyn Tpm,
        group: HandleGroup,
    ) -> Result<KVec<RawHandle>> {
        let mut list = KVec::new();

        self.courier.visit_listed(tpm, group, |handle| {
            list.push(handle, GFP_KERNEL).map_err(Into::into)
        })?;
        Ok(list)
    }
}
