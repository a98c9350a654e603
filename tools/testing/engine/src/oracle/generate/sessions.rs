// SPDX-License-Identifier: GPL-2.0

//! Sessions: starting them, what they are good for besides authorizing, saving and loading, and their end.

use super::templates::{bytes, Kind};
use super::{are_of_one, sized, Generator, Item, Saved, Session, OBJECTS};
use crate::oracle::codes::{self, alg};
use crate::oracle::program::{Auth, By, Call, Hex, Named, Part, Proof, Start};
use crate::oracle::session::{AUDIT, CONTINUE, DECRYPT, ENCRYPT};
use crate::tpm::{cc, rh};
use crate::wire::Put;

const HMAC: u8 = 0;
const POLICY: u8 = 1;
const TRIAL: u8 = 3;

/// A session that audits.
pub(super) fn audit(session: &Session) -> Auth {
    protection(session, CONTINUE | AUDIT)
}

fn protection(session: &Session, attributes: u8) -> Auth {
    Auth {
        by: By::Session(session.register),
        attributes,
        value: Hex(vec![]),
        proof: Proof::Key,
        bound: false,
    }
}

fn names(call: &Call, session: &Session) -> bool {
    let own = By::Session(session.register);
    call.auths.iter().any(|auth| auth.by == own)
}

impl Generator {
    pub(super) fn start_session(&mut self, who: usize) {
        let kind = [HMAC, HMAC, POLICY, TRIAL][self.dice.below(4)];
        self.start(who, kind == POLICY, kind == TRIAL);
    }

    /// Starts a session. A policy session is not bound and has no salt, so that it needs no HMAC.
    pub(super) fn start(&mut self, who: usize, is_policy: bool, is_trial: bool) -> Option<Session> {
        if !self.has_room_for_session() {
            self.flush_session(who);
            return None;
        }
        let is_symmetric = self.dice.once_in(2);
        let is_plain = is_policy || is_trial;
        let key = if !is_plain && self.dice.once_in(3) {
            self.own(who, |item| {
                matches!(item.kind, Kind::Storage | Kind::Exchange)
            })
        } else {
            None
        };
        let bind = if !is_plain && self.dice.once_in(3) {
            self.own(who, |item| item.policy.is_none())
        } else {
            None
        };
        let salt = key.as_ref().map(|key| self.salt(who, key));
        let register = self.register();
        let nonce = crate::command::sha256(&[&self.label("nonce")]);
        let kind = match (is_policy, is_trial) {
            (_, true) => TRIAL,
            (true, _) => POLICY,
            _ => HMAC,
        };
        let symmetric = match is_symmetric {
            true => vec![].u16(alg::XOR).u16(alg::SHA256),
            false => vec![].u16(alg::NULL),
        };
        let handle = |item: &Option<Item>| match item {
            Some(item) => Named::Of(item.register),
            None => Named::Fixed(rh::NULL),
        };
        let encrypted = salt.map(|(exchange, _)| Part::Field(exchange, 1));
        let mut call = Call {
            code: cc::START_AUTH_SESSION,
            handles: vec![handle(&key), handle(&bind)],
            params: vec![
                sized(&nonce),
                Part::Sized(encrypted.into_iter().collect()),
                bytes(vec![kind]),
                bytes(symmetric),
                bytes(vec![].u16(alg::SHA256)),
            ],
            into: Some(register),
            start: Some(Start {
                nonce: Hex(nonce),
                policy: is_plain,
                bind: bind.as_ref().map(|item| Hex(item.auth.clone())),
                salt,
            }),
            ..Call::default()
        };
        if self.dice.once_in(6) {
            self.audit(who, &mut call);
        }
        self.push(who, call);
        let session = Session {
            register,
            who,
            is_policy: is_plain,
            bound: bind.map(|item| item.register),
            is_symmetric,
        };
        self.sessions.push(session.clone());
        Some(session)
    }

    /// A secret that the TPM can derive with this key: where the exchange is, and the key's public area.
    fn salt(&mut self, who: usize, key: &Item) -> (usize, usize) {
        let (exchange, public) = (self.register(), self.register());
        let about = |code, into| Call {
            code,
            handles: vec![Named::Of(key.register)],
            into: Some(into),
            ..Call::default()
        };
        self.push(who, about(codes::ECDH_KEYGEN, exchange));
        self.push(who, about(cc::READ_PUBLIC, public));
        (exchange, public)
    }

    /// Lets a session encrypt the first parameters of a command, now and then.
    pub(super) fn protect(&mut self, who: usize, call: &mut Call) {
        if !self.dice.once_in(3) {
            return;
        }
        let mut bits = [DECRYPT, ENCRYPT, DECRYPT | ENCRYPT][self.dice.below(3)];
        if call.params.is_empty() {
            bits = ENCRYPT;
        }
        let able = |session: &Session| session.is_symmetric && !session.is_policy;
        let Some(session) = self.own_session(who, able) else {
            return;
        };
        let own = By::Session(session.register);
        match call.auths.iter_mut().find(|auth| auth.by == own) {
            Some(auth) => auth.attributes |= bits,
            None => call.auths.push(protection(&session, CONTINUE | bits)),
        }
    }

