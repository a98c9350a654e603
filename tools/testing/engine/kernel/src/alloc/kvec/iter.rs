// SPDX-License-Identifier: GPL-2.0

//! Iterators over vectors.

use super::Vec;
use crate::alloc::Allocator;
use crate::fault;
use core::iter::FusedIterator;
use core::marker::PhantomData;

/// Moves all elements out of a vector that stays.
pub struct DrainAll<'vec, T>(pub(super) std::vec::Drain<'vec, T>);

impl<T> Iterator for DrainAll<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> ExactSizeIterator for DrainAll<'_, T> {}
impl<T> FusedIterator for DrainAll<'_, T> {}

/// Moves the elements out of a vector that is consumed.
pub struct IntoIter<T, A: Allocator> {
    items: std::vec::IntoIter<T>,
    bytes: usize,
    allocator: PhantomData<A>,
}

impl<T, A: Allocator> Iterator for IntoIter<T, A> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<T, A: Allocator> Drop for IntoIter<T, A> {
    fn drop(&mut self) {
        fault::free(self.bytes);
    }
}

impl<T, A: Allocator> IntoIterator for Vec<T, A> {
    type Item = T;
    type IntoIter = IntoIter<T, A>;

    fn into_iter(mut self) -> Self::IntoIter {
        let bytes = self.cap * size_of::<T>();
        self.cap = 0;
        IntoIter {
            items: core::mem::take(&mut self.items).into_iter(),
            bytes,
            allocator: PhantomData,
        }
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a Vec<T, A> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a mut Vec<T, A> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
