// SPDX-License-Identifier: GPL-2.0

//! The way to a TPM, as the engine sees it.

use crate::engine::wire::{
    message::Message,
    rc::ResponseCode, //
};
use kernel::prelude::*;

/// Whether somebody else may have something loaded in the TPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// Nobody: what is loaded and not the kernel's own is ours.
    Absent,
    /// Somebody talks to the TPM beside us, and may keep there what he loaded.
    Possible,
}

/// A TPM that is ours for as long as this is borrowed: no command of others comes between ours.
pub trait Tpm {
    /// Sends the command in `message` and puts the response in its place, whatever its code.
    ///
    /// # Errors
    ///
    /// Those of the transport. The TPM may have executed the command or not, and `message` is of
    /// no use any more.
    fn transmit(&mut self, message: &mut Message) -> Result;

    /// Ends the session that the kernel keeps for itself, if there is one; it makes a new one
    /// when it needs it.
    fn end_kernel_session(&mut self);

    /// Whether there is such a session now.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn kernel_holds_session(&self) -> bool;

    /// Whether others may have something loaded.
    fn neighbours(&self) -> Neighbours;
}

/// Sends the command in `message` and returns the code of its response.
///
/// # Errors
///
/// When there is no response, or what came is none: whether the command was executed is unknown.
pub(crate) fn exchange(tpm: &mut dyn Tpm, message: &mut Message) -> Result<ResponseCode> {
    tpm.transmit(message)?;
    message.received()
}
