// SPDX-License-Identifier: GPL-2.0

//! A box whose creation can fail.

use super::allocator::{Allocator, KVmalloc, Kmalloc, Vmalloc};
use super::{AllocError, Flags};
use crate::fault;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// One value on the heap.
pub struct Box<T, A: Allocator> {
    // `None` only while the value is moved out.
    value: Option<std::boxed::Box<T>>,
    allocator: PhantomData<A>,
}

/// A [`Box`] from kmalloc.
pub type KBox<T> = Box<T, Kmalloc>;
/// A [`Box`] from vmalloc.
pub type VBox<T> = Box<T, Vmalloc>;
/// A [`Box`] from kvmalloc.
pub type KVBox<T> = Box<T, KVmalloc>;

impl<T, A: Allocator> Box<T, A> {
    /// Moves `x` to the heap.
    pub fn new(x: T, _flags: Flags) -> Result<Self, AllocError> {
        if size_of::<T>() != 0 {
            fault::allocate(0, size_of::<T>())?;
        }
        Ok(Self {
            value: Some(std::boxed::Box::new(x)),
            allocator: PhantomData,
        })
    }

    /// Moves the value out.
    pub fn into_inner(mut b: Self) -> T {
        match b.value.take() {
            Some(value) => {
                fault::free(size_of::<T>());
                *value
            }
            None => unreachable!("a box has a value until it is consumed"),
        }
    }
}

impl<T, A: Allocator> Drop for Box<T, A> {
    fn drop(&mut self) {
        if self.value.take().is_some() {
            fault::free(size_of::<T>());
        }
    }
}

impl<T, A: Allocator> Deref for Box<T, A> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("a box has a value until it is consumed"),
        }
    }
}

impl<T, A: Allocator> DerefMut for Box<T, A> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("a box has a value until it is consumed"),
        }
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
