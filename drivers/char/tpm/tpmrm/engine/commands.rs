// SPDX-License-Identifier: GPL-2.0

//! What the TPM can do, as it says itself: its commands and the properties that matter here.

use crate::engine::{
    courier::{
        Courier,
        More,
        Verdict, //
    },
    tpm::Tpm,
    wire::{
        attributes::CommandAttributes,
        capability,
        code::CommandCode,
        message::MESSAGE_MAX, //
    },
};
use kernel::prelude::*;

/// The gap of a TPM that does not tell: the smallest that the specification allows.
const LEAST_GAP: u32 = 255;

/// How many values are asked for at once.
const MANY: u32 = 254;

/// The commands of a TPM with their attributes.
pub(crate) struct Commands(KVec<CommandAttributes>);

impl Commands {
    /// Asks the TPM.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, those of the transport, and `EIO` when the TPM does not answer.
    pub(crate) fn probe(tpm: &mut dyn Tpm, courier: &mut Courier) -> Result<Self> {
        let mut list = KVec::new();
        let mut first = 0;

        loop {
            let question = [capability::COMMANDS, first, MANY];
            let verdict = courier.ask(tpm, question, |more, mut reader| {
                let count = reader.u32().ok()?;
                let mut last = None;

                for _ in 0..count {
                    let attributes = CommandAttributes::from_wire(reader.u32().ok()?);

                    if list.push(attributes, GFP_KERNEL).is_err() {
                        return Some(Err(ENOMEM));
                    }
                    last = Some(attributes.code().to_wire());
                }
                Some(Ok(match more {
                    More::Yes => last,
                    More::No => None,
                }))
            });

            match answered(verdict)?? {
                // A TPM that repeats itself would keep us here for ever.
                Some(last) if last >= first => first = last.checked_add(1).ok_or(EIO)?,
                Some(_) => return Err(EIO),
                None => break,
            }
        }
        Ok(Self(list))
    }

    /// The attributes of a command, if the TPM has it.
    pub(crate) fn find(&self, code: CommandCode) -> Option<CommandAttributes> {
        self.0
            .iter()
            .copied()
            .find(|attributes| attributes.code() == code)
    }
}

/// Sizes and limits of a TPM.
pub(crate) struct Properties {
    /// How large the context of an object can be, in bytes.
    pub(crate) object_context: usize,
    /// How large the context of a session can be, in bytes.
    pub(crate) session_context: usize,
    /// How many objects there is room for, at least.
    pub(crate) object_slots: usize,
    /// How many loaded sessions there is room for, at least.
    pub(crate) session_slots: usize,
    /// How far apart the counts of the oldest and of the newest saved session can be.
    pub(crate) context_gap: u64,
}

impl Properties {
    /// Asks the TPM.
    ///
    /// # Errors
    ///
    /// Those of the transport, and `EIO` when the TPM does not answer.
    pub(crate) fn probe(tpm: &mut dyn Tpm, courier: &mut Courier) -> Result<Self> {
        let mut property = |name| -> Result<Option<u32>> {
            let question = [capability::TPM_PROPERTIES, name, 1];

            // A TPM that does not have the property answers with the next one.
            answered(courier.ask(tpm, question, |_, mut reader| {
                let count = reader.u32().ok()?;
                if count == 0 {
                    return Some(None);
                }
                let (found, value) = (reader.u32().ok()?, reader.u32().ok()?);
                Some((found == name && value != 0).then_some(value))
            }))
        };
        let object_context = property(capability::MAX_OBJECT_CONTEXT)?;
        let session_context = property(capability::MAX_SESSION_CONTEXT)?;
        let context_gap = property(capability::CONTEXT_GAP_MAX)?;
        let object_slots = property(capability::HR_TRANSIENT_MIN)?;
        let session_slots = property(capability::HR_LOADED_MIN)?;

        Ok(Self {
            object_context: size(object_context),
            session_context: size(session_context),
            object_slots: slots(object_slots),
            session_slots: slots(session_slots),
            context_gap: context_gap.unwrap_or(LEAST_GAP).into(),
        })
    }
}

/// No context is larger than a message.
fn size(property: Option<u32>) -> usize {
    property
        .and_then(|size| usize::try_from(size).ok())
        .map_or(MESSAGE_MAX, |size| size.min(MESSAGE_MAX))
}

/// A TPM without any room would be of no use.
fn slots(property: Option<u32>) -> usize {
    property
        .and_then(|slots| usize::try_from(slots).ok())
        .map_or(1, |slots| slots.max(1))
}

fn answered<T>(verdict: Verdict<T>) -> Result<T> {
    match verdict {
        Verdict::Done(value) => Ok(value),
        Verdict::Refused(_) => Err(EIO),
        Verdict::Unknown(error) => Err(error),
    }
}
