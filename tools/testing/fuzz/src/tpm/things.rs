// SPDX-License-Identifier: GPL-2.0

//! Slots of objects, sessions active, loaded and saved, and the context counter (Part 1, 30).

use harness::tpm::{cap, rc, rh};
use harness::wire::{su, Put};

/// In which order a TPM gives numbers to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Always the lowest that is free.
    Lowest,
    /// The next one that is free, after the one that was given last.
    RoundRobin,
}

/// What the TPM is like.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub object_slots: usize,
    /// What it says when they are taken: OBJECT_MEMORY or OBJECT_HANDLES.
    pub objects_full: u32,
    pub loaded_sessions: usize,
    pub active_sessions: usize,
    pub numbers: Numbers,
    /// How far the context counter may be from the oldest saved session.
    pub gap: u64,
}

/// What kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ordinary,
    /// It changes with every use.
    Sequence,
    /// A clear ends it.
    Mortal,
}

/// What becomes of a TPM without power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// TPM Reset: nothing is left, and no context is good any more.
    All,
    /// TPM Resume or Restart: what was loaded is gone.
    Loaded,
}

/// A loaded object.
#[derive(Clone, Copy, Debug)]
struct Object {
    id: u64,
    kind: Kind,
    /// How often a sequence was used.
    version: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Loaded,
    /// In the context with this number.
    Saved(u64),
}

#[derive(Clone, Copy, Debug)]
struct Session {
    id: u64,
    /// The first byte of its handle.
    kind: u32,
    place: Place,
}

/// What a context holds.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    pub id: u64,
    content: Content,
    /// The clears and resets that it has not survived.
    clears: u32,
    resets: u32,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Object(Object),
    /// The session in this place, by its context number.
    Session(usize, u64),
}

/// All that the TPM has.
pub struct Things {
    model: Model,
    objects: Vec<Option<Object>>,
    sessions: Vec<Option<Session>>,
    /// Every context ever issued.
    contexts: Vec<(Vec<u8>, Saved)>,
    /// The number of the next session context.
    counter: u64,
    identities: u64,
    last: usize,
    clears: u32,
    resets: u32,
    /// resetCount and restartCount: what the TPM says of resets.
    counts: [u32; 2],
}

const INDEX: u32 = 0x00ff_ffff;
const TRANSIENT: u32 = 0x80;

fn index(handle: u32) -> usize {
    (handle & INDEX) as usize
}

