// SPDX-License-Identifier: GPL-2.0

//! The resource manager of one chip: the engine, and the order in which commands reach it.
//!
//! # Locks
//!
//! Taken in this order, each only if it is needed:
//!
//! 1. [`Turn`], which is waited for with signals;
//! 2. the lock of the chip, [`Chip::lock`];
//! 3. the lock of the engine, [`Manager::engine`];
//! 4. the lock of one descriptor, which the engine's bells take, and those of the [`Window`].
//!
//! So whoever holds the lock of the chip may take the engine's. That is what everybody who sends a
//! command to the chip does, when there is a [`barrier`](crate::barrier).

use crate::{
    alarm::Alarm,
    chip::{
        Chip,
        ChipGuard,
        Interlude,
        OutOfReach, //
    },
    desk::{
        Alarmed,
        AtDesk,
        Desk, //
    },
    engine::{
        Barrier,
        Bell,
        Engine,
        Message,
        Progress,
        SpaceId,
        Span,
        UserId, //
    },
    queue::OrderedQueue,
    turn::{
        Turn,
        TurnGuard, //
    },
    wait::WaitQueue,
    window::Window, //
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
};

/// How soon the alarm may go off again: others come in between.
const REST: Span = Span(1);

/// The same when the chip could not be used, and what there was to do is still there.
const LONG_REST: Span = Span(500);

/// The state of one chip. It outlives the chip for as long as descriptors are open.
#[pin_data]
pub(crate) struct Manager {
    /// Commands of descriptors that do not block, and the alarm. Dropped first: its work uses the
    /// rest.
    queue: OrderedQueue,
    #[pin]
    turn: Turn,
    #[pin]
    desk: Mutex<Desk>,
    /// Whether the chip was unplugged.
    gone: Atomic<bool>,
    /// Told when `gone` becomes true.
    #[pin]
    departure: WaitQueue,
    #[pin]
    window: Window,
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
                desk <- new_mutex!(Desk::new(engine), "tpmrm_engine"),
                gone: Atomic::new(false),
                departure <- WaitQueue::new(c"tpmrm_departure", static_lock_class!()),
                window <- Window::new(),
                chip,
            }),
            GFP_KERNEL,
        )
    }

    /// Has `alarm` set from now on. It holds a reference to us, so [`Self::end`] has to be called.
    pub(crate) fn attach(&self, alarm: Arc<Alarm>) {
        self.desk.lock().attach(alarm);
    }

    /// Has no alarm set any more, and hands it over.
    #[must_use = "its work may be queued"]
    pub(crate) fn end(&self) -> Option<Arc<Alarm>> {
        self.desk.lock().end()
    }

    /// The chip that is managed.
    pub(crate) fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The queue of work that nobody waits for in a system call.
    pub(crate) fn queue(&self) -> &OrderedQueue {
        &self.queue
    }

    /// Waits until it is our turn.
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
        Ok(Next {
            manager: self,
            turn,
        })
    }

    /// Locks the engine. Whoever holds the lock of the chip may take that of the engine; without
    /// it, this may wait for a command of somebody else.
    pub(crate) fn engine(&self) -> AtDesk<'_> {
        AtDesk::new(self, self.desk.lock())
    }

    /// Locks the engine, if nobody else uses it.
    pub(crate) fn try_engine(&self) -> Option<AtDesk<'_>> {
        Some(AtDesk::new(self, self.desk.try_lock()?))
    }

    /// Closes `space`. Waits for its turn whatever happens, so that nothing of it is left in the
    /// TPM afterwards.
    pub(crate) fn close(&self, space: SpaceId) {
        let _turn = self.turn.take_uninterruptible();

        match self.chip.lock() {
            Ok(mut tpm) => self.engine().close(&mut tpm, space),
            Err(error) if error == EPIPE => self.engine().forget(space),
            Err(error) => self.engine().close(&mut OutOfReach(error), space),
        }
    }

    /// Does what time has made possible. The alarm has gone off.
    pub(crate) fn attend(&self) {
        let _turn = self.turn.take_uninterruptible();

        // The chip is not to be bothered for nothing.
        if self.engine().answer_early_alarm() == Alarmed::Early {
            return;
        }
        match self.chip.lock() {
            Ok(mut tpm) => {
                let mut engine = self.engine();

                engine.answer_alarm(REST);
                engine.attend(&mut tpm);
            }
            Err(error) => {
                let mut engine = self.engine();

                engine.answer_alarm(LONG_REST);
                engine.attend(&mut OutOfReach(error));
            }
        }
    }

    /// Whether others' commands are announced to us from now on. If they are not, the TPM is empty
    /// afterwards and stays that way.
    pub(crate) fn set_barrier(&self, barrier: Barrier) {
        let _turn = self.turn.take_uninterruptible();

        match self.chip.lock() {
            Ok(mut tpm) => self.engine().set_barrier(&mut tpm, barrier),
            Err(error) => self.engine().set_barrier(&mut OutOfReach(error), barrier),
        }
    }

    /// Empties the TPM, if it can be reached.
    pub(crate) fn vacate(&self) {
        let _turn = self.turn.take_uninterruptible();

        if let Ok(mut tpm) = self.chip.lock() {
            self.engine().withdraw(&mut tpm);
        }
    }

    /// Empties the TPM: somebody else's command comes next. What does not succeed is no reason to
    /// stop that.
    pub(crate) fn vacate_for_others(&self, tpm: &mut Interlude<'_>) {
        self.engine().vacate(tpm);
    }

    /// Where others can see how it stands.
    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// The chip was unplugged: whoever polls or waits is told, and every command from now on
    /// fails.
    pub(crate) fn retire(&self) {
        // ORDERING: `Release` pairs with the `Acquire` in `is_gone`. A poller that misses the
        // store has already queued itself, and is woken.
        self.gone.store(true, Release);
        self.departure.wake_all();
        // A command that starts to wait does so under the engine's lock: either it waits by now
        // and is called, or it will find that the chip is gone.
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.engine().dismiss();
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
    turn: TurnGuard<'a>,
}

