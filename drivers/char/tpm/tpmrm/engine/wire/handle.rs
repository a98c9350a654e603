// SPDX-License-Identifier: GPL-2.0

//! TPM_HANDLE and its kinds (Part 2, 7.2), one type for each that must not be confused.

const TYPE_SHIFT: u32 = 24;
const TYPE_HMAC_SESSION: u32 = 0x02;
const TYPE_POLICY_SESSION: u32 = 0x03;
const TYPE_TRANSIENT: u32 = 0x80;
const TYPE_PERSISTENT: u32 = 0x81;
const INDEX: u32 = 0x00ff_ffff;

/// A TPM_HANDLE as it stands on the wire, of any type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawHandle(u32);

/// What a handle that came from a client stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientHandle {
    /// An object of the client's space.
    Object(VirtualHandle),
    /// A session, under its real number.
    Session(SessionHandle),
    /// What needs no management: PCRs, NV indices, hierarchies, persistent objects.
    Unmanaged,
}

impl RawHandle {
    /// TPM_RH_NULL.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) const NULL: Self = Self(0x4000_0007);

    /// The handle that a message carries.
    pub(crate) const fn from_wire(handle: u32) -> Self {
        Self(handle)
    }

    /// The handle as it stands in a message.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }

    const fn handle_type(self) -> u32 {
        self.0 >> TYPE_SHIFT
    }

    /// The number within the listing of its group.
    pub(crate) const fn index(self) -> u32 {
        index_in_group(self.0)
    }

    /// What the handle stands for when a client wrote it.
    pub(crate) fn of_client(self) -> ClientHandle {
        match self.handle_type() {
            TYPE_TRANSIENT => ClientHandle::Object(VirtualHandle(self.0)),
            TYPE_HMAC_SESSION | TYPE_POLICY_SESSION => ClientHandle::Session(SessionHandle(self.0)),
            _ => ClientHandle::Unmanaged,
        }
    }

    /// Whether it names a persistent object. While a command uses that, it takes an object slot.
    pub(crate) const fn is_persistent(self) -> bool {
        self.handle_type() == TYPE_PERSISTENT
    }

    /// The transient object that the handle names when the TPM wrote it.
    pub(crate) fn loaded_object(self) -> Option<PhysicalHandle> {
        (self.handle_type() == TYPE_TRANSIENT).then_some(PhysicalHandle(self.0))
    }

    /// The session that the handle names when the TPM wrote it.
    pub(crate) fn session(self) -> Option<SessionHandle> {
        matches!(self.handle_type(), TYPE_HMAC_SESSION | TYPE_POLICY_SESSION)
            .then_some(SessionHandle(self.0))
    }
}

/// A transient object as a client names it. Every space has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VirtualHandle(u32);

impl VirtualHandle {
    /// The first one of every space.
    pub(crate) const FIRST: Self = Self(TYPE_TRANSIENT << TYPE_SHIFT);

    /// The next one; after the last comes the first.
    pub(crate) fn next(self) -> Self {
        Self(Self::FIRST.0 | (self.0.wrapping_add(1) & INDEX))
    }

    /// The handle as it stands in a message.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }
}

/// A transient object as the TPM names it while it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhysicalHandle(u32);

impl From<PhysicalHandle> for RawHandle {
    fn from(handle: PhysicalHandle) -> Self {
        Self(handle.0)
    }
}

impl PhysicalHandle {
    /// The handle as it stands in a message.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }
}

/// A session, under the number that the TPM gave it.
///
/// A session has one number whichever of the two handle types it is written with: the TPM itself
/// lists a saved policy session as 02xxxxxx. Two handles are equal when they name the same session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionHandle(u32);

impl SessionHandle {
    /// The handle as it stands in a message.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0
    }

    /// The number of the session, without its type.
    pub(crate) const fn index(self) -> u32 {
        self.0 & INDEX
    }

    /// The handle under which the TPM lists the session once it is saved.
    pub(crate) const fn as_saved(self) -> u32 {
        (TYPE_HMAC_SESSION << TYPE_SHIFT) | self.index()
    }
}

impl From<SessionHandle> for RawHandle {
    fn from(handle: SessionHandle) -> Self {
        Self(handle.0)
    }
}

impl PartialEq for SessionHandle {
    fn eq(&self, other: &Self) -> bool {
        self.index() == other.index()
    }
}

impl Eq for SessionHandle {}

/// A group of handles that GetCapability lists (Part 3, 30.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandleGroup {
    /// Loaded transient objects.
    Transient,
    /// Sessions that are loaded.
    LoadedSession,
    /// Sessions that are saved.
    SavedSession,
    /// The others, which spaces share.
    Shared,
}

impl HandleGroup {
    /// The group whose listing starts at `first`.
    pub(crate) fn of(first: u32) -> Self {
        match first >> TYPE_SHIFT {
            TYPE_TRANSIENT => Self::Transient,
            TYPE_HMAC_SESSION => Self::LoadedSession,
            TYPE_POLICY_SESSION => Self::SavedSession,
            _ => Self::Shared,
        }
    }

    /// Where the listing of the group starts when it is to be complete.
    pub(crate) const fn first(self) -> u32 {
        match self {
            Self::Transient => TYPE_TRANSIENT << TYPE_SHIFT,
            Self::LoadedSession => TYPE_HMAC_SESSION << TYPE_SHIFT,
            Self::SavedSession => TYPE_POLICY_SESSION << TYPE_SHIFT,
            Self::Shared => 0,
        }
    }

    /// Where the listing of the group goes on after `last`.
    pub(crate) fn after(self, last: RawHandle) -> u32 {
        self.first() | (last.0.wrapping_add(1) & INDEX)
    }
}

/// The number of a session or object within the listing of its group.
pub(crate) const fn index_in_group(handle: u32) -> u32 {
    handle & INDEX
}
