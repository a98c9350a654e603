// SPDX-License-Identifier: GPL-2.0

//! What happens, for whoever watches. There are handles, codes and users in it, and nothing that a
//! command or a context has inside.

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::space::UserId;
use crate::engine::{
    spaces::SpaceId,
    Engine, //
};
use kernel::sync::Arc;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a response, and this TPM_RC in it.
    Response(u32),
    /// With an errno, which is negative.
    Errno(i32),
    /// Not yet: it waits for a session number.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Waits,
}

/// What the driver sends of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// ContextLoad.
    Load,
    /// ContextSave.
    Save,
    /// FlushContext.
    Flush,
    /// Something else: see [`Counters::questions`](crate::engine::Counters::questions).
    Question,
}

/// What a wait for a session number has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub enum Wait {
    /// It begins.
    Begins,
    /// There is a number: the client was called.
    Granted,
    /// It has been long enough: the client was called.
    Expired,
    /// The client does not wait any more.
    Left,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client's command with this TPM_CC, and what it came to.
    Command { space: SpaceId, code: u32, end: End },
    /// The driver has sent a command of its own. The handle is that of what was loaded, saved or
    /// flushed, as the TPM has it, or 0.
    Errand {
        errand: Errand,
        handle: u32,
        end: End,
    },
    /// A session is saved again, because its context has become old.
    Regap { session: u32 },
    /// Somebody else's command comes, and ours has to leave.
    Barrier,
    /// What a space had under this handle is gone.
    Lost { space: SpaceId, handle: u32 },
    /// A session is taken from `from`, if anybody had it, for `to`.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Evicted {
        session: u32,
        from: Option<UserId>,
        to: Option<UserId>,
    },
    /// A client waits for a session number.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Wait { space: SpaceId, wait: Wait },
}

/// Somebody who watches. He is told while the engine is locked, so he must not come back to it, and
/// must not take long.
pub trait Observer: Send + Sync {
    /// This has happened.
    fn note(&self, event: Event);
}

/// Those who watch: one, or nobody.
#[derive(Clone)]
pub(crate) struct Watch(Option<Arc<dyn Observer>>);

impl Watch {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Tells him.
    pub(crate) fn note(&self, event: Event) {
        if let Some(observer) = &self.0 {
            observer.note(event);
        }
    }
}

impl Engine {
    /// Tells `observer` what happens from now on, and nobody else.
    pub fn set_observer(&mut self, observer: Arc<dyn Observer>) {
        self.watch = Watch(Some(observer));
        self.courier.set_watch(self.watch.clone());
    }
}
