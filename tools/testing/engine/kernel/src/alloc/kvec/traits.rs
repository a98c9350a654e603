// SPDX-License-Identifier: GPL-2.0

//! A vector as a slice: deref, index, comparison.

use super::{KVec, Vec};
use crate::alloc::Allocator;
use core::fmt;
use core::ops::{Deref, DerefMut, Index, IndexMut};
use core::slice::SliceIndex;

impl<T> Default for KVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Vec<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, A: Allocator> Deref for Vec<T, A> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T, A: Allocator> DerefMut for Vec<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T, I: SliceIndex<[T]>, A: Allocator> Index<I> for Vec<T, A> {
    type Output = I::Output;

    fn index(&self, index: I) -> &Self::Output {
        &(**self)[index]
    }
}

impl<T, I: SliceIndex<[T]>, A: Allocator> IndexMut<I> for Vec<T, A> {
    fn index_mut(&mut self, index: I) -> &mut Self::Output {
        &mut (**self)[index]
    }
}

impl<T: Eq, A: Allocator> Eq for Vec<T, A> {}

macro_rules! equal_as_slices {
    ($([$($vars:tt)*] $left:ty, $right:ty;)*) => {
        $(
            impl<T: PartialEq<U>, U, $($vars)*> PartialEq<$right> for $left {
                fn eq(&self, other: &$right) -> bool {
                    self[..] == other[..]
                }
            }
        )*
    };
}

equal_as_slices! {
    [A: Allocator, B: Allocator] Vec<T, A>, Vec<U, B>;
    [A: Allocator] Vec<T, A>, &[U];
    [A: Allocator] Vec<T, A>, &mut [U];
    [A: Allocator] &[T], Vec<U, A>;
    [A: Allocator] &mut [T], Vec<U, A>;
    [A: Allocator] Vec<T, A>, [U];
    [A: Allocator] [T], Vec<U, A>;
    [A: Allocator, const N: usize] Vec<T, A>, [U; N];
    [A: Allocator, const N: usize] Vec<T, A>, &[U; N];
}
