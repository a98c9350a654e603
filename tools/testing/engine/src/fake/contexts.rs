// SPDX-License-Identifier: GPL-2.0

//! The model's contexts: slots of objects, sessions active, loaded and saved, and the context counter.

use super::{Model, Numbers};
use crate::command::{hmac, name_of, Kind};
use crate::tpm::{cap, cc, rc, rh};
use crate::wire::{su, Get, Put};

/// What authenticates the blobs.
const SECRET: &[u8] = b"the model's proof";

/// An object is its public area, or a sequence.
#[derive(Clone, Default)]
pub struct Object {
    pub public: Vec<u8>,
    pub is_sequence: bool,
    /// What the sequence was given.
    pub data: Vec<u8>,
    pub hierarchy: u32,
    /// Whether there is a context of it.
    pub is_saved: bool,
}

/// What a TPM keeps when its power comes back (Part 1, 12.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// TPM Reset: nothing, and no context can be loaded any more.
    All,
    /// TPM Restart and TPM Resume: what is saved outside.
    Loaded,
}

/// A session in memory.
#[derive(Clone)]
pub struct Session {
    pub kind: Kind,
    pub nonce: Vec<u8>,
    /// The digest of a policy.
    pub digest: Vec<u8>,
}

impl Session {
    pub fn new(kind: Kind, nonce: &[u8]) -> Self {
        Self {
            kind,
            nonce: nonce.to_vec(),
            digest: vec![0; 32],
        }
    }
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
    /// How often the TPM was reset, and its owner changed: what is saved under another count is worth nothing.
    resets: u64,
    owners: u64,
    /// resetCount and restartCount: what the TPM says of resets.
    counts: [u32; 2],
}

fn index(handle: u32) -> usize {
    (handle & 0x00ff_ffff) as usize
}

