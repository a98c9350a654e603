// SPDX-License-Identifier: GPL-2.0

//! TPM_RC: response codes (Part 2, 6.6) and the layer that says who decided.

/// The layer number of a resource manager in a TSS response code, in place.
const RESOURCE_MANAGER_LAYER: u32 = 11 << 16;

/// Set in every format-one code: the TPM judged a handle, a session or a parameter.
const FORMAT_ONE: u32 = 1 << 7;

/// The bits of a format-one code that name the error, without what it applies to.
const FORMAT_ONE_ERROR: u32 = FORMAT_ONE | 0x3f;

/// TPM_RC_HANDLE, without what it applies to.
const HANDLE: u32 = FORMAT_ONE | 0x0b;

/// What a format-one code applies to: the first parameter.
const PARAMETER_1: u32 = 0x140;

/// TPM_RC_REFERENCE_H0; the six that follow are for the other handles.
const REFERENCE_H0: u32 = 0x910;

/// TPM_RC_REFERENCE_H6.
const REFERENCE_H6: u32 = 0x916;

/// TPM_RC_REFERENCE_S0; the six that follow are for the other sessions.
const REFERENCE_S0: u32 = 0x918;

/// TPM_RC_REFERENCE_S6.
const REFERENCE_S6: u32 = 0x91e;

/// What a full TPM is short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Slots for loaded objects.
    Object,
    /// Slots for loaded sessions.
    Session,
    /// Numbers for sessions, loaded or saved.
    SessionNumber,
    /// The distance between the oldest and the newest saved session.
    ContextGap,
}

/// A TPM_RC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResponseCode(u32);

impl ResponseCode {
    /// TPM_RC_SUCCESS.
    pub(crate) const SUCCESS: Self = Self(0);
    /// TPM_RC_COMMAND_CODE: the TPM does not implement the command.
    pub(crate) const COMMAND_CODE: Self = Self(0x143);
    /// TPM_RC_CONTEXT_GAP.
    pub(crate) const CONTEXT_GAP: Self = Self(0x901);
    /// TPM_RC_OBJECT_MEMORY.
    pub(crate) const OBJECT_MEMORY: Self = Self(0x902);
    /// TPM_RC_SESSION_MEMORY.
    pub(crate) const SESSION_MEMORY: Self = Self(0x903);
    /// TPM_RC_SESSION_HANDLES.
    pub(crate) const SESSION_HANDLES: Self = Self(0x905);
    /// TPM_RC_OBJECT_HANDLES.
    pub(crate) const OBJECT_HANDLES: Self = Self(0x906);
    /// TPM_RC_HANDLE of the first parameter: what the TPM says of a session's context that is not
    /// the newest one of its session.
    pub(crate) const STALE_CONTEXT: Self = Self(HANDLE | PARAMETER_1);

    /// The code that a response carries.
    pub(crate) const fn from_wire(code: u32) -> Self {
        Self(code)
    }

    /// The code as it stands in a response.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }

    /// TPM_RC_REFERENCE_H0 + `position`: the handle at `position` of the handle area names nothing.
    pub(crate) fn reference_handle(position: u8) -> Self {
        Self(REFERENCE_H0 | u32::from(position & 7))
    }

    /// TPM_RC_REFERENCE_S0 + `position`: the session at `position` of the authorization area is not
    /// there.
    pub(crate) fn reference_session(position: u8) -> Self {
        Self(REFERENCE_S0 | u32::from(position & 7))
    }

    /// The same code, marked as decided by the resource manager.
    pub(crate) fn in_manager_layer(self) -> Self {
        Self(self.0 | RESOURCE_MANAGER_LAYER)
    }

    /// What the TPM is short of, if that is what the code says.
    pub(crate) fn shortage(self) -> Option<Shortage> {
        match self {
            Self::OBJECT_MEMORY | Self::OBJECT_HANDLES => Some(Shortage::Object),
            Self::SESSION_MEMORY => Some(Shortage::Session),
            Self::SESSION_HANDLES => Some(Shortage::SessionNumber),
            Self::CONTEXT_GAP => Some(Shortage::ContextGap),
            _ => None,
        }
    }

    /// Whether a ContextLoad that got this code will get it every time: the TPM judged the context
    /// itself, instead of being short of something or in trouble.
    pub(crate) fn condemns_context(self) -> bool {
        self.0 & FORMAT_ONE != 0 || self.says_absent()
    }

    /// Whether the code may say that something which a command names is not there: an object or a
    /// session that we believed to be loaded.
    pub(crate) fn may_name_absent(self) -> bool {
        self.0 & FORMAT_ONE_ERROR == HANDLE || (REFERENCE_H0..=REFERENCE_S6).contains(&self.0)
    }

    /// Whether the code says that the one handle of a ContextSave or FlushContext names nothing.
    pub(crate) fn says_absent(self) -> bool {
        self.0 & FORMAT_ONE_ERROR == HANDLE || (REFERENCE_H0..=REFERENCE_H6).contains(&self.0)
    }
}
