// SPDX-License-Identifier: GPL-2.0

//! The engine's way to a TPM: passes commands on, records every one, and fails the one it is told to.

use crate::engine::{Message, Neighbours, Tpm};
use crate::tpm::cc;
use crate::wire::{answer, command_code, response_code};
use kernel::error::{code::EPIPE, Error, Result};

/// What executes commands.
pub trait Device {
    /// Executes one command.
    fn process(&mut self, command: &[u8]) -> Vec<u8>;
}

impl Device for crate::libtpms::Libtpms {
    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.process(command)
    }
}

/// One transmission.
#[derive(Clone)]
pub struct Sent {
    pub command: Vec<u8>,
    /// What the engine got; empty for a transport error.
    pub response: Vec<u8>,
}

impl Sent {
    /// The command code.
    pub fn code(&self) -> u32 {
        command_code(&self.command)
    }

    /// The response code, if there was a response with one.
    pub fn rc(&self) -> Option<u32> {
        (self.response.len() >= 10).then(|| response_code(&self.response))
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.code())?;
        match self.rc() {
            Some(0) => Ok(()),
            Some(rc) => write!(f, " -> {rc:#x}"),
            None => write!(f, " -> nothing"),
        }
    }
}

/// What becomes of one transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The TPM does not execute the command and answers with this response code.
    Answer(u32),
    /// The command never reaches the TPM.
    Before(Error),
    /// The TPM executes the command; its response gets lost.
    After(Error),
    /// The TPM executes the command; only so many bytes of the response arrive.
    Truncated(usize),
    /// The TPM executes the command; a header arrives that claims success, with nothing behind it.
    Hollow,
    /// The TPM executes the command; noise of the same size arrives.
    Noise,
}

impl Fault {
    /// One fault of each kind, with the response codes that a TPM may give for any command.
    pub const ALL: &'static [Fault] = &[
        Fault::Answer(crate::tpm::rc::FAILURE),
        Fault::Answer(crate::tpm::rc::RETRY),
        Fault::Answer(crate::tpm::rc::YIELDED),
        Fault::Answer(crate::tpm::rc::MEMORY),
        Fault::Answer(crate::tpm::rc::OBJECT_MEMORY),
        Fault::Answer(crate::tpm::rc::OBJECT_HANDLES),
        Fault::Answer(crate::tpm::rc::SESSION_MEMORY),
        Fault::Answer(crate::tpm::rc::CONTEXT_GAP),
        Fault::Answer(crate::tpm::rc::HANDLE),
        Fault::Answer(crate::tpm::rc::INTEGRITY),
        Fault::Answer(crate::tpm::rc::REFERENCE_H0),
        Fault::Before(kernel::error::code::EIO),
        Fault::After(kernel::error::code::EIO),
        Fault::Truncated(0),
        Fault::Truncated(9),
        Fault::Truncated(11),
        Fault::Hollow,
        Fault::Noise,
    ];

    /// Whether the TPM executes the command all the same.
    pub fn executes(self) -> bool {
        !matches!(self, Fault::Answer(_) | Fault::Before(_))
    }
}

/// Which transmission a fault hits.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// The so-manieth from now, from 0.
    Nth(usize),
    /// Every one with this command code.
    Code(u32),
}

/// A TPM with its transport.
pub struct Chip<D> {
    pub device: D,
    /// Every command sent, in order.
    pub log: Vec<Sent>,
    /// How often the engine has ended the kernel's own session.
    pub kernel_sessions_ended: usize,
    /// Whether others may have something loaded.
    pub neighbours: Neighbours,
    /// The chip is gone: every transmission fails with EPIPE.
    pub gone: bool,
    faults: Vec<(Aim, Fault)>,
    hits: usize,
    /// The kernel's own HMAC session, if it has one.
    pub kernel_session: Option<u32>,
    /// How many milliseconds a command takes.
    pub tick: u64,
}

impl<D: Device> Chip<D> {
    pub fn new(device: D) -> Self {
        Self {
            device,
            log: vec![],
            kernel_sessions_ended: 0,
            neighbours: Neighbours::Absent,
            gone: false,
            faults: vec![],
            hits: 0,
            kernel_session: None,
            tick: 0,
        }
    }

    /// Lets `fault` hit, beside those that were asked for before, the `n`-th transmission from now, from 0.
    pub fn fail_nth(&mut self, n: usize, fault: Fault) {
        self.faults.push((Aim::Nth(self.log.len() + n), fault));
    }

    /// Lets `fault` hit, beside those that were asked for before, every transmission of this command.
    pub fn fail_code(&mut self, code: u32, fault: Fault) {
        self.faults.push((Aim::Code(code), fault));
    }

    /// No more faults; says how many there were.
    pub fn fail_none(&mut self) -> usize {
        self.faults.clear();
        std::mem::take(&mut self.hits)
    }

    fn hit(&mut self, command: &[u8]) -> Option<Fault> {
        let is_hit = |aim: &Aim| match *aim {
            Aim::Nth(n) => n == self.log.len(),
            Aim::Code(code) => code == command_code(command),
        };
        let fault = self.faults.iter().find(|(aim, _)| is_hit(aim))?.1;
        self.hits += 1;
        Some(fault)
    }

    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        if self.gone {
            return Err(EPIPE);
        }
        crate::clock::pass(self.tick);
        let fault = self.hit(command);
        match fault {
            Some(Fault::Answer(rc)) => return Ok(answer(rc)),
            Some(Fault::Before(e)) => return Err(e),
            _ => {}
        }
        let mut response = self.device.process(command);
        match fault {
            Some(Fault::After(e)) => return Err(e),
            Some(Fault::Truncated(n)) => response.truncate(n),
            Some(Fault::Hollow) => response = answer(0),
            Some(Fault::Noise) => {
                let mut noise = 0x9e37_79b9u32;
                for byte in &mut response {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = noise.to_be_bytes()[0];
                }
            }
            _ => {}
        }
        Ok(response)
    }
}

impl<D: Device> Tpm for Chip<D> {
    fn transmit(&mut self, message: &mut Message) -> Result {
        let command = message.as_slice().to_vec();
        let result = self.exchange(&command);
        self.log.push(Sent {
            command,
            response: result.clone().unwrap_or_default(),
        });
        let response = match result {
            Ok(response) => response,
            Err(e) => {
                // The interface leaves the contents open: leave nothing that could pass for a response.
                message.room().fill(0xa5);
                message.set_len(0);
                return Err(e);
            }
        };
        message.room()[..response.len()].copy_from_slice(&response);
        message.set_len(response.len());
        Ok(())
    }

    fn end_kernel_session(&mut self) {
        self.kernel_sessions_ended += 1;
        if let Some(handle) = self.kernel_session.take() {
            let flush = crate::command::Command::new(cc::FLUSH_CONTEXT)
                .params(handle.to_be_bytes().to_vec())
                .bytes();
            self.device.process(&flush);
        }
    }

    fn kernel_holds_session(&self) -> bool {
        self.kernel_session.is_some()
    }

    fn neighbours(&self) -> Neighbours {
        self.neighbours
    }
}
