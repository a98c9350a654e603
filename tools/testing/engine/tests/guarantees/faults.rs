// SPDX-License-Identifier: GPL-2.0

//! Faults at every transmission and every allocation of a representative program.
//!
//! Each step runs in a world of its own with one fault. What the TPM answered must arrive (G2); what the step
//! does not name must be as it was (G3), and what it names as well unless the fault itself destroyed it;
//! and nothing may stay in the TPM (G8).

use harness::chip::{Fault, Sent};
use harness::client::{Failure, Object, Outcome};
use harness::command::{sha256, Command, Kind, Session, AUDIT, CONTINUE};
use harness::rig::{Rig, Space, ALICE, BOB};
use harness::tpm::{cc, rc, rh};
use harness::wire::Put;

const KEYS: [&[u8]; 3] = [b"key 0", b"key 1", b"key 2"];

/// Two spaces that hold some of everything.
struct World<'r> {
    rig: &'r Rig,
    a: Space<'r>,
    keys: Vec<Object>,
    key_blob: Vec<u8>,
    sessions: Vec<Session>,
    policy: Session,
    detached: Session,
    blob: Vec<u8>,
    sequence: Object,
    b: Space<'r>,
    other_key: Object,
    other_session: Session,
    /// What the step has made.
    made: Option<Object>,
    made_session: Option<Session>,
    made_blob: Vec<u8>,
    /// Whether the detached session is the space's already.
    is_claimed: bool,
    /// Whether the sequence may have been given more data.
    may_be_updated: bool,
}

/// What of the world a step names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    Key(usize),
    Session(usize),
    Policy,
    Detached,
    Sequence,
}

impl Item {
    const ALL: &'static [Item] = &[
        Item::Key(0),
        Item::Key(1),
        Item::Key(2),
        Item::Session(0),
        Item::Session(1),
        Item::Session(2),
        Item::Policy,
        Item::Detached,
        Item::Sequence,
    ];
}

impl<'r> World<'r> {
    fn new(rig: &'r Rig) -> Self {
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let keys: Vec<_> = KEYS.iter().map(|key| a.mac_key(key).unwrap()).collect();
        let policy = a.start(Kind::Policy).unwrap();
        a.policy_command_code(policy.handle, cc::SIGN).unwrap();
        let detached = a.start(Kind::Hmac).unwrap();
        let sequence = a.hash_start().unwrap();
        a.hash_update(&sequence, b"some ").unwrap();
        Self {
            rig,
            key_blob: a.save(keys[0].handle).unwrap(),
            sessions: (0..3).map(|_| a.start(Kind::Hmac).unwrap()).collect(),
            blob: a.save(detached.handle).unwrap(),
            other_key: b.mac_key(b"other").unwrap(),
            other_session: b.start(Kind::Hmac).unwrap(),
            a,
            b,
            keys,
            policy,
            detached,
            sequence,
            made: None,
            made_session: None,
            made_blob: vec![],
            is_claimed: false,
            may_be_updated: false,
        }
    }

    /// Uses an item for what it is for.
    fn uses(&mut self, item: Item) -> Outcome {
        let a = &self.a;
        match item {
            Item::Key(n) => {
                let mac = a.mac(&self.keys[n], b"data")?;
                assert_eq!(mac, harness::command::hmac(KEYS[n], &[b"data"]));
            }
            Item::Session(n) => a.audited_random(self.sessions[n].with(AUDIT | CONTINUE, b""))?,
            Item::Policy => {
                let digest = a.policy_digest(self.policy.handle)?;
                assert_ne!(digest, [0; 32]);
            }
            Item::Detached => {
                if !self.is_claimed {
                    assert_eq!(a.restore(&self.blob)?, self.detached.handle);
                    self.is_claimed = true;
                }
                a.audited_random(self.detached.with(AUDIT | CONTINUE, b""))?;
            }
            Item::Sequence => {
                let digest = a.hash_complete(&self.sequence, b"data")?;
                let updated = sha256(&[b"some more data"]);
                if !(self.may_be_updated && digest == updated) {
                    assert_eq!(digest, sha256(&[b"some data"]));
                }
            }
        }
        Ok(())
    }

    fn other_is_unharmed(&mut self) {
        self.b.assert_mac_key(&self.other_key, b"other");
        self.b
            .mac_with(&self.other_key, self.other_session.auth(b""), b"data")
            .unwrap();
    }

