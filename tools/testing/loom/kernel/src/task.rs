// SPDX-License-Identifier: GPL-2.0

//! Tasks that can be sent a signal while they sleep.

use loom::sync::{Arc, Condvar, Mutex};
use std::cell::RefCell;

/// What a signal finds of a task.
#[derive(Default)]
struct Inner {
    is_pending: bool,
    /// Where it sleeps.
    bed: Option<Arc<Bed>>,
}

/// Where tasks sleep: how often they were woken, and who wakes them.
pub(crate) struct Bed {
    pub(crate) woken: Mutex<usize>,
    pub(crate) changed: Condvar,
}

impl Bed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            woken: Mutex::new(0),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn wake(&self) {
        *self.woken.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

/// A task that signals can be sent to.
#[derive(Clone)]
pub struct Task(Arc<Mutex<Inner>>);

impl Task {
    #[expect(clippy::new_without_default, reason = "a task is not a value")]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner::default())))
    }

    /// Runs `f` as this task.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        CURRENT.with(|current| *current.borrow_mut() = Some(self.clone()));
        let value = f();
        CURRENT.with(|current| *current.borrow_mut() = None);
        value
    }

    /// Sends it a signal, which it gets once.
    pub fn signal(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.is_pending = true;
        let bed = inner.bed.take();
        drop(inner);
        if let Some(bed) = bed {
            bed.wake();
        }
    }
}

loom::thread_local! {
    static CURRENT: RefCell<Option<Task>> = RefCell::new(None);
}

/// The calling task is about to sleep there. Whether it has a signal instead.
pub(crate) fn lie_down(bed: &Arc<Bed>) -> bool {
    with_current(|inner| {
        if inner.is_pending {
            return true;
        }
        inner.bed = Some(bed.clone());
        false
    })
}

/// The calling task woke up. Whether it has a signal.
pub(crate) fn get_up() -> bool {
    with_current(|inner| {
        inner.bed = None;
        std::mem::take(&mut inner.is_pending)
    })
}

/// Whether the calling task has a signal, which it gets.
pub fn has_signal() -> bool {
    get_up()
}

fn with_current(f: impl FnOnce(&mut Inner) -> bool) -> bool {
    let task = CURRENT.with(|current| current.borrow().clone());
    task.is_some_and(|task| f(&mut task.0.lock().unwrap()))
}
