// SPDX-License-Identifier: GPL-2.0

//! Waiting for a session: until the engine calls, in a system call or as a parked command.

use super::{
    state::{
        Attendance,
        Inner,
        Life,
        Losses,
        State, //
    },
    Client, //
};
use crate::{
    charge::Charge,
    engine::{
        Engine,
        Message,
        News,
        Progress, //
    },
};
use core::mem;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
};

impl Client {
    /// Repeats `attempt` until there is nothing to wait for any more.
    ///
    /// # Errors
    ///
    /// - `ERESTARTSYS` when a signal arrived first.
    /// - Those of `attempt`.
    pub(super) fn persist(
        this: ArcBorrow<'_, Self>,
        mut attempt: impl FnMut() -> Result<Progress>,
    ) -> Result {
        if attempt()? == Progress::Answered {
            return Ok(());
        }

        loop {
            match this.await_call().and_then(|()| attempt()) {
                Ok(Progress::Answered) => return Ok(()),
                Ok(Progress::Waits) => {}
                Err(error) => {
                    Self::leave(this);
                    return Err(error);
                }
            }
        }
    }

    /// Sleeps until the space is called.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when a signal arrived first.
    fn await_call(&self) -> Result {
        let mut inner = self.inner.lock();

        while !mem::take(&mut inner.called) {
            // No lock is held here but the one that is given up.
            if self.changed.wait_interruptible_freezable(&mut inner) && !inner.called {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }

    /// Tells the engine that nobody waits any more. When it is in use, which may last, the worker
    /// does that.
    fn leave(this: ArcBorrow<'_, Self>) {
        this.inner.lock().attendance = Attendance::Left;

        if let Some(mut engine) = this.manager.try_engine() {
            this.tell_engine(&mut engine);
            return;
        }
        // If it is in the queue already, the worker will find it out as well.
        let _ = this.manager.queue().enqueue(Arc::from(this));
    }

    /// The same, by the worker, if it has to be done.
    pub(super) fn leave_late(&self) {
        if self.inner.lock().attendance == Attendance::Left {
            self.tell_engine(&mut self.manager.engine());
        }
    }

    /// The same, by the worker, for a command of its own.
    pub(super) fn leave_now(&self) {
        self.inner.lock().attendance = Attendance::Left;
        self.leave_late();
    }

    /// What the client had left is about to be done again, so the engine need not be told. The
    /// engine is locked.
    pub(super) fn come_back(&self) {
        self.inner.lock().attendance = Attendance::Known;
    }

    fn tell_engine(&self, engine: &mut Engine) {
        let mut inner = self.inner.lock();
        let attendance = mem::replace(&mut inner.attendance, Attendance::Known);
        let space = inner.space;

        // The engine may call anybody now. Who comes back has to wait for its lock.
        drop(inner);
        if let (Attendance::Left, Some(space)) = (attendance, space) {
            engine.leave(space);
        }
    }

    /// Keeps a command that waits until the space is called. By the worker, whose state is `Busy`.
    pub(super) fn park(this: ArcBorrow<'_, Self>, message: Message, charge: Charge) {
        let mut inner = this.inner.lock();

        if inner.life == Life::Released {
            // Not under the lock: this frees a message.
            drop(inner);
            return;
        }
        inner.state = State::Parked { message, charge };
        // The call may have come before.
        if mem::take(&mut inner.called) {
            Self::resume(this, &mut inner);
        }
    }

    /// Puts a parked command back into the queue.
    fn resume(this: ArcBorrow<'_, Self>, inner: &mut Inner) {
        match mem::replace(&mut inner.state, State::Busy) {
            State::Parked { message, charge } => {
                inner.state = State::Queued { message, charge };
                // If it is in the queue already, the worker will find the command.
                let _ = this.manager.queue().enqueue(Arc::from(this));
            }
            state => inner.state = state,
        }
    }

    /// Hears what the engine, which is locked, has to tell. Somebody else's command may be why.
    pub(super) fn hear(this: ArcBorrow<'_, Self>, news: News) {
        let mut inner = this.inner.lock();

        // `Released` is the last word: nothing is queued afterwards.
        if inner.life == Life::Released {
            return;
        }
        match news {
            News::Called => Self::call(this, &mut inner),
            News::Lost => inner.losses = Losses::Unseen,
            News::Closed => {
                inner.losses = Losses::Unseen;
                inner.life = Life::Closed;
                // There is nothing to wait for any more.
                Self::call(this, &mut inner);
            }
        }
        drop(inner);
        this.tell();
    }

    fn call(this: ArcBorrow<'_, Self>, inner: &mut Inner) {
        match inner.state {
            State::Parked { .. } => Self::resume(this, inner),
            // It may be on its way to waiting.
            _ => inner.called = true,
        }
    }
}
