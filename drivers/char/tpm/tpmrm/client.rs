// SPDX-License-Identifier: GPL-2.0

//! One open descriptor: what it is doing, and what read, write, poll and close mean then.
//!
//! C counterpart: `tpm-dev-common.c`. A descriptor has a buffer only while a command or a
//! response is on its way, and its lock is never held while the TPM works: the engine's bell takes
//! it, whoever uses the engine.

mod bell;
mod state;

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod sessions;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
mod waiting;

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) use self::sessions::{
    Info,
    Standing, //
};

use self::{
    bell::Doorbell,
    state::{
        Inner,
        Life,
        State, //
    },
};
use crate::{
    bindings,
    charge::Charge,
    engine::{
        Bell,
        Message,
        Progress,
        SpaceId,
        UserId,
        HEADER_SIZE,
        MESSAGE_MAX, //
    },
    manager::Next,
    queue,
    service::Service,
    wait::WaitQueue, //
};
use core::mem;
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    static_lock_class,
    sync::{
        new_condvar,
        new_mutex,
        Arc,
        ArcBorrow,
        CondVar,
        Mutex, //
    },
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};

const READABLE: u32 = bindings::TPMRM_EPOLLIN | bindings::TPMRM_EPOLLRDNORM;
const WRITABLE: u32 = bindings::TPMRM_EPOLLOUT | bindings::TPMRM_EPOLLWRNORM;
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
const LOST: u32 = bindings::TPMRM_EPOLLPRI;
const HUNG_UP: u32 = bindings::TPMRM_EPOLLHUP | bindings::TPMRM_EPOLLERR;

/// Whether a call may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It may.
    Blocking,
    /// It may not: `O_NONBLOCK`.
    Nonblocking,
}

/// A process, as the first of all PID namespaces numbers it.
pub(crate) type Pid = i32;

/// An open descriptor.
#[pin_data]
pub(crate) struct Client {
    manager: Arc<Service>,
    user: UserId,
    /// The process that opened the descriptor, for administrators.
    process: Pid,
    /// The task that opened the descriptor, for memory that is allocated when others use the chip.
    payer: Charge,
    #[pin]
    inner: Mutex<Inner>,
    /// Told about every change: those who wait for one, and those who poll.
    #[pin]
    changed: CondVar,
    #[pin]
    pollers: WaitQueue,
    #[pin]
    work: Work<Client>,
}

impl_has_work! {
    impl HasWork<Self> for Client { self.work }
}

