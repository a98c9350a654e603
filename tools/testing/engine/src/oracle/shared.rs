// SPDX-License-Identifier: GPL-2.0

//! What clients rightly share: hierarchies, NV memory, persistent objects, PCRs, and the count of failed
//! authorizations. What one client did to them is done on the others' TPMs by somebody who needs no manager.

use super::codes;
use super::program::{Auth, By, Call, Damage, Hex, Named, Proof};
use super::reference::Privates;
use super::seat::Seat;
use super::session::CONTINUE;
use crate::tpm::{cc, rc};
use crate::wire::{response_code, Get, Put};

/// The count of failed authorizations.
const PT_LOCKOUT_COUNTER: u32 = 0x20e;
/// An NV index that every TPM has from the beginning, for failing on it. It is the platform's, so that no
/// other hierarchy's state matters.
const TARGET: u32 = 0x0140_0001;
/// TPMA_NV_AUTHWRITE, TPMA_NV_AUTHREAD and TPMA_NV_PLATFORMCREATE: failures count.
const TARGET_ATTRIBUTES: u32 = 0x4004_0004;

/// Commands whose effects everybody sees.
fn is_shared(code: u32) -> bool {
    matches!(
        code,
        cc::EVICT_CONTROL
            | cc::HIERARCHY_CONTROL
            | cc::CHANGE_EPS
            | cc::CHANGE_PPS
            | cc::CLEAR
            | codes::CLEAR_CONTROL
            | cc::HIERARCHY_CHANGE_AUTH
            | codes::SET_PRIMARY_POLICY
            | codes::DICTIONARY_ATTACK_LOCK_RESET
            | codes::NV_DEFINE_SPACE
            | codes::NV_UNDEFINE_SPACE
            | codes::NV_WRITE
            | codes::NV_INCREMENT
            | codes::PCR_EXTEND
            | codes::PCR_EVENT
            | codes::PCR_RESET
    )
}

/// Makes a TPM fit for the beginning.
pub fn set_up(mut process: impl FnMut(&[u8]) -> Vec<u8>) {
    for command in setup() {
        // The first use of what counts failures has to be tried again: the TPM makes a note of it.
        let again = response_code(&process(&command)) == rc::RETRY;
        assert!(!again || response_code(&process(&command)) == 0, "setup");
    }
}

fn setup() -> Vec<Vec<u8>> {
    let public = vec![]
        .u32(TARGET)
        .u16(codes::alg::SHA256)
        .u32(TARGET_ATTRIBUTES)
        .sized(b"")
        .u16(8);
    let define = with_password(codes::NV_DEFINE_SPACE, &[crate::tpm::rh::PLATFORM], b"");
    let write = with_password(codes::NV_WRITE, &[TARGET, TARGET], b"target");
    vec![
        define.bytes(&vec![].sized(b"target").sized(&public)),
        write.bytes(&vec![].sized(&[0; 8]).u16(0)),
    ]
    .into_iter()
    .map(with_size)
    .collect()
}

/// A command with its size missing and its parameters to come.
fn with_password(code: u32, handles: &[u32], password: &[u8]) -> Vec<u8> {
    let auth = vec![]
        .u32(crate::tpm::rh::PW)
        .sized(b"")
        .u8(CONTINUE)
        .sized(password);
    let head = vec![].u16(crate::tpm::SESSIONS).u32(0).u32(code);
    let head = handles.iter().fold(head, |head, handle| head.u32(*handle));
    head.u32(crate::wire::su(auth.len())).bytes(&auth)
}

fn with_size(mut command: Vec<u8>) -> Vec<u8> {
    let size = crate::wire::su(command.len()).to_be_bytes();
    command[2..6].copy_from_slice(&size);
    command
}

/// A failed authorization.
fn failure() -> Vec<u8> {
    let read = with_password(codes::NV_READ, &[TARGET, TARGET], b"wrong");
    with_size(read.u16(8).u16(0))
}

/// A command that means the same without sessions of a client's.
fn plain(call: &Call) -> Call {
    let auths = call.auths.iter().filter(|auth| {
        // Those that authorize nothing only protect.
        auth.proof == Proof::Value || auth.by == By::Password
    });
    Call {
        auths: auths
            .map(|auth| Auth {
                by: By::Password,
                attributes: CONTINUE,
                value: auth.value.clone(),
                proof: Proof::Value,
                bound: false,
            })
            .collect(),
        damage: match call.damage {
            Damage::Flip(..) => call.damage,
            _ => Damage::None,
        },
        into: None,
        ..call.clone()
    }
}

/// Does for the other clients what a command of `client` did to what they share.
pub fn spread(
    privates: &mut Seat<Privates>,
    who: usize,
    call: &Call,
    rc: u32,
) -> Result<(), String> {
    let client = super::seat::client_of(who);
    if rc & 0x80 != 0 && rc & 0x3f == rc::AUTH_FAIL & 0x3f {
        let counts = |privates: &mut Seat<Privates>, n: usize| {
            privates.side.0[n].property(PT_LOCKOUT_COUNTER)
        };
        let count = counts(privates, client);
        for n in 0..privates.side.0.len() {
            for _ in counts(privates, n)..count {
                privates.side.0[n].raw(&failure());
            }
            if counts(privates, n) != count {
                return Err("a client's TPM does not count failures".into());
            }
        }
    }
    if rc != 0 || !is_shared(call.code) {
        return Ok(());
    }
    let call = plain(call);
    for n in (0..privates.side.0.len()).filter(|n| *n != client) {
        let mut call = call.clone();
        let mut made = None;
        if let Some(origin) = call.origin.take() {
            let bytes = privates
                .render(who, &plain(&origin))
                .map_err(|_| "no origin")?;
            let response = privates.side.0[n].raw(&bytes);
            if response_code(&response) != 0 {
                return Err(format!(
                    "a client's TPM cannot make the object: {response:02x?}"
                ));
            }
            let handle = Get(&response[10..]).u32();
            call.handles[1] = Named::Fixed(handle);
            made = Some(handle);
        }
        let bytes = privates
            .render(who, &call)
            .map_err(|_| "nothing to spread")?;
        let response = privates.side.0[n].raw(&bytes);
        if let Some(handle) = made {
            let flush = Call {
                code: cc::FLUSH_CONTEXT,
                params: vec![super::program::Part::Bytes(Hex(handle
                    .to_be_bytes()
                    .to_vec()))],
                ..Call::default()
            };
            let flush = privates
                .render(who, &flush)
                .map_err(|_| "nothing to flush")?;
            privates.side.0[n].raw(&flush);
        }
        if response_code(&response) != 0 {
            return Err(format!(
                "a client's TPM refuses what all share: {response:02x?}"
            ));
        }
    }
    Ok(())
}
