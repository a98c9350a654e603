// SPDX-License-Identifier: GPL-2.0

//! A program on one of the sides: registers, and the commands that are made of them.

mod command;
mod response;

use super::program::{Auth, By, Hex, Named, Proof, Register, Step};
use super::session::Session;
use crate::command::hmac;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How many descriptors each client has.
pub const DESCRIPTORS: usize = 2;

/// The last session number, which a TPM gives away when all others are taken.
pub const NO_SESSION: u32 = 63;

/// Whose a descriptor is.
pub fn client_of(who: usize) -> usize {
    who / DESCRIPTORS
}

/// What executes commands.
pub trait Side {
    /// Executes a command of a descriptor, which is opened if it is not open. `Err` is an errno.
    fn send(&mut self, who: usize, command: &[u8]) -> Result<Vec<u8>, i32>;

    /// Closes a descriptor.
    fn close(&mut self, who: usize);

    /// Somebody else uses the TPM.
    fn interrupt(&mut self) {}

    /// Time passes, in milliseconds.
    fn pass(&mut self, _ms: u64) {}

    /// Whether all clients use the same TPM.
    fn has_one_tpm(&self) -> bool {
        true
    }
}

/// A good response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub handle: Option<u32>,
    pub fields: Vec<Hex>,
    /// The attributes of the sessions.
    pub attributes: Vec<u8>,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Errno(i32),
    Rc(u32),
    Done(Answer),
}

/// What is in a register.
#[derive(Clone, Debug)]
pub struct Value {
    pub who: usize,
    pub handle: u32,
    name: Vec<u8>,
    fields: Vec<Vec<u8>>,
    session: Option<Session>,
}

/// One side of a program.
pub struct Seat<S> {
    pub side: S,
    registers: HashMap<Register, Value>,
    /// Who was given a session number last.
    numbers: HashMap<(usize, u32), Register>,
}

/// Whether these belong to one client.
fn are_of_one(a: usize, b: usize) -> bool {
    client_of(a) == client_of(b)
}

/// Why a step is not taken: what it needs is not there, because what was to make it failed or is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl<S: Side> Seat<S> {
    pub fn new(side: S) -> Self {
        Self {
            side,
            registers: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    /// What is in a register.
    pub fn value(&self, register: Register) -> Option<&Value> {
        self.registers.get(&register)
    }

    fn get(&self, register: Register) -> Result<&Value, Absent> {
        self.registers.get(&register).ok_or(Absent)
    }

    /// The handle in a register. TPMs give the number of a session that has ended to another one, and each
    /// to another: such a number is replaced if it is the client's own again. Where there is one TPM,
    /// the number of another client's session is that; elsewhere it means nothing.
    fn handle(&self, who: usize, register: Register) -> Result<u32, Absent> {
        let value = self.get(register)?;
        if value.session.is_none() {
            return Ok(value.handle);
        }
        let bearer = self.numbers.get(&self.number(value));
        let is_current = bearer == Some(&register);
        let is_own = |register| self.value(register).is_some_and(|v| are_of_one(v.who, who));
        let is_meant = if self.side.has_one_tpm() {
            is_current || !bearer.copied().is_some_and(is_own)
        } else {
            is_current && is_own(register)
        };
        Ok(match is_meant {
            true => value.handle,
            false => value.handle & 0xff00_0000 | NO_SESSION,
        })
    }

    /// What tells a session from others: the TPM, and the number there.
    fn number(&self, value: &Value) -> (usize, u32) {
        let tpm = if self.side.has_one_tpm() {
            0
        } else {
            client_of(value.who)
        };
        (tpm, value.handle & 0x00ff_ffff)
    }

    fn named(&self, who: usize, named: &Named) -> Result<(u32, Vec<u8>), Absent> {
        match named {
            Named::Fixed(handle) => Ok((*handle, handle.to_be_bytes().to_vec())),
            Named::Of(register) => {
                let handle = self.handle(who, *register)?;
                let value = self.get(*register)?;
                let name = match value.session {
                    Some(_) => handle.to_be_bytes().to_vec(),
                    None => value.name.clone(),
                };
                Ok((handle, name))
            }
        }
    }

    fn session_mut(&mut self, auth: &Auth) -> Result<Option<&mut Session>, Absent> {
        match auth.by {
            By::Password => Ok(None),
            By::Session(register) => {
                let value = self.registers.get_mut(&register).ok_or(Absent)?;
                value.session.as_mut().ok_or(Absent).map(Some)
            }
        }
    }

    fn session(&self, auth: &Auth) -> Result<Option<&Session>, Absent> {
        match auth.by {
            By::Password => Ok(None),
            By::Session(register) => self.get(register)?.session.as_ref().ok_or(Absent).map(Some),
        }
    }

    /// Does what a step says that is no command.
    pub fn other(&mut self, step: &Step) {
        match step {
            Step::Close { who } => self.side.close(*who),
            Step::Interrupt => self.side.interrupt(),
            Step::Pass(ms) => self.side.pass(*ms),
            Step::Call { .. } => {}
        }
    }
}

/// The HMAC of a session: none where there is no secret and none is needed.
fn mac(session: &Session, auth: &Auth, parts: &[&[u8]]) -> Vec<u8> {
    let value = match auth.proof {
        Proof::Value if !auth.bound => &auth.value.0[..],
        _ => b"",
    };
    let key = session.mac_key(value);
    if session.is_policy && key.is_empty() {
        vec![]
    } else {
        hmac(&key, parts)
    }
}
