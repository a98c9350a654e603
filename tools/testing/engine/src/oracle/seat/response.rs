// SPDX-License-Identifier: GPL-2.0

//! What a response says, and what of it is kept.

use super::{mac, Answer, Outcome, Seat, Side, Value};
use crate::command::sha256;
use crate::oracle::program::{Call, Damage, Hex, Proof, Start};
use crate::oracle::session::{self, Session, ENCRYPT};
use crate::oracle::{codes, layout};
use crate::tpm::{cc, SESSIONS};
use crate::wire::{su, Get};

impl<S: Side> Seat<S> {
    /// Sends a command that was rendered, and keeps what the response brings. `Err` says what is wrong with
    /// the response.
    pub fn send(&mut self, who: usize, call: &Call, bytes: &[u8]) -> Result<Outcome, String> {
        let response = match self.side.send(who, bytes) {
            Ok(response) => response,
            Err(errno) => return Ok(Outcome::Errno(errno)),
        };
        if response.len() < 10 || Get(&response[2..]).u32() != su(response.len()) {
            return Err(format!("no response: {response:02x?}"));
        }
        let rc = crate::wire::response_code(&response);
        if rc != 0 {
            return match response.len() {
                10 => Ok(Outcome::Rc(rc)),
                _ => Err(format!("an error is only a header: {response:02x?}")),
            };
        }
        let answer = self.parse(call, bytes, &response)?;
        self.keep(who, call, &answer);
        Ok(Outcome::Done(answer))
    }

    fn parse(&mut self, call: &Call, bytes: &[u8], response: &[u8]) -> Result<Answer, String> {
        let ill = || format!("an ill-formed response: {response:02x?}");
        if response[..2] != bytes[..2] {
            return Err(format!(
                "the tag of the response is not the command's: {response:02x?}"
            ));
        }
        let mut get = Get(&response[10..]);
        let handle = returns_handle(call.code)
            .then(|| get.0.len() >= 4)
            .filter(|is| *is);
        let handle = handle.map(|_| get.u32());
        let has_sessions = Get(bytes).u16() == SESSIONS;
        if !has_sessions {
            let fields = layout::split(call.code, get.0)?;
            let fields = fields.into_iter().map(Hex).collect();
            return Ok(Answer {
                handle,
                fields,
                attributes: vec![],
            });
        }
        let size = get.0.get(..4).ok_or_else(ill)?;
        let size = Get(size).u32() as usize;
        let mut params = get.0.get(4..4 + size).ok_or_else(ill)?.to_vec();
        let mut rest = &get.0[4 + size..];
        let rp_hash = sha256(&[&[0; 4], &call.code.to_be_bytes(), &params]);
        let mut attributes = vec![];
        for (n, auth) in call.auths.iter().enumerate() {
            let mut auth = auth.clone();
            if let Some(renewed) = call.renews.as_ref().filter(|_| n == 0) {
                auth.value = renewed.clone();
            }
            let auth = &auth;
            let mut cut = |n: usize| -> Result<Vec<u8>, String> {
                let taken = rest.get(..n).ok_or_else(ill)?.to_vec();
                rest = &rest[n..];
                Ok(taken)
            };
            let size = Get(&cut(2)?).u16();
            let nonce = cut(size.into())?;
            let attribute = cut(1)?[0];
            let size = Get(&cut(2)?).u16();
            let proof = cut(size.into())?;
            attributes.push(attribute);
            let Some(session) = self.session_mut(auth).map_err(|_| ill())? else {
                continue;
            };
            session.nonce_tpm = nonce;
            let parts = [
                &rp_hash[..],
                &session.nonce_tpm,
                &session.nonce_caller,
                &[attribute],
            ];
            let good = match auth.proof {
                Proof::Plain => vec![],
                _ => mac(session, auth, &parts),
            };
            if call.damage == Damage::None && proof != good {
                return Err(format!(
                    "the HMAC of the response to {:#x} is wrong",
                    call.code
                ));
            }
        }
        if !rest.is_empty() {
            return Err(ill());
        }
        for auth in call.auths.iter().filter(|a| a.attributes & ENCRYPT != 0) {
            if let (Ok(Some(session)), true) = (self.session(auth), params.len() > 1) {
                let end = params.len().min(2 + usize::from(Get(&params).u16()));
                session.show(&auth.value.0, &mut params[2..end]);
            }
        }
        let fields = layout::split(call.code, &params)?
            .into_iter()
            .map(Hex)
            .collect();
        Ok(Answer {
            handle,
            fields,
            attributes,
        })
    }

