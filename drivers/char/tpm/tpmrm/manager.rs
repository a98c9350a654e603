// SPDX-License-Identifier: GPL-2.0

//! The resource manager of one chip: the engine, and the order in which commands reach it.
//!
//! # Locks
//!
//! Taken in this order, each only if it is needed:
//!
//! 1. [`Turn`], which is waited for with signals;
//! 2. the lock of the chip, [`Chip::lock`];
//! 3. the lock of the engine.
//!
//! So whoever holds the lock of the chip, as the chip's own callbacks do, may take the engine's.

use crate::{
    chip::{
        Chip,
        OutOfReach, //
    },
    engine::{
        Bell,
        Clock,
        Engine,
        Message,
        Moment,
        News,
        Progress,
        SpaceId,
        UserId, //
    },
    queue::OrderedQueue,
    turn::{
        Turn,
        TurnGuard, //
    },
    wait::WaitQueue, //
};
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        new_mutex,
        Arc,
        Mutex, //
    },
    time::{
        hrtimer::HrTimerExpires,
        Delta,
        Instant,
        Monotonic, //
    },
};

/// The state of one chip. It outlives the chip for as long as descriptors are open.
#[pin_data]
pub(crate) struct Manager {
    /// Commands of descriptors that do not block. Dropped first: its work uses the rest.
    queue: OrderedQueue,
    #[pin]
    turn: Turn,
    #[pin]
    engine: Mutex<Engine>,
    /// Whether the chip was unplugged.
    gone: Atomic<bool>,
    /// Told when `gone` becomes true.
    #[pin]
    departure: WaitQueue,
    chip: Chip,
}

impl Manager {
    /// A manager for a chip, with the engine that was made for it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(chip: Chip, engine: Engine) -> Result<Arc<Self>> {
        let queue = OrderedQueue::new(chip.name())?;

        Arc::pin_init(
            pin_init!(Self {
                queue,
                turn <- Turn::new(c"tpmrm_turn", static_lock_class!()),
                engine <- new_mutex!(engine, "tpmrm_engine"),
                gone: Atomic::new(false),
                departure <- WaitQueue::new(c"tpmrm_departure", static_lock_class!()),
                chip,
            }),
            GFP_KERNEL,
        )
    }

    /// The chip that is managed.
    pub(crate) fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The queue of commands that nobody waits for in a system call.
    pub(crate) fn queue(&self) -> &OrderedQueue {
        &self.queue
    }

    /// Waits until it is our turn to have a command executed.
    ///
    /// # Errors
    ///
    /// - `ERESTARTSYS` when a signal arrived first.
    /// - `EPIPE` when the chip is gone.
    pub(crate) fn wait(&self) -> Result<Next<'_>> {
        let turn = self.turn.take()?;

        if self.is_gone() {
            return Err(EPIPE);
        }
        self.chip.wait().map_err(|_| ERESTARTSYS)?;

        Ok(Next {
            manager: self,
            _turn: turn,
        })
    }

    /// Closes `space`. Waits for its turn whatever happens, so that nothing of it is left in the
    /// TPM afterwards.
    pub(crate) fn close(&self, space: SpaceId) {
        let _turn = self.turn.take_uninterruptible();

        match self.chip.lock() {
            Ok(mut tpm) => {
                self.engine.lock().close(&mut tpm, space);
            }
            Err(error) if error == EPIPE => {
                self.engine.lock().forget(space);
            }
            Err(error) => {
                self.engine.lock().close(&mut OutOfReach(error), space);
            }
        }
    }

    /// The chip was unplugged: whoever polls is told, and every command from now on fails.
    pub(crate) fn retire(&self) {
        // ORDERING: `Release` pairs with the `Acquire` in `is_gone`. A poller that misses the
        // store has already queued itself, and is woken.
        self.gone.store(true, Release);
        self.departure.wake_all();
    }

    /// Whether the chip was unplugged.
    pub(crate) fn is_gone(&self) -> bool {
        // ORDERING: See `retire`.
        self.gone.load(Acquire)
    }

    /// The queue that tells when the chip is unplugged.
    pub(crate) fn departure(&self) -> &WaitQueue {
        &self.departure
    }
}

/// It is our turn: nobody else who uses the node comes before us.
#[must_use = "somebody else comes next when this is dropped"]
pub(crate) struct Next<'a> {
    manager: &'a Manager,
    _turn: TurnGuard<'a>,
}

impl Next<'_> {
    /// Executes the command in `message` for `space`, and leaves the response in `message`.
    ///
    /// A space is opened when there is none yet, so that a descriptor that was never used costs
    /// nothing here, and opening one never waits for a command of somebody else.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the chip is gone.
    /// - Those of [`Chip::lock`], [`Engine::open`] and [`Engine::execute`].
    pub(crate) fn execute(
        self,
        space: &mut Option<SpaceId>,
        user: UserId,
        message: &mut Message,
    ) -> Result {
        let manager = self.manager;
        let mut tpm = manager.chip.lock()?;
        let mut engine = manager.engine.lock();
        let id = match *space {
            Some(id) => id,
            None => *space.insert(engine.open(user, Arc::new(Silent, GFP_KERNEL_ACCOUNT)?)?),
        };

        // A chip that is unplugged while it works fails in ways of its own.
        let progress = engine.execute(&mut tpm, id, message).map_err(|error| {
            if manager.is_gone() {
                EPIPE
            } else {
                error
            }
        })?;

        if progress == Progress::Waits {
            // Nobody waits yet.
            engine.leave(id);
            return Err(EAGAIN);
        }
        Ok(())
    }
}

/// A client that is told nothing yet.
struct Silent;

impl Bell for Silent {
    fn ring(&self, _news: News) {}
}

/// The kernel's monotonic time.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let nanos = HrTimerExpires::as_nanos(&Instant::<Monotonic>::now());

        Moment(u64::try_from(Delta::from_nanos(nanos).as_millis()).unwrap_or_default())
    }
}
