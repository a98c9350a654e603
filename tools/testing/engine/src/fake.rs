// SPDX-License-Identifier: GPL-2.0

//! A model of a TPM for what libtpms cannot be brought to do: a context gap of any size, any number of
//! slots, and OBJECT_HANDLES. It follows the rules of the specification's part 1, "context management".
//!
//! It knows the commands that move contexts and a few that use them. Its blobs are authenticated: a
//! blob that was altered, or that is not the newest of its session, is refused as by a real TPM.

mod contexts;

pub use self::contexts::{Object, Reset};

use self::contexts::Contexts;
use crate::chip::Device;
use crate::command::{hmac, sha256, Kind, CONTINUE};
use crate::tpm::{cap, cc, rc, rh, NO_SESSIONS, SESSIONS, ST_HASHCHECK};
use crate::wire::{answer, su, Get, Put};

/// What the model is like.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub object_slots: usize,
    /// What a TPM without a free object slot says: OBJECT_MEMORY or OBJECT_HANDLES.
    pub objects_full: u32,
    pub loaded_sessions: usize,
    pub active_sessions: usize,
    /// Which of the free numbers a new session gets.
    pub numbers: Numbers,
    /// How far the context counter may be from the oldest saved session.
    pub gap: u64,
    /// How many bytes a context has at least.
    pub context_size: usize,
    /// Whether it has TPM2_ReadClock.
    pub has_clock: bool,
}

/// In which order a TPM gives numbers to sessions; the specification leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Always the lowest that is free, as the reference implementation does.
    Lowest,
    /// The next one that is free, after the one that was given last.
    RoundRobin,
    /// Any that is free.
    Random,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            object_slots: 3,
            objects_full: rc::OBJECT_MEMORY,
            loaded_sessions: 3,
            active_sessions: 64,
            numbers: Numbers::Lowest,
            gap: 255,
            context_size: 0,
            has_clock: true,
        }
    }
}

/// A modelled TPM.
pub struct Fake {
    contexts: Contexts,
    random: u32,
}

/// Commands that exist for [`crate::play`] alone: they name and make what a trace says, and do nothing
/// else. The low digit is the number of handles.
pub mod play {
    /// Uses what it names.
    pub const USE: u32 = 0x2000_0000;
    /// Makes an object.
    pub const MAKE: u32 = 0x2000_0010;
    /// Starts a sequence.
    pub const START: u32 = 0x2000_0020;
    /// Ends all objects that it names.
    pub const END: u32 = 0x2000_0030;
    /// How many handles they have at most.
    pub const HANDLES_MAX: u32 = 7;

    /// The codes, the numbers of handles, and whether the response has one.
    pub(super) fn commands() -> impl Iterator<Item = (u32, u32, bool)> {
        [USE, MAKE, START, END].into_iter().flat_map(|code| {
            let makes = matches!(code, MAKE | START);
            (0..=HANDLES_MAX).map(move |n| (code + n, n, makes))
        })
    }

    /// The command without the number of handles, if it is one of these.
    pub(super) fn family(code: u32) -> Option<u32> {
        (USE..=END + HANDLES_MAX)
            .contains(&code)
            .then_some(code & !0xf)
    }
}

/// The commands: code, number of handles, whether the response has one.
const COMMANDS: &[(u32, u32, bool)] = &[
    (cc::CONTEXT_LOAD, 0, true),
    (cc::CONTEXT_SAVE, 1, false),
    (cc::FLUSH_CONTEXT, 0, false),
    (cc::LOAD_EXTERNAL, 0, true),
    (cc::READ_PUBLIC, 1, false),
    (cc::START_AUTH_SESSION, 2, true),
    (cc::GET_CAPABILITY, 0, false),
    (cc::GET_RANDOM, 0, false),
    (cc::POLICY_RESTART, 1, false),
    (cc::POLICY_GET_DIGEST, 1, false),
    (cc::POLICY_COMMAND_CODE, 1, false),
    (cc::HASH_SEQUENCE_START, 0, true),
    (cc::SEQUENCE_UPDATE, 1, false),
    (cc::SEQUENCE_COMPLETE, 1, false),
    (cc::CLEAR, 1, false),
    (cc::READ_CLOCK, 0, false),
];

/// All commands.
fn commands() -> impl Iterator<Item = (u32, u32, bool)> {
    COMMANDS.iter().copied().chain(play::commands())
}

