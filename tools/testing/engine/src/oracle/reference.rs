// SPDX-License-Identifier: GPL-2.0

//! The simplest manager of a TPM that nobody else uses: it keeps the context of everything, loads what a
//! command names, and takes all of it out again. It shares nothing with the engine.

mod names;

pub use names::Unknown;

use super::seat::{client_of, Side, NO_SESSION};
use crate::chip::Device;
use crate::private::Private;
use crate::tpm::{cap, cc, rh, NO_SESSIONS};
use crate::wire::{answer, command_code, response_code, su, Get, Put};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The last slot, which is free: no command names as many objects as there are slots.
const NO_OBJECT: u32 = 0x8000_0002;

/// TPMA_CC: the command may end what it does not name, ends what it names, and has a handle in its response.
const EXTENSIVE: u32 = 1 << 23;
const FLUSHED: u32 = 1 << 24;
const R_HANDLE: u32 = 1 << 28;

/// What a descriptor has.
#[derive(Default)]
struct Desk {
    /// How many objects it ever had.
    made: u32,
    objects: BTreeMap<u32, Vec<u8>>,
    lost: BTreeSet<u32>,
    /// Objects that were gone after a command that ends what it does not name, and were not named alone since
    /// then: a manager may or may not have noticed.
    undecided: BTreeSet<u32>,
    sessions: BTreeSet<u32>,
}

/// What a descriptor has.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holdings {
    /// Without those that may have gone.
    pub objects: u32,
    pub sessions: u32,
    /// Objects that may have gone.
    pub undecided: Vec<u32>,
    /// All sessions, of all clients together.
    pub active: u32,
}

/// The manager of one client's TPM.
pub struct Reference {
    tpm: Private,
    /// TPMA_CC by command code.
    attributes: HashMap<u32, u32>,
    desks: HashMap<usize, Desk>,
    /// The newest context of each session, by its number.
    saved: HashMap<u32, Vec<u8>>,
    /// Sessions whose context the client has asked for.
    detached: BTreeSet<u32>,
}

impl Reference {
    /// A new TPM.
    pub fn start(program: &Path) -> Self {
        let mut this = Self {
            tpm: Private::start(program),
            attributes: HashMap::new(),
            desks: HashMap::new(),
            saved: HashMap::new(),
            detached: BTreeSet::new(),
        };
        let list = this.capability(cap::COMMANDS, 0, 254);
        this.attributes = list.into_iter().map(|cc| (cc & 0x2000_ffff, cc)).collect();
        this
    }

    /// Executes a command beside the manager, which has nothing loaded.
    pub fn raw(&mut self, command: &[u8]) -> Vec<u8> {
        let response = self.tpm.process(command);
        self.survey_after(command, &response);
        response
    }

    /// Looks which objects are left after a command that ends what it does not name.
    fn survey_after(&mut self, command: &[u8], response: &[u8]) {
        let attributes = self.attributes.get(&command_code(command));
        let is_extensive = attributes.is_some_and(|attributes| attributes & EXTENSIVE != 0);
        if !is_extensive || response_code(response) != 0 {
            return;
        }
        let whose: Vec<usize> = self.desks.keys().copied().collect();
        for who in whose {
            for (handle, context) in self.desk(who).objects.clone() {
                match self.load(&context) {
                    Ok(physical) => drop(self.flush(physical)),
                    Err(_) => drop(self.desk(who).undecided.insert(handle)),
                }
            }
        }
    }

    /// A list of words.
    fn capability(&mut self, capability: u32, first: u32, count: u32) -> Vec<u32> {
        let question = command(
            cc::GET_CAPABILITY,
            &vec![].u32(capability).u32(first).u32(count),
        );
        let response = self.tpm.process(&question);
        let mut get = Get(&response[15..]);
        let words = get.u32();
        let each = if capability == cap::TPM_PROPERTIES {
            2
        } else {
            1
        };
        (0..words * each).map(|_| get.u32()).collect()
    }

    /// A property of the TPM.
    pub fn property(&mut self, property: u32) -> u32 {
        self.capability(cap::TPM_PROPERTIES, property, 1)[1]
    }

    /// What a descriptor has.
    pub fn holdings(&mut self, who: usize) -> Holdings {
        let desk = self.desk(who);
        Holdings {
            objects: su(desk
                .objects
                .keys()
                .filter(|h| !desk.undecided.contains(h))
                .count()),
            sessions: su(desk.sessions.len()),
            undecided: desk.undecided.iter().copied().collect(),
            active: 0,
        }
    }

    /// How many sessions there are in all.
    pub fn active(&self) -> usize {
        self.saved.len()
    }

