// SPDX-License-Identifier: GPL-2.0

//! Using objects: each kind for what it is for, and now and then for what it is not.

use super::templates::{bytes, Kind};
use super::{on, password, sized, Generator, Item, OBJECTS};
use crate::oracle::codes::{self, alg};
use crate::oracle::program::{Call, Named, Part};
use crate::tpm::{cc, rh, ST_HASHCHECK};
use crate::wire::Put;

/// The scheme by which a P-256 key signs.
fn ecdsa() -> Part {
    bytes(vec![].u16(alg::ECDSA).u16(alg::SHA256))
}

/// A ticket that says nothing.
fn no_ticket() -> Part {
    bytes(vec![].u16(ST_HASHCHECK).u32(rh::NULL).sized(b""))
}

/// TPML_PCR_SELECTION of the PCR that programs extend.
pub(super) fn selection() -> Part {
    bytes(vec![].u32(1).u16(alg::SHA256).u8(3).bytes(&[0, 0, 1]))
}

impl Generator {
    pub(super) fn use_object(&mut self, who: usize) {
        let Some(item) = self.own(who, |_| true) else {
            return self.create_primary(who);
        };
        if self.dice.once_in(6) {
            return self.read_public(&item);
        }
        if self.dice.once_in(12) {
            return self.change_auth(&item);
        }
        match item.kind {
            Kind::Storage | Kind::RsaStorage => self.use_parent(&item),
            Kind::Signing => self.use_signing(&item),
            Kind::Exchange => self.exchange(&item),
            Kind::Mac => self.mac(&item),
            Kind::Seal => self.unseal(&item),
            Kind::Cipher => self.encrypt(&item),
            Kind::Rsa => self.rsa(&item),
            Kind::HashSequence | Kind::MacSequence | Kind::EventSequence => {
                self.go_on(&item);
            }
        }
    }

    fn read_public(&mut self, item: &Item) {
        let mut call = on(cc::READ_PUBLIC, item);
        self.audit(item.who, &mut call);
        self.push(item.who, call);
    }

    fn use_parent(&mut self, item: &Item) {
        match self.dice.below(4) {
            0 => self.duplicate(item),
            1 => self.credential(item),
            2 => self.create(item.who),
            _ => self.certify_creation(item),
        }
    }

    /// A credential for another object, made with the public part of `item` and activated with it.
    fn credential(&mut self, item: &Item) {
        let Some(other) = self.own(item.who, |other| other.policy.is_none()) else {
            return;
        };
        let made = self.register();
        let secret = self.label("credential");
        let call = Call {
            params: vec![
                sized(&secret),
                Part::Sized(vec![Part::Name(other.register)]),
            ],
            into: Some(made),
            ..on(codes::MAKE_CREDENTIAL, item)
        };
        self.push(item.who, call);
        let first = self.by_item(&other, codes::ACTIVATE_CREDENTIAL);
        let call = Call {
            code: codes::ACTIVATE_CREDENTIAL,
            handles: vec![Named::Of(other.register), Named::Of(item.register)],
            auths: vec![first, password(&item.auth)],
            params: vec![
                Part::Sized(vec![Part::Field(made, 0)]),
                Part::Sized(vec![Part::Field(made, 1)]),
            ],
            exact: true,
            ..Call::default()
        };
        self.push(item.who, call);
    }

    fn certify_creation(&mut self, item: &Item) {
        let signer = self.own(item.who, |other| {
            other.kind == Kind::Signing && other.policy.is_none()
        });
        let Some(signer) = signer.filter(|_| item.origin.is_some()) else {
            return self.create(item.who);
        };
        let call = Call {
            code: cc::CERTIFY_CREATION,
            handles: vec![Named::Of(signer.register), Named::Of(item.register)],
            auths: vec![self.by_item(&signer, cc::CERTIFY_CREATION)],
            params: vec![
                sized(b"qualifying"),
                Part::Sized(vec![Part::Field(item.register, 2)]),
                ecdsa(),
                Part::Field(item.register, 3),
            ],
            ..Call::default()
        };
        self.push(item.who, call);
    }

