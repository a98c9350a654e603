// SPDX-License-Identifier: GPL-2.0

//! The engine's way to a TPM: passes commands on, records every one, and fails the one it is told to.

use crate::engine::{Message, Neighbours, Tpm};
use crate::tpm::cc;
use crate::wire::{answer, command_code, response_code, su};
use kernel::error::{code::EPIPE, Error, Result};

/// What the kernel's way to a TPM fails with.
const EIO: i32 = 5;
const E2BIG: i32 = 7;
const ENODEV: i32 = 19;
const ETIME: i32 = 62;
const ECANCELED: i32 = 125;

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
    /// The TPM executes the command; so many bytes more arrive than the response has.
    Longer(usize),
    /// The TPM executes the command; a response arrives that ends after so many bytes, and says so.
    Cut(usize),
    /// The TPM executes the command; a response arrives without its last byte, and says so.
    CutByOne,
    /// The TPM executes the command; the response says that it is this much longer than it is.
    Claims(u32),
    /// The TPM executes the command; the response has the other tag.
    OtherTag,
    /// The TPM executes the command; the response names this handle instead of the one that is meant.
    Handle(u32),
    /// The TPM executes the command; the type of the handle in the response is the other one of sessions.
    OtherSessionType,
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

    /// Every code that can come at any time (Part 2, 6.6.3: the warnings), and what a TPM says that is in
    /// trouble, was not started, or is wrong about what there is.
    pub const CODES: &'static [u32] = &[
        crate::tpm::rc::INITIALIZE,
        crate::tpm::rc::FAILURE,
        crate::tpm::rc::CONTEXT_GAP,
        crate::tpm::rc::OBJECT_MEMORY,
        crate::tpm::rc::SESSION_MEMORY,
        crate::tpm::rc::MEMORY,
        crate::tpm::rc::SESSION_HANDLES,
        crate::tpm::rc::OBJECT_HANDLES,
        crate::tpm::rc::LOCALITY,
        crate::tpm::rc::YIELDED,
        crate::tpm::rc::CANCELED,
        crate::tpm::rc::TESTING,
        crate::tpm::rc::REFERENCE_H0,
        crate::tpm::rc::REFERENCE_H0 + 1,
        crate::tpm::rc::REFERENCE_H0 + 2,
        crate::tpm::rc::REFERENCE_H0 + 3,
        crate::tpm::rc::REFERENCE_H0 + 4,
        crate::tpm::rc::REFERENCE_H0 + 5,
        crate::tpm::rc::REFERENCE_H0 + 6,
        crate::tpm::rc::REFERENCE_S0,
        crate::tpm::rc::REFERENCE_S0 + 1,
        crate::tpm::rc::REFERENCE_S0 + 2,
        crate::tpm::rc::REFERENCE_S0 + 3,
        crate::tpm::rc::REFERENCE_S0 + 4,
        crate::tpm::rc::REFERENCE_S0 + 5,
        crate::tpm::rc::REFERENCE_S0 + 6,
        crate::tpm::rc::NV_RATE,
        crate::tpm::rc::LOCKOUT,
        crate::tpm::rc::RETRY,
        crate::tpm::rc::NV_UNAVAILABLE,
        crate::tpm::rc::HANDLE,
        crate::tpm::rc::HANDLE + crate::tpm::rc::H1,
        crate::tpm::rc::HANDLE + crate::tpm::rc::P1,
        crate::tpm::rc::INTEGRITY + crate::tpm::rc::P1,
    ];

    /// What the kernel's way to the TPM fails with, before or after the command was executed.
    const ERRNOS: [i32; 5] = [EIO, ETIME, ECANCELED, ENODEV, E2BIG];

    /// Handles that a response can name in the place of another: objects, sessions, and what is neither.
    const HANDLES: [u32; 6] = [
        0x8000_00fe,
        0x0200_00fe,
        0x0300_00fe,
        0x8100_0000,
        crate::tpm::rh::NULL,
        u32::MAX,
    ];

    /// Every fault there is, for sweeps that leave nothing out.
    pub fn every() -> Vec<Fault> {
        let codes = Self::CODES.iter().map(|code| Fault::Answer(*code));
        let errnos = Self::ERRNOS
            .into_iter()
            .map(|errno| Error::from_errno(-errno))
            .flat_map(|errno| [Fault::Before(errno), Fault::After(errno)]);
        let damaged = [
            Fault::Truncated(0),
            Fault::Truncated(9),
            Fault::Truncated(10),
            Fault::Truncated(13),
            Fault::Hollow,
            Fault::Noise,
            Fault::Longer(1),
            Fault::Cut(13),
            Fault::CutByOne,
            Fault::Claims(1),
            Fault::Claims(0u32.wrapping_sub(1)),
            Fault::OtherTag,
            Fault::OtherSessionType,
        ];
        let handles = Self::HANDLES.into_iter().map(Fault::Handle);
        codes.chain(errnos).chain(damaged).chain(handles).collect()
    }

    /// Whether the fault makes a difference to what was `sent`, and answered without one.
    pub fn applies(self, sent: &Sent) -> bool {
        if matches!(self, Fault::Answer(_) | Fault::Before(_) | Fault::After(_)) {
            return true;
        }
        // A context has no handle but a session's number, and what kind of thing it is of.
        let is_context = sent.code() == cc::CONTEXT_SAVE;
        let is_objects = is_context && sent.command.get(10) == Some(&0x80);
        match self {
            Fault::Handle(handle) if is_objects && handle >> 24 == 0x80 => return false,
            Fault::OtherSessionType if is_context => return false,
            _ => {}
        }
        self.damage(sent.code(), &sent.response) != sent.response
    }

    /// Where the handle is that the response to this command names.
    fn handle_at(code: u32, response: &[u8]) -> Option<usize> {
        let at = match code {
            cc::LOAD_EXTERNAL
            | cc::START_AUTH_SESSION
            | cc::CONTEXT_LOAD
            | cc::HASH_SEQUENCE_START => 10,
            // savedHandle, after the sequence number.
            cc::CONTEXT_SAVE => 18,
            _ => return None,
        };
        (response.len() >= at + 4).then_some(at)
    }

    /// What becomes of the response of a command that was executed.
    fn damage(self, code: u32, response: &[u8]) -> Vec<u8> {
        let mut response = response.to_vec();
        let say_size = |response: &mut Vec<u8>, more: u32| {
            let size = su(response.len()).wrapping_add(more);
            response[2..6].copy_from_slice(&size.to_be_bytes());
        };
        match self {
            Fault::Answer(_) | Fault::Before(_) | Fault::After(_) => {}
            Fault::Truncated(n) => response.truncate(n),
            Fault::Hollow => response = answer(0),
            Fault::Noise => {
                let mut noise = 0x9e37_79b9u32;
                for byte in &mut response {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = noise.to_be_bytes()[0];
                }
            }
            Fault::Longer(n) => response.resize(response.len() + n, 0xa5),
            Fault::Cut(n) => {
                response.truncate(n);
                say_size(&mut response, 0);
            }
            Fault::CutByOne => {
                // There is nothing without a header.
                response.truncate((response.len() - 1).max(10));
                say_size(&mut response, 0);
            }
            Fault::Claims(more) => say_size(&mut response, more),
            Fault::OtherTag => response[1] ^= 3,
            Fault::Handle(handle) => {
                if let Some(at) = Self::handle_at(code, &response) {
                    response[at..at + 4].copy_from_slice(&handle.to_be_bytes());
                }
            }
            Fault::OtherSessionType => {
                if let Some(at) = Self::handle_at(code, &response) {
                    if matches!(response[at], 2 | 3) {
                        response[at] ^= 1;
                    }
                }
            }
        }
        response
    }

    /// Whether the TPM executes the command all the same.
    pub fn executes(self) -> bool {
        !matches!(self, Fault::Answer(_) | Fault::Before(_))
    }
}

