// SPDX-License-Identifier: GPL-2.0

//! Work that a worker does, one at a time: a thread of the test is the worker.

use crate::sync::Arc;
use loom::sync::{Condvar, Mutex};
use std::collections::VecDeque;
use std::marker::PhantomData;

pub use crate::{impl_has_work, new_work};

/// What can be done by a worker.
pub trait WorkItem {
    type Pointer;
    fn run(this: Self::Pointer);
}

/// What has work within.
pub trait HasWork: Sized {
    fn work(&self) -> &Work<Self>;
}

type Shared = std::sync::Arc<State>;

/// The work within something: remembers where it was queued.
pub struct Work<T> {
    queue: std::sync::OnceLock<Shared>,
    of: PhantomData<fn(T)>,
}

impl<T> Work<T> {
    #[expect(clippy::new_without_default, reason = "as in the kernel")]
    pub fn new() -> Self {
        Self {
            queue: std::sync::OnceLock::new(),
            of: PhantomData,
        }
    }
}

struct Job {
    key: usize,
    run: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    running: Option<usize>,
    is_ended: bool,
}

struct State {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

/// A queue.
#[derive(Clone)]
pub struct Queue(Shared);

impl Queue {
    #[expect(clippy::new_without_default, reason = "as in the kernel")]
    pub fn new() -> Self {
        Self(std::sync::Arc::new(State {
            jobs: Mutex::new(Jobs::default()),
            changed: Condvar::new(),
        }))
    }

    /// # Errors
    ///
    /// The work itself when it is queued already.
    pub fn enqueue<T>(&self, item: Arc<T>) -> Result<(), Arc<T>>
    where
        T: WorkItem<Pointer = Arc<T>> + HasWork + Send + Sync + 'static,
    {
        let _ = item.work().queue.set(self.0.clone());
        let key = Arc::key(&item);
        let mut jobs = self.0.jobs.lock().unwrap();
        if jobs.waiting.iter().any(|job| job.key == key) {
            return Err(item);
        }
        let run = Box::new(move || T::run(item));
        jobs.waiting.push_back(Job { key, run });
        self.0.changed.notify_all();
        Ok(())
    }

    /// What a worker does, until [`Self::end`].
    pub fn work(&self) {
        let mut jobs = self.0.jobs.lock().unwrap();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                jobs.running = Some(job.key);
                drop(jobs);
                (job.run)();
                jobs = self.0.jobs.lock().unwrap();
                jobs.running = None;
                self.0.changed.notify_all();
            } else if jobs.is_ended {
                return;
            } else {
                jobs = self.0.changed.wait(jobs).unwrap();
            }
        }
    }

    /// The worker ends when nothing is queued.
    pub fn end(&self) {
        self.0.jobs.lock().unwrap().is_ended = true;
        self.0.changed.notify_all();
    }
}

/// Makes sure that the work is not queued and not running.
pub fn cancel<T: HasWork>(item: &Arc<T>) {
    let Some(queue) = item.work().queue.get() else {
        return;
    };
    let key = Arc::key(item);
    let mut jobs = queue.jobs.lock().unwrap();
    let at = jobs.waiting.iter().position(|job| job.key == key);
    let job = at.and_then(|at| jobs.waiting.remove(at));
    while jobs.running == Some(key) {
        jobs = queue.changed.wait(jobs).unwrap();
    }
    drop(jobs);
    drop(job);
}