impl Client {
    /// Opens a descriptor for `user`, in `process`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(manager: Arc<Service>, user: UserId, process: Pid) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                manager,
                user,
                process,
                payer: Charge::current(),
                inner <- new_mutex!(Inner::new(), "tpmrm_client"),
                changed <- new_condvar!("tpmrm_client"),
                pollers <- WaitQueue::new(c"tpmrm_client_pollers", static_lock_class!()),
                work <- new_work!("tpmrm_client"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Takes one command. It is executed, or only queued, as `mode` says.
    ///
    /// # Errors
    ///
    /// - `E2BIG` when more is written than any command is long.
    /// - `EBUSY` while a command is being executed or its response is unread.
    /// - `EFAULT` when the source cannot be read.
    /// - `ENOMEM` when there is no memory for the command.
    /// - `EINVAL` when the size in the header is less than that of the header, or more than what
    ///   was written.
    /// - `EPIPE` when the chip is gone, or the descriptor is not to be used any more.
    /// - When it is executed, those of [`Self::execute`].
    ///
    /// None of them changes what there is to read, but that the rest of a response which was partly
    /// read is dropped once the new command has reached the engine.
    pub(crate) fn write(
        this: ArcBorrow<'_, Self>,
        source: &mut IovIterSource<'_>,
        mode: Mode,
    ) -> Result<usize> {
        let written = source.len();

        if written > MESSAGE_MAX {
            return Err(E2BIG);
        }

        let before = this.begin(State::takes_command).ok_or(EBUSY)?;
        let mut message = match this.receive(source, written) {
            Ok(message) => message,
            Err(error) => {
                this.set(before);
                return Err(error);
            }
        };

        if mode == Mode::Nonblocking {
            this.set(State::Queued {
                message,
                charge: Charge::current(),
            });
            // If it is in the queue already, the worker will find the command.
            let _ = this.manager.queue().enqueue(Arc::from(this));
            return Ok(written);
        }

        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        let result = Self::persist(this, || Self::execute(this, &mut message));
        #[cfg(not(CONFIG_TCG_TPM_RM_EXHAUSTION))]
        let result = Self::execute(this, &mut message).map(|Progress::Answered| ());

        match result {
            Ok(()) => {
                this.set(State::Answered { message, read: 0 });
                Ok(written)
            }
            // The same write may come again, and nothing has happened.
            Err(error) if error == ERESTARTSYS => {
                this.set(before);
                Err(error)
            }
            Err(error) => {
                this.set(State::Idle);
                Err(error)
            }
        }
    }

    /// Reads the response or what is left of it; nothing, if there is none.
    ///
    /// # Errors
    ///
    /// - While a command is under way: `EAGAIN` when `mode` is not to wait, else `ERESTARTSYS` when
    ///   a signal arrives before the response.
    /// - `EFAULT` when the destination cannot be written; the response stays.
    /// - What became of a queued command that could not be executed, once.
    pub(crate) fn read(&self, dest: &mut IovIterDest<'_>, mode: Mode) -> Result<usize> {
        if dest.is_empty() {
            return Ok(0);
        }

        let Some((message, read)) = self.claim(mode)? else {
            return Ok(0);
        };
        let unread = message.as_slice().get(read..).unwrap_or_default();
        let copied = dest.copy_to_iter(unread);
        let left = unread.len().saturating_sub(copied);

        if left == 0 {
            self.set(State::Idle);
        } else {
            self.set(State::Answered {
                message,
                read: read.saturating_add(copied),
            });
            if copied == 0 {
                return Err(EFAULT);
            }
        }
        Ok(copied)
    }

    /// The queues that tell of a change of [`Self::events`]. They live as long as `self`.
    pub(crate) fn wait_queues(&self) -> [&WaitQueue; 2] {
        [&self.pollers, self.manager.departure()]
    }

    /// What could be done now without waiting.
    pub(crate) fn events(&self) -> u32 {
        let gone = self.manager.is_gone();
        let inner = self.inner.lock();
        let mut events = 0;

        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        if inner.losses == state::Losses::Unseen {
            events |= LOST;
        }
        if inner.state.is_readable() {
            events |= READABLE;
        }
        if gone || inner.life.is_over() {
            events |= HUNG_UP;
        } else if inner.state.takes_command() {
            events |= WRITABLE;
        }
        events
    }

    /// Closes the descriptor. A queued command whose turn has not come is not executed; nothing of
    /// the space is left in the TPM afterwards.
    pub(crate) fn release(this: Arc<Self>) {
        let mut inner = this.inner.lock();

        // From now on nobody queues anything. The worker may have taken the command out of the
        // queue, and wait for its turn.
        inner.life = Life::Released;
        let before = mem::replace(&mut inner.state, State::Busy);
        drop(inner);
        drop(before);
        queue::cancel(this.manager.queue(), &this);

        let space = this.inner.lock().space.take();

        // The space holds a bell, which holds us.
        if let Some(space) = space {
            this.manager.close(space);
        }
    }

    /// Makes the state `Busy` if `ready` says so of it, and returns what it was.
    fn begin(&self, ready: impl FnOnce(&State) -> bool) -> Option<State> {
        let mut inner = self.inner.lock();

        ready(&inner.state).then(|| mem::replace(&mut inner.state, State::Busy))
    }

    /// Changes the state and tells everybody.
    fn set(&self, state: State) {
        let before = mem::replace(&mut self.inner.lock().state, state);

        self.tell();
        // Not under the lock: this may free a message.
        drop(before);
    }

    /// Tells everybody that the state has changed.
    fn tell(&self) {
        self.changed.notify_all();
        self.pollers.wake_all();
    }

    /// Waits until no command is under way. If there is a response then, takes it with
    /// the number of bytes that were read of it, and leaves the state `Busy`.
    fn claim(&self, mode: Mode) -> Result<Option<(Message, usize)>> {
        let mut inner = self.inner.lock();

        loop {
            match mem::replace(&mut inner.state, State::Busy) {
                State::Answered { message, read } => return Ok(Some((message, read))),
                State::Failed(error) => {
                    inner.state = State::Idle;
                    drop(inner);
                    self.tell();
                    return Err(error);
                }
                // Nobody is told: a poller that reads until there is nothing would never end.
                State::Idle => {
                    inner.state = State::Idle;
                    return Ok(None);
                }
                // A command is under way.
                state => {
                    inner.state = state;
                    if mode == Mode::Nonblocking {
                        return Err(EAGAIN);
                    }
                    if self.changed.wait_interruptible(&mut inner) {
                        return Err(ERESTARTSYS);
                    }
                }
            }
        }
    }

    /// Reads a command of `written` bytes from `source`, and ignores what follows it.
    fn receive(&self, source: &mut IovIterSource<'_>, written: usize) -> Result<Message> {
        if written < HEADER_SIZE {
            return Err(EINVAL);
        }

        let mut message = Message::new(GFP_KERNEL_ACCOUNT)?;
        let room = message.room().get_mut(..written).ok_or(E2BIG)?;

        if source.copy_from_iter(room) != written {
            return Err(EFAULT);
        }

        let size = room
            .get(2..6)
            .and_then(|size| <[u8; 4]>::try_from(size).ok())
            .map(u32::from_be_bytes)
            .and_then(|size| usize::try_from(size).ok())
            .ok_or(EINVAL)?;

        if size < HEADER_SIZE || size > written {
            return Err(EINVAL);
        }
        if self.manager.is_gone() || self.inner.lock().life.is_over() {
            return Err(EPIPE);
        }

        message.set_len(size);
        Ok(message)
    }

    /// Executes a command. The state must be `Busy`, by us.
    ///
    /// # Errors
    ///
    /// Those of [`Self::at_turn`], of [`Next::start`] and of
    /// [`AtWork::execute`](crate::manager::AtWork::execute).
    fn execute(this: ArcBorrow<'_, Self>, message: &mut Message) -> Result<Progress> {
        let (next, space) = Self::at_turn(&this)?;
        let mut work = next.start()?;

        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        this.come_back();
        let progress = work.execute(space, message);

        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        this.review_losses(work.engine(), space);
        // The chip is others' before the client is told.
        drop(work);
        progress
    }

    /// Waits for our turn, and has a space then. It is opened at the first use, so that a
    /// descriptor that was never used costs nothing there, and opening one never waits for a
    /// command of somebody else.
    ///
    /// # Errors
    ///
    /// - `EPIPE` when the last descriptor was closed.
    /// - `ENOMEM`.
    /// - Those of [`Manager::wait`](crate::manager::Manager::wait) and of [`Next::open`].
    fn at_turn<'a>(this: &'a ArcBorrow<'_, Self>) -> Result<(Next<'a>, SpaceId)> {
        let next = this.manager.wait()?;
        let inner = this.inner.lock();

        if inner.life == Life::Released {
            return Err(EPIPE);
        }
        if let Some(space) = inner.space {
            return Ok((next, space));
        }
        drop(inner);

        let bell: Arc<dyn Bell> = Arc::new(Doorbell(Arc::from(*this)), GFP_KERNEL_ACCOUNT)?;
        let space = next.open(this.user, bell)?;

        // It is our turn, so nobody else has opened one.
        this.inner.lock().space = Some(space);
        Ok((next, space))
    }

    /// Takes the command out of the queue, as it were.
    fn start(&self) -> Option<(Message, Charge)> {
        match self.begin(|state| matches!(state, State::Queued { .. }))? {
            State::Queued { message, charge } => Some((message, charge)),
            _ => None,
        }
    }
}

impl WorkItem for Client {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        this.leave_late();

        let Some((mut message, charge)) = this.start() else {
            return;
        };
        let borrow = this.as_arc_borrow();

        match charge.scope(|| Self::execute(borrow, &mut message)) {
            Ok(Progress::Answered) => this.set(State::Answered { message, read: 0 }),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Ok(Progress::Waits) => Self::park(borrow, message, charge),
            Err(error) => {
                // It may have waited before.
                #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
                this.leave_now();
                this.set(State::Failed(error));
            }
        }
    }
}
