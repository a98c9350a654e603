// SPDX-License-Identifier: GPL-2.0

//! The side where all clients share a TPM through the node of a running module.

use super::seat::{client_of, Side};
use crate::rig::ALICE;
use crate::wire::su;
use std::collections::HashMap;
use std::ffi::{c_int, c_uint};
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Write};
use std::path::PathBuf;

/// The largest response.
const LARGEST: usize = 4096;

extern "C" {
    fn seteuid(user: c_uint) -> c_int;
}

/// Calls `f` as another user; the caller is root.
fn as_user<T>(user: u32, f: impl FnOnce() -> T) -> T {
    let change = |user| {
        // SAFETY: seteuid() has no requirement; it fails for who may not.
        let done = unsafe { seteuid(user) };
        assert_eq!(done, 0, "only root can be another user");
    };
    change(user);
    let value = f();
    change(0);
    value
}

/// Descriptors of a node, which everybody may open. Each client is a user.
pub struct Node {
    path: PathBuf,
    open: HashMap<usize, File>,
}

impl Node {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: HashMap::new(),
        }
    }

    fn exchange(&mut self, who: usize, command: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.open.contains_key(&who) {
            let user = ALICE.saturating_add(su(client_of(who)));
            let open = || OpenOptions::new().read(true).write(true).open(&self.path);
            let file = as_user(user, open)?;
            self.open.insert(who, file);
        }
        let mut response = vec![0; LARGEST];
        let file = self.open.get_mut(&who).ok_or(Error::other("just opened"))?;
        file.write_all(command)?;
        let size = file.read(&mut response)?;
        response.truncate(size);
        Ok(response)
    }
}

impl Side for Node {
    fn send(&mut self, who: usize, command: &[u8]) -> Result<Vec<u8>, i32> {
        self.exchange(who, command)
            .map_err(|e| e.raw_os_error().unwrap_or_default())
    }

    fn close(&mut self, who: usize) {
        self.open.remove(&who);
    }

    fn pass(&mut self, ms: u64) {
        std::thread::sleep(std::time::Duration::from_millis(ms));
    }
}
