// SPDX-License-Identifier: GPL-2.0

//! The ioctls of a descriptor: the structures of `linux/tpmrm.h`, turned into what a client knows.

use crate::{
    bindings::{
        self,
        tpmrm_info,
        tpmrm_lost,
        tpmrm_policy,
        tpmrm_reserve, //
    },
    client::{
        Client,
        Info,
        Mode,
        Standing, //
    },
    engine::LossPolicy,
    parameters, //
};
use core::mem::size_of;
use kernel::{
    prelude::*,
    sync::ArcBorrow,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

// What programs were compiled with.
const _: () = assert!(size_of::<tpmrm_info>() == 32);
const _: () = assert!(size_of::<tpmrm_policy>() == 8);
const _: () = assert!(size_of::<tpmrm_reserve>() == 8);
const _: () = assert!(size_of::<tpmrm_lost>() == 256);

// SAFETY: It consists of integers only, and its size, checked above, leaves no room for padding.
unsafe impl AsBytes for tpmrm_info {}

// SAFETY: It consists of integers only, which may have any value.
unsafe impl FromBytes for tpmrm_policy {}

// SAFETY: It consists of integers only, which may have any value.
unsafe impl FromBytes for tpmrm_reserve {}

// SAFETY: It consists of integers only, which may have any value.
unsafe impl FromBytes for tpmrm_lost {}

// SAFETY: It consists of integers only, and its size, checked above, leaves no room for padding.
unsafe impl AsBytes for tpmrm_lost {}

/// Does what `command` says with the structure at `argument`.
///
/// # Errors
///
/// - `ENOTTY` when there is no such command.
/// - `EFAULT` when the structure cannot be read or written.
/// - `EINVAL` when a reserved field is not 0, or there is no such policy.
/// - `EPERM` when the policy is not the caller's to choose.
/// - Those of [`Client::info`], [`Client::set_policy`], [`Client::reserve`] and [`Client::lost`].
pub(crate) fn ioctl(
    client: ArcBorrow<'_, Client>,
    mode: Mode,
    command: u32,
    argument: UserPtr,
) -> Result {
    match command {
        bindings::TPMRM_GET_INFO => put(argument, &describe(&Client::info(client)?)),
        bindings::TPMRM_SET_POLICY => set_policy(client, get(argument)?),
        bindings::TPMRM_RESERVE => reserve(client, mode, get(argument)?),
        bindings::TPMRM_GET_LOST => put(argument, &lost(client, get(argument)?)?),
        _ => Err(ENOTTY),
    }
}

fn describe(info: &Info) -> tpmrm_info {
    tpmrm_info {
        version: bindings::TPMRM_VERSION,
        policy: match info.policy {
            LossPolicy::Fail => bindings::TPMRM_POLICY_FAIL,
            LossPolicy::Close => bindings::TPMRM_POLICY_CLOSE,
            LossPolicy::Never => bindings::TPMRM_POLICY_NEVER,
        },
        sessions_reserved: number(info.reserved),
        sessions_lost: number(info.lost),
        flags: match info.standing {
            Standing::Usable => 0,
            Standing::Closed => bindings::TPMRM_INFO_CLOSED,
        },
        reserved: [0; 3],
    }
}

fn set_policy(client: ArcBorrow<'_, Client>, argument: tpmrm_policy) -> Result {
    must_be_zero(argument.reserved)?;

    let policy = match argument.policy {
        bindings::TPMRM_POLICY_DEFAULT => None,
        bindings::TPMRM_POLICY_FAIL => Some(LossPolicy::Fail),
        bindings::TPMRM_POLICY_CLOSE => Some(LossPolicy::Close),
        bindings::TPMRM_POLICY_NEVER => Some(LossPolicy::Never),
        _ => return Err(EINVAL),
    };

    // Sessions that cannot be taken away make others wait longer than they were promised. Where
    // everybody has that by the module's policy, it lasts no longer than that.
    let policy = match policy {
        Some(LossPolicy::Never) => match may_administer() {
            Ok(()) => policy,
            Err(_) if parameters::policy() == LossPolicy::Never => None,
            Err(error) => return Err(error),
        },
        _ => policy,
    };

    Client::set_policy(client, policy)
}

fn reserve(client: ArcBorrow<'_, Client>, mode: Mode, argument: tpmrm_reserve) -> Result {
    must_be_zero(argument.reserved)?;
    Client::reserve(client, size(argument.sessions), mode)
}

fn lost(client: ArcBorrow<'_, Client>, argument: tpmrm_lost) -> Result<tpmrm_lost> {
    must_be_zero(argument.reserved)?;

    let mut answer = tpmrm_lost {
        first: argument.first,
        count: 0,
        total: 0,
        reserved: 0,
        handles: [0; bindings::TPMRM_LOST_MAX as usize],
    };
    let (count, total) = Client::lost(client, size(argument.first), &mut answer.handles)?;

    answer.count = number(count);
    answer.total = number(total);
    Ok(answer)
}

/// Reads a structure of the program.
///
/// # Errors
///
/// `EFAULT` when it cannot be read.
fn get<T: FromBytes>(from: UserPtr) -> Result<T> {
    UserSlice::new(from, size_of::<T>()).reader().read()
}

/// Writes a structure of the program.
///
/// # Errors
///
/// `EFAULT` when it cannot be written.
fn put<T: AsBytes>(to: UserPtr, value: &T) -> Result {
    UserSlice::new(to, size_of::<T>()).writer().write(value)
}

/// Reserved fields may mean something one day.
///
/// # Errors
///
/// `EINVAL` when this one does.
fn must_be_zero(field: u32) -> Result {
    match field {
        0 => Ok(()),
        _ => Err(EINVAL),
    }
}

/// Whether the calling task may do what the administrator may.
///
/// # Errors
///
/// `EPERM` when it may not.
fn may_administer() -> Result {
    // SAFETY: This looks only at the calling task.
    if unsafe { bindings::tpmrm_may_administer() } {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// A count for a program.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A count of a program's.
fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
