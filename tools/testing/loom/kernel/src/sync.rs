// SPDX-License-Identifier: GPL-2.0

//! Shared ownership, mutexes and condition variables.

use crate::alloc::{AllocError, Flags};
use crate::macros::PinInit;
use crate::task::{self, Bed};
use std::marker::Unsize;
use std::ops::{CoerceUnsized, Deref, DerefMut, DispatchFromDyn};

pub use crate::{new_condvar, new_mutex};

/// A key for lockdep.
pub struct LockClassKey;

/// A reference that is counted; loom need not order that.
pub struct Arc<T: ?Sized>(std::sync::Arc<T>);

impl<T: ?Sized + Unsize<U>, U: ?Sized> CoerceUnsized<Arc<U>> for Arc<T> {}
impl<T: ?Sized + Unsize<U>, U: ?Sized> DispatchFromDyn<Arc<U>> for Arc<T> {}

impl<T> Arc<T> {
    /// # Errors
    ///
    /// None here.
    pub fn new(value: T, _: Flags) -> Result<Self, AllocError> {
        Ok(Self(std::sync::Arc::new(value)))
    }

    /// # Errors
    ///
    /// None here.
    pub fn pin_init(value: impl PinInit<T>, _: Flags) -> crate::error::Result<Self> {
        Ok(Self(std::sync::Arc::new(value.init())))
    }
}

impl<T: ?Sized> Arc<T> {
    pub fn as_arc_borrow(&self) -> ArcBorrow<'_, T> {
        ArcBorrow(&self.0)
    }

    /// Something that tells it from all others that live.
    pub fn key(this: &Self) -> usize {
        std::sync::Arc::as_ptr(&this.0).cast::<()>() as usize
    }

    /// How many references there are.
    pub fn count(this: &Self) -> usize {
        std::sync::Arc::strong_count(&this.0)
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> From<ArcBorrow<'_, T>> for Arc<T> {
    fn from(borrow: ArcBorrow<'_, T>) -> Self {
        Self(borrow.0.clone())
    }
}

/// A reference to what somebody else keeps alive.
pub struct ArcBorrow<'a, T: ?Sized>(&'a std::sync::Arc<T>);

impl<T: ?Sized> Clone for ArcBorrow<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for ArcBorrow<'_, T> {}

impl<T: ?Sized> Deref for ArcBorrow<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

/// A mutex.
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// A locked mutex.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    guard: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            mutex: self,
            guard: Some(self.0.lock().unwrap()),
        }
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        Some(MutexGuard {
            mutex: self,
            guard: Some(self.0.try_lock().ok()?),
        })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("it is locked")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("it is locked")
    }
}

/// A condition variable: whoever waits is woken by the next who tells, or by a signal.
pub struct CondVar(loom::sync::Arc<Bed>);

impl CondVar {
    #[expect(clippy::new_without_default, reason = "as in the kernel")]
    pub fn new() -> Self {
        Self(Bed::new())
    }

    /// Waits; whether a signal is why it ended.
    pub fn wait_interruptible<T>(&self, guard: &mut MutexGuard<'_, T>) -> bool {
        let mut woken = self.0.woken.lock().unwrap();
        let before = *woken;
        drop(woken);
        let has_signal = task::lie_down(&self.0);
        // From here on whoever changes something finds us.
        guard.guard = None;
        if !has_signal {
            woken = self.0.woken.lock().unwrap();
            while *woken == before {
                woken = self.0.changed.wait(woken).unwrap();
            }
            drop(woken);
        }
        let has_signal = task::get_up();
        guard.guard = Some(guard.mutex.0.lock().unwrap());
        has_signal
    }

    /// The same.
    pub fn wait_interruptible_freezable<T>(&self, guard: &mut MutexGuard<'_, T>) -> bool {
        self.wait_interruptible(guard)
    }

    pub fn notify_all(&self) {
        self.0.wake();
    }
}

/// Atomic variables.
pub mod atomic {
    use loom::sync::atomic::{AtomicBool, Ordering};

    /// For loads.
    pub struct Acquire;
    /// For stores.
    pub struct Release;

    /// Only flags are used.
    pub struct Atomic<T> {
        flag: AtomicBool,
        kind: std::marker::PhantomData<T>,
    }

    impl Atomic<bool> {
        pub fn new(value: bool) -> Self {
            Self {
                flag: AtomicBool::new(value),
                kind: std::marker::PhantomData,
            }
        }

        pub fn load(&self, _: Acquire) -> bool {
            self.flag.load(Ordering::Acquire)
        }

        pub fn store(&self, value: bool, _: Release) {
            self.flag.store(value, Ordering::Release);
        }
    }
}
