// SPDX-License-Identifier: GPL-2.0

//! What a program can ask and say about the sessions of its descriptor, beside commands.

use super::{
    state::{
        Life,
        Losses,
        State, //
    },
    Client,
    Mode, //
};
use crate::engine::{
    Engine,
    LossPolicy,
    Progress,
    SpaceId, //
};
use kernel::{
    prelude::*,
    sync::ArcBorrow, //
};

/// Whether a descriptor can still be used.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    /// It can.
    Usable,
    /// It lost a session under the policy `close`.
    Closed,
}

/// What a descriptor has and what holds for it.
pub(crate) struct Info {
    /// The policy in force.
    pub(crate) policy: LossPolicy,
    /// How many session numbers are kept for it.
    pub(crate) reserved: usize,
    /// How many sessions it has lost and not flushed.
    pub(crate) lost: usize,
    pub(crate) standing: Standing,
}

impl Client {
    /// What the descriptor has.
    ///
    /// # Errors
    ///
    /// Those of [`Self::at_turn`] and [`Engine::policy`].
    pub(crate) fn info(this: ArcBorrow<'_, Self>) -> Result<Info> {
        let (next, space) = Self::at_turn(&this)?;
        let engine = next.engine();

        Ok(Info {
            policy: engine.policy(space)?,
            reserved: engine.reserved_sessions(space),
            lost: engine.lost_sessions(space).count(),
            standing: match this.inner.lock().life {
                Life::Closed => Standing::Closed,
                Life::Open | Life::Released => Standing::Usable,
            },
        })
    }

    /// Chooses what becomes of the descriptor when one of its sessions is needed: what the module
    /// says, if that is `None`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::at_turn`] and [`Engine::set_policy`].
    pub(crate) fn set_policy(this: ArcBorrow<'_, Self>, policy: Option<LossPolicy>) -> Result {
        let (next, space) = Self::at_turn(&this)?;
        let result = next.engine().set_policy(space, policy);

        result
    }

    /// Keeps `count` session numbers for the descriptor. What there is to read stays.
    ///
    /// # Errors
    ///
    /// - `EBUSY` while a command is under way.
    /// - `EAGAIN` when the numbers cannot be had at once, and `mode` is not to wait.
    /// - `ERESTARTSYS` when a signal arrived first.
    /// - Those of [`Self::at_turn`], of [`Next::start`](crate::manager::Next::start) and of
    ///   [`AtWork::reserve`](crate::manager::AtWork::reserve).
    pub(crate) fn reserve(this: ArcBorrow<'_, Self>, count: usize, mode: Mode) -> Result {
        let before = this.begin(State::is_settled).ok_or(EBUSY)?;
        let result = Self::persist(this, || {
            let (next, space) = Self::at_turn(&this)?;
            let mut work = next.start()?;

            this.come_back();
            let progress = work.reserve(space, count)?;

            match (progress, mode) {
                (Progress::Waits, Mode::Nonblocking) => {
                    work.engine().leave(space);
                    Err(EAGAIN)
                }
                _ => Ok(progress),
            }
        });

        this.set(before);
        result
    }

    /// Writes the handles that were lost, but for the `first` ones, into `handles`, as many as
    /// there is room for. Returns how many that are, and how many there are in all. This
    /// acknowledges all losses so far.
    ///
    /// # Errors
    ///
    /// Those of [`Self::at_turn`].
    pub(crate) fn lost(
        this: ArcBorrow<'_, Self>,
        first: usize,
        handles: &mut [u32],
    ) -> Result<(usize, usize)> {
        let (next, space) = Self::at_turn(&this)?;
        let engine = next.engine();
        let total = engine.lost_sessions(space).count();
        let mut count: usize = 0;

        for (place, handle) in handles
            .iter_mut()
            .zip(engine.lost_sessions(space).skip(first))
        {
            *place = handle;
            count = count.saturating_add(1);
        }
        // The engine is locked, so no loss comes in between.
        this.inner.lock().losses = Losses::Acknowledged;
        Ok((count, total))
    }

    /// When all that was lost is flushed, there is nothing left to tell of. The engine is locked.
    pub(super) fn review_losses(&self, engine: &Engine, space: SpaceId) {
        let mut inner = self.inner.lock();

        if inner.losses == Losses::Unseen && engine.lost_sessions(space).next().is_none() {
            inner.losses = Losses::Acknowledged;
        }
    }
}
