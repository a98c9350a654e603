// SPDX-License-Identifier: GPL-2.0

//! What clients do. What is not there, since making it failed, is passed over.

use crate::programs::IDLE;
use crate::run::Residency;
use crate::trouble::{is_loss, GARBLED};
use crate::world::{File, Kind, Mishap, State, Who, World};
use harness::client::{Failure, Object, Outcome};
use harness::command::{name_of, sha256, Auth, Command, Kind as SessionKind, AUDIT, CONTINUE};
use harness::fake::Reset;
use harness::tpm::{alg, attr, cap, cc, rc, rh};
use harness::wire::Put;

/// The bits of a response code that name the error, if it is about a parameter.
pub const FORMAT_ONE: u32 = 0xbf;

/// What a policy is extended with.
const EXTENSION: u32 = cc::SIGN;

/// The digest of a policy that was extended once more.
fn extended(digest: &[u8]) -> Vec<u8> {
    sha256(&[
        digest,
        &cc::POLICY_COMMAND_CODE.to_be_bytes(),
        &EXTENSION.to_be_bytes(),
    ])
}

impl World<'_> {
    /// He opens the node.
    pub fn open(&mut self, who: Who) {
        self.quietly(|w| {
            if let Err(errno) = w.sit(who) {
                assert_eq!(errno, 12, "only memory can be short");
                assert!(w.rig.is_starved());
            }
        });
    }

    /// He closes it; what is in files stays.
    pub fn close(&mut self, who: Who) {
        self.quietly(|w| {
            w.rise(who);
            for thing in w.things.iter_mut().filter(|thing| thing.who == who) {
                thing.state = State::Gone;
            }
        });
    }

    fn is_there(&self, who: Who) -> bool {
        self.seats[who as usize].is_some()
    }

    /// He loads a key of the null hierarchy.
    pub fn key(&mut self, who: Who, name: &'static str) {
        if !self.is_there(who) {
            return;
        }
        let made = self.act(who, cc::LOAD_EXTERNAL, &[], |seat, _| {
            seat.client.mac_key(name.as_bytes())
        });
        if let Ok(object) = made {
            self.add(who, name, object.handle, Kind::Key(object));
        }
    }

    /// He loads a public key of the owner's hierarchy.
    pub fn owners_key(&mut self, who: Who, name: &'static str) {
        if !self.is_there(who) {
            return;
        }
        let public = vec![]
            .u16(alg::KEYEDHASH)
            .u16(alg::SHA256)
            .u32(attr::USER_WITH_AUTH)
            .sized(name.as_bytes());
        let made = self.act(who, cc::LOAD_EXTERNAL, &[], |seat, _| {
            let params = vec![].sized(b"").sized(&public).u32(rh::OWNER);
            let reply = seat
                .client
                .run(Command::new(cc::LOAD_EXTERNAL).params(params))?;
            Ok(Object {
                handle: reply.handle.expect("a handle"),
                name: name_of(&public),
                auth: vec![],
            })
        });
        if let Ok(object) = made {
            self.add(who, name, object.handle, Kind::OwnersKey(object));
        }
    }

    /// He uses something for what it is for.
    pub fn uses(&mut self, who: Who, name: &str) {
        if let Some(n) = self.find(who, name) {
            let _ = self.use_thing(n);
        }
    }

    /// Uses a thing, and sees whether it is what it was.
    pub fn use_thing(&mut self, n: usize) -> Result<(), Mishap> {
        let who = self.things[n].who;
        match self.things[n].kind.clone() {
            Kind::Key(object) | Kind::OwnersKey(object) => {
                let name = self.act(who, cc::READ_PUBLIC, &[n], |seat, _| {
                    seat.client.read_public(object.handle)
                })?;
                let is_another = self.may_be_anothers(&self.things[n]);
                assert!(
                    name == object.name || is_another,
                    "G5: {:#x}",
                    object.handle
                );
                Ok(())
            }
            Kind::Policy(digests) => {
                let handle = self.things[n].handle;
                let digest = self.act(who, cc::POLICY_GET_DIGEST, &[n], |seat, _| {
                    seat.client.policy_digest(handle)
                })?;
                let is_another = self.may_be_anothers(&self.things[n]);
                assert!(digests.contains(&digest) || is_another, "G5: {handle:#x}");
                self.things[n].kind = Kind::Policy(vec![digest]);
                Ok(())
            }
            Kind::Hmac(_) => self.audit_random(n, AUDIT | CONTINUE),
            Kind::Sequence(_) => {
                let data = *b"more";
                self.update_thing(n, &data)
            }
        }
    }

    fn audit_random(&mut self, n: usize, attributes: u8) -> Result<(), Mishap> {
        let who = self.things[n].who;
        let used = self.act(who, cc::GET_RANDOM, &[n], |seat, things| {
            let Kind::Hmac(session) = &mut things[n].kind else {
                unreachable!("asked for it")
            };
            seat.client.audited_random(session.with(attributes, b""))
        });
        self.note_session(n, &used);
        used
    }

    /// A command whose answer is not known has rolled the nonces of its sessions.
    fn note_session<T>(&mut self, n: usize, used: &Result<T, Mishap>) {
        if matches!(used, Err(mishap) if mishap.may_have_run) {
            self.things[n].state = State::OutOfStep;
        }
    }

    /// He reads a key, audited by his session.
    pub fn read_with(&mut self, who: Who, key: &str, session: &str) {
        let (Some(k), Some(s)) = (self.find(who, key), self.find(who, session)) else {
            return;
        };
        let Kind::Key(object) = self.things[k].kind.clone() else {
            unreachable!("{key} is a key")
        };
        let read = self.act(who, cc::READ_PUBLIC, &[k, s], |seat, things| {
            let Kind::Hmac(session) = &mut things[s].kind else {
                unreachable!("{session} is an HMAC session")
            };
            let command = Command::new(cc::READ_PUBLIC)
                .named(object.handle, &object.name)
                .auth(session.with(AUDIT | CONTINUE, b""));
            seat.client.run(command).map(drop)
        });
        self.note_session(s, &read);
    }

    /// He uses a session for the last time: it ends with the command.
    pub fn ends(&mut self, who: Who, name: &str) {
        if let Some(n) = self.find(who, name) {
            let ended = self.audit_random(n, AUDIT);
            if ended.is_ok() {
                self.things[n].state = State::Gone;
            }
        }
    }

    /// He starts a sequence.
    pub fn sequence(&mut self, who: Who, name: &'static str) {
        if !self.is_there(who) {
            return;
        }
        let made = self.act(who, cc::HASH_SEQUENCE_START, &[], |seat, _| {
            seat.client.hash_start()
        });
        if let Ok(object) = made {
            // From here on it differs from all others.
            self.add(who, name, object.handle, Kind::Sequence(vec![vec![]]));
            let n = self.things.len() - 1;
            let _ = self.update_thing(n, name.as_bytes());
        }
    }

    fn update_thing(&mut self, n: usize, more: &[u8]) -> Result<(), Mishap> {
        let (who, handle) = (self.things[n].who, self.things[n].handle);
        let object = sequence(handle);
        let updated = self.act(who, cc::SEQUENCE_UPDATE, &[n], |seat, _| {
            seat.client.hash_update(&object, more)
        });
        let Kind::Sequence(old) = &mut self.things[n].kind else {
            unreachable!("asked for it")
        };
        let new = old.iter().map(|old| [&old[..], more].concat()).collect();
        match &updated {
            Ok(()) => *old = new,
            Err(mishap) if mishap.may_have_run => old.extend(new),
            Err(_) => {}
        }
        updated
    }

    /// He ends a sequence, and gets the digest of what it was given.
    pub fn complete(&mut self, who: Who, name: &str) {
        if let Some(n) = self.find(who, name) {
            let _ = self.complete_thing(n);
        }
    }

    pub fn complete_thing(&mut self, n: usize) -> Result<(), Mishap> {
        let (who, handle) = (self.things[n].who, self.things[n].handle);
        let object = sequence(handle);
        let digest = self.act(who, cc::SEQUENCE_COMPLETE, &[n], |seat, _| {
            seat.client.hash_complete(&object, b"end")
        });
        let Kind::Sequence(datas) = &self.things[n].kind else {
            unreachable!("asked for it")
        };
        match digest {
            Ok(digest) => {
                let is_it = |data: &Vec<u8>| digest == sha256(&[data, b"end"]);
                let is_another = self.may_be_anothers(&self.things[n]);
                assert!(datas.iter().any(is_it) || is_another, "G5: {handle:#x}");
                self.things[n].state = State::Gone;
                Ok(())
            }
            Err(mishap) => {
                if mishap.failure == GARBLED {
                    // The driver could read that it is gone.
                    self.things[n].state = State::Gone;
                } else if mishap.may_have_run {
                    self.things[n].state = State::Doubtful;
                }
                Err(mishap)
            }
        }
    }

    /// He starts a policy.
    pub fn policy(&mut self, who: Who, name: &'static str) {
        if let Some(handle) = self.start(who, SessionKind::Policy, |_| ()) {
            self.add(who, name, handle.0, Kind::Policy(vec![vec![0; 32]]));
        }
    }

    /// He extends a policy.
    pub fn extend(&mut self, who: Who, name: &str) {
        let Some(n) = self.find(who, name) else {
            return;
        };
        let handle = self.things[n].handle;
        let done = self.act(who, cc::POLICY_COMMAND_CODE, &[n], |seat, _| {
            seat.client.policy_command_code(handle, EXTENSION)
        });
        let Kind::Policy(digests) = &mut self.things[n].kind else {
            unreachable!("{name} is a policy")
        };
        let new: Vec<_> = digests.iter().map(|digest| extended(digest)).collect();
        match done {
            Ok(()) => *digests = new,
            Err(mishap) if mishap.may_have_run => digests.extend(new),
            Err(_) => {}
        }
    }

    /// He starts an HMAC session.
    pub fn hmac(&mut self, who: Who, name: &'static str) {
        let started = self.start(who, SessionKind::Hmac, |session| session);
        if let Some((handle, session)) = started {
            self.add(who, name, handle, Kind::Hmac(session));
        }
    }

    /// Starts a session, and waits for it if need be.
    fn start<T>(
        &mut self,
        who: Who,
        kind: SessionKind,
        f: impl FnOnce(harness::command::Session) -> T,
    ) -> Option<(u32, T)> {
        if !self.is_there(who) {
            return None;
        }
        let rig = self.rig;
        let started = self.act(who, cc::START_AUTH_SESSION, &[], |seat, _| {
            let mut start = seat.client.starting(kind);
            rig.wait(&seat.space, || start.send(&seat.client))
        });
        let session = started.ok()?;
        Some((session.handle, f(session)))
    }

    /// He saves a session to a file.
    pub fn save(&mut self, who: Who, name: &str, file: &'static str) {
        let Some(n) = self.find(who, name) else {
            return;
        };
        let handle = self.things[n].handle;
        let saved = self.act(who, cc::CONTEXT_SAVE, &[n], |seat, _| {
            seat.client.save(handle)
        });
        if let Ok(context) = saved {
            let thing = self.things[n].clone();
            self.things[n].state = State::Gone;
            self.files.push(File {
                name: file,
                context,
                thing,
            });
        }
    }

    /// He loads a session from a file.
    pub fn restore(&mut self, who: Who, file: &str) {
        if !self.is_there(who) {
            return;
        }
        if let Some(at) = self.files.iter().position(|known| known.name == file) {
            let _ = self.restore_file(who, at);
        }
    }

    pub fn restore_file(&mut self, who: Who, at: usize) -> Result<(), Mishap> {
        let mut file = self.files.remove(at);
        let context = file.context.clone();
        // What is judged are the things that are in somebody's hands.
        let n = self.things.len();
        self.things.push(file.thing.clone());
        let restored = self.act(who, cc::CONTEXT_LOAD, &[n], |seat, _| {
            restored(seat.client.restore(&context))
        });
        self.things.truncate(n);
        match restored {
            Ok(handle) => {
                assert_eq!(handle, file.thing.handle, "G5");
                file.thing.who = who;
                self.things.push(file.thing);
                Ok(())
            }
            Err(mishap) => {
                if mishap.may_have_run {
                    file.thing.state = State::Doubtful;
                }
                if !is_loss(mishap.failure) {
                    self.files.push(file);
                }
                Err(mishap)
            }
        }
    }

    /// He saves a key, and loads it again beside itself.
    pub fn copy_key(&mut self, who: Who, name: &str, copy: &'static str) {
        let Some(n) = self.find(who, name) else {
            return;
        };
        let Kind::Key(object) = self.things[n].kind.clone() else {
            unreachable!("{name} is a key")
        };
        let saved = self.act(who, cc::CONTEXT_SAVE, &[n], |seat, _| {
            seat.client.save(object.handle)
        });
        let Ok(context) = saved else {
            return;
        };
        if self.was_lied_to() {
            return;
        }
        self.note_copy(&object.name);
        let is_fault = self.is_about_a_fault();
        let loaded = self.act(who, cc::CONTEXT_LOAD, &[n], |seat, _| {
            match seat.client.restore(&context) {
                outcome if is_fault => outcome,
                outcome => restored(outcome),
            }
        });
        if let Ok(handle) = loaded {
            let object = Object { handle, ..object };
            self.add(who, copy, handle, Kind::Key(object));
        }
    }

    /// He flushes something.
    pub fn flush(&mut self, who: Who, name: &str) {
        if let Some(n) = self.find(who, name) {
            let handle = self.things[n].handle;
            let flushed = self.act(who, cc::FLUSH_CONTEXT, &[n], |seat, _| {
                seat.client.flush(handle)
            });
            match flushed {
                Ok(()) => self.things[n].state = State::Gone,
                Err(mishap) if mishap.may_have_run => self.things[n].state = State::Doubtful,
                Err(_) => {}
            }
        }
    }

    /// He asks what he has.
    pub fn list(&mut self, who: Who) {
        if !self.is_there(who) {
            return;
        }
        for first in [rh::TRANSIENT, rh::LOADED_SESSION] {
            let listed = self.act(who, cc::GET_CAPABILITY, &[], |seat, _| {
                seat.client.handles(first, 100)
            });
            let Ok((_, listed)) = listed else {
                continue;
            };
            let mine = |handle: &u32| (*handle >> 24 == 0x80) == (first == rh::TRANSIENT);
            let things: Vec<_> = (self.things.iter())
                .filter(|thing| thing.who == who && mine(&thing.handle))
                .filter(|thing| thing.state != State::Gone)
                .collect();
            for thing in &things {
                let is_listed = listed.contains(&thing.handle);
                let is_sure = self.state(thing) == State::Sure;
                assert!(is_listed || !is_sure, "G10: {} is not listed", thing.name);
            }
            let is_his = |handle: &u32| things.iter().any(|thing| thing.handle == *handle);
            let foreign: Vec<_> = listed.iter().filter(|handle| !is_his(handle)).collect();
            assert!(foreign.len() <= self.unread, "G4: {foreign:x?} are listed");
        }
    }

    /// He asks for properties, and for what is loaded in a protected question.
    pub fn ask(&mut self, who: Who, session: &str) {
        if !self.is_there(who) {
            return;
        }
        if let Some(n) = self.find(who, session) {
            let question = vec![].u32(cap::HANDLES).u32(rh::TRANSIENT).u32(100);
            let told = self.act(who, cc::GET_CAPABILITY, &[n], |seat, things| {
                let Kind::Hmac(session) = &mut things[n].kind else {
                    unreachable!("{session} is an HMAC session")
                };
                let audit: Auth<'_> = session.with(AUDIT | CONTINUE, b"");
                let command = Command::new(cc::GET_CAPABILITY)
                    .auth(audit)
                    .params(question);
                seat.client.run(command).map(drop)
            });
            self.note_session(n, &told);
        }
    }

    /// He asks for random numbers.
    pub fn random(&mut self, who: Who) {
        if self.is_there(who) {
            let _ = self.act(who, cc::GET_RANDOM, &[], |seat, _| seat.client.random());
        }
    }

    /// He clears the TPM: the owner changes.
    pub fn clear(&mut self, who: Who) {
        if !self.is_there(who) {
            return;
        }
        let cleared = self.act(who, cc::CLEAR, &[], |seat, _| seat.client.clear());
        self.was_cleared = true;
        let becomes = match cleared {
            Ok(()) => State::Lost,
            Err(mishap) if mishap.may_have_run => State::Doubtful,
            Err(_) => return,
        };
        for thing in &mut self.things {
            if matches!(thing.kind, Kind::OwnersKey(_)) && thing.state != State::Gone {
                thing.state = becomes;
            }
        }
    }

    /// Somebody else uses the TPM; where that is announced, what is loaded leaves before.
    pub fn others_come(&mut self) {
        self.quietly(|w| {
            w.rig.raw().random().expect("it is not his fault");
        });
    }

    /// Nobody does anything for so long, and the alarm goes off.
    pub fn pass(&mut self, ms: u64) {
        self.quietly(|w| w.rig.pass(ms));
    }

    /// The system sleeps: the TPM loses what is loaded, but for those whose driver did not know of it.
    pub fn suspend(&mut self) {
        if self.residency == Residency::Stay {
            self.rig.set_idle(0);
        }
        self.others_come();
        self.cut_power(Reset::Loaded);
        if self.residency == Residency::Stay {
            self.rig.set_idle(IDLE);
        }
    }
}

/// A context of what was lost means nothing to the TPM, or to the driver.
fn restored(outcome: Outcome<u32>) -> Outcome<u32> {
    match outcome {
        Err(Failure::Rc(code)) if matches!(code & FORMAT_ONE, rc::HANDLE | rc::INTEGRITY) => {
            Err(Failure::Rc(rc::LOST_H0))
        }
        outcome => outcome,
    }
}

fn sequence(handle: u32) -> Object {
    Object {
        handle,
        name: vec![],
        auth: vec![],
    }
}