    /// Ends it all; the TPM must be empty.
    fn end(self) {
        // Detached sessions outlive their space, as they should.
        for handle in self.a.handles(rh::SAVED_SESSION, 100).unwrap().1 {
            self.a.flush(handle).unwrap();
        }
        self.rig.close(self.a);
        self.rig.close(self.b);
        self.rig.assert_nothing();
    }
}

/// One command of the program.
struct Step {
    name: &'static str,
    /// Its command code.
    code: u32,
    names: &'static [Item],
    run: fn(&mut World<'_>) -> Outcome<Then>,
}

/// What can be found out afterwards, without a fault: whether the thing that the step made works.
type Then = Option<fn(&mut World<'_>) -> Outcome>;

/// There is nothing to find out.
fn nothing_then(_: ()) -> Then {
    None
}

/// The program: every way in which a command concerns objects and sessions.
const STEPS: &[Step] = &[
    Step {
        name: "GetRandom",
        code: cc::GET_RANDOM,
        names: &[],
        run: |w| w.a.random().map(nothing_then),
    },
    Step {
        name: "HMAC by password",
        code: cc::HMAC,
        names: &[Item::Key(0)],
        run: |w| w.uses(Item::Key(0)).map(nothing_then),
    },
    Step {
        name: "HMAC by session",
        code: cc::HMAC,
        names: &[Item::Key(1), Item::Session(0)],
        run: |w| {
            let auth = w.sessions[0].auth(b"");
            w.a.mac_with(&w.keys[1], auth, b"data")
                .map(drop)
                .map(nothing_then)
        },
    },
    Step {
        name: "HMAC by a session that ends",
        code: cc::HMAC,
        names: &[Item::Key(1), Item::Session(0)],
        run: |w| {
            let auth = w.sessions[0].last(b"");
            w.a.mac_with(&w.keys[1], auth, b"data")
                .map(drop)
                .map(nothing_then)
        },
    },
    Step {
        name: "HMAC by two sessions",
        code: cc::HMAC,
        names: &[Item::Key(1), Item::Session(0), Item::Session(1)],
        run: |w| {
            let [one, two, _] = &mut w.sessions[..] else {
                unreachable!()
            };
            let command = Command::new(cc::HMAC)
                .named(w.keys[1].handle, &w.keys[1].name)
                .auth(one.auth(b""))
                .auth(two.with(AUDIT | CONTINUE, b""))
                .params(vec![].sized(b"data").u16(harness::tpm::alg::SHA256));
            w.a.run(command).map(drop).map(nothing_then)
        },
    },
    Step {
        name: "HMAC by a session with a wrong value",
        code: cc::HMAC,
        names: &[Item::Key(1), Item::Session(0)],
        run: |w| {
            let auth = w.sessions[0].auth(b"wrong");
            w.a.mac_with(&w.keys[1], auth, b"data")
                .map(drop)
                .map(nothing_then)
        },
    },
    Step {
        name: "LoadExternal",
        code: cc::LOAD_EXTERNAL,
        names: &[],
        run: |w| {
            w.made = Some(w.a.mac_key(b"new")?);
            Ok(Some(|w| {
                let mac = w.a.mac(w.made.as_ref().unwrap(), b"data")?;
                assert_eq!(mac, harness::command::hmac(b"new", &[b"data"]));
                Ok(())
            }))
        },
    },
    Step {
        name: "ReadPublic",
        code: cc::READ_PUBLIC,
        names: &[Item::Key(2)],
        run: |w| {
            w.a.run(Command::new(cc::READ_PUBLIC).handle(w.keys[2].handle))
                .map(drop)
                .map(nothing_then)
        },
    },
    Step {
        name: "StartAuthSession",
        code: cc::START_AUTH_SESSION,
        names: &[],
        run: |w| {
            w.made_session = Some(w.a.start(Kind::Hmac)?);
            Ok(Some(|w| {
                let session = w.made_session.as_mut().unwrap();
                w.a.audited_random(session.with(AUDIT | CONTINUE, b""))
            }))
        },
    },
    Step {
        name: "PolicyCommandCode",
        code: cc::POLICY_COMMAND_CODE,
        names: &[Item::Policy],
        run: |w| {
            w.a.policy_command_code(w.policy.handle, cc::SIGN)
                .map(nothing_then)
        },
    },
    Step {
        name: "ContextSave of a session",
        code: cc::CONTEXT_SAVE,
        names: &[Item::Session(1)],
        run: |w| {
            w.made_blob = w.a.save(w.sessions[1].handle)?;
            Ok(Some(|w| {
                assert_eq!(w.a.restore(&w.made_blob)?, w.sessions[1].handle);
                Ok(())
            }))
        },
    },
    Step {
        name: "ContextLoad of a session",
        code: cc::CONTEXT_LOAD,
        names: &[Item::Detached],
        run: |w| {
            w.a.restore(&w.blob)?;
            Ok(Some(|w| {
                w.blob = w.a.save(w.detached.handle)?;
                Ok(())
            }))
        },
    },
    Step {
        name: "ContextSave of a session that was only claimed since it was saved last",
        code: cc::CONTEXT_SAVE,
        names: &[Item::Detached],
        run: |w| {
            w.a.restore(&w.blob)?;
            match w.a.save(w.detached.handle) {
                Ok(blob) => w.blob = blob,
                Err(failure) => {
                    w.is_claimed = true;
                    return Err(failure);
                }
            }
            Ok(None)
        },
    },
    Step {
        name: "ContextSave of an object",
        code: cc::CONTEXT_SAVE,
        names: &[Item::Key(1)],
        run: |w| w.a.save(w.keys[1].handle).map(drop).map(nothing_then),
    },
    Step {
        name: "ContextLoad of an object",
        code: cc::CONTEXT_LOAD,
        names: &[],
        run: |w| {
            let mut copy = w.keys[0].clone();
            copy.handle = w.a.restore(&w.key_blob)?;
            w.made = Some(copy);
            Ok(Some(|w| {
                let mac = w.a.mac(w.made.as_ref().unwrap(), b"data")?;
                assert_eq!(mac, harness::command::hmac(KEYS[0], &[b"data"]));
                Ok(())
            }))
        },
    },
    Step {
        name: "FlushContext of an object",
        code: cc::FLUSH_CONTEXT,
        names: &[Item::Key(2)],
        run: |w| w.a.flush(w.keys[2].handle).map(nothing_then),
    },
    Step {
        name: "FlushContext of a session",
        code: cc::FLUSH_CONTEXT,
        names: &[Item::Session(2)],
        run: |w| w.a.flush(w.sessions[2].handle).map(nothing_then),
    },
    Step {
        name: "HashSequenceStart",
        code: cc::HASH_SEQUENCE_START,
        names: &[],
        run: |w| {
            w.made = Some(w.a.hash_start()?);
            Ok(Some(|w| {
                let digest = w.a.hash_complete(w.made.as_ref().unwrap(), b"data")?;
                assert_eq!(digest, sha256(&[b"data"]));
                Ok(())
            }))
        },
    },
    Step {
        name: "SequenceUpdate",
        code: cc::SEQUENCE_UPDATE,
        names: &[Item::Sequence],
        run: |w| {
            w.may_be_updated = true;
            w.a.hash_update(&w.sequence, b"more ")?;
            w.may_be_updated = false;
            Ok(Some(|w| {
                let digest = w.a.hash_complete(&w.sequence, b"data")?;
                assert_eq!(digest, sha256(&[b"some more data"]));
                Ok(())
            }))
        },
    },
    Step {
        name: "SequenceComplete",
        code: cc::SEQUENCE_COMPLETE,
        names: &[Item::Sequence],
        run: |w| w.uses(Item::Sequence).map(nothing_then),
    },
    Step {
        name: "GetCapability",
        code: cc::GET_CAPABILITY,
        names: &[],
        run: |w| {
            let (_, handles) = w.a.handles(rh::TRANSIENT, 100)?;
            assert_eq!(handles.len(), 4);
            Ok(None)
        },
    },
    Step {
        name: "GetCapability of properties",
        code: cc::GET_CAPABILITY,
        names: &[],
        run: |w| {
            let params = vec![].u32(6).u32(harness::tpm::cap::PT_VAR).u32(100);
            w.a.run(Command::new(cc::GET_CAPABILITY).params(params))
                .map(drop)
                .map(nothing_then)
        },
    },
    Step {
        name: "Clear",
        code: cc::CLEAR,
        names: &[],
        run: |w| w.a.clear().map(nothing_then),
    },
];

/// What the engine does by itself: no TPM command, and so none that could fail.
const SILENT: &[&str] = &[
    "ContextSave of a session",
    "ContextLoad of a session",
    "FlushContext of an object",
    "GetCapability",
];

/// Whether the outcome says that an item is lost, by name; or that the client's side of a session is out of
/// step with the TPM's, because the TPM has executed a command whose response got lost.
fn is_loss(outcome: Outcome) -> bool {
    let lost = |rc| matches!(rc & !7, rc::LOST_H0 | rc::LOST_S0);
    match outcome {
        Err(Failure::Rc(rc)) if rc == rc::BAD_AUTH + rc::S1 => true,
        Err(Failure::Rc(rc)) => lost(rc),
        Err(Failure::Errno(errno)) => errno == 22,
        Err(Failure::Waits) | Ok(()) => false,
    }
}

/// Whether the step's own command got an answer from the TPM that is not about room: then that is the
/// client's answer. `spoilt` is the transmission that the fault hit.
fn answered(step: &Step, sent: &[Sent], spoilt: Option<usize>) -> Option<u32> {
    let room = [
        rc::OBJECT_MEMORY,
        rc::OBJECT_HANDLES,
        rc::SESSION_MEMORY,
        rc::CONTEXT_GAP,
    ];
    sent.iter()
        .enumerate()
        .filter(|(n, s)| s.code() == step.code && Some(*n) != spoilt)
        .filter_map(|(_, s)| s.rc())
        .find(|rc| !room.contains(rc))
}

/// Commands that the engine also sends of its own accord: the log does not tell whose they are.
fn is_the_engines(code: u32) -> bool {
    matches!(
        code,
        cc::CONTEXT_SAVE | cc::CONTEXT_LOAD | cc::FLUSH_CONTEXT | cc::GET_CAPABILITY
    )
}

/// Runs `step` with `fault` at its `n`-th transmission; whether it had so many.
fn run_with_fault(step: &Step, n: usize, fault: Fault) -> bool {
    let context = format!("{}: transmission {n}: {fault:?}", step.name);
    let rig = Rig::new();
    let mut world = World::new(&rig);
    let before = rig.chip.borrow().log.len();
    let (outcome, reached) = rig.faulty(n, fault, || (step.run)(&mut world));
    if !reached {
        return false;
    }
    let sent = rig.chip.borrow().log[before..].to_vec();
    let (outcome, then) = match outcome {
        Ok(then) => (Ok(()), then),
        Err(failure) => (Err(failure), None),
    };
    let context = format!("{context}: {outcome:?} after {sent:x?}");

    if !is_the_engines(step.code) {
        if let Some(rc) = answered(step, &sent, Some(n)) {
            let expected = if rc == 0 {
                Ok(())
            } else {
                Err(Failure::Rc(rc))
            };
            assert_eq!(outcome, expected, "G2: {context}");
        }
    }
    if let Some(then) = then {
        let made = then(&mut world);
        let may_be_lost = fault_may_destroy(fault) && is_loss(made);
        assert!(made.is_ok() || may_be_lost, "made: {made:?}: {context}");
    }
    for item in Item::ALL.iter().filter(|item| !step.names.contains(item)) {
        assert_eq!(world.uses(*item), Ok(()), "G3: {item:?}: {context}");
    }
    for item in step.names {
        let used = world.uses(*item);
        if outcome.is_err() && !fault_may_destroy(fault) {
            assert_eq!(used, Ok(()), "G3: {item:?}: {context}");
        } else if used.is_err() {
            assert!(is_loss(used), "G5: {item:?}: {used:?}: {context}");
        }
    }
    world.other_is_unharmed();
    let nothing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.end()));
    assert!(nothing.is_ok(), "G8: {context}");
    true
}

