// SPDX-License-Identifier: GPL-2.0

//! One open descriptor: what it is doing, and what read, write, poll and close mean then.
//!
//! C counterpart: `tpm-dev-common.c`. A descriptor has a buffer only while a command or a
//! response is on its way, and its lock is never held while the TPM works.

use crate::{
    bindings,
    charge::Charge,
    engine::{
        Message,
        SpaceId,
        UserId,
        HEADER_SIZE,
        MESSAGE_MAX, //
    },
    manager::Manager,
    queue,
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
        atomic::{
            Atomic,
            Relaxed, //
        },
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
const HUNG_UP: u32 = bindings::TPMRM_EPOLLHUP | bindings::TPMRM_EPOLLERR;

/// What a descriptor is doing.
enum State {
    /// Nothing, and there is nothing to read. Entered at open, and when a response was read.
    Idle,
    /// A command that nobody waits for in a system call is in the queue.
    Queued { message: Message, charge: Charge },
    /// A system call or the queue's worker has the message. Entered for every change that takes
    /// time, so that the lock need not be held.
    Busy,
    /// A response is there, of which `read` bytes were read: less than all of them.
    Answered { message: Message, read: usize },
    /// The command that was queued could not be executed.
    Failed(Error),
}

impl State {
    /// Whether a new command would be taken.
    fn takes_command(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Answered { read, .. } => *read > 0,
            Self::Queued { .. } | Self::Busy | Self::Failed(_) => false,
        }
    }

    /// Whether a read would return something.
    fn is_readable(&self) -> bool {
        match self {
            Self::Answered { .. } | Self::Failed(_) => true,
            Self::Idle | Self::Queued { .. } | Self::Busy => false,
        }
    }
}

/// What the lock of a descriptor protects.
struct Inner {
    state: State,
    /// The space, from the first command on. Whoever made the state `Busy` may change it.
    space: Option<SpaceId>,
}

/// An open descriptor.
#[pin_data]
pub(crate) struct Client {
    manager: Arc<Manager>,
    user: UserId,
    #[pin]
    inner: Mutex<Inner>,
    /// Whether the last descriptor was closed, so that nobody will read a response.
    closing: Atomic<bool>,
    /// Told about every change of the state: those who read and wait, and those who poll.
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
    /// Opens a descriptor for `user`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(manager: Arc<Manager>, user: UserId) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                manager,
                user,
                inner <- new_mutex!(
                    Inner {
                        state: State::Idle,
                        space: None,
                    },
                    "tpmrm_client"
                ),
                closing: Atomic::new(false),
                changed <- new_condvar!("tpmrm_client"),
                pollers <- WaitQueue::new(c"tpmrm_client_pollers", static_lock_class!()),
                work <- new_work!("tpmrm_client"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Takes one command. When `nonblocking`, it is only queued; else it is executed.
    ///
    /// # Errors
    ///
    /// - `E2BIG` when more is written than any command is long.
    /// - `EBUSY` while a command is being executed or its response is unread.
    /// - `EFAULT` when the source cannot be read.
    /// - `ENOMEM` when there is no memory for the command.
    /// - `EINVAL` when the size in the header is less than that of the header, or more than what
    ///   was written.
    /// - `EPIPE` when the chip is gone.
    /// - When not `nonblocking`, those of [`Manager::wait`] and of
    ///   [`Next::execute`](crate::manager::Next::execute).
    ///
    /// None of them changes what there is to read, but that the rest of a response which was partly
    /// read is dropped once the new command is accepted.
    pub(crate) fn write(
        this: ArcBorrow<'_, Self>,
        source: &mut IovIterSource<'_>,
        nonblocking: bool,
    ) -> Result<usize> {
        let written = source.len();

        if written > MESSAGE_MAX {
            return Err(E2BIG);
        }

        let before = this.begin(State::takes_command).ok_or(EBUSY)?;
        let message = match this.receive(source, written) {
            Ok(message) => message,
            Err(error) => {
                this.set(before);
                return Err(error);
            }
        };
        // A response that was partly read.
        drop(before);

        if nonblocking {
            this.set(State::Queued {
                message,
                charge: Charge::current(),
            });
            // It cannot be in the queue already: then the state would have been `Queued`.
            if this.manager.queue().enqueue(Arc::from(this)).is_err() {
                this.set(State::Idle);
                return Err(EBUSY);
            }
            return Ok(written);
        }

        match this.execute(message) {
            Ok(message) => {
                this.set(State::Answered { message, read: 0 });
                Ok(written)
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
    /// - While a command is queued or executed: `EAGAIN` when `nonblocking`, else `ERESTARTSYS`
    ///   when a signal arrives before the response.
    /// - `EFAULT` when the destination cannot be written; the response stays.
    /// - What became of a queued command that could not be executed, once.
    pub(crate) fn read(&self, dest: &mut IovIterDest<'_>, nonblocking: bool) -> Result<usize> {
        if dest.is_empty() {
            return Ok(0);
        }

        let Some((message, read)) = self.claim(nonblocking)? else {
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

        if inner.state.is_readable() {
            events |= READABLE;
        }
        if gone {
            events |= HUNG_UP;
        } else if inner.state.takes_command() {
            events |= WRITABLE;
        }
        events
    }

    /// Closes the descriptor. A queued command whose turn has not come is not executed; nothing of
    /// the space is left in the TPM afterwards.
    pub(crate) fn release(this: Arc<Self>) {
        // The worker may have taken the command out of the queue, and wait for its turn.
        this.closing.store(true, Relaxed);
        queue::cancel(&this);

        let space = this.inner.lock().space.take();

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

    /// Waits until no command is queued or executed. If there is a response then, takes it with
    /// the number of bytes that were read of it, and leaves the state `Busy`.
    fn claim(&self, nonblocking: bool) -> Result<Option<(Message, usize)>> {
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
                state @ (State::Queued { .. } | State::Busy) => {
                    inner.state = state;
                    if nonblocking {
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
        if self.manager.is_gone() {
            return Err(EPIPE);
        }

        message.set_len(size);
        Ok(message)
    }

    /// Executes a command and returns its response. The state must be `Busy`, by us.
    fn execute(&self, mut message: Message) -> Result<Message> {
        let next = self.manager.wait()?;

        // ORDERING: A command that is executed all the same is only one that nobody needs.
        if self.closing.load(Relaxed) {
            return Err(EPIPE);
        }

        let mut space = self.inner.lock().space;
        let result = next.execute(&mut space, self.user, &mut message);

        self.inner.lock().space = space;
        result.map(|()| message)
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
        let Some((message, charge)) = this.start() else {
            return;
        };

        this.set(match charge.scope(|| this.execute(message)) {
            Ok(message) => State::Answered { message, read: 0 },
            Err(error) => State::Failed(error),
        });
    }
}
