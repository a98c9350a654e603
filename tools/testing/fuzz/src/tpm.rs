// SPDX-License-Identifier: GPL-2.0

//! A TPM that tells what everything in it really is.
//!
//! Every object and every session has an identity that is never used again, and a response names those of what
//! the command used. So a client sees whether a handle still means what it meant. What was executed is written
//! down. Contexts are good if they were issued; nobody can guess one. Any bytes get an answer.

mod things;

pub use self::things::{Kind, Model, Numbers, Reset};

use self::things::{Saved, Things};
use harness::chip::Device;
use harness::tpm::{cap, cc, rc, rh, NO_SESSIONS, SESSIONS};
use harness::wire::{answer, su, Put};

/// Commands that exist here alone. The low digit is the number of handles.
pub mod own {
    /// Uses what it names.
    pub const USE: u32 = 0x2000_0000;
    /// Makes an ordinary object.
    pub const MAKE: u32 = 0x2000_0010;
    /// Starts a sequence.
    pub const START: u32 = 0x2000_0020;
    /// Ends all objects that it names.
    pub const END: u32 = 0x2000_0030;
    /// Makes an object that CLEAR ends.
    pub const MAKE_MORTAL: u32 = 0x2000_0040;
    /// Ends all mortal objects, whatever it names.
    pub const CLEAR: u32 = 0x2000_0050;
    /// Needs a slot for itself while it lasts.
    pub const CREATE: u32 = 0x2000_0060;
    /// How many handles they have at most.
    pub const HANDLES_MAX: u32 = 7;

    /// The command without the number of handles, if it is one of these.
    pub fn family(code: u32) -> Option<u32> {
        let family = code & !0xf;
        let is_one = (USE..=CREATE).contains(&family) && code & 0xf <= HANDLES_MAX;
        is_one.then_some(family)
    }
}

/// What TPM2_Create is called, which the engine knows for the slot that it needs.
const FAMILIES: &[u32] = &[
    own::USE,
    own::MAKE,
    own::START,
    own::END,
    own::MAKE_MORTAL,
    own::CLEAR,
    own::CREATE,
];

/// The others: code, number of handles, whether the response has one.
const COMMANDS: &[(u32, u32, bool)] = &[
    (cc::CREATE, 1, false),
    (cc::CONTEXT_LOAD, 0, true),
    (cc::CONTEXT_SAVE, 1, false),
    (cc::FLUSH_CONTEXT, 0, false),
    (cc::START_AUTH_SESSION, 2, true),
    (cc::GET_CAPABILITY, 0, false),
    (cc::GET_RANDOM, 0, false),
    (cc::READ_CLOCK, 0, false),
];

const EXTENSIVE: u32 = 1 << 23;
const FLUSHED: u32 = 1 << 24;
const HANDLES_SHIFT: u32 = 25;
const RESPONSE_HANDLE: u32 = 1 << 28;
const CONTINUE: u8 = 1;
/// TPM_RC_SIZE: something is left over.
const SIZE: u32 = 0x95;

/// TPMA_CC of all commands.
fn attributes() -> impl Iterator<Item = u32> {
    let usual = COMMANDS.iter().map(|&(code, handles, response)| {
        code | handles << HANDLES_SHIFT | if response { RESPONSE_HANDLE } else { 0 }
    });
    let own = FAMILIES.iter().flat_map(|&family| {
        let flags = match family {
            own::MAKE | own::START | own::MAKE_MORTAL => RESPONSE_HANDLE,
            own::END => FLUSHED,
            own::CLEAR => EXTENSIVE,
            _ => 0,
        };
        (0..=own::HANDLES_MAX).map(move |n| family + n | n << HANDLES_SHIFT | flags)
    });
    usual.chain(own)
}

/// How many handles a command has, and whether its response has one.
fn shape(code: u32) -> Option<(u32, bool)> {
    if let Some(family) = own::family(code) {
        let makes = matches!(family, own::MAKE | own::START | own::MAKE_MORTAL);
        return Some((code & 0xf, makes));
    }
    let known = COMMANDS.iter().find(|known| known.0 == code)?;
    Some((known.1, known.2))
}

/// One thing that a command named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// What it is; `None` for what the TPM does not have loaded.
    pub id: Option<u64>,
    /// For a sequence, how often it was used before.
    pub version: u32,
}

/// One command as the TPM saw it.
#[derive(Clone, Debug)]
pub struct Event {
    pub code: u32,
    pub rc: u32,
    /// The transient objects and sessions of the handle area, in order; others are left out.
    pub handles: Vec<Named>,
    /// The sessions of the authorization area, in order.
    pub sessions: Vec<Named>,
    /// What came into being or was loaded.
    pub made: Option<u64>,
    /// What is no more: named objects that were ended, sessions that did not continue.
    pub ended: Vec<u64>,
}

/// The TPM.
pub struct Tpm {
    things: Things,
    random: u32,
    /// Every command since this was last taken.
    pub events: Vec<Event>,
}

/// Takes values from the front of what may be too short.
struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.bytes(n.into())
    }
}