    /// Signs a digest of `parts`; where the signature is.
    pub(super) fn sign(&mut self, item: &Item, parts: Vec<Part>) -> usize {
        let register = self.register();
        let scheme = match item.kind {
            Kind::Rsa => bytes(vec![].u16(alg::RSASSA).u16(alg::SHA256)),
            Kind::Mac => bytes(vec![].u16(alg::HMAC).u16(alg::SHA256)),
            _ => ecdsa(),
        };
        let mut call = Call {
            auths: vec![self.by_item(item, cc::SIGN)],
            params: vec![Part::Sized(vec![Part::Digest(parts)]), scheme, no_ticket()],
            into: Some(register),
            ..on(cc::SIGN, item)
        };
        self.audit(item.who, &mut call);
        self.push(item.who, call);
        register
    }

    fn sign_and_verify(&mut self, item: &Item) {
        let message = bytes(self.label("message"));
        let signature = self.sign(item, vec![message.clone()]);
        let call = Call {
            params: vec![
                Part::Sized(vec![Part::Digest(vec![message])]),
                Part::Field(signature, 0),
            ],
            ..on(codes::VERIFY_SIGNATURE, item)
        };
        self.push(item.who, call);
    }

    fn use_signing(&mut self, item: &Item) {
        let who = item.who;
        let attest = |code, handles: Vec<Named>| Call {
            code,
            handles,
            params: vec![sized(b"qualifying"), ecdsa()],
            ..Call::default()
        };
        let own = Named::Of(item.register);
        if item.policy.is_some() {
            return self.sign_and_verify(item);
        }
        match self.dice.below(7) {
            0 => {
                let Some(other) = self.own(who, |other| other.policy.is_none()) else {
                    return;
                };
                let mut call = attest(cc::CERTIFY, vec![Named::Of(other.register), own]);
                call.auths = vec![self.by_item(&other, cc::CERTIFY), password(&item.auth)];
                self.push(who, call);
            }
            1 => {
                let mut call = attest(codes::QUOTE, vec![own]);
                call.auths = vec![self.by_item(item, codes::QUOTE)];
                call.params.push(selection());
                self.push(who, call);
            }
            2 => {
                let mut call = attest(codes::GET_TIME, vec![Named::Fixed(rh::ENDORSEMENT), own]);
                call.auths = vec![password(b""), self.by_item(item, codes::GET_TIME)];
                self.push(who, call);
            }
            3 => {
                let Some(session) = self.own_session(who, |session| !session.is_policy) else {
                    return;
                };
                let handles = vec![
                    Named::Fixed(rh::ENDORSEMENT),
                    own,
                    Named::Of(session.register),
                ];
                let mut audited = Call {
                    code: cc::GET_RANDOM,
                    params: vec![bytes(vec![].u16(8))],
                    ..Call::default()
                };
                audited.auths = vec![super::sessions::audit(&session)];
                self.push(who, audited);
                let mut call = attest(codes::GET_SESSION_AUDIT_DIGEST, handles);
                call.auths = vec![password(b""), password(&item.auth)];
                self.push(who, call);
            }
            4 => self.certify_index(item, attest(codes::NV_CERTIFY, vec![own])),
            _ => self.sign_and_verify(item),
        }
    }

    fn exchange(&mut self, item: &Item) {
        let made = self.register();
        let call = Call {
            into: Some(made),
            exact: false,
            ..on(codes::ECDH_KEYGEN, item)
        };
        self.push(item.who, call);
        let mut call = Call {
            auths: vec![self.by_item(item, codes::ECDH_ZGEN)],
            params: vec![Part::Sized(vec![Part::Field(made, 1)])],
            ..on(codes::ECDH_ZGEN, item)
        };
        self.protect(item.who, &mut call);
        self.push(item.who, call);
    }

    fn mac(&mut self, item: &Item) {
        if self.dice.once_in(4) {
            return self.sign_and_verify(item);
        }
        if self.dice.once_in(3) {
            return self.start_mac(item);
        }
        // One of a few messages, so that some are the same.
        let message = [self.dice.below(3) as u8; 5];
        let mut call = Call {
            auths: vec![self.by_item(item, cc::HMAC)],
            params: vec![sized(&message), bytes(vec![].u16(alg::SHA256))],
            ..on(cc::HMAC, item)
        };
        self.protect(item.who, &mut call);
        self.push(item.who, call);
    }

    fn unseal(&mut self, item: &Item) {
        let mut call = Call {
            auths: vec![self.by_item(item, cc::UNSEAL)],
            exact: true,
            ..on(cc::UNSEAL, item)
        };
        self.protect(item.who, &mut call);
        self.push(item.who, call);
    }