    fn save(&mut self, handle: u32) -> Result<Vec<u8>, u32> {
        let response = self
            .tpm
            .process(&command(cc::CONTEXT_SAVE, &handle.to_be_bytes()));
        match response_code(&response) {
            0 => Ok(response[10..].to_vec()),
            rc => Err(rc),
        }
    }

    fn load(&mut self, context: &[u8]) -> Result<u32, u32> {
        let response = self.tpm.process(&command(cc::CONTEXT_LOAD, context));
        match response_code(&response) {
            0 => Ok(Get(&response[10..]).u32()),
            rc => Err(rc),
        }
    }

    fn flush(&mut self, handle: u32) -> Vec<u8> {
        self.tpm
            .process(&command(cc::FLUSH_CONTEXT, &handle.to_be_bytes()))
    }

    /// Executes a command of a descriptor.
    pub fn send(&mut self, who: usize, bytes: &[u8]) -> Vec<u8> {
        self.desks.entry(who).or_default();
        let tag = bytes.get(..2).map_or(0, |two| Get(two).u16());
        let only = (bytes.len() == 14).then(|| Get(&bytes[10..]).u32());
        match (command_code(bytes), tag, only) {
            (cc::FLUSH_CONTEXT, NO_SESSIONS, Some(handle)) => self.flush_client(who, handle),
            (cc::CONTEXT_SAVE, NO_SESSIONS, Some(handle)) if matches!(handle >> 24, 2 | 3) => {
                self.save_client(who, handle)
            }
            (cc::GET_CAPABILITY, NO_SESSIONS, _) if bytes.len() == 22 => self
                .list(who, bytes)
                .unwrap_or_else(|| self.execute(who, bytes)),
            _ => self.execute(who, bytes),
        }
    }

    fn desk(&mut self, who: usize) -> &mut Desk {
        self.desks.entry(who).or_default()
    }

    fn flush_client(&mut self, who: usize, handle: u32) -> Vec<u8> {
        let desk = self.desk(who);
        if desk.remove(handle) || desk.lost.remove(&handle) {
            return answer(0);
        }
        match handle >> 24 {
            0x80 => self.flush(NO_OBJECT),
            2 | 3 => {
                let number = handle & 0x00ff_ffff;
                let detached = self.detached.iter().find(|s| **s & 0x00ff_ffff == number);
                let detached = detached.copied();
                let desk = self.desk(who);
                let own = desk.session(handle);
                match own.or(detached) {
                    Some(session) => {
                        desk.sessions.remove(&session);
                        self.detached.remove(&session);
                        self.saved.remove(&session);
                        self.flush(session)
                    }
                    None => self.flush(handle & 0xff00_0000 | NO_SESSION),
                }
            }
            _ => self.flush(handle),
        }
    }

    /// The client gets the session's context, and the session.
    fn save_client(&mut self, who: usize, handle: u32) -> Vec<u8> {
        let Some(session) = self.desk(who).session(handle) else {
            return self.tpm.process(&command(
                cc::CONTEXT_SAVE,
                &(handle & 0xff00_0000 | NO_SESSION).to_be_bytes(),
            ));
        };
        let context = self.saved[&session].clone();
        self.load(&context)
            .expect("the newest context of a session");
        let save = command(cc::CONTEXT_SAVE, &session.to_be_bytes());
        let response = self.tpm.process(&save);
        self.desk(who).sessions.remove(&session);
        self.detached.insert(session);
        self.saved.insert(session, response[10..].to_vec());
        response
    }

    /// The lists of what is the descriptor's own. Those of sessions are complete, whatever the question is.
    fn list(&mut self, who: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut get = Get(&bytes[10..]);
        let (capability, first, count) = (get.u32(), get.u32(), get.u32());
        if capability != cap::HANDLES {
            return None;
        }
        let count = count.min(254) as usize;
        let (more, handles): (bool, Vec<u32>) = match first >> 24 {
            0x80 => {
                let desk = self.desk(who);
                let all: Vec<u32> = desk.objects.range(first..).map(|(h, _)| *h).collect();
                (all.len() > count, all.into_iter().take(count).collect())
            }
            2 => (false, self.desk(who).sessions.iter().copied().collect()),
            3 => (false, self.detached.iter().copied().collect()),
            _ => return None,
        };
        let mut body = vec![]
            .u8(more.into())
            .u32(capability)
            .u32(su(handles.len()));
        for handle in handles {
            body = body.u32(handle);
        }
        Some(
            vec![]
                .u16(NO_SESSIONS)
                .u32(su(10 + body.len()))
                .u32(0)
                .bytes(&body),
        )
    }

