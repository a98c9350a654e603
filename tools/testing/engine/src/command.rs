// SPDX-License-Identifier: GPL-2.0

//! One command with its authorizations, as a careful TSS makes it: real HMACs, checked in the response.

use crate::tpm::{alg, cc, NO_SESSIONS, SESSIONS};
use crate::wire::{response_code, su, Get, Put};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// SHA-256.
pub fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    parts
        .iter()
        .fold(Sha256::new(), |h, part| h.chain_update(part))
        .finalize()
        .to_vec()
}

/// HMAC-SHA-256.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any size");
    parts
        .iter()
        .fold(mac, |m, part| m.chain_update(part))
        .finalize()
        .into_bytes()
        .to_vec()
}

/// Session attributes.
pub const CONTINUE: u8 = 0x01;
pub const AUDIT: u8 = 0x80;

/// What kind of session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Hmac = 0,
    Policy = 1,
    Trial = 3,
}

/// The client's side of a session: unbound, unsalted, SHA-256.
#[derive(Clone, Debug)]
pub struct Session {
    pub handle: u32,
    pub kind: Kind,
    nonce_caller: Vec<u8>,
    nonce_tpm: Vec<u8>,
}

impl Session {
    /// The session that StartAuthSession has just answered with.
    pub fn new(handle: u32, kind: Kind, nonce_caller: &[u8], nonce_tpm: &[u8]) -> Self {
        Self {
            handle,
            kind,
            nonce_caller: nonce_caller.to_vec(),
            nonce_tpm: nonce_tpm.to_vec(),
        }
    }

    /// Authorizes with this session; it stays.
    pub fn auth<'a>(&'a mut self, value: &'a [u8]) -> Auth<'a> {
        self.with(CONTINUE, value)
    }

    /// Authorizes with this session; it ends if the command succeeds.
    pub fn last<'a>(&'a mut self, value: &'a [u8]) -> Auth<'a> {
        self.with(0, value)
    }

    /// Authorizes with this session and these attributes.
    pub fn with<'a>(&'a mut self, attributes: u8, value: &'a [u8]) -> Auth<'a> {
        Auth::Session {
            session: self,
            attributes,
            value,
        }
    }
}

/// One authorization of a command.
pub enum Auth<'a> {
    Password(&'a [u8]),
    Session {
        session: &'a mut Session,
        attributes: u8,
        /// The authorization value of the entity, empty if the session authorizes none.
        value: &'a [u8],
    },
}

/// No password.
pub const EMPTY: Auth<'static> = Auth::Password(b"");

/// A command in the making.
pub struct Command<'a> {
    code: u32,
    handles: Vec<(u32, Vec<u8>)>,
    auths: Vec<Auth<'a>>,
    params: Vec<u8>,
}

/// A successful response.
#[derive(Debug)]
pub struct Reply {
    pub handle: Option<u32>,
    pub params: Vec<u8>,
}

impl<'a> Command<'a> {
    pub fn new(code: u32) -> Self {
        Self {
            code,
            handles: vec![],
            auths: vec![],
            params: vec![],
        }
    }

    /// Adds a handle whose Name is the handle itself.
    pub fn handle(self, handle: u32) -> Self {
        self.named(handle, &handle.to_be_bytes())
    }

    /// Adds a handle with the Name of the entity.
    pub fn named(mut self, handle: u32, name: &[u8]) -> Self {
        self.handles.push((handle, name.to_vec()));
        self
    }

    /// Adds an authorization.
    pub fn auth(mut self, auth: Auth<'a>) -> Self {
        self.auths.push(auth);
        self
    }

    /// Sets the parameters.
    pub fn params(mut self, params: Vec<u8>) -> Self {
        self.params = params;
        self
    }

    /// The command as bytes. Every session rolls its nonce.
    pub fn bytes(&mut self) -> Vec<u8> {
        let names: Vec<u8> = self.handles.iter().flat_map(|h| h.1.clone()).collect();
        let cp_hash = sha256(&[&self.code.to_be_bytes(), &names, &self.params]);
        let mut area = vec![];
        for auth in &mut self.auths {
            area = match auth {
                Auth::Password(value) => area
                    .u32(crate::tpm::rh::PW)
                    .u16(0)
                    .u8(CONTINUE)
                    .sized(value),
                Auth::Session {
                    session,
                    attributes,
                    value,
                } => {
                    session.nonce_caller = sha256(&[&session.nonce_caller, b"next"]);
                    let mac = match session.kind {
                        Kind::Hmac => hmac(
                            value,
                            &[
                                &cp_hash,
                                &session.nonce_caller,
                                &session.nonce_tpm,
                                &[*attributes],
                            ],
                        ),
                        Kind::Policy | Kind::Trial => vec![],
                    };
                    area.u32(session.handle)
                        .sized(&session.nonce_caller)
                        .u8(*attributes)
                        .sized(&mac)
                }
            };
        }
        let mut body = vec![];
        for (handle, _) in &self.handles {
            body = body.u32(*handle);
        }
        let tag = if self.auths.is_empty() {
            NO_SESSIONS
        } else {
            body = body.u32(su(area.len())).bytes(&area);
            SESSIONS
        };
        body.extend_from_slice(&self.params);
        header(tag, self.code, &body)
    }

    /// Takes a response apart and checks its HMACs. `Err` is the response code.
    pub fn parse(&mut self, response: &[u8]) -> Result<Reply, u32> {
        let rc = response_code(response);
        let mut get = Get(response);
        let tag = get.u16();
        assert_eq!(
            get.u32(),
            su(response.len()),
            "size of the response to {:#x}",
            self.code
        );
        get.u32();
        if rc != 0 {
            assert_eq!(response.len(), 10, "an error is only a header");
            return Err(rc);
        }
        let handle = returns_handle(self.code).then(|| get.u32());
        if self.auths.is_empty() {
            assert_eq!(tag, NO_SESSIONS);
            return Ok(Reply {
                handle,
                params: get.0.to_vec(),
            });
        }
        assert_eq!(tag, SESSIONS);
        let size = get.u32();
        let params = get.bytes(size as usize).to_vec();
        let rp_hash = sha256(&[&[0; 4], &self.code.to_be_bytes(), &params]);
        for auth in &mut self.auths {
            let (nonce, attributes, mac) = (get.sized(), get.u8(), get.sized());
            if let Auth::Session { session, value, .. } = auth {
                session.nonce_tpm = nonce.to_vec();
                if session.kind == Kind::Hmac {
                    let parts = [
                        &rp_hash[..],
                        &session.nonce_tpm,
                        &session.nonce_caller,
                        &[attributes],
                    ];
                    assert_eq!(mac, hmac(value, &parts), "HMAC of the response");
                }
            }
        }
        assert!(get.is_empty(), "nothing after the authorizations");
        Ok(Reply { handle, params })
    }
}

/// A command from its parts.
pub fn header(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    vec![]
        .u16(tag)
        .u32(su(10 + body.len()))
        .u32(code)
        .bytes(body)
}

fn returns_handle(code: u32) -> bool {
    matches!(
        code,
        cc::CREATE_PRIMARY
            | cc::LOAD
            | cc::LOAD_EXTERNAL
            | cc::START_AUTH_SESSION
            | cc::CONTEXT_LOAD
            | cc::HASH_SEQUENCE_START
    )
}

/// The Name of an object: the algorithm and the digest of its public area.
pub fn name_of(public: &[u8]) -> Vec<u8> {
    vec![].u16(alg::SHA256).bytes(&sha256(&[public]))
}