/// A response's handle and parameters, or a response code.
type Done = Result<(Option<u32>, Vec<u8>), u32>;

struct Authorization {
    handle: u32,
    nonce_caller: Vec<u8>,
    attributes: u8,
    mac: Vec<u8>,
}

impl Fake {
    pub fn new(model: Model) -> Self {
        Self {
            contexts: Contexts::new(model),
            random: 1,
        }
    }

    /// How many session contexts the TPM has saved in its life.
    pub fn sessions_saved(&self) -> u64 {
        self.contexts.sessions_saved()
    }

    /// Cuts the TPM's power, and starts it again.
    pub fn reset(&mut self, reset: Reset) {
        self.contexts.reset(reset);
    }

    /// How many slots are free: of objects, and of loaded sessions.
    pub fn free(&self) -> [usize; 2] {
        self.contexts.free()
    }

    /// The objects that are loaded.
    pub fn loaded_objects(&mut self) -> Vec<Object> {
        let handles = self.contexts.handles(rh::TRANSIENT);
        let objects = handles
            .into_iter()
            .filter_map(|handle| self.contexts.object(handle).cloned());
        objects.collect()
    }

    /// The numbers of the sessions that are loaded.
    pub fn loaded_sessions(&self) -> Vec<u32> {
        let handles = self.contexts.handles(rh::LOADED_SESSION);
        handles.into_iter().map(|h| h & 0x00ff_ffff).collect()
    }

    /// Somebody loads so many objects, and somebody starts so many sessions.
    pub fn occupy_objects(&mut self, count: usize) -> Vec<u32> {
        let object = Object {
            public: b"others'".to_vec(),
            hierarchy: rh::NULL,
            ..Object::default()
        };
        let place = |_| self.contexts.place(object.clone()).ok();
        (0..count).filter_map(place).collect()
    }

    /// Somebody starts so many sessions, if there is room and there are numbers.
    pub fn occupy_sessions(&mut self, count: usize) -> Vec<u32> {
        let start = |_| self.contexts.start(Kind::Policy, b"others'").ok();
        (0..count).filter_map(start).collect()
    }

    /// Somebody saves a session again and again until the TPM refuses; if no other session is saved, it never
    /// does.
    pub fn close_gap(&mut self) {
        self.contexts.close_gap();
    }

