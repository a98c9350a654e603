// SPDX-License-Identifier: GPL-2.0

//! A chip: the model of a TPM behind a lock.

use crate::engine::{Message, Neighbours, Tpm};
use crate::model::Model;
use kernel::{
    error::{code::EPIPE, Error, Result},
    prelude::CStr,
    sync::{Arc, Mutex, MutexGuard}, //
};

/// The TPM, and whether it is still there.
pub(crate) struct Board {
    pub(crate) model: Model,
    pub(crate) gone: bool,
}

pub(crate) struct Chip(pub(crate) Arc<Mutex<Board>>);

impl Chip {
    pub(crate) fn name(&self) -> &CStr {
        c"tpmrm0"
    }

    pub(crate) fn wait(&self) -> Result {
        Ok(())
    }

    pub(crate) fn lock(&self) -> Result<ChipGuard<'_>> {
        let board = self.0.lock();
        if board.gone {
            return Err(EPIPE);
        }
        Ok(ChipGuard(board))
    }
}

pub(crate) struct ChipGuard<'a>(MutexGuard<'a, Board>);

/// Nobody else uses this chip.
pub(crate) type Interlude<'a> = ChipGuard<'a>;

impl Tpm for ChipGuard<'_> {
    fn transmit(&mut self, message: &mut Message) -> Result {
        let response = self.0.model.process(message.as_slice());
        message.room()[..response.len()].copy_from_slice(&response);
        message.set_len(response.len());
        Ok(())
    }

    fn end_kernel_session(&mut self) {}

    fn kernel_holds_session(&self) -> bool {
        false
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Absent
    }
}

pub(crate) struct OutOfReach(pub(crate) Error);

impl Tpm for OutOfReach {
    fn transmit(&mut self, _: &mut Message) -> Result {
        Err(self.0)
    }

    fn end_kernel_session(&mut self) {}

    fn kernel_holds_session(&self) -> bool {
        false
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Possible
    }
}
