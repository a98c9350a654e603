// SPDX-License-Identifier: GPL-2.0

//! TPM_CC and TPM_ST: command codes and structure tags (Part 2, 6.5 and 6.9).

/// A TPM_CC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CommandCode(u32);

impl CommandCode {
    /// TPM_CC_Create.
    pub(crate) const CREATE: Self = Self(0x153);
    /// TPM_CC_ContextLoad.
    pub(crate) const CONTEXT_LOAD: Self = Self(0x161);
    /// TPM_CC_ContextSave.
    pub(crate) const CONTEXT_SAVE: Self = Self(0x162);
    /// TPM_CC_FlushContext.
    pub(crate) const FLUSH_CONTEXT: Self = Self(0x165);
    /// TPM_CC_StartAuthSession.
    pub(crate) const START_AUTH_SESSION: Self = Self(0x176);
    /// TPM_CC_GetCapability.
    pub(crate) const GET_CAPABILITY: Self = Self(0x17a);
    /// TPM_CC_ReadClock.
    pub(crate) const READ_CLOCK: Self = Self(0x181);

    /// The code that a command carries.
    pub(crate) const fn from_wire(code: u32) -> Self {
        Self(code)
    }

    /// The code as it stands in a command.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }
}

/// A TPM_ST, as far as it tells the form of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// TPM_ST_NO_SESSIONS: there is no authorization area.
    NoSessions,
    /// TPM_ST_SESSIONS: an authorization area follows the handles.
    Sessions,
    /// Anything else; the TPM refuses such a command.
    Other,
}

impl Tag {
    const NO_SESSIONS: u16 = 0x8001;
    const SESSIONS: u16 = 0x8002;

    /// The tag that a command carries.
    pub(crate) fn from_wire(tag: u16) -> Self {
        match tag {
            Self::NO_SESSIONS => Self::NoSessions,
            Self::SESSIONS => Self::Sessions,
            _ => Self::Other,
        }
    }

    /// The tag of every command and response that the driver makes itself.
    pub(crate) const fn of_own_messages() -> u16 {
        Self::NO_SESSIONS
    }
}
