// SPDX-License-Identifier: GPL-2.0

//! The stand-in behaves as the kernel's own types do, and fails and counts as the tests rely on.

use kernel::alloc::AllocError;
use kernel::fault;
use kernel::prelude::*;

#[test]
fn stand_in_vectors_double_or_grow_to_what_is_asked() {
    let mut v: KVec<u16> = KVec::new();
    assert_eq!(v.capacity(), 0);
    let mut capacities = vec![];
    for n in 0..9 {
        v.push(n, GFP_KERNEL).unwrap();
        capacities.push(v.capacity());
    }
    assert_eq!(capacities, [1, 2, 4, 4, 8, 8, 8, 8, 16]);
    v.reserve(100, GFP_KERNEL).unwrap();
    assert_eq!(v.capacity(), 109);
    assert_eq!(v, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn stand_in_vectors_never_allocate_within_capacity() {
    let mut v = KVec::with_capacity(2, GFP_KERNEL).unwrap();
    v.push_within_capacity(1).unwrap();
    v.insert_within_capacity(0, 0).unwrap();
    assert!(v.push_within_capacity(2).is_err());
    assert!(v.insert_within_capacity(0, 2).is_err());
    assert!(v.insert_within_capacity(3, 2).is_err());
    assert!(v.remove(2).is_err());
    assert_eq!(v.remove(0).ok(), Some(0));
    assert_eq!((v.len(), v.capacity()), (1, 2));
}

#[test]
fn stand_in_fails_the_allocation_it_is_told_to() {
    fault::fail_nth(2);
    let mut v: KVVec<u8> = KVVec::with_capacity(1, GFP_KERNEL).unwrap();
    v.push(1, GFP_KERNEL).unwrap();
    assert_eq!(v.push(2, GFP_KERNEL), Err(AllocError));
    assert_eq!(v, [1], "a failure changes nothing");
    v.push(2, GFP_KERNEL).unwrap();
    fault::fail_from(1);
    assert!(KBox::new(1u8, GFP_KERNEL).is_err());
    assert!(KVVec::from_elem(0u8, 3, GFP_KERNEL).is_err());
    fault::fail_none();
    KBox::new(1u8, GFP_KERNEL).unwrap();
    assert_eq!(Error::from(AllocError).to_errno(), -12);
}

#[test]
fn stand_in_counts_the_bytes_that_live() {
    let before = fault::live_bytes();
    let mut v: KVVec<u32> = KVVec::with_capacity(10, GFP_KERNEL).unwrap();
    let b = KBox::new([0u8; 100], GFP_KERNEL).unwrap();
    assert_eq!(fault::live_bytes() - before, 140);
    v.resize(20, 7, GFP_KERNEL).unwrap();
    assert_eq!(fault::live_bytes() - before, 180);
    v.truncate(5);
    v.shrink_to(8, GFP_KERNEL).unwrap();
    assert_eq!((v.capacity(), fault::live_bytes() - before), (8, 132));
    v.clear();
    assert_eq!(fault::live_bytes() - before, 132);
    assert_eq!(KBox::into_inner(b), [0; 100]);
    let mut items = v.into_iter();
    assert_eq!((items.next(), fault::live_bytes() - before), (None, 32));
    drop(items);
    assert_eq!(fault::live_bytes(), before);
}

#[test]
fn stand_in_errors_are_negative_errnos() {
    for (error, errno) in [(ENOMEM, -12), (EINVAL, -22), (EPIPE, -32), (EIO, -5)] {
        assert_eq!(error.to_errno(), errno);
        assert_eq!(Error::from_errno(errno), error);
    }
    for outside in [0, 1, 22, -4096, i32::MIN] {
        assert_eq!(Error::from_errno(outside), EINVAL);
    }
}
