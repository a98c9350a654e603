// SPDX-License-Identifier: GPL-2.0

//! What GetCapability can be asked for: TPM_CAP and TPM_PT (Part 2, 6.12 and 6.13).

/// TPM_CAP_HANDLES: the handles of a group.
pub(crate) const HANDLES: u32 = 1;
/// TPM_CAP_COMMANDS: the attributes of the commands.
pub(crate) const COMMANDS: u32 = 2;
/// TPM_CAP_TPM_PROPERTIES: numbers, each with its TPM_PT.
pub(crate) const TPM_PROPERTIES: u32 = 6;

/// TPM_PT_HR_TRANSIENT_MIN: how many objects can be loaded, at least.
pub(crate) const HR_TRANSIENT_MIN: u32 = 0x10e;
/// TPM_PT_HR_LOADED_MIN: how many sessions can be loaded, at least.
pub(crate) const HR_LOADED_MIN: u32 = 0x110;
/// TPM_PT_CONTEXT_GAP_MAX: how far apart the oldest and the newest context of a session may be.
pub(crate) const CONTEXT_GAP_MAX: u32 = 0x114;
/// TPM_PT_MAX_OBJECT_CONTEXT: how large the context of an object can be, in bytes.
pub(crate) const MAX_OBJECT_CONTEXT: u32 = 0x121;
/// TPM_PT_MAX_SESSION_CONTEXT: how large the context of a session can be, in bytes.
pub(crate) const MAX_SESSION_CONTEXT: u32 = 0x122;
/// TPM_PT_HR_LOADED: how many sessions are loaded.
pub(crate) const HR_LOADED: u32 = 0x203;
/// TPM_PT_HR_LOADED_AVAIL: how many more sessions can be loaded.
pub(crate) const HR_LOADED_AVAIL: u32 = 0x204;
/// TPM_PT_HR_ACTIVE: how many sessions are active, that is loaded or saved.
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) const HR_ACTIVE: u32 = 0x205;
/// TPM_PT_HR_ACTIVE_AVAIL: how many more sessions can be active.
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) const HR_ACTIVE_AVAIL: u32 = 0x206;
/// TPM_PT_HR_TRANSIENT_AVAIL: how many more objects can be loaded.
pub(crate) const HR_TRANSIENT_AVAIL: u32 = 0x207;