    /// Lets a session audit a command, now and then.
    pub(super) fn audit(&mut self, who: usize, call: &mut Call) {
        if !self.dice.once_in(4) {
            return;
        }
        let Some(session) = self.own_session(who, |session| !session.is_policy) else {
            return;
        };
        if !names(call, &session) {
            call.auths.push(audit(&session));
            // What audits is bound no more.
            self.sessions
                .iter_mut()
                .filter(|other| other.register == session.register)
                .for_each(|other| other.bound = None);
        }
    }

    /// Uses a session for its own sake.
    pub(super) fn use_session(&mut self, who: usize) {
        let Some(session) = self.own_session(who, |_| true) else {
            return self.start_session(who);
        };
        if session.is_policy {
            self.get_digest(&session);
            return;
        }
        let end = if self.dice.once_in(6) { 0 } else { CONTINUE };
        let attributes = end | if session.is_symmetric { ENCRYPT } else { AUDIT };
        let mut call = Call {
            code: cc::GET_RANDOM,
            auths: vec![protection(&session, attributes)],
            params: vec![bytes(vec![].u16(8))],
            ..Call::default()
        };
        if self.dice.once_in(3) {
            self.audit(who, &mut call);
        }
        if end == 0 {
            self.forget(session.register);
        }
        self.push(who, call);
    }

    pub(super) fn flush_session(&mut self, who: usize) {
        let Some(session) = self.own_session(who, |_| true) else {
            return;
        };
        let call = Call {
            code: cc::FLUSH_CONTEXT,
            params: vec![Part::Handle(session.register)],
            ..Call::default()
        };
        self.push(who, call);
        self.forget(session.register);
    }

    /// Saves or loads the context of an object or a session, perhaps on another descriptor of the client.
    pub(super) fn move_context(&mut self, who: usize) {
        let here = |saved: &Saved| match saved {
            Saved::Object(item) => are_of_one(item.who, who),
            Saved::Session(session) => are_of_one(session.who, who),
        };
        let files = self.files.iter().filter(|(_, saved)| here(saved)).cloned();
        let files: Vec<_> = files.collect();
        match self.dice.pick(&files) {
            Some((context, saved)) if self.dice.once_in(2) => {
                self.load_context(who, context, saved)
            }
            _ if self.dice.once_in(2) => {
                if let Some(session) = self.own_session(who, |_| true) {
                    self.save_context(who, session.register, Saved::Session(session));
                }
            }
            _ => {
                if let Some(item) = self.own(who, |_| true) {
                    self.save_context(who, item.register, Saved::Object(item));
                }
            }
        }
    }

    /// Saves a session twice, and brings the first context before the second: it is good no more.
    pub(super) fn bring_old_context(&mut self, who: usize) {
        let Some(session) = self.own_session(who, |_| true) else {
            return self.start_session(who);
        };
        let contexts = [self.register(), self.register()];
        let load = |context| Call {
            code: cc::CONTEXT_LOAD,
            params: vec![Part::Field(context, 0)],
            again: Some(session.register),
            ..Call::default()
        };
        for (n, context) in contexts.into_iter().enumerate() {
            let call = Call {
                code: cc::CONTEXT_SAVE,
                handles: vec![Named::Of(session.register)],
                into: Some(context),
                ..Call::default()
            };
            self.push(who, call);
            if n == 0 {
                self.push(who, load(context));
            }
        }
        for context in contexts {
            self.push(who, load(context));
        }
    }

    fn save_context(&mut self, who: usize, of: usize, saved: Saved) {
        let register = self.register();
        let call = Call {
            code: cc::CONTEXT_SAVE,
            handles: vec![Named::Of(of)],
            into: Some(register),
            ..Call::default()
        };
        self.push(who, call);
        if let Saved::Session(session) = &saved {
            self.forget(session.register);
        }
        self.files.push((register, saved));
    }

    fn load_context(&mut self, who: usize, context: usize, saved: Saved) {
        let register = self.register();
        let again = match &saved {
            Saved::Object(item) => item.register,
            Saved::Session(session) => session.register,
        };
        let mut call = Call {
            code: cc::CONTEXT_LOAD,
            params: vec![Part::Field(context, 0)],
            again: Some(again),
            ..Call::default()
        };
        match saved {
            Saved::Object(item) => {
                if self.count(who) < OBJECTS {
                    call.into = Some(register);
                    self.push(who, call);
                    self.items.push(Item {
                        register,
                        who,
                        ..item
                    });
                }
            }
            Saved::Session(session) => {
                // The session is the same one: so is its register.
                self.push(who, call);
                if !self.dice.once_in(6) {
                    self.files.retain(|(other, _)| *other != context);
                }
                self.sessions
                    .retain(|other| other.register != session.register);
                self.sessions.push(Session { who, ..session });
            }
        }
    }
}
