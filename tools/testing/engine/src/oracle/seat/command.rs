// SPDX-License-Identifier: GPL-2.0

//! The bytes of a command.

use super::{mac, Absent, Seat, Side, Value};
use crate::command::{hmac, sha256};
use crate::oracle::program::{By, Call, Damage, Part, Proof};
use crate::oracle::session::{DECRYPT, ENCRYPT};
use crate::tpm::{rh, NO_SESSIONS, SESSIONS};
use crate::wire::{su, Get, Put};

impl<S: Side> Seat<S> {
    /// The bytes of a part of the parameters.
    pub fn part(&self, who: usize, part: &Part) -> Result<Vec<u8>, Absent> {
        let field = |register, n| {
            let value: &Value = self.get(register)?;
            value.fields.get(n).ok_or(Absent)
        };
        Ok(match part {
            Part::Bytes(bytes) => bytes.0.clone(),
            Part::Field(register, n) => field(*register, *n)?.clone(),
            Part::Handle(register) => self.handle(who, *register)?.to_be_bytes().to_vec(),
            Part::Name(register) => self.get(*register)?.name.clone(),
            Part::Nonce(register) => {
                let session = self.get(*register)?.session.as_ref().ok_or(Absent)?;
                session.nonce_tpm.clone()
            }
            Part::Sized(parts) => vec![].sized(&self.parts(who, parts)?),
            Part::Digest(parts) => sha256(&[&self.parts(who, parts)?]),
        })
    }

    /// The bytes of the parameters.
    pub fn parts(&self, who: usize, parts: &[Part]) -> Result<Vec<u8>, Absent> {
        let each: Result<Vec<_>, _> = parts.iter().map(|part| self.part(who, part)).collect();
        Ok(each?.concat())
    }

    /// The bytes of a command.
    pub fn render(&mut self, who: usize, call: &Call) -> Result<Vec<u8>, Absent> {
        let named: Result<Vec<_>, _> = call.handles.iter().map(|h| self.named(who, h)).collect();
        let named = named?;
        let mut params = self.parts(who, &call.params)?;
        for auth in &call.auths {
            if let Some(session) = self.session_mut(auth)? {
                session.roll();
            }
        }
        for auth in call.auths.iter().filter(|a| a.attributes & DECRYPT != 0) {
            if let (Some(session), true) = (self.session(auth)?, params.len() > 1) {
                let end = params.len().min(2 + usize::from(Get(&params).u16()));
                session.hide(&auth.value.0, &mut params[2..end]);
            }
        }
        let names = named.iter().map(|(_, name)| &name[..]).collect::<Vec<_>>();
        let code = call.code.to_be_bytes();
        let cp_hash = sha256(&[&code, &names.concat(), &params]);
        let area = self.authorizations(who, call, &cp_hash)?;
        let mut body = vec![];
        for (handle, _) in &named {
            body = body.u32(*handle);
        }
        let mut tag = NO_SESSIONS;
        if !call.auths.is_empty() {
            tag = SESSIONS;
            body = body.u32(su(area.len())).bytes(&area);
        }
        let before = body.len();
        body.extend(params);
        Ok(damaged(tag, call, body, before))
    }

    fn authorizations(&self, who: usize, call: &Call, cp_hash: &[u8]) -> Result<Vec<u8>, Absent> {
        let mut area = vec![];
        for (n, auth) in call.auths.iter().enumerate() {
            let (By::Session(register), Some(session)) = (&auth.by, self.session(auth)?) else {
                area = area
                    .u32(rh::PW)
                    .sized(b"")
                    .u8(auth.attributes)
                    .sized(&auth.value.0);
                continue;
            };
            let others = if n == 0 {
                self.other_nonces(call)?
            } else {
                vec![]
            };
            let parts = [
                cp_hash,
                &session.nonce_caller,
                &session.nonce_tpm,
                &others,
                &[auth.attributes],
            ];
            let proof = match auth.proof {
                Proof::Plain => auth.value.0.clone(),
                Proof::Wrong => hmac(b"wrong", &parts),
                Proof::Key | Proof::Value => mac(session, auth, &parts),
            };
            area = area
                .u32(self.handle(who, *register)?)
                .sized(&session.nonce_caller)
                .u8(auth.attributes)
                .sized(&proof);
        }
        Ok(area)
    }

    /// What the HMAC of the first session says of sessions that encrypt, if they are others.
    fn other_nonces(&self, call: &Call) -> Result<Vec<u8>, Absent> {
        let with = |bit| {
            call.auths
                .iter()
                .position(|auth| auth.attributes & bit != 0)
        };
        let (decrypt, encrypt) = (with(DECRYPT), with(ENCRYPT));
        let mut nonces = vec![];
        for n in [decrypt, encrypt.filter(|n| Some(*n) != decrypt)] {
            if let Some(auth) = n.filter(|n| *n > 0).and_then(|n| call.auths.get(n)) {
                if let Some(session) = self.session(auth)? {
                    nonces.extend(&session.nonce_tpm);
                }
            }
        }
        Ok(nonces)
    }
}

/// A command with what was done to it; its parameters begin at `before`.
fn damaged(tag: u16, call: &Call, mut body: Vec<u8>, before: usize) -> Vec<u8> {
    match call.damage {
        Damage::None | Damage::Header(_) => {}
        Damage::Truncate(n) => body.truncate(n % (body.len() + 1)),
        Damage::Extend(n) => body.extend(std::iter::repeat_n(0, n)),
        Damage::Flip(at, bits) => {
            let params = &mut body[before..];
            if !params.is_empty() {
                let at = at % params.len();
                params[at] ^= bits;
            }
        }
    }
    let mut bytes = crate::command::header(tag, call.code, &body);
    if let Damage::Header(n) = call.damage {
        bytes.truncate(n);
    }
    bytes
}
