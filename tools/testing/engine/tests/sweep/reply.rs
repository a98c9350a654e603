// SPDX-License-Identifier: GPL-2.0

//! Whether a response is one of the command, so that a careful client can take it apart.

use harness::tpm::{cc, SESSIONS};
use harness::wire::command_code;

/// Takes values from the front; [`None`] when there are not enough bytes.
struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let fold = |value, byte: &u8| value << 8 | usize::from(*byte);
        Some(self.bytes(bytes)?.iter().fold(0, fold))
    }

    fn sized(&mut self) -> Option<()> {
        let n = self.number(2)?;
        self.bytes(n).map(drop)
    }
}

/// Whether `response` is an error, or a success of `command` with all its parts.
pub fn is_reply(command: &[u8], response: &[u8]) -> bool {
    parse(command, response).is_some()
}

fn parse(command: &[u8], response: &[u8]) -> Option<()> {
    let mut take = Take(response);
    let (tag, size, code) = (take.number(2)?, take.number(4)?, take.number(4)?);
    if size != response.len() {
        return None;
    }
    if code != 0 {
        return take.0.is_empty().then_some(());
    }
    if tag.to_be_bytes()[6..] != command[..2] {
        return None;
    }
    let code = command_code(command);
    if makes(code) {
        take.number(4)?;
    }
    let mut params = Take(take.0);
    if tag == usize::from(SESSIONS) {
        let size = take.number(4)?;
        params = Take(take.bytes(size)?);
        while !take.0.is_empty() {
            take.sized()?;
            take.number(1)?;
            take.sized()?;
        }
    }
    parameters(code, &mut params)?;
    params.0.is_empty().then_some(())
}

fn makes(code: u32) -> bool {
    matches!(
        code,
        cc::LOAD_EXTERNAL | cc::START_AUTH_SESSION | cc::CONTEXT_LOAD | cc::HASH_SEQUENCE_START
    )
}

fn parameters(code: u32, take: &mut Take<'_>) -> Option<()> {
    match code {
        cc::LOAD_EXTERNAL | cc::START_AUTH_SESSION | cc::GET_RANDOM | cc::POLICY_GET_DIGEST => {
            take.sized()
        }
        cc::READ_PUBLIC => {
            take.sized()?;
            take.sized()?;
            take.sized()
        }
        cc::SEQUENCE_COMPLETE => {
            take.sized()?;
            take.number(2 + 4)?;
            take.sized()
        }
        cc::CONTEXT_SAVE => {
            take.bytes(8 + 4 + 4)?;
            take.sized()
        }
        cc::GET_CAPABILITY => {
            take.number(1 + 4)?;
            let count = take.number(4)?;
            // All that is asked for here is a list of numbers.
            take.bytes(count.checked_mul(4)?).map(drop)
        }
        _ => Some(()),
    }
}
