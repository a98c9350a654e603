// SPDX-License-Identifier: GPL-2.0

//! Fallible allocation: flags, the error, boxes and vectors.

pub mod allocator;
pub mod kbox;
pub mod kvec;

pub use self::allocator::Allocator;
pub use self::kbox::{Box, KBox, KVBox, VBox};
pub use self::kvec::{IntoIter, KVVec, KVec, VVec, Vec};

/// An allocation failed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct AllocError;

/// GFP flags. On the host they choose nothing.
#[derive(Clone, Copy, PartialEq)]
pub struct Flags(u32);

impl Flags {
    /// Whether all of `flags` are set.
    pub fn contains(self, flags: Flags) -> bool {
        (self & flags) == flags
    }
}

impl core::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self::Output {
        Self(self.0 | rhs.0)
    }
}

impl core::ops::BitAnd for Flags {
    type Output = Self;
    fn bitand(self, rhs: Self) -> Self::Output {
        Self(self.0 & rhs.0)
    }
}

impl core::ops::Not for Flags {
    type Output = Self;
    fn not(self) -> Self::Output {
        Self(!self.0)
    }
}

/// The flags that the kernel crate names.
pub mod flags {
    use super::Flags;

    /// Zeroed memory.
    pub const __GFP_ZERO: Flags = Flags(1 << 0);
    /// High memory.
    pub const __GFP_HIGHMEM: Flags = Flags(1 << 1);
    /// No message on failure.
    pub const __GFP_NOWARN: Flags = Flags(1 << 2);
    /// From atomic context.
    pub const GFP_ATOMIC: Flags = Flags(1 << 3);
    /// May sleep.
    pub const GFP_KERNEL: Flags = Flags(1 << 4);
    /// May sleep; charged to the caller's control group.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(1 << 4 | 1 << 5);
    /// Does not sleep, may fail at once.
    pub const GFP_NOWAIT: Flags = Flags(1 << 6);
}