struct Authorization {
    handle: u32,
    attributes: u8,
}

/// What a command comes to: the response's handle and parameters.
type Done = Result<(Option<u32>, Vec<u8>), u32>;

impl Tpm {
    pub fn new(model: Model) -> Self {
        Self {
            things: Things::new(model),
            random: 0,
            events: vec![],
        }
    }

    /// What the TPM holds, by identity: loaded objects, loaded sessions, saved sessions.
    pub fn contents(&self) -> [Vec<u64>; 3] {
        self.things.contents()
    }

    /// How many session numbers are taken.
    pub fn active(&self) -> usize {
        let [_, loaded, saved] = self.contents();
        loaded.len() + saved.len()
    }

    /// The handle of an active session, as it was given.
    pub fn session_handle(&self, id: u64) -> Option<u32> {
        self.things.session_handle(id)
    }

    /// What is loaded under this handle.
    pub fn identity(&self, handle: u32) -> Option<u64> {
        self.things.look(handle)??.id
    }

    /// The handle of what is loaded, or of an active session.
    pub fn handle(&self, id: u64) -> Option<u32> {
        self.things.handle(id)
    }

    /// Power is cut.
    pub fn reset(&mut self, reset: Reset) {
        self.things.reset(reset);
    }

    fn execute(&mut self, command: &[u8], event: &mut Event) -> Result<Vec<u8>, u32> {
        let mut take = Take(command);
        let header = (|| Some((take.u16()?, take.u32()?, take.u32()?)))();
        let (tag, size, code) = header.ok_or(rc::COMMAND_SIZE)?;
        if size != su(command.len()) {
            return Err(rc::COMMAND_SIZE);
        }
        if tag != NO_SESSIONS && tag != SESSIONS {
            return Err(rc::BAD_TAG);
        }
        let (count, _) = shape(code).ok_or(rc::COMMAND_CODE)?;
        let mut handles = vec![];
        for _ in 0..count {
            handles.push(take.u32().ok_or(rc::COMMAND_SIZE)?);
        }
        let mut missing = Ok(());
        for (n, &handle) in handles.iter().enumerate() {
            match self.things.look(handle) {
                Some(Some(named)) => event.handles.push(named),
                Some(None) => {}
                None => {
                    event.handles.push(Named {
                        id: None,
                        version: 0,
                    });
                    missing = missing.and(Err(rc::REFERENCE_H0 + su(n)));
                }
            }
        }
        missing?;
        let auths = match tag {
            SESSIONS => self.authorizations(&mut take, event)?,
            _ => vec![],
        };
        let (handle, params) = self.run(code, tag, &handles, take.0, event)?;
        let mut body = vec![];
        if let Some(handle) = handle {
            body = body.u32(handle);
        }
        if tag == SESSIONS {
            body = body.u32(su(params.len())).bytes(&params);
            for auth in &auths {
                body = body.u16(0).u8(auth.attributes).u16(0);
                if auth.attributes & CONTINUE == 0 {
                    event.ended.extend(self.things.end_session(auth.handle));
                }
            }
        } else {
            body = body.bytes(&params);
        }
        Ok(vec![].u16(tag).u32(su(10 + body.len())).u32(0).bytes(&body))
    }

    fn authorizations(
        &mut self,
        take: &mut Take<'_>,
        event: &mut Event,
    ) -> Result<Vec<Authorization>, u32> {
        let size = take.u32().ok_or(rc::AUTHSIZE)?;
        let area = take.bytes(size as usize).ok_or(rc::AUTHSIZE)?;
        let mut area = Take(area);
        let mut auths: Vec<Authorization> = vec![];
        while !area.0.is_empty() || auths.is_empty() {
            let next = (|| {
                let handle = area.u32()?;
                area.sized()?;
                let attributes = area.u8()?;
                area.sized()?;
                Some(Authorization { handle, attributes })
            })();
            let next = next.ok_or(rc::AUTHSIZE)?;
            if auths.len() == 3 {
                return Err(rc::AUTHSIZE);
            }
            if next.handle != rh::PW {
                let named = match self.things.look(next.handle) {
                    Some(Some(named)) if next.handle >> 24 <= 3 => Some(named),
                    _ => None,
                };
                event.sessions.push(named.unwrap_or(Named {
                    id: None,
                    version: 0,
                }));
                let repeats = auths.iter().any(|auth| auth.handle == next.handle);
                if named.is_none() || repeats {
                    return Err(rc::REFERENCE_S0 + su(auths.len()));
                }
            }
            auths.push(next);
        }
        Ok(auths)
    }