impl<'a> Next<'a> {
    /// Opens a space, which needs no TPM.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::open`].
    pub(crate) fn open(&self, user: UserId, bell: Arc<dyn Bell>) -> Result<SpaceId> {
        self.engine().open(user, bell)
    }

    /// Locks the engine, for what needs no TPM.
    pub(crate) fn engine(&self) -> AtDesk<'_> {
        self.manager.engine()
    }

    /// Waits until nobody else uses the chip, and locks it and the engine.
    ///
    /// # Errors
    ///
    /// - `ERESTARTSYS` when a signal arrived first.
    /// - Those of [`Chip::lock`].
    pub(crate) fn start(self) -> Result<AtWork<'a>> {
        self.manager.chip.wait().map_err(|_| ERESTARTSYS)?;

        let tpm = self.manager.chip.lock()?;

        Ok(AtWork {
            engine: self.manager.engine(),
            tpm,
            manager: self.manager,
            _turn: self.turn,
        })
    }
}

/// The engine has the chip. Its fields are dropped in the order in which they are declared.
#[must_use = "the chip is unlocked when this is dropped"]
pub(crate) struct AtWork<'a> {
    engine: AtDesk<'a>,
    tpm: ChipGuard<'a>,
    manager: &'a Manager,
    _turn: TurnGuard<'a>,
}

impl AtWork<'_> {
    /// Executes the command in `message` for `space`, and leaves the response in `message`. When
    /// the command waits, `message` is what it was.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the chip is gone.
    /// - Those of [`Engine::execute`].
    pub(crate) fn execute(&mut self, space: SpaceId, message: &mut Message) -> Result<Progress> {
        let window = self.manager.window();

        window.begin(space, message.command());
        let progress = self.engine.execute(&mut self.tpm, space, message);

        window.end();

        self.unless_gone(progress)
    }

    /// Keeps `count` session numbers for `space`.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the chip is gone.
    /// - Those of [`Engine::reserve_sessions`].
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn reserve(&mut self, space: SpaceId, count: usize) -> Result<Progress> {
        let progress = self.engine.reserve_sessions(&mut self.tpm, space, count);

        self.unless_gone(progress)
    }

    /// The engine, for what needs no TPM.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(crate) fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// A chip that is unplugged while it works fails in ways of its own, and nothing is worth
    /// waiting for.
    fn unless_gone(&self, progress: Result<Progress>) -> Result<Progress> {
        match progress {
            Ok(Progress::Answered) => Ok(Progress::Answered),
            _ if self.manager.is_gone() => Err(EPIPE),
            progress => progress,
        }
    }
}
