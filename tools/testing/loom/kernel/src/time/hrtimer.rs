// SPDX-License-Identifier: GPL-2.0

//! Timers that go off when the test says so: a thread of it is the interrupt.

use super::Delta;
use crate::sync::{Arc, ArcBorrow};
use loom::sync::{Condvar, Mutex};
use std::marker::PhantomData;

/// How timers are started.
pub struct RelativeMode<C>(PhantomData<C>);

/// What the timer does next.
pub enum HrTimerRestart {
    NoRestart,
}

/// The interrupt.
pub struct HrTimerCallbackContext<'a, T>(PhantomData<&'a T>);

/// What has a timer within.
pub trait HasHrTimer: Sized {
    fn timer(&self) -> &HrTimer<Self>;
}

/// What is called when the timer goes off.
pub trait HrTimerCallback: Sized {
    type Pointer<'a>;
    fn run(this: ArcBorrow<'_, Self>, context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart;
}

/// The timer within something.
pub struct HrTimer<T>(PhantomData<fn(T)>);

impl<T> HrTimer<T> {
    #[expect(clippy::new_without_default, reason = "as in the kernel")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

struct Armed {
    key: usize,
    at: u64,
    run: std::sync::Arc<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Timers {
    now: u64,
    armed: Vec<Armed>,
    running: Option<usize>,
    is_ended: bool,
}

loom::lazy_static! {
    static ref TIMERS: Mutex<Timers> = Mutex::new(Timers::default());
    static ref CHANGED: Condvar = Condvar::new();
}

/// What time it is, in milliseconds.
pub fn now() -> u64 {
    TIMERS.lock().unwrap().now
}

/// What the interrupt does: lets time pass to the next timer, at most `times` times, until [`end`].
pub fn interrupt(times: usize) {
    let mut timers = TIMERS.lock().unwrap();
    let mut left = times;
    loop {
        let next = (0..timers.armed.len()).min_by_key(|n| timers.armed[*n].at);
        if let Some(next) = next.filter(|_| left > 0) {
            left -= 1;
            let armed = timers.armed.remove(next);
            timers.now = timers.now.max(armed.at);
            timers.running = Some(armed.key);
            drop(timers);
            (armed.run)();
            drop(armed.run);
            timers = TIMERS.lock().unwrap();
            timers.running = None;
            CHANGED.notify_all();
        } else if timers.is_ended {
            return;
        } else {
            timers = CHANGED.wait(timers).unwrap();
        }
    }
}

/// No more timers go off.
pub fn end() {
    TIMERS.lock().unwrap().is_ended = true;
    CHANGED.notify_all();
}

/// A started timer: dropping this stops it, and waits for the interrupt.
pub struct ArcHrTimerHandle<T>(Arc<T>);

impl<T> Drop for ArcHrTimerHandle<T> {
    fn drop(&mut self) {
        let key = Arc::key(&self.0);
        let mut timers = TIMERS.lock().unwrap();
        let at = timers.armed.iter().position(|armed| armed.key == key);
        let armed = at.map(|at| timers.armed.remove(at));
        while timers.running == Some(key) {
            timers = CHANGED.wait(timers).unwrap();
        }
        drop(timers);
        drop(armed);
    }
}

/// How a timer is started.
pub trait HrTimerPointer<T> {
    fn start(self, after: Delta) -> ArcHrTimerHandle<T>;
}

impl<T: HrTimerCallback + HasHrTimer + Send + Sync + 'static> HrTimerPointer<T> for Arc<T> {
    fn start(self, after: Delta) -> ArcHrTimerHandle<T> {
        let this = self.clone();
        let run = std::sync::Arc::new(move || {
            let _ = T::run(this.as_arc_borrow(), HrTimerCallbackContext(PhantomData));
        });
        let mut timers = TIMERS.lock().unwrap();
        let at = timers.now + after.as_millis().unsigned_abs();
        timers.armed.push(Armed {
            key: Arc::key(&self),
            at,
            run,
        });
        CHANGED.notify_all();
        drop(timers);
        ArcHrTimerHandle(self)
    }
}
