// SPDX-License-Identifier: GPL-2.0

//! The engine's guarantees (G1 to G10 of the design), a topic per file, a guarantee in each test's name.

mod answers;
mod bare;
mod capability;
mod close;
mod cost;
mod debris;
mod detached;
#[cfg(feature = "exhaustion")]
mod exhaustion;
mod extensive;
mod faults;
mod fuzzed;
mod gap;
mod handles;
mod isolation;
mod limits;
mod malformed;
mod many;
mod memory;
mod plain;
mod pressure;
mod random;
mod resets;
mod resident;
mod sequences;
mod sessions;
mod view;

use harness::chip::{Aim, Fault, Sent};
use harness::client::{Failure, Outcome};
use harness::tpm::{cc, rc};
use kernel::error::code::EIO;

/// The TPM executes the command, and nobody is told.
const UNANSWERED: Fault = Fault::After(EIO);

/// The command does not reach the TPM, and nobody is told.
const UNSENT: Fault = Fault::Before(EIO);

/// The TPM does not list what it has.
const UNLISTED: (Aim, Fault) = (Aim::Code(cc::GET_CAPABILITY), Fault::Answer(rc::RETRY));

/// How many of these are this command.
fn count(sent: &[Sent], code: u32) -> usize {
    sent.iter().filter(|s| s.code() == code).count()
}

/// Asserts that the command was refused, with a response.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Outcome<T>) {
    assert!(matches!(outcome, Err(Failure::Rc(_))), "{outcome:?}");
}

/// Asserts that the first handle of the command was refused as lost.
#[track_caller]
fn lost<T: std::fmt::Debug>(outcome: Outcome<T>) {
    assert!(
        matches!(outcome, Err(Failure::Rc(rc::LOST_H0))),
        "{outcome:?}"
    );
}
