// SPDX-License-Identifier: GPL-2.0

//! What can go wrong with a vector, other than an allocation.

use crate::error::{code::EINVAL, Error};
use core::fmt;

/// The vector is full; the value comes back.
pub struct PushError<T>(pub T);

/// There is no element at this index.
pub struct RemoveError;

/// The value could not be inserted; it comes back.
pub enum InsertError<T> {
    /// The index is beyond the end.
    IndexOutOfBounds(T),
    /// The vector is full.
    OutOfCapacity(T),
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Not enough capacity")
    }
}

impl fmt::Debug for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index out of bounds")
    }
}

impl<T> fmt::Debug for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InsertError::IndexOutOfBounds(_) => f.write_str("Index out of bounds"),
            InsertError::OutOfCapacity(_) => f.write_str("Not enough capacity"),
        }
    }
}

impl<T> From<PushError<T>> for Error {
    fn from(_: PushError<T>) -> Error {
        EINVAL
    }
}

impl From<RemoveError> for Error {
    fn from(_: RemoveError) -> Error {
        EINVAL
    }
}

impl<T> From<InsertError<T>> for Error {
    fn from(_: InsertError<T>) -> Error {
        EINVAL
    }
}
