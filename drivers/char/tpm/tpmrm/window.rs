// SPDX-License-Identifier: GPL-2.0

//! The window of a manager: through it one sees how it stands, without waiting for the TPM.
//!
//! The engine is locked for as long as a command is executed, which can be minutes. Whoever wants
//! to see lays out room for it; whoever uses the engine fills it when he is done. If that takes too
//! long, what was seen last time is shown. A command costs nothing more while nobody looks.

use crate::{
    clock::SystemClock,
    engine::{
        Clock,
        Engine,
        Moment,
        SpaceId,
        View, //
    },
    manager::Manager, //
};
use core::mem;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        new_condvar,
        new_mutex,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
};

/// For how long it is waited for whoever uses the engine.
const PATIENCE: Msecs = 100;

/// How often room is made for more than there was the last time.
const ATTEMPTS: usize = 4;

/// Room for more spaces and sessions than there were the last time.
const SPARE: usize = 16;

/// What readers and those who use the engine share.
#[pin_data]
pub(crate) struct Window {
    /// What was seen last. Readers come one at a time.
    #[pin]
    shown: Mutex<View>,
    /// Taken under the engine's lock, and under that of `shown`.
    #[pin]
    order: Mutex<Order>,
    #[pin]
    filled: CondVar,
    /// Whether there is something to be filled.
    wanted: Atomic<bool>,
    /// The command that is executed. Nothing else is locked while this is.
    #[pin]
    running: Mutex<Option<Running>>,
}

/// Room that a reader has laid out.
enum Order {
    Nothing,
    /// It is to be filled. Entered by a reader, who waits.
    Open(View),
    /// It is to be filled, but who laid it out has left: nobody need wait before it is. Entered
    /// when that reader has waited long enough.
    Overdue(View),
    /// It was filled. Entered by whoever has used the engine.
    Filled(View),
}

/// A command that is executed.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pub(crate) space: SpaceId,
    /// Its TPM_CC.
    pub(crate) command: u32,
    pub(crate) since: Moment,
}

impl Window {
    /// Nothing is to be seen yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            shown <- new_mutex!(View::new(), "tpmrm_window"),
            order <- new_mutex!(Order::Nothing, "tpmrm_window_order"),
            filled <- new_condvar!("tpmrm_window"),
            wanted: Atomic::new(false),
            running <- new_mutex!(None, "tpmrm_window_running"),
        })
    }

    /// A command is executed from now on.
    pub(crate) fn begin(&self, space: SpaceId, command: u32) {
        *self.running.lock() = Some(Running {
            space,
            command,
            since: SystemClock.now(),
        });
    }

    /// It is not executed any more.
    pub(crate) fn end(&self) {
        *self.running.lock() = None;
    }

    /// The command that is executed now.
    pub(crate) fn running(&self) -> Option<Running> {
        *self.running.lock()
    }

    /// Shows how it stands to whoever wants to see it. The engine is locked.
    pub(crate) fn show(&self, engine: &Engine) {
        // ORDERING: `Acquire` pairs with the `Release` in `see`. A reader who is missed here looks
        // at the engine himself when he has waited long enough.
        if !self.wanted.load(Acquire) {
            return;
        }

        let mut order = self.order.lock();

        self.wanted.store(false, Release);
        *order = match mem::replace(&mut *order, Order::Nothing) {
            Order::Open(mut view) | Order::Overdue(mut view) => {
                engine.show(&mut view);
                Order::Filled(view)
            }
            order => order,
        };
        drop(order);
        self.filled.notify_all();
    }

    /// Calls `tell` with how it stands with `manager`, whose window this is, or stood: when the
    /// engine is in use for long, that is what was seen last.
    ///
    /// # Errors
    ///
    /// - `ENOMEM`.
    /// - `EAGAIN` when there are more spaces and sessions each time that there is room for them.
    pub(crate) fn look(&self, manager: &Manager, tell: impl FnOnce(&View)) -> Result {
        let mut shown = self.shown.lock();
        let mut spaces = shown.spaces.all();
        let mut sessions = shown.sessions.all();

        for _ in 0..ATTEMPTS {
            let view = View::with_room(
                spaces.saturating_add(spaces / 2).saturating_add(SPARE),
                sessions.saturating_add(SPARE),
            )?;
            let Some(view) = self.see(manager, view) else {
                tell(&shown);
                return Ok(());
            };

            if view.is_complete() {
                *shown = view;
                tell(&shown);
                return Ok(());
            }
            spaces = view.spaces.all();
            sessions = view.sessions.all();
        }
        Err(EAGAIN)
    }

    /// Has `view` filled, unless that takes too long. There is one reader at a time.
    fn see(&self, manager: &Manager, mut view: View) -> Option<View> {
        if let Some(engine) = manager.try_engine() {
            engine.show(&mut view);
            return Some(view);
        }

        let mut order = self.order.lock();

        if let Order::Overdue(_) = *order {
            return None;
        }
        *order = Order::Open(view);
        // ORDERING: See `show`.
        self.wanted.store(true, Release);

        let mut left = msecs_to_jiffies(PATIENCE);

        while let Order::Open(_) = *order {
            match self.filled.wait_interruptible_timeout(&mut order, left) {
                CondVarTimeoutResult::Woken { jiffies } => left = jiffies,
                CondVarTimeoutResult::Timeout | CondVarTimeoutResult::Signal { .. } => break,
            }
        }
        match mem::replace(&mut *order, Order::Nothing) {
            Order::Filled(view) => Some(view),
            Order::Open(view) | Order::Overdue(view) => {
                *order = Order::Overdue(view);
                drop(order);
                self.see_late(manager)
            }
            Order::Nothing => None,
        }
    }

    /// The engine may have been left just when the room was laid out. Leaving it once more fills
    /// that.
    fn see_late(&self, manager: &Manager) -> Option<View> {
        drop(manager.try_engine()?);

        match mem::replace(&mut *self.order.lock(), Order::Nothing) {
            Order::Filled(view) => Some(view),
            Order::Nothing | Order::Open(_) | Order::Overdue(_) => None,
        }
    }
}
