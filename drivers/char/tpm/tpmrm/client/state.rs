// SPDX-License-Identifier: GPL-2.0

//! What a descriptor is doing: the state that its lock protects.

use crate::{
    charge::Charge,
    engine::{
        Message,
        SpaceId, //
    },
};
use kernel::prelude::*;

/// What a descriptor is doing with a command.
pub(super) enum State {
    /// Nothing, and there is nothing to read. Entered at open, and when a response was read.
    Idle,
    /// A command that nobody waits for in a system call is in the queue.
    Queued { message: Message, charge: Charge },
    /// A system call or the queue's worker has the message. Entered for every change that takes
    /// time, so that the lock need not be held.
    Busy,
    /// A command that nobody waits for in a system call waits for a session, and no worker with
    /// it. Entered by the worker; it goes back into the queue when the space is called.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Parked { message: Message, charge: Charge },
    /// A response is there, of which `read` bytes were read: less than all of them.
    Answered { message: Message, read: usize },
    /// The command that was queued could not be executed.
    Failed(Error),
}

impl State {
    /// Whether a new command would be taken.
    pub(super) fn takes_command(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Answered { read, .. } => *read > 0,
            Self::Queued { .. } | Self::Busy | Self::Failed(_) => false,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Self::Parked { .. } => false,
        }
    }

    /// Whether no command is under way.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Idle | Self::Answered { .. } | Self::Failed(_) => true,
            Self::Queued { .. } | Self::Busy | Self::Parked { .. } => false,
        }
    }

    /// Whether a read would return something.
    pub(super) fn is_readable(&self) -> bool {
        match self {
            Self::Answered { .. } | Self::Failed(_) => true,
            Self::Idle | Self::Queued { .. } | Self::Busy => false,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Self::Parked { .. } => false,
        }
    }
}

/// How far a descriptor is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It can be used.
    Open,
    /// It lost a session under the policy `close`, and fails from now on.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Closed,
    /// The last descriptor of the file is closed: nobody will read a response, and nothing may be
    /// queued any more.
    Released,
}

impl Life {
    /// Whether nothing more can be done.
    pub(super) fn is_over(self) -> bool {
        self != Self::Open
    }
}

/// Whether a session was lost that the program has not asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(super) enum Losses {
    /// There is nothing that it does not know.
    Acknowledged,
    /// There is.
    Unseen,
}

/// Whether the engine believes that the client waits when it does not.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(super) enum Attendance {
    /// The engine knows what there is to know.
    Known,
    /// A command waited, a signal arrived, and the engine was in use. The worker will tell it.
    Left,
}

/// What the lock of a descriptor protects.
pub(super) struct Inner {
    pub(super) state: State,
    /// The space, from the first use on. Opened by whoever has the turn.
    pub(super) space: Option<SpaceId>,
    /// Whether the space was called since its last command began to wait, or before.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(super) called: bool,
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(super) attendance: Attendance,
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub(super) losses: Losses,
    pub(super) life: Life,
}

impl Inner {
    /// Of a descriptor that was just opened.
    pub(super) const fn new() -> Self {
        Self {
            state: State::Idle,
            space: None,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            called: false,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            attendance: Attendance::Known,
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            losses: Losses::Acknowledged,
            life: Life::Open,
        }
    }
}

#[cfg(CONFIG_TCG_TPM_RM_KUNIT_TEST)]
#[kernel::macros::kunit_tests(tpmrm_state)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_follows_from_what_is_being_done() -> Result {
        let message = || Message::new(GFP_KERNEL);
        let answered = |read| message().map(|message| State::Answered { message, read });

        for (state, takes, readable) in [
            (State::Idle, true, false),
            (State::Busy, false, false),
            (answered(0)?, false, true),
            // Who has begun to read may leave the rest.
            (answered(1)?, true, true),
            (State::Failed(EPIPE), false, true),
            (
                State::Queued {
                    message: message()?,
                    charge: Charge::current(),
                },
                false,
                false,
            ),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            (
                State::Parked {
                    message: message()?,
                    charge: Charge::current(),
                },
                false,
                false,
            ),
        ] {
            assert_eq!(state.takes_command(), takes);
            assert_eq!(state.is_readable(), readable);
        }
        Ok(())
    }

    #[test]
    fn a_new_descriptor_has_nothing_to_tell() {
        let inner = Inner::new();

        assert!(inner.state.takes_command());
        assert!(inner.space.is_none());
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        assert!(!inner.called);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        assert!(inner.losses == Losses::Acknowledged);
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        assert!(inner.attendance == Attendance::Known);
        assert!(inner.life == Life::Open);
    }
}
