// SPDX-License-Identifier: GPL-2.0

//! The model's contexts: slots of objects, sessions active, loaded and saved, and the context counter.

use super::{Model, Numbers};
use crate::command::{hmac, name_of, Kind};
use crate::tpm::{cap, rc, rh};
use crate::wire::{su, Get, Put};

/// What authenticates the blobs.
const SECRET: &[u8] = b"the model's proof";

/// An object is its public area, or a sequence.
#[derive(Clone, Default)]
pub struct Object {
    pub public: Vec<u8>,
    pub is_sequence: bool,
}

/// A session in memory.
#[derive(Clone)]
pub struct Session {
    pub kind: Kind,
    pub nonce: Vec<u8>,
}

#[derive(Clone)]
enum Active {
    Loaded(Session),
    /// Outside, in the one blob with this number.
    Saved(u64),
}

pub struct Contexts {
    model: Model,
    objects: Vec<Option<Object>>,
    sessions: Vec<Option<Active>>,
    /// The number of the next session context.
    counter: u64,
    first: u64,
    /// The number of the next object context.
    object_counter: u64,
    /// How many sessions were started, and which number came last.
    started: usize,
    last: usize,
}

fn index(handle: u32) -> usize {
    (handle & 0x00ff_ffff) as usize
}

fn is_session(handle: u32) -> bool {
    matches!(handle >> 24, 2 | 3)
}

fn blob(sequence: u64, handle: u32, payload: &[u8]) -> Vec<u8> {
    let head = vec![].u64(sequence).u32(handle).u32(rh::NULL);
    let mac = hmac(SECRET, &[&head, payload]);
    head.sized(&vec![].sized(&mac).bytes(payload))
}

impl Contexts {
    pub fn new(model: Model) -> Self {
        let first = model.loaded_sessions as u64 + 1;
        Self {
            model,
            objects: vec![None; model.object_slots],
            sessions: vec![None; model.active_sessions],
            counter: first,
            first,
            object_counter: 0,
            started: 0,
            last: model.active_sessions - 1,
        }
    }

    pub fn sessions_saved(&self) -> u64 {
        self.counter - self.first
    }

    fn free_loaded(&self) -> usize {
        let loaded = |s: &&Option<Active>| matches!(s, Some(Active::Loaded(_)));
        self.model.loaded_sessions - self.sessions.iter().filter(loaded).count()
    }

    /// The number of the oldest saved session, if the gap to it is as wide as it may be.
    fn closed(&self) -> Option<u64> {
        let saved = |s: &Option<Active>| match s {
            Some(Active::Saved(number)) => Some(*number),
            _ => None,
        };
        let oldest = self.sessions.iter().filter_map(saved).min()?;
        (self.counter - oldest > self.model.gap).then_some(oldest)
    }

    pub fn is_loaded(&self, handle: u32) -> bool {
        match handle >> 24 {
            0x80 => matches!(self.objects.get(index(handle)), Some(Some(_))),
            // There is every persistent object.
            0x81 => true,
            2 | 3 => self.find(handle).is_some(),
            _ => handle == rh::NULL,
        }
    }

    fn find(&self, handle: u32) -> Option<&Session> {
        match self.sessions.get(index(handle)) {
            Some(Some(Active::Loaded(s))) if handle >> 24 == kind_of(s) => Some(s),
            _ => None,
        }
    }

    /// The loaded session with this handle.
    pub fn session(&mut self, handle: u32) -> Option<&mut Session> {
        if !is_session(handle) {
            return None;
        }
        match self.sessions.get_mut(index(handle)) {
            Some(Some(Active::Loaded(s))) if handle >> 24 == kind_of(s) => Some(s),
            _ => None,
        }
    }

    pub fn public(&self, handle: u32) -> Vec<u8> {
        match self.objects.get(index(handle)) {
            Some(Some(object)) if handle >> 24 == 0x80 => object.public.clone(),
            _ => vec![],
        }
    }

    fn is_sequence(&self, handle: u32) -> bool {
        matches!(self.objects.get(index(handle)), Some(Some(object)) if object.is_sequence)
    }

    pub fn name(&self, handle: u32) -> Vec<u8> {
        match handle >> 24 {
            0x80 => name_of(&self.public(handle)),
            _ => handle.to_be_bytes().to_vec(),
        }
    }

    /// Puts an object into a free slot.
    pub fn place(&mut self, object: Object) -> Result<u32, u32> {
        let free = self.objects.iter().position(Option::is_none);
        let slot = free.ok_or(self.model.objects_full)?;
        self.objects[slot] = Some(object);
        Ok(rh::TRANSIENT + su(slot))
    }

    /// Starts a session.
    pub fn start(&mut self, kind: Kind, nonce: &[u8]) -> Result<u32, u32> {
        match self.free_loaded() {
            0 => return Err(rc::SESSION_MEMORY),
            1 if self.closed().is_some() => return Err(rc::CONTEXT_GAP),
            _ => {}
        }
        let slot = self.free_number().ok_or(rc::SESSION_HANDLES)?;
        self.started += 1;
        self.last = slot;
        let session = Session {
            kind,
            nonce: nonce.to_vec(),
        };
        let handle = (kind_of(&session) << 24) + su(slot);
        self.sessions[slot] = Some(Active::Loaded(session));
        Ok(handle)
    }

