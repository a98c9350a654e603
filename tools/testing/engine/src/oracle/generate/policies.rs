// SPDX-License-Identifier: GPL-2.0

//! Policies: assertions of every kind, and objects whose use takes some.

use super::templates::{bytes, Choice, Kind};
use super::using::selection;
use super::{password, sized, Generator, Item, Session};
use crate::oracle::codes;
use crate::oracle::program::{Auth, By, Call, Hex, Named, Part, Proof};
use crate::oracle::session::CONTINUE;
use crate::tpm::{cc, rh};
use crate::wire::Put;

/// An assertion that can always be satisfied.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Assertion {
    AuthValue,
    Password,
    Code(u32),
    /// That the endorsement hierarchy's value is known.
    Secret,
    Pcr,
}

/// A command on a policy session.
fn about(code: u32, session: &Session, params: Vec<Part>) -> Call {
    Call {
        code,
        handles: vec![Named::Of(session.register)],
        params,
        ..Call::default()
    }
}

impl Generator {
    fn assert(&mut self, session: &Session, assertion: &Assertion) {
        let call = match assertion {
            Assertion::AuthValue => about(cc::POLICY_AUTH_VALUE, session, vec![]),
            Assertion::Password => about(codes::POLICY_PASSWORD, session, vec![]),
            Assertion::Code(code) => about(
                cc::POLICY_COMMAND_CODE,
                session,
                vec![bytes(vec![].u32(*code))],
            ),
            Assertion::Secret => self.secret(session, Named::Fixed(rh::ENDORSEMENT), password(b"")),
            Assertion::Pcr => about(codes::POLICY_PCR, session, vec![sized(b""), selection()]),
        };
        self.push(session.who, call);
    }

    fn secret(&mut self, session: &Session, entity: Named, auth: Auth) -> Call {
        let nonce = match self.dice.once_in(2) {
            true => vec![Part::Nonce(session.register)],
            false => vec![],
        };
        Call {
            code: cc::POLICY_SECRET,
            handles: vec![entity, Named::Of(session.register)],
            auths: vec![auth],
            params: vec![
                Part::Sized(nonce),
                sized(b""),
                sized(b"reference"),
                bytes(vec![].u32(0)),
            ],
            ..Call::default()
        }
    }

    /// The digest of these assertions, found out with a trial session.
    pub(super) fn policy_digest(&mut self, who: usize, assertions: &[Assertion]) -> Option<Part> {
        let session = self.start(who, false, true)?;
        for assertion in assertions {
            self.assert(&session, assertion);
        }
        let register = self.get_digest(&session);
        let call = Call {
            code: cc::FLUSH_CONTEXT,
            params: vec![Part::Handle(session.register)],
            ..Call::default()
        };
        self.push(who, call);
        self.forget(session.register);
        Some(Part::Field(register, 0))
    }

    /// Asks for a policy's digest; where it is then.
    pub(super) fn get_digest(&mut self, session: &Session) -> usize {
        let register = self.register();
        let mut call = about(cc::POLICY_GET_DIGEST, session, vec![]);
        call.into = Some(register);
        self.push(session.who, call);
        register
    }

    /// Authorizes by a policy session in which all that it takes is asserted, or by a password if there can
    /// be no more sessions.
    pub(super) fn by_policy(&mut self, item: &Item, assertions: &[Assertion], code: u32) -> Auth {
        let Some(session) = self.start(item.who, true, false) else {
            return password(&item.auth);
        };
        for assertion in assertions {
            self.assert(&session, assertion);
        }
        let proof = if assertions.contains(&Assertion::AuthValue) {
            Proof::Value
        } else if assertions.contains(&Assertion::Password) {
            Proof::Plain
        } else {
            Proof::Key
        };
        // Some forget what they asserted.
        let assertion = Assertion::Code(code ^ 1);
        if self.dice.once_in(8) {
            self.assert(&session, &assertion);
        }
        let mut auth = Auth {
            by: By::Session(session.register),
            attributes: CONTINUE,
            value: Hex(item.auth.clone()),
            proof,
            bound: false,
        };
        if self.dice.once_in(2) {
            auth.attributes = 0;
            self.forget(session.register);
        }
        auth
    }