fn is_session(handle: u32) -> bool {
    matches!(handle >> 24, 2 | 3)
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
            resets: 0,
            owners: 0,
            counts: [1, 0],
        }
    }

    /// A context: what it holds is authenticated, and padded to the size of the model's contexts.
    fn blob(&self, sequence: u64, handle: u32, hierarchy: u32, payload: &[u8]) -> Vec<u8> {
        let head = vec![].u64(sequence).u32(handle).u32(hierarchy);
        let owners = if hierarchy == rh::NULL {
            0
        } else {
            self.owners
        };
        let counts = vec![].u64(self.resets).u64(owners);
        let mac = hmac(SECRET, &[&counts, &head, payload]);
        let mut inner = vec![].sized(&mac).sized(payload);
        inner.resize(
            inner
                .len()
                .max(self.model.context_size.saturating_sub(head.len() + 2)),
            0,
        );
        head.sized(&inner)
    }

    /// The power was cut, and the TPM started again.
    pub fn reset(&mut self, reset: Reset) {
        self.objects.fill(None);
        for session in &mut self.sessions {
            if reset == Reset::All || matches!(session, Some(Active::Loaded(_))) {
                *session = None;
            }
        }
        let [resets, restarts] = self.counts;
        match reset {
            Reset::All => {
                self.resets += 1;
                self.counter = self.first;
                self.counts = [resets + 1, 0];
            }
            Reset::Loaded => self.counts = [resets, restarts + 1],
        }
    }

    /// The owner changed: what belongs to him is gone, loaded or saved.
    pub fn clear(&mut self) {
        self.owners += 1;
        self.counts = [0, 0];
        for object in &mut self.objects {
            if object
                .as_ref()
                .is_some_and(|object| object.hierarchy != rh::NULL)
            {
                *object = None;
            }
        }
    }

    /// TPMS_TIME_INFO; no time passes here.
    pub fn time_info(&self) -> Vec<u8> {
        let [resets, restarts] = self.counts;
        vec![].u64(0).u64(0).u32(resets).u32(restarts).u8(1)
    }

    /// How many slots are free: of objects, and of loaded sessions.
    pub fn free(&self) -> [usize; 2] {
        let free_objects = self.objects.iter().filter(|o| o.is_none()).count();
        [free_objects, self.free_loaded()]
    }

    pub fn sessions_saved(&self) -> u64 {
        self.counter - self.first
    }

    fn free_loaded(&self) -> usize {
        let loaded = |s: &&Option<Active>| matches!(s, Some(Active::Loaded(_)));
        self.model.loaded_sessions - self.sessions.iter().filter(loaded).count()
    }

    /// Lets the counter run on, as far as the gap to the oldest saved session allows. Whoever saves a session
    /// needs a slot for it.
    pub fn close_gap(&mut self) {
        if let Some(oldest) = self.oldest().filter(|_| self.free_loaded() > 0) {
            self.counter = self.counter.max(oldest + self.model.gap + 1);
        }
    }

    fn oldest(&self) -> Option<u64> {
        let saved = |s: &Option<Active>| match s {
            Some(Active::Saved(number)) => Some(*number),
            _ => None,
        };
        self.sessions.iter().filter_map(saved).min()
    }

    /// The number of the oldest saved session, if the gap to it is as wide as it may be.
    fn closed(&self) -> Option<u64> {
        let oldest = self.oldest()?;
        (self.counter - oldest > self.model.gap).then_some(oldest)
    }

    pub fn is_loaded(&self, handle: u32) -> bool {
        match handle >> 24 {
            0x80 => matches!(self.objects.get(index(handle)), Some(Some(_))),
            // There is every persistent object.
            0x81 => true,
            2 | 3 => self.find(handle).is_some(),
            // So is every hierarchy.
            _ => handle >> 24 == 0x40,
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

    /// The loaded object with this handle.
    pub fn object(&mut self, handle: u32) -> Option<&mut Object> {
        let is_object = handle >> 24 == 0x80;
        self.objects
            .get_mut(index(handle))?
            .as_mut()
            .filter(|_| is_object)
    }

    pub fn name(&self, handle: u32) -> Vec<u8> {
        match handle >> 24 {
            // A sequence has none.
            0x80 if self.public(handle).is_empty() => vec![],
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
        let session = Session::new(kind, nonce);
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
            let object = self.object(handle).ok_or(rc::HANDLE + rc::H1)?;
            object.is_saved = true;
            let object = object.clone();
            self.object_counter += 1;
            let saved = rh::TRANSIENT + u32::from(object.is_sequence);
            let payload = vec![].sized(&object.public).sized(&object.data);
            return Ok(self.blob(self.object_counter, saved, object.hierarchy, &payload));
        }
        if self.closed().is_some() {
            return Err(rc::CONTEXT_GAP);
        }
        let session = self.find(handle).ok_or(rc::HANDLE + rc::H1)?;
        let payload = vec![]
            .u8(session.kind as u8)
            .sized(&session.nonce)
            .sized(&session.digest);
        let number = self.counter;
        self.counter += 1;
        self.sessions[index(handle)] = Some(Active::Saved(number));
        Ok(self.blob(number, handle, rh::NULL, &payload))
    }

    pub fn load(&mut self, context: &[u8]) -> Result<u32, u32> {
        let integrity = rc::INTEGRITY + rc::P1;
        let mut get = Get(context);
        let (sequence, handle, hierarchy) = (get.u64(), get.u32(), get.u32());
        let mut inner = Get(get.sized());
        inner.sized();
        let payload = inner.sized();
        if self.blob(sequence, handle, hierarchy, payload) != context {
            return Err(integrity);
        }
        let mut get = Get(payload);
        if !is_session(handle) {
            return self.place(Object {
                public: get.sized().to_vec(),
                is_sequence: handle == rh::TRANSIENT + 1,
                data: get.sized().to_vec(),
                hierarchy,
                is_saved: true,
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
        let kind = match get.u8() {
            0 => Kind::Hmac,
            1 => Kind::Policy,
            _ => Kind::Trial,
        };
        let session = Session {
            kind,
            nonce: get.sized().to_vec(),
            digest: get.sized().to_vec(),
        };
        self.sessions[index(handle)] = Some(Active::Loaded(session));
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

    /// The commands that it has.
    pub fn commands(&self) -> impl Iterator<Item = (u32, u32, bool)> {
        let has_clock = self.model.has_clock;
        super::commands().filter(move |(code, _, _)| has_clock || *code != cc::READ_CLOCK)
    }

    pub fn properties(&self) -> Vec<(u32, u32)> {
        let model = &self.model;
        let active = self.sessions.iter().flatten().count();
        let [free_objects, _] = self.free();
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
            (cap::PT_MAX_OBJECT_CONTEXT, su(model.context_size.max(1024))),
            (cap::PT_MAX_SESSION_CONTEXT, su(model.context_size.max(256))),
            (cap::PT_TOTAL_COMMANDS, su(self.commands().count())),
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