    fn encrypt(&mut self, item: &Item) {
        let data = [self.dice.below(3) as u8; 32];
        let decrypt = u8::from(self.dice.once_in(2));
        let mode = vec![].u8(decrypt).u16(alg::CFB).sized(&[0; 16]);
        let (code, params) = if self.dice.once_in(2) {
            (codes::ENCRYPT_DECRYPT, vec![bytes(mode), sized(&data)])
        } else {
            (codes::ENCRYPT_DECRYPT_2, vec![sized(&data), bytes(mode)])
        };
        let call = Call {
            auths: vec![self.by_item(item, code)],
            params,
            ..on(code, item)
        };
        self.push(item.who, call);
    }

    fn rsa(&mut self, item: &Item) {
        if self.dice.once_in(2) {
            return self.sign_and_verify(item);
        }
        let cipher = self.register();
        let raw = || bytes(vec![].u16(alg::NULL).sized(b""));
        // A number smaller than the modulus.
        let message = [&[0; 16], &[0x55; 240][..]].concat();
        let call = Call {
            params: vec![sized(&message), raw()],
            into: Some(cipher),
            ..on(codes::RSA_ENCRYPT, item)
        };
        self.push(item.who, call);
        let mut call = Call {
            auths: vec![self.by_item(item, codes::RSA_DECRYPT)],
            params: vec![Part::Sized(vec![Part::Field(cipher, 0)]), raw()],
            ..on(codes::RSA_DECRYPT, item)
        };
        self.protect(item.who, &mut call);
        self.push(item.who, call);
    }

    pub(super) fn sequence(&mut self, who: usize) {
        let is_sequence = |item: &Item| {
            matches!(
                item.kind,
                Kind::HashSequence | Kind::MacSequence | Kind::EventSequence
            )
        };
        let running = self.own(who, is_sequence);
        match running {
            Some(item) if !self.dice.once_in(3) => self.go_on(&item),
            _ if self.count(who) >= OBJECTS => self.flush_object(who),
            _ => {
                let auth = self.auth_value();
                let (kind, algorithm) = match self.dice.once_in(3) {
                    true => (Kind::EventSequence, alg::NULL),
                    false => (Kind::HashSequence, alg::SHA256),
                };
                let call = Call {
                    code: cc::HASH_SEQUENCE_START,
                    params: vec![sized(&auth), bytes(vec![].u16(algorithm))],
                    ..Call::default()
                };
                self.begin(who, call, kind, auth, true);
            }
        }
    }

    fn start_mac(&mut self, item: &Item) {
        if self.count(item.who) >= OBJECTS {
            return;
        }
        let auth = self.auth_value();
        let call = Call {
            auths: vec![self.by_item(item, codes::HMAC_START)],
            params: vec![sized(&auth), bytes(vec![].u16(alg::SHA256))],
            ..on(codes::HMAC_START, item)
        };
        self.begin(item.who, call, Kind::MacSequence, auth, item.exact);
    }

    fn begin(&mut self, who: usize, mut call: Call, kind: Kind, auth: Vec<u8>, exact: bool) {
        let register = self.register();
        call.into = Some(register);
        self.push(who, call);
        self.items.push(Item {
            register,
            who,
            kind,
            auth,
            hierarchy: rh::NULL,
            exact,
            origin: None,
            policy: None,
        });
    }

    fn go_on(&mut self, item: &Item) {
        let data = [self.dice.below(3) as u8; 20];
        let (end, other) = match item.kind {
            Kind::EventSequence => (codes::EVENT_SEQUENCE_COMPLETE, cc::SEQUENCE_COMPLETE),
            _ => (cc::SEQUENCE_COMPLETE, codes::EVENT_SEQUENCE_COMPLETE),
        };
        let code = match self.dice.below(12) {
            0..=3 => end,
            // That is not for such a sequence.
            4 => other,
            _ => cc::SEQUENCE_UPDATE,
        };
        let mut call = on(code, item);
        call.auths = vec![self.by_item(item, code)];
        call.params = vec![sized(&data)];
        match code {
            cc::SEQUENCE_COMPLETE => call.params.push(bytes(vec![].u32(rh::NULL))),
            codes::EVENT_SEQUENCE_COMPLETE => {
                // The PCR comes first; none is extended.
                call.handles.insert(0, Named::Fixed(rh::NULL));
                call.auths.insert(0, password(b""));
            }
            _ => {}
        }
        self.push(item.who, call);
        if code == end && !self.dice.once_in(5) {
            self.items.retain(|other| other.register != item.register);
        }
    }
}
