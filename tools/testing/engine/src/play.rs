// SPDX-License-Identifier: GPL-2.0

//! Does what a trace of tools/testing/replacement says, on the engine over the modelled TPM, and counts
//! what the engine sent.

use crate::chip::Device;
use crate::client::Client;
use crate::engine::{Counters, Limits};
use crate::fake::{play, Fake, Model};
use crate::rig::{Rig, Space, ALICE};
use crate::tpm::{alg, cc, rh, NO_SESSIONS, SESSIONS};
use crate::wire::{response_code, su, Get, Put};
use replacement::sim::{Count, Slots};
use replacement::trace::{Event, Id, Kind, Trace, What};
use std::collections::HashMap;

/// Longer than any trace lasts.
const STAY: u64 = 1_000_000_000;

/// The first of the persistent objects that are used where a command needs slots to work in.
const PERSISTENT: u32 = 0x8100_0000;

/// Plays a trace on an engine that keeps things loaded.
pub fn play(trace: &Trace, slots: Slots) -> Count {
    let model = Model {
        object_slots: slots.objects,
        loaded_sessions: slots.sessions,
        gap: u64::from(u32::MAX),
        ..Model::default()
    };
    let rig = Rig::over(Fake::new(model), Limits::default());
    stay(&rig);
    let before = rig.ask(|engine| engine.counters());
    let mut player = Player {
        rig: &rig,
        spaces: HashMap::new(),
        handles: HashMap::new(),
        contexts: HashMap::new(),
    };
    trace.events.iter().for_each(|event| player.event(event));
    since(before, rig.ask(|engine| engine.counters()))
}

/// Tells the engine of `rig` that what is loaded can stay.
pub fn stay<D: Device>(rig: &Rig<D>) {
    rig.let_stay(STAY);
}

/// What the engine of `rig` has done.
pub fn counters<D: Device>(rig: &Rig<D>) -> Counters {
    rig.ask(|engine| engine.counters())
}

/// What was sent between two readings, but for questions: how many sessions there are is asked after
/// others came, which is not a matter of replacement. Panics if it was anything else that a trace
/// cannot tell.
pub fn since(before: Counters, after: Counters) -> Count {
    assert_eq!(before.regaps, after.regaps, "sessions were saved again");
    Count {
        sent: after.sent - before.sent,
        loads: after.loads - before.loads,
        saves: after.saves - before.saves,
        flushes: after.flushes - before.flushes,
    }
}

struct Player<'r> {
    rig: &'r Rig<Fake>,
    spaces: HashMap<u32, Space<'r>>,
    handles: HashMap<Id, u32>,
    /// Of sessions that were given away.
    contexts: HashMap<Id, Vec<u8>>,
}

impl Player<'_> {
    fn event(&mut self, event: &Event) {
        match &event.what {
            What::Command {
                names,
                makes,
                ends,
                scratch,
            } => self.command(event.space, names, *makes, ends, *scratch),
            What::Flush(id) => {
                let handle = self.handles[id];
                self.space(event.space).flush(handle).expect("flush");
            }
            What::Detach(id) => {
                let handle = self.handles[id];
                let context = self.space(event.space).save(handle).expect("save");
                self.contexts.insert(*id, context);
            }
            What::Claim(id) => {
                let context = self.contexts.remove(id).expect("it was given away");
                self.space(event.space).restore(&context).expect("load");
            }
            What::Close => {
                if let Some(space) = self.spaces.remove(&event.space) {
                    self.rig.close(space);
                }
            }
            What::Vacate => self.rig.announce(),
        }
    }

    fn space(&mut self, number: u32) -> &Client<'_> {
        let rig = self.rig;
        self.spaces.entry(number).or_insert_with(|| rig.open(ALICE))
    }

    fn command(
        &mut self,
        space: u32,
        names: &[Id],
        makes: Option<Id>,
        ends: &[Id],
        scratch: usize,
    ) {
        let handle = |id: &Id| self.handles[id];
        let objects = names.iter().filter(|id| !id.kind.is_session()).map(handle);
        let persistent = (0..scratch).map(|n| PERSISTENT + su(n));
        let objects: Vec<u32> = objects.chain(persistent).collect();
        let sessions = names.iter().filter(|id| id.kind.is_session());
        let mut auths = vec![];
        for session in sessions {
            let attributes = u8::from(!ends.contains(session));
            auths = auths
                .u32(self.handles[session])
                .sized(b"")
                .u8(attributes)
                .sized(b"");
        }
        let ends_objects = ends.iter().any(|id| !id.kind.is_session());
        let (family, params) = match makes.map(|id| id.kind) {
            Some(Kind::Ordinary) => (play::MAKE, vec![]),
            Some(Kind::Sequence) => (play::START, vec![]),
            Some(Kind::Context) => (cc::CONTEXT_LOAD, context()),
            Some(Kind::Session) => (cc::START_AUTH_SESSION, start()),
            None if ends_objects => (play::END, vec![]),
            None => (play::USE, vec![]),
        };
        let code = match makes.map(|id| id.kind) {
            Some(Kind::Context | Kind::Session) => family,
            _ => family + su(objects.len()),
        };
        let mut body = vec![];
        match makes.map(|id| id.kind) {
            // The handles of this command are the salt's key and the bound entity.
            Some(Kind::Session) => {
                for n in 0..2 {
                    body = body.u32(objects.get(n).copied().unwrap_or(rh::NULL));
                }
            }
            _ => objects.iter().for_each(|o| body.extend(o.to_be_bytes())),
        }
        let tag = if auths.is_empty() {
            NO_SESSIONS
        } else {
            body = body.u32(su(auths.len())).bytes(&auths);
            SESSIONS
        };
        body = body.bytes(&params);
        let bytes = vec![]
            .u16(tag)
            .u32(su(10 + body.len()))
            .u32(code)
            .bytes(&body);
        let response = self.space(space).bytes(&bytes).expect("an answer");
        assert_eq!(response_code(&response), 0, "{names:?} {makes:?} {ends:?}");
        if let Some(id) = makes {
            self.handles.insert(id, Get(&response[10..]).u32());
        }
    }
}

/// The parameters of StartAuthSession.
fn start() -> Vec<u8> {
    vec![]
        .sized(&[0; 16])
        .sized(b"")
        .u8(1)
        .u16(alg::NULL)
        .u16(alg::SHA256)
}

/// A context of an object, from another TPM of the same kind.
fn context() -> Vec<u8> {
    let mut other = Fake::new(Model::default());
    let make = vec![].u16(NO_SESSIONS).u32(10).u32(play::MAKE);
    let handle = Get(&other.process(&make)[10..]).u32();
    let save = vec![]
        .u16(NO_SESSIONS)
        .u32(14)
        .u32(cc::CONTEXT_SAVE)
        .u32(handle);
    other.process(&save)[10..].to_vec()
}