    /// The number that the next session gets.
    fn free_number(&self) -> Option<usize> {
        let is_free = |n: &usize| self.sessions[*n].is_none();
        let count = self.sessions.len();
        match self.model.numbers {
            Numbers::Lowest => (0..count).find(is_free),
            Numbers::RoundRobin => (1..=count).map(|n| (self.last + n) % count).find(is_free),
            Numbers::Random => {
                let free: Vec<usize> = (0..count).filter(is_free).collect();
                let dice = crate::command::sha256(&[b"number", &self.started.to_be_bytes()]);
                free.get(usize::from(dice[0]) % free.len().max(1)).copied()
            }
        }
    }

    pub fn save(&mut self, handle: u32) -> Result<Vec<u8>, u32> {
        if !is_session(handle) {
            self.object_counter += 1;
            let saved = rh::TRANSIENT + u32::from(self.is_sequence(handle));
            return Ok(blob(self.object_counter, saved, &self.public(handle)));
        }
        if self.closed().is_some() {
            return Err(rc::CONTEXT_GAP);
        }
        let session = self.find(handle).ok_or(rc::HANDLE + rc::H1)?;
        let payload = vec![].u8(session.kind as u8).sized(&session.nonce);
        let number = self.counter;
        self.counter += 1;
        self.sessions[index(handle)] = Some(Active::Saved(number));
        Ok(blob(number, handle, &payload))
    }

    pub fn load(&mut self, context: &[u8]) -> Result<u32, u32> {
        let integrity = rc::INTEGRITY + rc::P1;
        let mut get = Get(context);
        let (sequence, handle) = (get.u64(), get.u32());
        get.u32();
        let mut inner = Get(get.sized());
        inner.sized();
        let payload = inner.0;
        if blob(sequence, handle, payload) != context {
            return Err(integrity);
        }
        if !is_session(handle) {
            return self.place(Object {
                public: payload.to_vec(),
                is_sequence: handle == rh::TRANSIENT + 1,
            });
        }
        match self.sessions[index(handle)] {
            Some(Active::Saved(number)) if number == sequence => {}
            _ => return Err(rc::HANDLE + rc::P1),
        }
        match self.free_loaded() {
            0 => return Err(rc::SESSION_MEMORY),
            1 if self.closed().is_some_and(|oldest| oldest != sequence) => {
                return Err(rc::CONTEXT_GAP)
            }
            _ => {}
        }
        let mut get = Get(payload);
        let kind = match get.u8() {
            0 => Kind::Hmac,
            1 => Kind::Policy,
            _ => Kind::Trial,
        };
        let nonce = get.sized().to_vec();
        self.sessions[index(handle)] = Some(Active::Loaded(Session { kind, nonce }));
        Ok(handle)
    }

    /// Flushes an object, or a session, loaded or saved.
    pub fn flush(&mut self, handle: u32) -> Option<()> {
        if is_session(handle) {
            self.sessions.get_mut(index(handle))?.take().map(drop)
        } else {
            self.objects.get_mut(index(handle))?.take().map(drop)
        }
    }

    /// The handles of the range of `first` from there on.
    pub fn handles(&self, first: u32) -> Vec<u32> {
        let from = |base: u32| (index(first)..).map(move |n| base + su(n));
        let objects = self.objects.iter().skip(index(first));
        let sessions = self.sessions.iter().skip(index(first));
        match first >> 24 {
            0x80 => from(rh::TRANSIENT)
                .zip(objects)
                .filter_map(|(handle, o)| o.is_some().then_some(handle))
                .collect(),
            2 => from(0)
                .zip(sessions)
                .filter_map(|(n, s)| match s {
                    Some(Active::Loaded(s)) => Some((kind_of(s) << 24) + n),
                    _ => None,
                })
                .collect(),
            3 => from(rh::HMAC_SESSION)
                .zip(sessions)
                .filter_map(|(handle, s)| matches!(s, Some(Active::Saved(_))).then_some(handle))
                .collect(),
            _ => vec![],
        }
    }

    pub fn properties(&self) -> Vec<(u32, u32)> {
        let model = &self.model;
        let active = self.sessions.iter().flatten().count();
        let free_objects = self.objects.iter().filter(|o| o.is_none()).count();
        vec![
            (cap::PT_HR_TRANSIENT_MIN, su(model.object_slots)),
            (cap::PT_HR_LOADED_MIN, su(model.loaded_sessions)),
            (cap::PT_ACTIVE_SESSIONS_MAX, su(model.active_sessions)),
            (
                cap::PT_CONTEXT_GAP_MAX,
                u32::try_from(model.gap).expect("a gap has 32 bits"),
            ),
            (cap::PT_MAX_COMMAND_SIZE, 4096),
            (cap::PT_MAX_RESPONSE_SIZE, 4096),
            (cap::PT_MAX_OBJECT_CONTEXT, 1024),
            (cap::PT_MAX_SESSION_CONTEXT, 256),
            (cap::PT_TOTAL_COMMANDS, su(super::commands().count())),
            (
                cap::PT_HR_LOADED,
                su(model.loaded_sessions - self.free_loaded()),
            ),
            (cap::PT_HR_LOADED_AVAIL, su(self.free_loaded())),
            (cap::PT_HR_ACTIVE, su(active)),
            (cap::PT_HR_ACTIVE_AVAIL, su(model.active_sessions - active)),
            (cap::PT_HR_TRANSIENT_AVAIL, su(free_objects)),
        ]
    }
}

/// The first byte of a session's handle.
fn kind_of(session: &Session) -> u32 {
    match session.kind {
        Kind::Hmac => 2,
        Kind::Policy | Kind::Trial => 3,
    }
}
