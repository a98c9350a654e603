// SPDX-License-Identifier: GPL-2.0

//! Makes allocations fail and counts them, per thread: a test and the engine under it share a thread.

use crate::alloc::AllocError;
use core::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static FAILING: Cell<Option<(usize, bool)>> = const { Cell::new(None) };
}

/// Makes the `n`-th allocation from now fail, the next one being the first, and no other.
pub fn fail_nth(n: usize) {
    FAILING.set(Some((ALLOCATIONS.get() + n, false)));
}

/// Makes the `n`-th allocation from now and all that follow fail.
pub fn fail_from(n: usize) {
    FAILING.set(Some((ALLOCATIONS.get() + n, true)));
}

/// Lets every allocation succeed again.
pub fn fail_none() {
    FAILING.set(None);
}

/// How many allocations this thread has asked for, the failed ones included.
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// How many bytes this thread holds: allocated and not yet freed.
pub fn live_bytes() -> isize {
    LIVE.get()
}

/// Counts one allocation that replaces `old` bytes by `new` bytes, or fails it if a test said so.
pub(crate) fn allocate(old: usize, new: usize) -> Result<(), AllocError> {
    let number = ALLOCATIONS.get() + 1;
    ALLOCATIONS.set(number);
    match FAILING.get() {
        Some((n, false)) if number == n => return Err(AllocError),
        Some((n, true)) if number >= n => return Err(AllocError),
        _ => {}
    }
    LIVE.set(LIVE.get() + new as isize - old as isize);
    Ok(())
}

/// Counts the release of `bytes` bytes.
pub(crate) fn free(bytes: usize) {
    // A value may be dropped while its thread ends, when the counters are gone.
    let _ = LIVE.try_with(|live| live.set(live.get() - bytes as isize));
}
