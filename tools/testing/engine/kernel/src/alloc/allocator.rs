// SPDX-License-Identifier: GPL-2.0

//! The kernel's allocators, as names only: on the host all of them are the heap of the process.

/// One of the kernel's allocators.
pub trait Allocator {}

macro_rules! allocators {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            pub struct $name;
            impl Allocator for $name {}
        )*
    };
}

allocators! {
    /// Physically contiguous memory.
    Kmalloc,
    /// Virtually contiguous memory.
    Vmalloc,
    /// The first, or else the second.
    KVmalloc,
}
