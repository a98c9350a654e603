// SPDX-License-Identifier: GPL-2.0

//! What goes wrong, and what a client may be told because of it.

use harness::chip::Fault;
use harness::client::Failure;
use harness::engine::Neighbours;
use harness::fake::Reset;
use harness::tpm::rc;

/// What a client's TSS says of a response that it cannot take apart.
pub const GARBLED: Failure = Failure::Errno(74);
/// What the driver says of a response that is none.
const EIO: Failure = Failure::Errno(5);
const ENOMEM: Failure = Failure::Errno(12);

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// One transmission fails.
    Fault(Fault),
    /// A transmission fails, and so does the next one.
    Pair(Fault, Fault),
    /// Every transmission of this command fails, until the program has ended.
    Always(u32, Fault),
    /// Something happens to the TPM before a transmission.
    Event(Event),
    /// One allocation fails.
    Starved,
    /// An allocation fails, and all that follow until the program has ended.
    Starving,
}

/// What can happen to a TPM at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The TPM is reset, and nobody says so.
    Reset(Reset),
    /// Others take all slots but one of each kind, and keep them.
    Others,
    /// Others take all object slots, and give them back two transmissions later.
    Passers,
    /// Others save sessions until the TPM refuses.
    GapCloses,
}

impl Event {
    pub const ALL: [Event; 5] = [
        Event::Reset(Reset::All),
        Event::Reset(Reset::Loaded),
        Event::Others,
        Event::Passers,
        Event::GapCloses,
    ];

    /// Who may have something loaded.
    pub fn neighbours(self) -> Neighbours {
        match self {
            Event::Others | Event::Passers => Neighbours::Possible,
            Event::Reset(_) | Event::GapCloses => Neighbours::Absent,
        }
    }
}

impl Trouble {
    /// What becomes of the `n`-th transmission, a command of this code, when the trouble begins at the one `at`.
    pub fn fault(self, at: usize, n: usize, code: u32) -> Option<Fault> {
        match self {
            Trouble::Fault(fault) | Trouble::Pair(fault, _) if n == at => Some(fault),
            Trouble::Pair(_, fault) if n == at + 1 => Some(fault),
            Trouble::Always(fails, fault) if code == fails => Some(fault),
            _ => None,
        }
    }

    /// Whether a command that was hit may have been executed without an answer.
    pub fn executes(self) -> bool {
        match self {
            Trouble::Fault(fault) | Trouble::Always(_, fault) => fault.executes(),
            Trouble::Pair(first, second) => first.executes() || second.executes(),
            Trouble::Event(_) | Trouble::Starved | Trouble::Starving => false,
        }
    }

    /// Whether it is transmissions that go wrong.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Trouble::Fault(_) | Trouble::Pair(..) | Trouble::Always(..)
        )
    }

    /// Whether a client may be told so, by a command during which it happened. `own`: what was hit is that
    /// client's command itself.
    pub fn may_say(self, failure: Failure, own: Hit) -> bool {
        match self {
            Trouble::Fault(Fault::Answer(rc::SESSION_HANDLES)) => {
                own == Hit::Own && failure == Failure::Rc(rc::SESSION_HANDLES)
            }
            Trouble::Fault(Fault::Answer(rc)) => {
                failure == Failure::Rc(rc) && !is_shortage(failure)
            }
            Trouble::Fault(Fault::Before(e) | Fault::After(e)) => {
                failure == Failure::Errno(-e.to_errno())
            }
            Trouble::Fault(_) => failure == EIO || (own == Hit::Own && failure == GARBLED),
            Trouble::Pair(first, second) => {
                let says = |fault| Trouble::Fault(fault).may_say(failure, own);
                says(first) || says(second)
            }
            // Where nothing works, nothing is promised but an end.
            Trouble::Always(..) => true,
            Trouble::Event(_) => false,
            Trouble::Starved | Trouble::Starving => failure == ENOMEM,
        }
    }
}

/// Whose command was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The client's.
    Own,
    /// One that the driver sends by itself.
    Drivers,
}

/// What no client may ever be told (G1), in any layer.
pub fn is_shortage(failure: Failure) -> bool {
    matches!(failure, Failure::Rc(code) if matches!(
        code & 0xffff,
        rc::OBJECT_MEMORY | rc::OBJECT_HANDLES | rc::SESSION_MEMORY | rc::CONTEXT_GAP
    ))
}

/// Whether something that a command names is refused by name.
pub fn is_loss(failure: Failure) -> bool {
    matches!(failure, Failure::Rc(code) if matches!(code & !7, rc::LOST_H0 | rc::LOST_S0))
}

/// Whether the TPM says that something which a command names is not there.
pub fn is_absence(failure: Failure) -> bool {
    let is_reference = |code| (rc::REFERENCE_H0..rc::REFERENCE_S0 + 7).contains(&code);
    matches!(failure, Failure::Rc(code) if is_reference(code) || code & 0xf0ff == rc::HANDLE)
}
