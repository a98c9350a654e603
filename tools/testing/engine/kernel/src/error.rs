// SPDX-License-Identifier: GPL-2.0

//! Errors as negative errno values.

use crate::alloc::AllocError;
use core::fmt;
use core::num::NonZeroI32;

/// A negative errno, at least `-4095`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(NonZeroI32);

/// The result of what can fail with an [`Error`].
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

impl Error {
    /// The error for a negative errno; any other value becomes `EINVAL`.
    pub fn from_errno(errno: i32) -> Error {
        match NonZeroI32::new(errno) {
            Some(value) if (-4095..0).contains(&errno) => Error(value),
            _ => code::EINVAL,
        }
    }

    /// The negative errno.
    pub fn to_errno(self) -> i32 {
        self.0.get()
    }
}

macro_rules! declare_codes {
    ($($name:ident = $value:literal,)*) => {
        /// The errno values, as errors.
        pub mod code {
            use core::num::NonZeroI32;

            $(
                #[doc = concat!("Errno ", stringify!($value), ".")]
                pub const $name: super::Error = match NonZeroI32::new(-$value) {
                    Some(value) => super::Error(value),
                    None => unreachable!(),
                };
            )*
        }

        const NAMES: &[(i32, &str)] = &[$(($value, stringify!($name)),)*];
    };
}

declare_codes! {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    EINVAL = 22,
    ENOSPC = 28,
    EPIPE = 32,
    EDOM = 33,
    ERANGE = 34,
    EOVERFLOW = 75,
    EMSGSIZE = 90,
    EOPNOTSUPP = 95,
    ETIMEDOUT = 110,
    ERESTARTSYS = 512,
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(value, _)| *value == -self.to_errno()) {
            Some((_, name)) => f.debug_tuple(name).finish(),
            None => f.debug_tuple("Error").field(&-self.to_errno()).finish(),
        }
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Error {
        code::ENOMEM
    }
}

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Error {
        code::EINVAL
    }
}

impl From<core::str::Utf8Error> for Error {
    fn from(_: core::str::Utf8Error) -> Error {
        code::EINVAL
    }
}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Error {
        code::EINVAL
    }
}

impl From<core::convert::Infallible> for Error {
    fn from(e: core::convert::Infallible) -> Error {
        match e {}
    }
}
