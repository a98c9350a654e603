// SPDX-License-Identifier: GPL-2.0

//! A client, as the engine knows it.

/// What a client is told that it did not ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub enum News {
    /// The command that waits is to be executed again: there is something for it, or it has waited
    /// long enough.
    Called,
    /// A session was lost. What the space has lost is on its list.
    Lost,
    /// A session was lost, and with it the space: every later command fails.
    Closed,
}

/// One client. It is called while the engine is locked, so it must not come
/// back to it, and it must not take long.
pub trait Bell: Send + Sync {
    /// Tells the client `news`; it may have been told the same before.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn ring(&self, news: News);

    /// The process that opened the space, for administrators; 0 if that is unknown.
    fn process(&self) -> i32 {
        0
    }

    /// Does `work` at the client's charge: what it allocates and has accounted is the client's.
    fn pay(&self, work: &mut dyn FnMut());
}