/// Whether a fault can by itself end an object or session. That the TPM says once that something is gone
/// which is not does no harm.
fn fault_may_destroy(fault: Fault) -> bool {
    fault.executes()
}

fn sweep(faults: impl Iterator<Item = Fault>) {
    let mut failures = vec![];
    for fault in faults {
        for step in STEPS {
            for n in 0.. {
                let run = std::panic::catch_unwind(|| run_with_fault(step, n, fault));
                match run {
                    Ok(true) => {}
                    Ok(false) => {
                        let silent = SILENT.contains(&step.name);
                        assert_eq!(n == 0, silent, "{}: {n} transmissions", step.name);
                        break;
                    }
                    Err(why) => {
                        let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                        failures.push(format!("{}: {n}: {fault:?}: {why}", step.name));
                    }
                }
                assert!(n < 200, "{} does not end", step.name);
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of the runs failed, first: {}",
        failures.len(),
        failures[0]
    );
}

#[test]
fn g2_g3_g8_hold_when_the_tpm_refuses_any_one_command() {
    sweep(
        Fault::ALL
            .iter()
            .copied()
            .filter(|f| matches!(f, Fault::Answer(_))),
    );
}

#[test]
fn g2_g3_g8_hold_when_any_one_command_never_reaches_the_tpm() {
    sweep(
        Fault::ALL
            .iter()
            .copied()
            .filter(|f| matches!(f, Fault::Before(_))),
    );
}

#[test]
fn g2_g3_g8_hold_when_any_one_response_gets_lost() {
    sweep(
        Fault::ALL
            .iter()
            .copied()
            .filter(|f| matches!(f, Fault::After(_))),
    );
}

#[test]
fn g2_g3_g8_hold_when_any_one_response_arrives_damaged() {
    let damaged = |f: &Fault| matches!(f, Fault::Truncated(_) | Fault::Hollow | Fault::Noise);
    sweep(Fault::ALL.iter().copied().filter(damaged));
}

/// Runs `step` while its `n`-th allocation fails, or also all later ones; whether it had so many.
fn run_without_memory(step: &Step, n: usize, all: bool) -> bool {
    let context = format!("{}: allocation {n}, all {all}", step.name);
    let rig = Rig::new();
    let mut world = World::new(&rig);
    let before = rig.chip.borrow().log.len();
    let (outcome, reached) = rig.without_memory(n, all, || (step.run)(&mut world));
    if !reached {
        return false;
    }
    let (outcome, then) = match outcome {
        Ok(then) => (Ok(()), then),
        Err(failure) => (Err(failure), None),
    };
    let sent = rig.chip.borrow().log[before..].to_vec();
    let context = format!("{context}: {outcome:?} after {sent:x?}");
    if !is_the_engines(step.code) {
        if let Some(rc) = answered(step, &sent, None) {
            let expected = if rc == 0 {
                Ok(())
            } else {
                Err(Failure::Rc(rc))
            };
            assert_eq!(outcome, expected, "G2: {context}");
        }
    }
    let none = Err(Failure::Errno(12));
    assert!(outcome == Ok(()) || outcome == none, "{context}");
    if let Some(then) = then {
        assert_eq!(then(&mut world), Ok(()), "made: {context}");
    }
    for item in Item::ALL {
        if outcome == none || !step.names.contains(item) {
            assert_eq!(world.uses(*item), Ok(()), "G3: {item:?}: {context}");
        }
    }
    world.other_is_unharmed();
    world.end();
    true
}

#[test]
fn g2_g3_g8_hold_when_any_one_allocation_fails() {
    let mut reached = 0;
    for all in [false, true] {
        for step in STEPS {
            for n in 1.. {
                assert!(n < 200, "{} does not end", step.name);
                if !run_without_memory(step, n, all) {
                    break;
                }
                reached += 1;
            }
        }
    }
    assert!(reached > 0, "the engine allocates nothing?");
}

#[test]
fn g3_opening_without_memory_fails_and_costs_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    for n in 1.. {
        assert!(n < 200);
        let before = kernel::fault::allocations();
        kernel::fault::fail_nth(n);
        let opened = rig.try_open(BOB);
        kernel::fault::fail_none();
        if kernel::fault::allocations() - before < n {
            rig.close(opened.map_err(drop).expect("nothing was in the way"));
            break;
        }
        match opened {
            Ok(space) => rig.close(space),
            Err(errno) => assert_eq!(errno, 12),
        }
        a.assert_mac_key(&key, b"key");
    }
}

#[test]
fn g3_a_chip_that_is_gone_is_epipe_and_loses_nothing() {
    let rig = Rig::new();
    let mut world = World::new(&rig);
    rig.chip.borrow_mut().gone = true;
    for step in STEPS.iter().filter(|step| !SILENT.contains(&step.name)) {
        let outcome = (step.run)(&mut world).map(drop);
        assert_eq!(outcome, Err(Failure::Errno(32)), "{}", step.name);
    }
    rig.chip.borrow_mut().gone = false;
    for item in Item::ALL {
        assert_eq!(world.uses(*item), Ok(()), "{item:?}");
    }
    world.other_is_unharmed();
    world.end();
}
