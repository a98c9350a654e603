// SPDX-License-Identifier: GPL-2.0

//! Commands as bytes, and what can be told from the bytes of a command.

use crate::tpm::own;
use harness::tpm::{alg, cap, cc, rh, NO_SESSIONS, SESSIONS};
use harness::wire::{command_code, su, Put};

/// The size of a header.
pub const HEADER: usize = 10;

/// A command with these sessions, each with its attributes.
pub fn compose(code: u32, handles: &[u32], sessions: &[(u32, u8)], params: &[u8]) -> Vec<u8> {
    let mut body = vec![];
    for handle in handles {
        body = body.u32(*handle);
    }
    let tag = if sessions.is_empty() {
        NO_SESSIONS
    } else {
        let mut area = vec![];
        for (handle, attributes) in sessions {
            area = area.u32(*handle).u16(0).u8(*attributes).u16(0);
        }
        body = body.u32(su(area.len())).bytes(&area);
        SESSIONS
    };
    body = body.bytes(params);
    vec![]
        .u16(tag)
        .u32(su(HEADER + body.len()))
        .u32(code)
        .bytes(&body)
}

/// One of the commands with a number of handles.
pub fn own(family: u32, handles: &[u32], sessions: &[(u32, u8)]) -> Vec<u8> {
    compose(family + su(handles.len()), handles, sessions, b"")
}

/// TPM2_StartAuthSession of this type, salted by one object and bound to another, if any.
pub fn start(kind: u8, objects: [Option<u32>; 2]) -> Vec<u8> {
    let params = vec![]
        .sized(&[0; 16])
        .sized(b"")
        .u8(kind)
        .u16(alg::NULL)
        .u16(alg::SHA256);
    let handles = objects.map(|object| object.unwrap_or(rh::NULL));
    compose(cc::START_AUTH_SESSION, &handles, &[], &params)
}

/// Whether it is such a command, whatever objects it names.
pub fn is_start(command: &[u8]) -> bool {
    let handles = HEADER..HEADER + 8;
    let blank = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if let Some(area) = bytes.get_mut(handles.clone()) {
            area.fill(0);
        }
        bytes
    };
    (0..2).any(|kind| blank(&start(kind, [None, None])) == blank(command))
}

/// TPM2_FlushContext.
pub fn flush(handle: u32) -> Vec<u8> {
    compose(cc::FLUSH_CONTEXT, &[], &[], &handle.to_be_bytes())
}

/// TPM2_ContextSave.
pub fn save(handle: u32) -> Vec<u8> {
    compose(cc::CONTEXT_SAVE, &[handle], &[], b"")
}

/// TPM2_ContextLoad.
pub fn load(context: &[u8]) -> Vec<u8> {
    compose(cc::CONTEXT_LOAD, &[], &[], context)
}

/// TPM2_GetRandom.
pub fn random() -> Vec<u8> {
    compose(cc::GET_RANDOM, &[], &[], &[0, 4])
}

/// TPM2_GetCapability of handles from `first` on.
pub fn list(first: u32, count: u32) -> Vec<u8> {
    let params = vec![].u32(cap::HANDLES).u32(first).u32(count);
    compose(cc::GET_CAPABILITY, &[], &[], &params)
}

/// Makes the size in the header what it has to be.
pub fn fix_size(command: &mut [u8]) {
    let size = su(command.len());
    if let Some(field) = command.get_mut(2..6) {
        field.copy_from_slice(&size.to_be_bytes());
    }
}

/// The number of a session, whichever type it is written with.
pub fn number(handle: u32) -> u32 {
    handle & 0x00ff_ffff
}

/// Whether the handle is one of a session.
pub fn is_session(handle: u32) -> bool {
    matches!(handle >> 24, 2 | 3)
}

/// Whether the handle is one of a transient object.
pub fn is_object(handle: u32) -> bool {
    handle >> 24 == 0x80
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([field[0], field[1], field[2], field[3]]))
}

/// A command as far as the TPM can read it.
pub struct Parsed {
    pub code: u32,
    pub has_sessions: bool,
    /// The objects and sessions of the handle area, in order.
    pub handles: Vec<u32>,
    /// How many persistent objects are in it.
    pub persistent: usize,
    /// The sessions of the authorization area, in order, without passwords.
    pub sessions: Vec<u32>,
}

/// Reads a command of the kinds whose names the TPM writes down; what cannot be read is left out.
pub fn parse(command: &[u8]) -> Parsed {
    let code = command_code(command);
    let has_sessions = command.get(..2) == Some(&SESSIONS.to_be_bytes());
    let count = match code {
        cc::START_AUTH_SESSION => 2,
        cc::CREATE | cc::CONTEXT_SAVE => 1,
        _ if own::family(code).is_some() => (code & 0xf) as usize,
        _ => 0,
    };
    let mut at = HEADER;
    let mut handles = vec![];
    for _ in 0..count {
        handles.extend(u32_at(command, at));
        at += 4;
    }
    let persistent = handles.iter().filter(|h| **h >> 24 == 0x81).count();
    handles.retain(|handle| is_object(*handle) || is_session(*handle));
    let mut sessions = vec![];
    if has_sessions {
        let end = at.saturating_add(4 + u32_at(command, at).unwrap_or(0) as usize);
        at += 4;
        while at < end {
            let Some(handle) = u32_at(command, at) else {
                break;
            };
            if handle != rh::PW {
                sessions.push(handle);
            }
            let sized = |at: usize| match command.get(at..at + 2) {
                Some(size) => at + 2 + usize::from(u16::from_be_bytes([size[0], size[1]])),
                None => usize::MAX / 2,
            };
            at = sized(sized(at + 4) + 1);
        }
    }
    Parsed {
        code,
        has_sessions,
        handles,
        persistent,
        sessions,
    }
}

/// The handle that is all of a FlushContext's body.
pub fn flushed(command: &[u8]) -> Option<u32> {
    (command.len() == HEADER + 4).then(|| u32_at(command, HEADER))?
}

/// The handle in a response.
pub fn response_handle(response: &[u8]) -> Option<u32> {
    u32_at(response, HEADER)
}