    /// An object that a policy guards, and its use.
    pub(super) fn sealed_by_policy(&mut self, who: usize) {
        let parent = self.own(who, |item| {
            item.kind == Kind::Storage && item.policy.is_none()
        });
        let Some(parent) = parent else {
            return self.create_primary(who);
        };
        let (kind, code) = [
            (Kind::Seal, cc::UNSEAL),
            (Kind::Signing, cc::SIGN),
            (Kind::Cipher, codes::ENCRYPT_DECRYPT),
        ][self.dice.below(3)];
        let mut assertions = vec![];
        match self.dice.below(3) {
            0 => assertions.push(Assertion::AuthValue),
            1 => assertions.push(Assertion::Password),
            _ => {}
        }
        for assertion in [Assertion::Code(code), Assertion::Secret, Assertion::Pcr] {
            if self.dice.once_in(2) {
                assertions.push(assertion);
            }
        }
        let Some(policy) = self.policy_digest(who, &assertions) else {
            return;
        };
        let choice = Choice {
            policy: Some(policy),
            ..Choice::default()
        };
        let blob = self.create_as(&parent, kind, &choice);
        let mut item = self.load_under(&parent, &blob);
        item.policy = Some(assertions);
        for other in &mut self.items {
            if other.register == item.register {
                other.policy.clone_from(&item.policy);
            }
        }
    }

    /// Any assertion, whether it makes sense or not.
    pub(super) fn assert_something(&mut self, who: usize) {
        let session = match self.own_session(who, |session| session.is_policy) {
            Some(session) => session,
            None => {
                let is_trial = self.dice.once_in(2);
                let Some(session) = self.start(who, !is_trial, is_trial) else {
                    return;
                };
                session
            }
        };
        let digest = || sized(&[0x11; 32]);
        let call = match self.dice.below(17) {
            0 => about(cc::POLICY_AUTH_VALUE, &session, vec![]),
            1 => about(codes::POLICY_PASSWORD, &session, vec![]),
            2 => about(
                cc::POLICY_COMMAND_CODE,
                &session,
                vec![bytes(vec![].u32(cc::SIGN))],
            ),
            3 => about(codes::POLICY_PCR, &session, vec![sized(b""), selection()]),
            4 => about(codes::POLICY_LOCALITY, &session, vec![bytes(vec![1])]),
            5 => about(codes::POLICY_CP_HASH, &session, vec![digest()]),
            6 => about(codes::POLICY_NAME_HASH, &session, vec![digest()]),
            7 => about(codes::POLICY_NV_WRITTEN, &session, vec![bytes(vec![1])]),
            8 => about(
                codes::POLICY_DUPLICATION_SELECT,
                &session,
                vec![sized(b"object"), sized(b"parent"), bytes(vec![0])],
            ),
            9 => about(cc::POLICY_RESTART, &session, vec![]),
            10 | 11 => return self.either(&session),
            12 | 13 => return self.signed(&session),
            14 => {
                let item = self.own(who, |item| item.policy.is_none());
                match item {
                    Some(item) => {
                        let auth = self.by_item(&item, cc::POLICY_SECRET);
                        self.secret(&session, Named::Of(item.register), auth)
                    }
                    None => self.secret(&session, Named::Fixed(rh::NULL), password(b"")),
                }
            }
            15 => match self.policy_nv(&session) {
                Some(call) => call,
                None => return,
            },
            _ => {
                self.get_digest(&session);
                return;
            }
        };
        self.push(who, call);
        if self.dice.once_in(2) {
            self.get_digest(&session);
        }
    }

    /// PolicyOR of what the session has and something else.
    fn either(&mut self, session: &Session) {
        let now = self.get_digest(session);
        let call = about(
            codes::POLICY_OR,
            session,
            vec![
                bytes(vec![].u32(2)),
                Part::Sized(vec![Part::Field(now, 0)]),
                sized(&[0x22; 32]),
            ],
        );
        self.push(session.who, call);
        self.get_digest(session);
    }

    /// PolicySigned by a key of the client's.
    fn signed(&mut self, session: &Session) {
        let signer = self.own(session.who, |item| {
            matches!(item.kind, Kind::Signing | Kind::Rsa) && item.policy.is_none()
        });
        let Some(signer) = signer else {
            return self.load_external(session.who);
        };
        let nonce = match self.dice.once_in(2) {
            true => vec![Part::Nonce(session.register)],
            false => vec![],
        };
        let rest = [&[0; 4][..], b"reference"].concat();
        let signed = [nonce.clone(), vec![bytes(rest)]].concat();
        let signature = self.sign(&signer, signed);
        let call = Call {
            code: codes::POLICY_SIGNED,
            handles: vec![Named::Of(signer.register), Named::Of(session.register)],
            params: vec![
                Part::Sized(nonce),
                sized(b""),
                sized(b"reference"),
                bytes(vec![].u32(0)),
                Part::Field(signature, 0),
            ],
            ..Call::default()
        };
        self.push(session.who, call);
        self.get_digest(session);
    }
}
