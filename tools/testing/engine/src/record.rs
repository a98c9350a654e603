// SPDX-License-Identifier: GPL-2.0

//! Writes down what clients do, as a trace of tools/testing/replacement.

use crate::chip::Device;
use crate::client::Outcome;
use crate::rig::Rig;
use crate::tpm::{cap, cc, SESSIONS};
use crate::wire::{response_code, Get};
use replacement::trace::{Event, Id, Kind, Trace, What};
use std::collections::HashMap;

const HMAC_START: u32 = 0x15b;

/// What was done so far.
pub struct Tape {
    /// TPMA_CC by command code.
    attributes: HashMap<u32, u32>,
    events: Vec<Event>,
    /// By space and virtual handle.
    objects: HashMap<(u32, u32), Id>,
    /// By the number within the handle: a session has it for all spaces.
    sessions: HashMap<u32, Id>,
    ids: u32,
}

impl Tape {
    /// Nothing yet. The TPM of `rig` is asked for its commands.
    pub fn new<D: Device>(rig: &Rig<D>) -> Self {
        let (more, data) = rig
            .raw()
            .capability(cap::COMMANDS, 0, 254)
            .expect("commands");
        assert!(!more, "one answer has all commands");
        let mut get = Get(&data);
        let attributes = (0..get.u32())
            .map(|_| {
                let attributes = get.u32();
                (attributes & 0x2000_ffff, attributes)
            })
            .collect();
        Self {
            attributes,
            events: vec![],
            objects: HashMap::new(),
            sessions: HashMap::new(),
            ids: 0,
        }
    }

    /// The trace.
    pub fn trace(&self, name: &str, origin: &str) -> Trace {
        Trace {
            name: name.into(),
            origin: origin.into(),
            events: self.events.clone(),
        }
    }

    /// How many events there were.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// A space was closed.
    pub fn closed(&mut self, space: u32) {
        self.events.push(Event {
            space,
            what: What::Close,
        });
    }

    /// A command was answered.
    pub fn note(&mut self, space: u32, command: &[u8], outcome: &Outcome<Vec<u8>>) {
        let Ok(response) = outcome else {
            return;
        };
        if let Some(what) = self.what(space, command, response) {
            self.events.push(Event { space, what });
        }
    }

    fn what(&mut self, space: u32, command: &[u8], response: &[u8]) -> Option<What> {
        let mut get = Get(command);
        let (tag, _, code) = (get.u16(), get.u32(), get.u32());
        let rc = response_code(response);
        // The engine's own answers cost nothing, whatever the policy is.
        if rc >> 16 == 11 || is_answered_by_engine(code, get.0) {
            return None;
        }
        if code == cc::FLUSH_CONTEXT {
            return (rc == 0)
                .then(|| What::Flush(self.find(space, get.u32()).expect("it is there")));
        }
        if code == cc::CONTEXT_SAVE {
            let id = self.find(space, Get(get.0).u32());
            if let Some(id) = id.filter(|id| id.kind.is_session()) {
                return Some(What::Detach(id));
            }
        }
        let attributes = *self.attributes.get(&code)?;
        let handles = match code {
            cc::CONTEXT_SAVE => 1,
            _ => attributes >> 25 & 7,
        };
        let handles: Vec<u32> = (0..handles).map(|_| get.u32()).collect();
        let persistent = handles
            .iter()
            .filter(|handle| **handle >> 24 == 0x81)
            .count();
        let find = |handle: &u32| self.find(space, *handle);
        let mut names: Vec<Id> = handles.iter().filter_map(find).collect();
        let mut ends = vec![];
        if attributes & 1 << 24 != 0 && rc == 0 {
            ends.extend(names.iter().copied());
        }
        if tag == SESSIONS {
            let size = get.u32() as usize;
            let mut area = Get(get.bytes(size));
            while !area.is_empty() {
                let handle = area.u32();
                area.sized();
                let continues = area.u8() & 1 != 0;
                area.sized();
                if let Some(id) = self.find(space, handle) {
                    names.push(id);
                    if !continues && rc == 0 {
                        ends.push(id);
                    }
                }
            }
        }
        let makes = if attributes & 1 << 28 != 0 && rc == 0 {
            let handle = Get(&response[10..]).u32();
            match code {
                cc::CONTEXT_LOAD if handle >> 24 != 0x80 => {
                    return Some(What::Claim(self.find(space, handle)?));
                }
                _ => Some(self.add(space, code, handle)),
            }
        } else {
            None
        };
        Some(What::Command {
            names,
            makes,
            ends,
            scratch: persistent + usize::from(code == cc::CREATE),
        })
    }

    fn find(&self, space: u32, handle: u32) -> Option<Id> {
        match handle >> 24 {
            0x80 => self.objects.get(&(space, handle)).copied(),
            2 | 3 => self.sessions.get(&(handle & 0x00ff_ffff)).copied(),
            _ => None,
        }
    }

    fn add(&mut self, space: u32, code: u32, handle: u32) -> Id {
        self.ids += 1;
        let id = |kind| Id {
            kind,
            number: self.ids,
        };
        if handle >> 24 == 0x80 {
            let id = id(match code {
                cc::CONTEXT_LOAD => Kind::Context,
                cc::HASH_SEQUENCE_START | HMAC_START => Kind::Sequence,
                _ => Kind::Ordinary,
            });
            self.objects.insert((space, handle), id);
            id
        } else {
            let id = id(Kind::Session);
            self.sessions.insert(handle & 0x00ff_ffff, id);
            id
        }
    }
}

/// GetCapability for the handles of objects and sessions.
fn is_answered_by_engine(code: u32, body: &[u8]) -> bool {
    code == cc::GET_CAPABILITY && body.len() == 12 && {
        let mut get = Get(body);
        let (capability, first) = (get.u32(), get.u32());
        capability == cap::HANDLES && matches!(first >> 24, 2 | 3 | 0x80)
    }
}
