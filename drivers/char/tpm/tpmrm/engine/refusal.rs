// SPDX-License-Identifier: GPL-2.0

//! Why a client's command is not answered by the TPM's own response.

use crate::engine::wire::rc::ResponseCode;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// What a client gets instead.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A response that is only this code.
    Response(ResponseCode),
    /// The TPM has no number for a session, and the command is as it was. To a client that is
    /// TPM_RC_SESSION_HANDLES of the TPM.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    NoNumber,
    /// No response: the system call fails.
    Errno(Error),
}

/// The result of what a client's command needs.
pub(crate) type Outcome<T = ()> = core::result::Result<T, Refusal>;

impl Refusal {
    /// The resource manager's own word.
    pub(crate) fn ours(code: ResponseCode) -> Self {
        Self::Response(code.in_manager_layer())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Errno(error)
    }
}

impl From<AllocError> for Refusal {
    fn from(error: AllocError) -> Self {
        Self::Errno(error.into())
    }
}
