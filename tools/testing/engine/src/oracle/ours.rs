// SPDX-License-Identifier: GPL-2.0

//! The side where all clients share a TPM through the engine.

use super::seat::{client_of, Side};
use crate::client::Failure;
use crate::private::Private;
use crate::rig::{Rig, Space, ALICE};
use crate::wire::su;
use std::collections::HashMap;

/// An errno that there is not: the command waits for a session number.
pub const WAITS: i32 = i32::MAX;

/// Spaces of an engine. Each client is a user.
pub struct Ours<'r> {
    rig: &'r Rig<Private>,
    spaces: HashMap<usize, Space<'r>>,
}

impl<'r> Ours<'r> {
    pub fn new(rig: &'r Rig<Private>) -> Self {
        Self {
            rig,
            spaces: HashMap::new(),
        }
    }

    /// Closes all descriptors.
    pub fn close_all(&mut self) {
        for (_, space) in self.spaces.drain() {
            self.rig.close(space);
        }
    }
}

impl Side for Ours<'_> {
    fn send(&mut self, who: usize, command: &[u8]) -> Result<Vec<u8>, i32> {
        let user = ALICE + su(client_of(who));
        let rig = self.rig;
        let space = self.spaces.entry(who).or_insert_with(|| rig.open(user));
        space.bytes(command).map_err(|failure| match failure {
            Failure::Errno(errno) => errno,
            Failure::Waits | Failure::Rc(_) => WAITS,
        })
    }

    fn close(&mut self, who: usize) {
        if let Some(space) = self.spaces.remove(&who) {
            self.rig.close(space);
        }
    }

    fn interrupt(&mut self) {
        self.rig.assert_empty();
    }

    fn pass(&mut self, ms: u64) {
        self.rig.pass(ms);
    }
}