/// What nobody can guess, not even by looking at how it is compared.
fn secret(n: u64) -> u64 {
    let x = (n ^ 0x5bf0_3635_dcd1_4f2b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

impl Things {
    pub fn new(model: Model) -> Self {
        Self {
            model,
            objects: vec![None; model.object_slots],
            sessions: vec![None; model.active_sessions],
            contexts: vec![],
            counter: 1,
            identities: 0,
            last: model.active_sessions - 1,
            clears: 0,
            resets: 0,
            counts: [1, 0],
        }
    }

    fn identity(&mut self) -> u64 {
        self.identities += 1;
        self.identities
    }

    pub fn contents(&self) -> [Vec<u64>; 3] {
        let objects = self.objects.iter().flatten().map(|object| object.id);
        let sessions = |is_loaded| {
            let of_place = move |s: &&Session| matches!(s.place, Place::Loaded) == is_loaded;
            let sessions = self.sessions.iter().flatten();
            sessions
                .filter(of_place)
                .map(|session| session.id)
                .collect()
        };
        [objects.collect(), sessions(true), sessions(false)]
    }

    pub fn session_handle(&self, id: u64) -> Option<u32> {
        let mut all = self.sessions.iter().enumerate();
        all.find_map(|(n, session)| {
            let session = session.filter(|session| session.id == id)?;
            Some(session.kind << 24 | su(n))
        })
    }

    pub fn handle(&self, id: u64) -> Option<u32> {
        let is_it = |object: &Option<Object>| object.is_some_and(|object| object.id == id);
        let object = self.objects.iter().position(is_it);
        let object = object.map(|slot| rh::TRANSIENT + su(slot));
        object.or_else(|| self.session_handle(id))
    }

    pub fn reset(&mut self, reset: Reset) {
        self.objects.fill(None);
        for session in &mut self.sessions {
            let stays = |s: &Session| reset == Reset::Loaded && !matches!(s.place, Place::Loaded);
            *session = session.filter(stays);
        }
        let [resets, restarts] = self.counts;
        match reset {
            Reset::All => {
                self.resets += 1;
                self.counter = 1;
                self.counts = [resets + 1, 0];
            }
            Reset::Loaded => self.counts = [resets, restarts + 1],
        }
    }

    /// Ends what is mortal, also where it is saved.
    pub fn clear(&mut self) {
        self.clears += 1;
        self.counts = [0, 0];
        for object in &mut self.objects {
            *object = object.filter(|object| object.kind != Kind::Mortal);
        }
    }

    /// TPMS_TIME_INFO; no time passes here.
    pub fn time_info(&self) -> Vec<u8> {
        let [resets, restarts] = self.counts;
        vec![].u64(0).u64(0).u32(resets).u32(restarts).u8(1)
    }

    /// `None`: nothing is loaded under this handle. `Some(None)`: it names nothing that moves.
    pub fn look(&self, handle: u32) -> Option<Option<super::Named>> {
        match handle >> 24 {
            TRANSIENT => {
                let object = (*self.objects.get(index(handle))?)?;
                Some(Some(super::Named {
                    id: Some(object.id),
                    version: object.version,
                }))
            }
            2 | 3 => {
                let session = self.loaded_session(handle)?;
                Some(Some(super::Named {
                    id: Some(session.id),
                    version: 0,
                }))
            }
            _ => Some(None),
        }
    }

    fn loaded_session(&self, handle: u32) -> Option<Session> {
        let session = (*self.sessions.get(index(handle))?)?;
        let is_it = matches!(session.place, Place::Loaded) && session.kind == handle >> 24;
        is_it.then_some(session)
    }

    pub fn check_room(&self, needed: usize) -> Result<(), u32> {
        let free = self.objects.iter().filter(|slot| slot.is_none()).count();
        if free < needed {
            return Err(self.model.objects_full);
        }
        Ok(())
    }

    /// A command uses what the handle names: what it is, and how often it was used before.
    pub fn touch(&mut self, handle: u32) -> Option<(u64, u32)> {
        if handle >> 24 != TRANSIENT {
            return self.loaded_session(handle).map(|session| (session.id, 0));
        }
        let object = self.objects.get_mut(index(handle))?.as_mut()?;
        let version = object.version;
        if object.kind == Kind::Sequence {
            object.version += 1;
        }
        Some((object.id, version))
    }

    pub fn place(&mut self, kind: Kind) -> Result<(u32, u64), u32> {
        let id = self.identity();
        let object = Object {
            id,
            kind,
            version: 0,
        };
        Ok((self.put(object)?, id))
    }

    fn put(&mut self, object: Object) -> Result<u32, u32> {
        let free = self.objects.iter().position(Option::is_none);
        let slot = free.ok_or(self.model.objects_full)?;
        self.objects[slot] = Some(object);
        Ok(rh::TRANSIENT + su(slot))
    }

    fn free_loaded(&self) -> usize {
        let [_, loaded, _] = self.contents();
        self.model.loaded_sessions.saturating_sub(loaded.len())
    }

    /// The number of the oldest saved session, if the gap to it is as wide as it may be.
    fn closed(&self) -> Option<u64> {
        let saved = |session: &Session| match session.place {
            Place::Saved(number) => Some(number),
            Place::Loaded => None,
        };
        let oldest = self.sessions.iter().flatten().filter_map(saved).min()?;
        (self.counter - oldest > self.model.gap).then_some(oldest)
    }

    pub fn start(&mut self, kind: u8) -> Result<(u32, u64), u32> {
        match self.free_loaded() {
            0 => return Err(rc::SESSION_MEMORY),
            1 if self.closed().is_some() => return Err(rc::CONTEXT_GAP),
            _ => {}
        }
        let count = self.sessions.len();
        let from = match self.model.numbers {
            Numbers::Lowest => 0,
            Numbers::RoundRobin => self.last + 1,
        };
        let mut turn = (0..count).map(|n| (from + n) % count);
        let free = turn.find(|n| self.sessions[*n].is_none());
        let slot = free.ok_or(rc::SESSION_HANDLES)?;
        self.last = slot;
        let id = self.identity();
        let kind = if kind == 0 { 2 } else { 3 };
        self.sessions[slot] = Some(Session {
            id,
            kind,
            place: Place::Loaded,
        });
        Ok((kind << 24 | su(slot), id))
    }

    pub fn end_session(&mut self, handle: u32) -> Option<u64> {
        if !matches!(handle >> 24, 2 | 3) {
            return None;
        }
        Some(self.sessions.get_mut(index(handle))?.take()?.id)
    }

    /// Flushes an object, or a session, loaded or saved.
    pub fn flush(&mut self, handle: u32) -> Option<u64> {
        match handle >> 24 {
            TRANSIENT => Some(self.objects.get_mut(index(handle))?.take()?.id),
            _ => self.end_session(handle),
        }
    }

    fn issue(&mut self, sequence: u64, handle: u32, saved: Saved) -> Vec<u8> {
        let key = secret(self.contexts.len() as u64 + 1);
        let context = vec![]
            .u64(sequence)
            .u32(handle)
            .u32(rh::NULL)
            .sized(&key.to_be_bytes());
        self.contexts.push((context.clone(), saved));
        context
    }

    pub fn save(&mut self, handle: u32) -> Result<Vec<u8>, u32> {
        let (clears, resets) = (self.clears, self.resets);
        if handle >> 24 == TRANSIENT {
            let object = self.objects.get(index(handle)).copied().flatten();
            let object = object.ok_or(rc::HANDLE + rc::H1)?;
            let saved = Saved {
                id: object.id,
                content: Content::Object(object),
                clears,
                resets,
            };
            let kind = u32::from(object.kind == Kind::Sequence);
            return Ok(self.issue(0, rh::TRANSIENT + kind, saved));
        }
        let session = self.loaded_session(handle).ok_or(rc::HANDLE + rc::H1)?;
        if self.closed().is_some() {
            return Err(rc::CONTEXT_GAP);
        }
        let number = self.counter;
        self.counter += 1;
        let place = Place::Saved(number);
        self.sessions[index(handle)] = Some(Session { place, ..session });
        let saved = Saved {
            id: session.id,
            content: Content::Session(index(handle), number),
            clears,
            resets,
        };
        Ok(self.issue(number, handle, saved))
    }

    /// What a context is of, if it was issued.
    pub fn identify(&self, context: &[u8]) -> Option<&Saved> {
        let issued = self.contexts.iter().rev();
        let mut same = issued.filter(|(issued, _)| issued == context);
        same.next().map(|(_, saved)| saved)
    }

    pub fn load(&mut self, context: &[u8]) -> Result<(u32, u64), u32> {
        let integrity = rc::INTEGRITY + rc::P1;
        let saved = *self.identify(context).ok_or(integrity)?;
        if saved.resets != self.resets {
            return Err(integrity);
        }
        match saved.content {
            Content::Object(object) => {
                if object.kind == Kind::Mortal && saved.clears != self.clears {
                    return Err(integrity);
                }
                Ok((self.put(object)?, object.id))
            }
            Content::Session(place, number) => {
                let session = match self.sessions[place] {
                    Some(session) if session.id == saved.id => session,
                    _ => return Err(rc::HANDLE + rc::P1),
                };
                if !matches!(session.place, Place::Saved(newest) if newest == number) {
                    return Err(rc::HANDLE + rc::P1);
                }
                match self.free_loaded() {
                    0 => return Err(rc::SESSION_MEMORY),
                    1 if self.closed().is_some_and(|oldest| oldest != number) => {
                        return Err(rc::CONTEXT_GAP)
                    }
                    _ => {}
                }
                let loaded = Place::Loaded;
                self.sessions[place] = Some(Session {
                    place: loaded,
                    ..session
                });
                Ok((session.kind << 24 | su(place), session.id))
            }
        }
    }

    /// The handles of the range of `first` from there on.
    pub fn handles(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let objects = self.objects.iter().enumerate().filter_map(move |(n, o)| {
            o.filter(|_| first >> 24 == TRANSIENT)
                .map(|_| rh::TRANSIENT + su(n))
        });
        let sessions = self.sessions.iter().enumerate().filter_map(move |(n, s)| {
            let session = (*s)?;
            match (first >> 24, session.place) {
                (2, Place::Loaded) => Some(session.kind << 24 | su(n)),
                // A saved session is listed as an HMAC session, whatever it is.
                (3, Place::Saved(_)) => Some(rh::HMAC_SESSION | su(n)),
                _ => None,
            }
        });
        let is_asked = move |handle: &u32| handle & INDEX >= first & INDEX;
        objects.chain(sessions).filter(is_asked)
    }

    pub fn properties(&self) -> [(u32, u32); 13] {
        let model = &self.model;
        let [objects, loaded, saved] = self.contents().map(|list| list.len());
        let active = loaded + saved;
        let gap = u32::try_from(model.gap).unwrap_or(u32::MAX);
        [
            (cap::PT_HR_TRANSIENT_MIN, su(model.object_slots)),
            (cap::PT_HR_LOADED_MIN, su(model.loaded_sessions)),
            (cap::PT_ACTIVE_SESSIONS_MAX, su(model.active_sessions)),
            (cap::PT_CONTEXT_GAP_MAX, gap),
            (cap::PT_MAX_COMMAND_SIZE, 4096),
            (cap::PT_MAX_RESPONSE_SIZE, 4096),
            (cap::PT_MAX_OBJECT_CONTEXT, 64),
            (cap::PT_MAX_SESSION_CONTEXT, 64),
            (cap::PT_HR_LOADED, su(loaded)),
            (cap::PT_HR_LOADED_AVAIL, su(self.free_loaded())),
            (cap::PT_HR_ACTIVE, su(active)),
            (cap::PT_HR_ACTIVE_AVAIL, su(model.active_sessions - active)),
            (cap::PT_HR_TRANSIENT_AVAIL, su(model.object_slots - objects)),
        ]
    }
}