/// Which transmission a fault hits.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// The so-manieth from now, from 0.
    Nth(usize),
    /// Every one with this command code.
    Code(u32),
    /// The next one with this command code.
    Next(u32),
}

/// What somebody else does to a TPM.
pub type Meanwhile<D> = Box<dyn FnOnce(&mut D)>;

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
    /// What others do to the TPM before the transmission with this number.
    meanwhile: Vec<(usize, Meanwhile<D>)>,
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
            meanwhile: vec![],
            kernel_session: None,
            tick: 0,
        }
    }

    /// Lets `fault` hit, beside those that were asked for before, the `n`-th transmission from now, from 0.
    pub fn fail_nth(&mut self, n: usize, fault: Fault) {
        self.fail(Aim::Nth(n), fault);
    }

    /// Lets `fault` hit, beside those that were asked for before, every transmission of this command.
    pub fn fail_code(&mut self, code: u32, fault: Fault) {
        self.fail(Aim::Code(code), fault);
    }

    /// Lets `fault` hit, beside those that were asked for before.
    pub fn fail(&mut self, aim: Aim, fault: Fault) {
        let aim = match aim {
            Aim::Nth(n) => Aim::Nth(self.log.len() + n),
            Aim::Code(_) | Aim::Next(_) => aim,
        };
        self.faults.push((aim, fault));
    }

    /// Lets `fault` hit, before those that were asked for before, the next transmission of this command.
    pub fn fail_next(&mut self, code: u32, fault: Fault) {
        self.faults.insert(0, (Aim::Next(code), fault));
    }

    /// Lets somebody else use the TPM before the `n`-th transmission from now, from 0.
    pub fn before_nth(&mut self, n: usize, meanwhile: Meanwhile<D>) {
        self.meanwhile.push((self.log.len() + n, meanwhile));
    }

    /// No more faults; says how many there were.
    pub fn fail_none(&mut self) -> usize {
        self.faults.clear();
        std::mem::take(&mut self.hits)
    }

    fn hit(&mut self, command: &[u8]) -> Option<Fault> {
        let is_hit = |aim: &Aim| match *aim {
            Aim::Nth(n) => n == self.log.len(),
            Aim::Code(code) | Aim::Next(code) => code == command_code(command),
        };
        let at = self.faults.iter().position(|(aim, _)| is_hit(aim))?;
        let (aim, fault) = self.faults[at];
        if let Aim::Next(_) = aim {
            self.faults.remove(at);
        }
        self.hits += 1;
        Some(fault)
    }

    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        if self.gone {
            return Err(EPIPE);
        }
        crate::clock::pass(self.tick);
        let now = self.log.len();
        let (due, later) = std::mem::take(&mut self.meanwhile)
            .into_iter()
            .partition(|(at, _)| *at == now);
        self.meanwhile = later;
        let due: Vec<(usize, Meanwhile<D>)> = due;
        for (_, others) in due {
            others(&mut self.device);
        }
        let fault = self.hit(command);
        match fault {
            Some(Fault::Answer(rc)) => return Ok(answer(rc)),
            Some(Fault::Before(e)) => return Err(e),
            _ => {}
        }
        let response = self.device.process(command);
        match fault {
            Some(Fault::After(e)) => Err(e),
            Some(fault) => Ok(fault.damage(command_code(command), &response)),
            None => Ok(response),
        }
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

    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn kernel_holds_session(&self) -> bool {
        self.kernel_session.is_some()
    }

    fn neighbours(&self) -> Neighbours {
        self.neighbours
    }
}