    /// Flushes what has this handle.
    pub fn flush(&mut self, handle: u32) -> Option<()> {
        self.contexts.flush(handle)
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>, u32> {
        if command.len() < 10 {
            return Err(rc::COMMAND_SIZE);
        }
        let mut get = Get(command);
        let (tag, size, code) = (get.u16(), get.u32(), get.u32());
        if size != su(command.len()) {
            return Err(rc::COMMAND_SIZE);
        }
        let (_, handles, _) = self
            .contexts
            .commands()
            .find(|known| known.0 == code)
            .ok_or(rc::COMMAND_CODE)?;
        let handles: Vec<u32> = (0..handles).map(|_| get.u32()).collect();
        for (n, &handle) in handles.iter().enumerate() {
            if !self.contexts.is_loaded(handle) {
                return Err(rc::REFERENCE_H0 + su(n));
            }
        }
        let auths = match tag {
            SESSIONS => {
                let size = get.u32();
                let mut area = Get(get.bytes(size as usize));
                let mut auths = vec![];
                while !area.is_empty() {
                    auths.push(Authorization {
                        handle: area.u32(),
                        nonce_caller: area.sized().to_vec(),
                        attributes: area.u8(),
                        mac: area.sized().to_vec(),
                    });
                }
                auths
            }
            NO_SESSIONS => vec![],
            _ => return Err(rc::BAD_TAG),
        };
        let cp_hash = self.check(&handles, &auths, code, get.0)?;
        let (handle, params) = self.run(code, &handles, get.0)?;
        let mut body = vec![];
        if let Some(handle) = handle {
            body = body.u32(handle);
        }
        if tag == SESSIONS {
            body = body.u32(su(params.len())).bytes(&params);
            for auth in &auths {
                body = self.acknowledge(body, auth, code, &params, &cp_hash);
            }
        } else {
            body = body.bytes(&params);
        }
        Ok(vec![].u16(tag).u32(su(10 + body.len())).u32(0).bytes(&body))
    }

    /// Checks the authorizations; no entity here has an authorization value.
    fn check(
        &mut self,
        handles: &[u32],
        auths: &[Authorization],
        code: u32,
        params: &[u8],
    ) -> Result<Vec<u8>, u32> {
        let mut names = vec![];
        for &handle in handles {
            names.extend_from_slice(&self.contexts.name(handle));
        }
        let cp_hash = sha256(&[&code.to_be_bytes(), &names, params]);
        for (n, auth) in auths.iter().enumerate() {
            if auth.handle == rh::PW {
                continue;
            }
            let session = self
                .contexts
                .session(auth.handle)
                .ok_or(rc::REFERENCE_S0 + su(n))?;
            let parts = [
                &cp_hash[..],
                &auth.nonce_caller,
                &session.nonce,
                &[auth.attributes],
            ];
            if session.kind == Kind::Hmac && auth.mac != hmac(b"", &parts) {
                return Err(rc::AUTH_FAIL + rc::S1 + 0x100 * su(n));
            }
        }
        Ok(cp_hash)
    }

    /// Appends the answer to one authorization; ends its session if it does not continue.
    fn acknowledge(
        &mut self,
        body: Vec<u8>,
        auth: &Authorization,
        code: u32,
        params: &[u8],
        cp_hash: &[u8],
    ) -> Vec<u8> {
        let Some(session) = self.contexts.session(auth.handle) else {
            return body.u16(0).u8(CONTINUE).u16(0);
        };
        session.nonce = sha256(&[&session.nonce, cp_hash]);
        let rp_hash = sha256(&[&[0; 4], &code.to_be_bytes(), params]);
        let parts = [
            &rp_hash[..],
            &session.nonce,
            &auth.nonce_caller,
            &[auth.attributes],
        ];
        let mac = match session.kind {
            Kind::Hmac => hmac(b"", &parts),
            Kind::Policy | Kind::Trial => vec![],
        };
        let body = body.sized(&session.nonce).u8(auth.attributes).sized(&mac);
        if auth.attributes & CONTINUE == 0 {
            self.contexts.flush(auth.handle).expect("it is loaded");
        }
        body
    }

    fn run(&mut self, code: u32, handles: &[u32], params: &[u8]) -> Done {
        if let Some(family) = play::family(code) {
            return self.play(family, handles);
        }
        let mut get = Get(params);
        match code {
            cc::CONTEXT_SAVE => Ok((None, self.contexts.save(handles[0])?)),
            cc::CONTEXT_LOAD => Ok((Some(self.contexts.load(params)?), vec![])),
            cc::FLUSH_CONTEXT => {
                let handle = get.u32();
                self.contexts.flush(handle).ok_or(rc::HANDLE + rc::P1)?;
                Ok((None, vec![]))
            }
            cc::LOAD_EXTERNAL => {
                get.sized();
                let public = get.sized().to_vec();
                let handle = self.contexts.place(Object {
                    public: public.clone(),
                    hierarchy: get.u32(),
                    ..Object::default()
                })?;
                let name = crate::command::name_of(&public);
                Ok((Some(handle), vec![].sized(&name)))
            }
            cc::READ_PUBLIC => {
                let name = self.contexts.name(handles[0]);
                let public = self.contexts.public(handles[0]);
                Ok((None, vec![].sized(&public).sized(&name).sized(&name)))
            }
            cc::START_AUTH_SESSION => {
                let nonce = sha256(&[get.sized(), &self.random()]);
                get.sized();
                let kind = match get.u8() {
                    0 => Kind::Hmac,
                    1 => Kind::Policy,
                    _ => Kind::Trial,
                };
                let handle = self.contexts.start(kind, &nonce)?;
                Ok((Some(handle), vec![].sized(&nonce)))
            }
            cc::POLICY_RESTART | cc::POLICY_GET_DIGEST => {
                let session = self.contexts.session(handles[0]).expect("checked above");
                if session.kind == Kind::Hmac {
                    return Err(rc::VALUE + rc::H1);
                }
                if code == cc::POLICY_RESTART {
                    session.digest = vec![0; 32];
                    return Ok((None, vec![]));
                }
                Ok((None, vec![].sized(&session.digest)))
            }
            cc::POLICY_COMMAND_CODE => {
                let session = self
                    .contexts
                    .session(handles[0])
                    .ok_or(rc::VALUE + rc::H1)?;
                session.digest = sha256(&[&session.digest, &code.to_be_bytes(), params]);
                Ok((None, vec![]))
            }
            cc::HASH_SEQUENCE_START => {
                let handle = self.contexts.place(Object {
                    is_sequence: true,
                    hierarchy: rh::NULL,
                    ..Object::default()
                })?;
                Ok((Some(handle), vec![]))
            }
            cc::SEQUENCE_UPDATE | cc::SEQUENCE_COMPLETE => {
                let object = self.contexts.object(handles[0]).ok_or(rc::VALUE + rc::H1)?;
                object.data.extend_from_slice(get.sized());
                if code == cc::SEQUENCE_UPDATE {
                    return Ok((None, vec![]));
                }
                let digest = sha256(&[&object.data]);
                self.contexts.flush(handles[0]).ok_or(rc::VALUE + rc::H1)?;
                let ticket = vec![].u16(ST_HASHCHECK).u32(rh::NULL).sized(b"");
                Ok((None, vec![].sized(&digest).bytes(&ticket)))
            }
            cc::CLEAR => {
                self.contexts.clear();
                Ok((None, vec![]))
            }
            cc::GET_RANDOM => {
                let n = usize::from(get.u16()).min(32);
                Ok((None, vec![].sized(&self.random()[..n])))
            }
            cc::READ_CLOCK => Ok((None, self.contexts.time_info())),
            cc::GET_CAPABILITY => self.capability(get.u32(), get.u32(), get.u32()),
            _ => Err(rc::COMMAND_CODE),
        }
    }

    /// A persistent object takes a slot while a command uses it.
    fn play(&mut self, family: u32, handles: &[u32]) -> Done {
        let (persistent, handles): (Vec<u32>, Vec<u32>) =
            handles.iter().partition(|handle| **handle >> 24 == 0x81);
        let mut copies = vec![];
        let mut done = Ok((None, vec![]));
        for _ in persistent {
            match self.contexts.place(Object::default()) {
                Ok(copy) => copies.push(copy),
                Err(rc) => done = Err(rc),
            }
        }
        if done.is_ok() {
            done = self.act(family, &handles);
        }
        for copy in copies {
            self.contexts.flush(copy).expect("it was placed");
        }
        done
    }

    fn act(&mut self, family: u32, handles: &[u32]) -> Done {
        let object = Object {
            is_sequence: family == play::START,
            hierarchy: rh::NULL,
            ..Object::default()
        };
        match family {
            play::MAKE | play::START => return Ok((Some(self.contexts.place(object)?), vec![])),
            play::END => {
                for &handle in handles {
                    self.contexts.flush(handle).ok_or(rc::HANDLE + rc::H1)?;
                }
            }
            _ => {}
        }
        Ok((None, vec![]))
    }

    fn random(&mut self) -> Vec<u8> {
        self.random += 1;
        sha256(&[b"random", &self.random.to_be_bytes()])
    }

    fn capability(&self, capability: u32, first: u32, count: u32) -> Done {
        let (all, words): (Vec<(u32, u32)>, _) = match capability {
            cap::COMMANDS => {
                let attributes = |(code, handles, response): (u32, u32, bool)| {
                    let flushes =
                        play::family(code) == Some(play::END) || code == cc::SEQUENCE_COMPLETE;
                    let extensive = u32::from(code == cc::CLEAR) << 23;
                    let flags = u32::from(flushes) << 24 | u32::from(response) << 28;
                    (code, code | handles << 25 | flags | extensive)
                };
                (self.contexts.commands().map(attributes).collect(), 1)
            }
            cap::HANDLES => {
                let handles = self.contexts.handles(first);
                (handles.into_iter().map(|h| (h, h)).collect(), 1)
            }
            cap::TPM_PROPERTIES => (self.contexts.properties(), 2),
            _ => return Err(rc::VALUE + rc::P1),
        };
        let mut all = all;
        all.sort_unstable();
        // Properties end with their group, handles with their range; the model holds one of each kind.
        all.retain(|&(key, _)| {
            let group = if capability == cap::TPM_PROPERTIES {
                8
            } else {
                24
            };
            match capability {
                cap::COMMANDS => key >= first,
                cap::HANDLES => true,
                _ => key >= first && key >> group == first >> group,
            }
        });
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
}

impl Device for Fake {
    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.execute(command).unwrap_or_else(answer)
    }
}