    fn execute(&mut self, who: usize, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let mut objects: Vec<(u32, u32)> = vec![];
        let mut sessions: BTreeSet<u32> = BTreeSet::new();
        for mention in self.mentions(&bytes) {
            let physical = match mention.handle >> 24 {
                0x80 => self.bring_object(who, mention.handle, &mut objects),
                2 | 3 => self.bring_session(who, mention.handle, &mut sessions),
                _ => continue,
            };
            bytes[mention.at..mention.at + 4].copy_from_slice(&physical.to_be_bytes());
        }
        let mut response = self.tpm.process(&bytes);
        let code = command_code(&bytes);
        let done = response_code(&response) == 0;
        let attributes = self.attributes.get(&code).copied().unwrap_or_default();
        for (own, physical) in objects {
            if done && attributes & FLUSHED != 0 {
                self.desk(who).remove(own);
                continue;
            }
            let saved = self.save(physical);
            self.flush(physical);
            let desk = self.desk(who);
            match saved {
                Ok(context) => drop(desk.objects.insert(own, context)),
                Err(_) => desk.lose(own),
            }
        }
        for session in sessions {
            match self.save(session) {
                Ok(context) => drop(self.saved.insert(session, context)),
                Err(_) => {
                    self.saved.remove(&session);
                    self.desk(who).sessions.remove(&session);
                }
            }
        }
        self.survey_after(&bytes, &response);
        if done && attributes & R_HANDLE != 0 {
            self.welcome(who, &mut response);
        }
        response
    }

    /// Loads an object of the descriptor's, once; the handle that it has in the TPM.
    fn bring_object(&mut self, who: usize, handle: u32, loaded: &mut Vec<(u32, u32)>) -> u32 {
        if let Some((_, physical)) = loaded.iter().find(|(own, _)| *own == handle) {
            return *physical;
        }
        let Some(context) = self.desk(who).objects.get(&handle).cloned() else {
            return NO_OBJECT;
        };
        match self.load(&context) {
            Ok(physical) => {
                loaded.push((handle, physical));
                physical
            }
            // It was found to be gone before, beside others.
            Err(_) => NO_OBJECT,
        }
    }

    fn bring_session(&mut self, who: usize, handle: u32, loaded: &mut BTreeSet<u32>) -> u32 {
        let Some(session) = self.desk(who).session(handle) else {
            return handle & 0xff00_0000 | NO_SESSION;
        };
        if loaded.insert(session) {
            let context = self.saved[&session].clone();
            self.load(&context)
                .expect("the newest context of a session");
        }
        handle
    }

    /// Something new, in the place of whose handle its own is put.
    fn welcome(&mut self, who: usize, response: &mut [u8]) {
        let physical = Get(&response[10..]).u32();
        let context = self.save(physical).expect("what was just made");
        if physical >> 24 != 0x80 {
            self.saved.insert(physical, context);
            self.detached.remove(&physical);
            self.desk(who).sessions.insert(physical);
            return;
        }
        self.flush(physical);
        let desk = self.desk(who);
        let handle = rh::TRANSIENT + desk.made;
        desk.made += 1;
        desk.objects.insert(handle, context);
        response[10..14].copy_from_slice(&handle.to_be_bytes());
    }

    /// Closes a descriptor.
    pub fn close(&mut self, who: usize) {
        let desk = self.desks.remove(&who).unwrap_or_default();
        for session in desk.sessions {
            self.saved.remove(&session);
            self.flush(session);
        }
    }
}

impl Desk {
    fn session(&self, handle: u32) -> Option<u32> {
        let number = handle & 0x00ff_ffff;
        let own = |session: &&u32| **session & 0x00ff_ffff == number;
        self.sessions.iter().find(own).copied()
    }

    fn has_session(&self, handle: u32) -> bool {
        self.session(handle).is_some()
    }

    fn remove(&mut self, handle: u32) -> bool {
        self.undecided.remove(&handle);
        self.objects.remove(&handle).is_some()
    }

    fn lose(&mut self, handle: u32) {
        self.remove(handle);
        self.lost.insert(handle);
    }
}

/// A command without authorizations.
fn command(code: u32, body: &[u8]) -> Vec<u8> {
    crate::command::header(NO_SESSIONS, code, body)
}

/// All clients, each with a TPM of its own.
pub struct Privates(pub Vec<Reference>);

impl Side for Privates {
    fn send(&mut self, who: usize, bytes: &[u8]) -> Result<Vec<u8>, i32> {
        Ok(self.0[client_of(who)].send(who, bytes))
    }

    fn close(&mut self, who: usize) {
        self.0[client_of(who)].close(who);
    }

    fn has_one_tpm(&self) -> bool {
        false
    }
}
