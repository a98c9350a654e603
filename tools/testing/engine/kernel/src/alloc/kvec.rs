// SPDX-License-Identifier: GPL-2.0

//! A vector whose growth can fail, and grows exactly when the kernel's grows.

mod errors;
mod iter;
mod traits;

pub use self::errors::{InsertError, PushError, RemoveError};
pub use self::iter::{DrainAll, IntoIter};

use super::allocator::{Allocator, KVmalloc, Kmalloc, Vmalloc};
use super::{AllocError, Flags};
use crate::fault;
use core::marker::PhantomData;

/// A growable array.
///
/// # Invariants
///
/// `items.len() <= cap`; `items` never allocates beyond what `cap` accounts for.
pub struct Vec<T, A: Allocator> {
    items: std::vec::Vec<T>,
    cap: usize,
    allocator: PhantomData<A>,
}

/// A [`Vec`] from kmalloc.
pub type KVec<T> = Vec<T, Kmalloc>;
/// A [`Vec`] from vmalloc.
pub type VVec<T> = Vec<T, Vmalloc>;
/// A [`Vec`] from kvmalloc.
pub type KVVec<T> = Vec<T, KVmalloc>;

impl<T, A: Allocator> Vec<T, A> {
    const ZST: bool = size_of::<T>() == 0;

    /// An empty vector; allocates nothing.
    pub const fn new() -> Self {
        Self {
            items: std::vec::Vec::new(),
            cap: 0,
            allocator: PhantomData,
        }
    }

    /// An empty vector with room for `capacity` elements.
    pub fn with_capacity(capacity: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut v = Self::new();
        v.reserve(capacity, flags)?;
        Ok(v)
    }

    /// How many elements fit without allocating.
    pub fn capacity(&self) -> usize {
        if Self::ZST {
            usize::MAX
        } else {
            self.cap
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All elements.
    pub fn as_slice(&self) -> &[T] {
        self
    }

    /// All elements, to change.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }

    /// Makes room for `additional` more elements: at least doubles the capacity when it must grow.
    pub fn reserve(&mut self, additional: usize, _flags: Flags) -> Result<(), AllocError> {
        let len = self.len();
        let cap = self.capacity();
        if cap - len >= additional {
            return Ok(());
        }
        if Self::ZST {
            return Err(AllocError);
        }
        let wanted = len.checked_add(additional).ok_or(AllocError)?;
        let new_cap = wanted.max(cap * 2);
        let bytes = new_cap
            .checked_mul(size_of::<T>())
            .filter(|bytes| isize::try_from(*bytes).is_ok())
            .ok_or(AllocError)?;
        fault::allocate(cap * size_of::<T>(), bytes)?;
        self.items.reserve_exact(new_cap - len);
        self.cap = new_cap;
        Ok(())
    }

    /// Appends `v`.
    pub fn push(&mut self, v: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        self.items.push(v);
        Ok(())
    }

    /// Appends `v` if it fits without allocating.
    pub fn push_within_capacity(&mut self, v: T) -> Result<(), PushError<T>> {
        if self.len() < self.capacity() {
            self.items.push(v);
            Ok(())
        } else {
            Err(PushError(v))
        }
    }

    /// Inserts `element` before `index` if it fits without allocating.
    pub fn insert_within_capacity(
        &mut self,
        index: usize,
        element: T,
    ) -> Result<(), InsertError<T>> {
        if index > self.len() {
            return Err(InsertError::IndexOutOfBounds(element));
        }
        if self.len() >= self.capacity() {
            return Err(InsertError::OutOfCapacity(element));
        }
        self.items.insert(index, element);
        Ok(())
    }

    /// Takes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    /// Takes the element at `i`; those after it move up.
    pub fn remove(&mut self, i: usize) -> Result<T, RemoveError> {
        if i < self.len() {
            Ok(self.items.remove(i))
        } else {
            Err(RemoveError)
        }
    }

    /// Drops all elements; the capacity stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Drops the elements from `len` on; the capacity stays.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    /// Keeps the elements for which `f` says so.
    pub fn retain(&mut self, f: impl FnMut(&mut T) -> bool) {
        self.items.retain_mut(f);
    }

    /// Takes all elements, one by one; the capacity stays.
    pub fn drain_all(&mut self) -> DrainAll<'_, T> {
        DrainAll(self.items.drain(..))
    }
}

impl<T: Clone, A: Allocator> Vec<T, A> {
    /// `n` clones of `value`.
    pub fn from_elem(value: T, n: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut v = Self::with_capacity(n, flags)?;
        v.extend_with(n, value, flags)?;
        Ok(v)
    }

    /// Appends `n` clones of `value`.
    pub fn extend_with(&mut self, n: usize, value: T, flags: Flags) -> Result<(), AllocError> {
        if n == 0 {
            return Ok(());
        }
        self.reserve(n, flags)?;
        self.items.resize(self.items.len() + n, value);
        Ok(())
    }

    /// Appends clones of the elements of `other`.
    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result<(), AllocError> {
        self.reserve(other.len(), flags)?;
        self.items.extend_from_slice(other);
        Ok(())
    }

    /// Makes the length `new_len`, by truncating or by appending clones of `value`.
    pub fn resize(&mut self, new_len: usize, value: T, flags: Flags) -> Result<(), AllocError> {
        match new_len.checked_sub(self.len()) {
            Some(n) => self.extend_with(n, value, flags),
            None => {
                self.truncate(new_len);
                Ok(())
            }
        }
    }
}

impl<T> KVVec<T> {
    /// Lowers the capacity to `min_capacity`, or to the length if that is more. The kernel offers it for
    /// this allocator only, and may leave a large vector as it is.
    pub fn shrink_to(&mut self, min_capacity: usize, _flags: Flags) -> Result<(), AllocError> {
        let target = self.len().max(min_capacity);
        if Self::ZST || self.cap <= target {
            return Ok(());
        }
        fault::allocate(self.cap * size_of::<T>(), target * size_of::<T>())?;
        self.items.shrink_to(target);
        self.cap = target;
        Ok(())
    }
}

impl<T, A: Allocator> Drop for Vec<T, A> {
    fn drop(&mut self) {
        fault::free(self.cap * size_of::<T>());
    }
}