    fn keep(&mut self, who: usize, call: &Call, answer: &Answer) {
        if let Some(value) = call.again.and_then(|n| self.registers.get(&n)).cloned() {
            // It may be the context of something else.
            let is_same = |handle: &u32| value.session.is_some() == (handle >> 24 != 0x80);
            let handle = answer.handle.filter(is_same);
            if let (Some(into), Some(handle)) = (call.into.or(call.again), handle) {
                self.registers.insert(
                    into,
                    Value {
                        who,
                        handle,
                        ..value
                    },
                );
            }
            return;
        }
        let Some(into) = call.into else {
            return;
        };
        let named = call.handles.first().and_then(|h| self.named(who, h).ok());
        let named = named.map_or(0, |(handle, _)| handle);
        let fields: Vec<Vec<u8>> = answer.fields.iter().map(|field| field.0.clone()).collect();
        let name = name_at(call.code).and_then(|n| fields.get(n)).cloned();
        let session = call.start.as_ref().zip(fields.first());
        let session = session.map(|(start, nonce)| {
            let secret = self.secret(start);
            Session::new(start.policy, secret.as_deref(), &start.nonce.0, nonce)
        });
        let value = Value {
            who,
            handle: answer.handle.unwrap_or(named),
            name: name.unwrap_or_default(),
            fields,
            session,
        };
        if value.session.is_some() {
            self.numbers.insert(self.number(&value), into);
        }
        self.registers.insert(into, value);
    }

    /// What the session key is made of.
    fn secret(&self, start: &Start) -> Option<Vec<u8>> {
        let salt = start.salt.map(|(exchange, key)| {
            let point = |register, n: usize| self.value(register).map(|v| v.fields[n].clone());
            let (z, ephemeral) = (point(exchange, 0), point(exchange, 1));
            let public = point(key, 0).unwrap_or_default();
            let unique = layout::public(&public).map(|[.., unique]| unique.to_vec());
            let x = |point: Option<Vec<u8>>| {
                let point = point.unwrap_or_default();
                let size = point.get(..2).map_or(0, |size| Get(size).u16());
                point
                    .get(2..2 + usize::from(size))
                    .unwrap_or_default()
                    .to_vec()
            };
            session::salt(&x(z), &x(ephemeral), &x(unique))
        });
        match (&start.bind, salt) {
            (None, None) => None,
            (bind, salt) => {
                let value = bind.clone().unwrap_or_default().0;
                Some([value, salt.unwrap_or_default()].concat())
            }
        }
    }
}

/// The field that tells the Name of what a response is about.
fn name_at(code: u32) -> Option<usize> {
    match code {
        cc::CREATE_PRIMARY => Some(4),
        cc::LOAD | cc::LOAD_EXTERNAL => Some(0),
        codes::CREATE_LOADED => Some(2),
        cc::READ_PUBLIC | codes::NV_READ_PUBLIC => Some(1),
        _ => None,
    }
}

/// Whether a response to this command begins with a handle.
fn returns_handle(code: u32) -> bool {
    matches!(
        code,
        cc::CREATE_PRIMARY
            | cc::LOAD
            | cc::LOAD_EXTERNAL
            | cc::START_AUTH_SESSION
            | cc::CONTEXT_LOAD
            | cc::HASH_SEQUENCE_START
            | codes::HMAC_START
            | codes::CREATE_LOADED
    )
}