    fn run(
        &mut self,
        code: u32,
        tag: u16,
        handles: &[u32],
        params: &[u8],
        event: &mut Event,
    ) -> Done {
        if let Some(family) = own::family(code) {
            return self.act(family, handles, event);
        }
        let is_bare = tag == NO_SESSIONS;
        let mut take = Take(params);
        let expected = match code {
            cc::CONTEXT_SAVE => Some(0),
            cc::FLUSH_CONTEXT => Some(4),
            cc::GET_CAPABILITY => Some(12),
            _ => None,
        };
        if expected.is_some_and(|size| params.len() > size) {
            return Err(SIZE);
        }
        match code {
            cc::CONTEXT_SAVE | cc::CONTEXT_LOAD | cc::FLUSH_CONTEXT if !is_bare => {
                Err(rc::AUTH_CONTEXT)
            }
            cc::CONTEXT_SAVE => Ok((None, self.things.save(handles[0])?)),
            cc::CONTEXT_LOAD => {
                let (handle, id) = self.things.load(params)?;
                event.made = Some(id);
                Ok((Some(handle), vec![]))
            }
            cc::FLUSH_CONTEXT => {
                let handle = take.u32().ok_or(rc::COMMAND_SIZE)?;
                let id = self.things.flush(handle).ok_or(rc::HANDLE + rc::P1)?;
                event.ended.push(id);
                Ok((None, vec![]))
            }
            cc::START_AUTH_SESSION => {
                let kind = (|| {
                    take.sized()?;
                    take.sized()?;
                    take.u8()
                })();
                let kind = kind.ok_or(rc::COMMAND_SIZE)?;
                let (handle, id) = self.things.start(kind)?;
                event.made = Some(id);
                Ok((Some(handle), vec![].sized(&id.to_be_bytes())))
            }
            cc::CREATE => self.act(own::CREATE, handles, event),
            cc::GET_RANDOM => {
                self.random = self.random.wrapping_add(1);
                Ok((None, vec![].sized(&self.random.to_be_bytes())))
            }
            cc::READ_CLOCK => Ok((None, self.things.time_info())),
            cc::GET_CAPABILITY => {
                let asked = (|| Some((take.u32()?, take.u32()?, take.u32()?)))();
                let (capability, first, count) = asked.ok_or(rc::COMMAND_SIZE)?;
                self.capability(capability, first, count)
            }
            _ => Err(rc::COMMAND_CODE),
        }
    }

    /// A persistent object takes a slot while a command uses it.
    fn act(&mut self, family: u32, handles: &[u32], event: &mut Event) -> Done {
        let persistent = handles.iter().filter(|handle| **handle >> 24 == 0x81);
        let made = match family {
            own::MAKE => Some(Kind::Ordinary),
            own::START => Some(Kind::Sequence),
            own::MAKE_MORTAL => Some(Kind::Mortal),
            own::CREATE => None,
            _ => None,
        };
        let temporary = persistent.count() + usize::from(family == own::CREATE);
        self.things
            .check_room(temporary + usize::from(made.is_some()))?;
        let mut params = vec![];
        for &handle in handles {
            if let Some((id, version)) = self.things.touch(handle) {
                params = params.u64(id).u32(version);
            }
        }
        let mut handle = None;
        if let Some(kind) = made {
            let (placed, id) = self.things.place(kind)?;
            handle = Some(placed);
            event.made = Some(id);
            params = params.u64(id).u32(0);
        }
        match family {
            own::END => {
                for &handle in handles.iter().filter(|handle| **handle >> 24 == 0x80) {
                    event.ended.extend(self.things.flush(handle));
                }
            }
            own::CLEAR => self.things.clear(),
            _ => {}
        }
        Ok((handle, params))
    }

    fn capability(&self, capability: u32, first: u32, count: u32) -> Done {
        let mut words = 1;
        let mut all: Vec<(u32, u32)> = match capability {
            cap::COMMANDS => attributes()
                .map(|a| (a & 0x2000_ffff, a))
                .filter(|(code, _)| *code >= first)
                .collect(),
            cap::HANDLES => self.things.handles(first).map(|h| (h, h)).collect(),
            cap::TPM_PROPERTIES => {
                words = 2;
                let is_asked = |(key, _): &(u32, u32)| *key >= first && key >> 8 == first >> 8;
                let total = (cap::PT_TOTAL_COMMANDS, su(attributes().count()));
                let all = self.things.properties().into_iter().chain([total]);
                all.filter(is_asked).collect()
            }
            _ => return Err(rc::VALUE + rc::P1),
        };
        all.sort_unstable();
        let more = all.len() > count as usize;
        all.truncate(count as usize);
        let mut data = vec![].u8(more.into()).u32(capability).u32(su(all.len()));
        for (key, value) in all {
            if words == 2 {
                data = data.u32(key);
            }
            data = data.u32(value);
        }
        Ok((None, data))
    }

    /// What a context is of, if it is one that would be good.
    pub fn identify(&self, context: &[u8]) -> Option<u64> {
        self.things.identify(context).map(|saved: &Saved| saved.id)
    }
}

impl Device for Tpm {
    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let mut event = Event {
            code: harness::wire::command_code(command),
            rc: 0,
            handles: vec![],
            sessions: vec![],
            made: None,
            ended: vec![],
        };
        let response = match self.execute(command, &mut event) {
            Ok(response) => response,
            Err(code) => {
                event.rc = code;
                answer(code)
            }
        };
        self.events.push(event);
        response
    }
}
