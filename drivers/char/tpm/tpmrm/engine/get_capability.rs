// SPDX-License-Identifier: GPL-2.0

//! TPM2_GetCapability (Part 3, 30.2), answered for the space: what a client sees is its own.

use crate::engine::{
    refusal::Outcome,
    space::Space,
    spaces::SpaceId,
    wire::{
        capability,
        handle::{
            index_in_group,
            HandleGroup,
            VirtualHandle, //
        },
        message::{
            Message,
            HEADER_SIZE, //
        },
        rc::ResponseCode,
        reader::Reader, //
    },
    Engine,
};
use kernel::prelude::*;

/// How many handles a response has at most: what fits TPML_HANDLE in a buffer of 1024 bytes, which
/// is the size that every TSS can take.
const HANDLES_MAX: usize = 254;

/// Where in a response the list of properties is: after moreData and the name of the capability.
const PROPERTIES_AT: usize = HEADER_SIZE + size_of::<u8>() + size_of::<u32>();

/// What a GetCapability asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    capability: u32,
    property: u32,
    count: u32,
}

impl Question {
    /// Reads the parameters, `None` if they are not just that.
    pub(crate) fn parse(parameters: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(parameters);
        let this = Self {
            capability: reader.u32().ok()?,
            property: reader.u32().ok()?,
            count: reader.u32().ok()?,
        };

        reader.rest().is_empty().then_some(this)
    }

    /// The group of handles that it asks for, if the answer depends on the space.
    pub(crate) fn own_handles(self) -> Option<HandleGroup> {
        if self.capability != capability::HANDLES {
            return None;
        }
        match HandleGroup::of(self.property) {
            HandleGroup::Shared => None,
            group => Some(group),
        }
    }

    /// Whether it asks for properties.
    pub(crate) fn is_for_properties(self) -> bool {
        self.capability == capability::TPM_PROPERTIES
    }
}

impl Engine {
    /// Lists handles of the space, without a TPM command.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such space.
    pub(crate) fn list_own_handles(
        &self,
        space: SpaceId,
        question: Question,
        group: HandleGroup,
        message: &mut Message,
    ) -> Outcome {
        let owner = self.spaces.get(space).ok_or(EINVAL)?;
        let user = owner.user();
        let sessions = self.sessions.iter();

        match group {
            HandleGroup::Transient => {
                answer(question, owner.alive().map(VirtualHandle::to_wire), message)
            }
            HandleGroup::LoadedSession => answer(
                question,
                sessions
                    .filter(|session| session.belongs_to(space))
                    .map(|session| session.handle().to_wire()),
                message,
            ),
            HandleGroup::SavedSession => answer(
                question,
                sessions
                    .filter(|session| session.is_detached_of(user))
                    .map(|session| session.handle().as_saved()),
                message,
            ),
            HandleGroup::Shared => Err(EINVAL.into()),
        }
    }

    /// Replaces, in the TPM's response, the properties that are the space's own.
    pub(crate) fn correct_properties(&self, space: SpaceId, message: &mut Message) {
        let Some(owner) = self.spaces.get(space) else {
            return;
        };
        let count = match (message.received(), message.u32_at(PROPERTIES_AT)) {
            (Ok(ResponseCode::SUCCESS), Some(count)) => count,
            _ => return,
        };
        let mut at = PROPERTIES_AT.saturating_add(size_of::<u32>());

        for _ in 0..count {
            let value_at = at.saturating_add(size_of::<u32>());
            let (Some(property), Some(value)) = (message.u32_at(at), message.u32_at(value_at))
            else {
                return;
            };

            if let Some(value) = self.own_property(space, owner, property, value) {
                message.set_u32_at(value_at, value);
            }
            at = value_at.saturating_add(size_of::<u32>());
        }
    }

    /// The value of a property that is not the TPM's but the space's; `value` is the TPM's.
    ///
    /// The sessions that are active, or can be, are everybody's: those are the TPM's own figures.
    fn own_property(
        &self,
        space: SpaceId,
        owner: &Space,
        property: u32,
        value: u32,
    ) -> Option<u32> {
        let value = match property {
            capability::HR_LOADED => self
                .sessions
                .iter()
                .filter(|session| session.belongs_to(space))
                .count(),
            // What is loaded of ours makes room.
            capability::HR_LOADED_AVAIL => usize::try_from(value)
                .unwrap_or(usize::MAX)
                .saturating_add(self.sessions.loaded().count()),
            capability::HR_TRANSIENT_AVAIL => self
                .limits
                .objects_per_space
                .saturating_sub(owner.alive().count()),
            _ => return None,
        };

        Some(u32::try_from(value).unwrap_or(u32::MAX))
    }
}

/// Answers with those of `handles`, which come in order, that the question asks for.
fn answer(
    question: Question,
    handles: impl Iterator<Item = u32>,
    message: &mut Message,
) -> Outcome {
    let first = index_in_group(question.property);
    let limit = usize::try_from(question.count).map_or(HANDLES_MAX, |n| n.min(HANDLES_MAX));
    let mut handles = handles.filter(|handle| index_in_group(*handle) >= first);
    let name = question.capability.to_be_bytes();
    let nothing = [0; size_of::<u32>()];

    // moreData and the count are known only at the end.
    message.set_response(ResponseCode::SUCCESS, &[&[0], &name, &nothing])?;
    let mut count: u32 = 0;
    for handle in handles.by_ref().take(limit) {
        message.append(&handle.to_be_bytes())?;
        count = count.saturating_add(1);
    }
    message.set_u32_at(PROPERTIES_AT, count);
    if handles.next().is_some() {
        message.set_u8_at(HEADER_SIZE, 1);
    }
    Ok(())
}
