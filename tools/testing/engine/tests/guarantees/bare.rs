// SPDX-License-Identifier: GPL-2.0

//! The engine as the module calls it: names of spaces that are closed, who watches, and the barrier.

use harness::bell::Recorder;
use harness::chip::{Chip, Fault};
use harness::clock::CLOCK;
use harness::command::{Command, Kind, EMPTY};
use harness::engine::{
    Barrier, End, Engine, Errand, Event, Message, Observer, Progress, SpaceId, Span, UserId,
};
use harness::fake::{Fake, Model};
#[cfg(feature = "exhaustion")]
use harness::rig::CAROL;
use harness::rig::{ALICE, BOB};
use harness::tpm::{alg, cap, cc, rc, rh};
use harness::wire::{answer, command_code, response_code, Get, Put};
use kernel::alloc::flags::GFP_KERNEL;
use kernel::error::code::EINVAL;
use std::sync::{Arc, Mutex};

/// An engine over a modelled TPM, and nothing else.
struct Bare {
    engine: Engine,
    chip: Chip<Fake>,
}

/// The response, or an errno.
type Answer = Result<Vec<u8>, i32>;

impl Bare {
    fn new() -> Self {
        let mut chip = Chip::new(Fake::new(Model::default()));
        let engine = Engine::probe(&mut chip, &CLOCK, Default::default()).unwrap();
        Self { engine, chip }
    }

    fn open(&mut self, user: u32) -> SpaceId {
        let bell = Arc::new(Recorder::new(0, Arc::default()));
        self.engine.open(UserId(user), bell).unwrap()
    }

    fn run(&mut self, space: SpaceId, command: Command<'_>) -> Answer {
        let (progress, response) = self.try_run(space, command)?;
        assert_eq!(progress, Progress::Answered, "there are numbers enough");
        Ok(response)
    }

    /// What became of it, and what is left in the buffer.
    fn try_run(
        &mut self,
        space: SpaceId,
        mut command: Command<'_>,
    ) -> Result<(Progress, Vec<u8>), i32> {
        let bytes = command.bytes();
        let mut message = Message::new(GFP_KERNEL).unwrap();
        message.room()[..bytes.len()].copy_from_slice(&bytes);
        message.set_len(bytes.len());
        let done = self.engine.execute(&mut self.chip, space, &mut message);
        assert_eq!(message.len(), message.as_slice().len());
        done.map(|progress| (progress, message.as_slice().to_vec()))
            .map_err(|error| error.to_errno())
    }

    /// The handle of what this command makes.
    fn make(&mut self, space: SpaceId, command: Command<'_>) -> u32 {
        let response = self.run(space, command).unwrap();
        assert_eq!(response_code(&response), 0);
        Get(&response[10..]).u32()
    }
}

fn sequence() -> Command<'static> {
    Command::new(cc::HASH_SEQUENCE_START).params(vec![].sized(b"").u16(alg::SHA256))
}

fn update(handle: u32) -> Command<'static> {
    Command::new(cc::SEQUENCE_UPDATE)
        .named(handle, b"")
        .auth(EMPTY)
        .params(vec![].sized(b"data"))
}

fn session() -> Command<'static> {
    let nonce = [5; 16];
    Command::new(cc::START_AUTH_SESSION)
        .handle(rh::NULL)
        .handle(rh::NULL)
        .params(
            vec![]
                .sized(&nonce)
                .sized(b"")
                .u8(Kind::Policy as u8)
                .u16(alg::NULL)
                .u16(alg::SHA256),
        )
}

fn digest(handle: u32) -> Command<'static> {
    Command::new(cc::POLICY_GET_DIGEST).handle(handle)
}

fn save(handle: u32) -> Command<'static> {
    Command::new(cc::CONTEXT_SAVE).handle(handle)
}

fn flush(handle: u32) -> Command<'static> {
    Command::new(cc::FLUSH_CONTEXT).params(vec![].u32(handle))
}

fn handles(first: u32) -> Command<'static> {
    Command::new(cc::GET_CAPABILITY).params(vec![].u32(cap::HANDLES).u32(first).u32(9))
}

#[test]
fn g4_g5_the_name_of_a_closed_space_means_nothing_and_never_the_next() {
    let mut bare = Bare::new();
    let old = bare.open(ALICE);
    let gone = bare.make(old, sequence());
    bare.engine.close(&mut bare.chip, old);
    let new = bare.open(BOB);
    assert_ne!(old.number(), new.number());
    let object = bare.make(new, sequence());
    let number = bare.make(new, session());
    assert_eq!(object, gone, "the first object of a space");

    let einval = Err(EINVAL.to_errno());
    for command in [
        update(object),
        save(object),
        flush(object),
        sequence(),
        session(),
        handles(rh::TRANSIENT),
        handles(rh::LOADED_SESSION),
        flush(number),
    ] {
        assert_eq!(bare.run(old, command), einval);
    }
    assert_eq!(bare.run(old, digest(number)), Ok(answer(rc::LOST_H0)));
    bare.engine.close(&mut bare.chip, old);
    bare.engine.forget(old);
    for command in [update(object), digest(number)] {
        let response = bare.run(new, command).unwrap();
        assert_eq!(response_code(&response), 0);
    }
}

#[cfg(feature = "exhaustion")]
#[test]
fn g4_g7_the_name_of_a_closed_space_decides_nothing() {
    use harness::engine::LossPolicy;

    let mut bare = Bare::new();
    let old = bare.open(ALICE);
    let never = Some(LossPolicy::Never);
    bare.engine.set_policy(old, never).unwrap();
    bare.engine.close(&mut bare.chip, old);
    let new = bare.open(BOB);
    bare.engine.set_policy(new, never).unwrap();
    let reserved = bare.engine.reserve_sessions(&mut bare.chip, new, 3);
    assert_eq!(reserved, Ok(Progress::Answered));

    assert_eq!(bare.engine.policy(old), Err(EINVAL));
    assert_eq!(bare.engine.set_policy(old, None), Err(EINVAL));
    assert_eq!(bare.engine.reserved_sessions(old), 0);
    assert_eq!(bare.engine.lost_sessions(old).count(), 0);
    for count in [0, 1] {
        let reserved = bare.engine.reserve_sessions(&mut bare.chip, old, count);
        assert!(reserved.is_err(), "{reserved:?}");
    }
    assert_eq!(bare.engine.policy(new), Ok(LossPolicy::Never));
    assert_eq!(bare.engine.reserved_sessions(new), 3);
    // A reservation counts for nothing while the space may lose what it has.
    bare.engine.set_policy(new, Some(LossPolicy::Fail)).unwrap();
    assert_eq!(bare.engine.reserved_sessions(new), 0);
}

#[test]
fn g9_without_the_barrier_what_was_to_stay_leaves() {
    let mut bare = Bare::new();
    bare.engine.set_idle(Span(1000));
    bare.engine.set_barrier(&mut bare.chip, Barrier::Installed);
    let space = bare.open(ALICE);
    let object = bare.make(space, sequence());
    bare.make(space, session());
    assert!(!bare.engine.is_vacant());
    bare.engine.set_barrier(&mut bare.chip, Barrier::Absent);
    assert!(bare.engine.is_vacant());
    assert_eq!(bare.chip.device.free(), [3, 3]);
    let response = bare.run(space, update(object)).unwrap();
    assert_eq!(response_code(&response), 0);
    assert_eq!(bare.chip.device.free(), [3, 3], "nothing stays any more");
}

/// Somebody who watches, and remembers.
#[derive(Default)]
struct Notes(Mutex<Vec<Event>>);

impl Observer for Notes {
    fn note(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// What the engine sent of its own accord: the clients here send none of these commands.
fn errand(sent: &harness::chip::Sent) -> Option<(Errand, u32)> {
    let named = |bytes: &[u8]| bytes.get(10..14).map_or(0, |bytes| Get(bytes).u32());
    match command_code(&sent.command) {
        cc::CONTEXT_LOAD => Some((Errand::Load, named(&sent.response))),
        cc::CONTEXT_SAVE => Some((Errand::Save, named(&sent.command))),
        cc::FLUSH_CONTEXT => Some((Errand::Flush, named(&sent.command))),
        cc::GET_CAPABILITY => Some((Errand::Question, 0)),
        _ => None,
    }
}

#[test]
fn g2_whoever_watches_is_told_what_the_tpm_was_sent_and_what_was_answered() {
    let mut bare = Bare::new();
    let notes = Arc::new(Notes::default());
    bare.engine.set_observer(notes.clone());
    let begun = bare.chip.log.len();
    let space = bare.open(ALICE);
    let mut answered = vec![];
    let objects: Vec<_> = (0..4).map(|_| bare.make(space, sequence())).collect();
    answered.extend([(cc::HASH_SEQUENCE_START, End::Response(0)); 4]);
    for object in &objects {
        bare.run(space, update(*object)).unwrap();
        answered.push((cc::SEQUENCE_UPDATE, End::Response(0)));
    }
    // One that is not there, and one that the TPM does not answer.
    let unknown = bare.run(space, update(objects[3] + 1));
    assert_eq!(unknown, Err(EINVAL.to_errno()));
    answered.push((cc::SEQUENCE_UPDATE, End::Errno(EINVAL.to_errno())));
    bare.chip
        .fail_code(cc::HASH_SEQUENCE_START, Fault::After(EINVAL));
    bare.run(space, sequence()).unwrap_err();
    answered.push((cc::HASH_SEQUENCE_START, End::Errno(EINVAL.to_errno())));
    bare.chip.fail_none();
    // One that the TPM refuses on its own.
    bare.chip
        .fail_code(cc::SEQUENCE_UPDATE, Fault::Answer(rc::RETRY));
    bare.run(space, update(objects[0])).unwrap();
    answered.push((cc::SEQUENCE_UPDATE, End::Response(rc::RETRY)));
    bare.chip.fail_none();
    bare.engine.close(&mut bare.chip, space);

    let notes = notes.0.lock().unwrap();
    let ends: Vec<_> = notes
        .iter()
        .filter_map(|event| match *event {
            Event::Command { code, end, .. } => Some((code, end)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, answered);
    let errands: Vec<_> = notes
        .iter()
        .filter_map(|event| match *event {
            Event::Errand {
                errand,
                handle,
                end,
            } => Some((errand, handle, end)),
            _ => None,
        })
        .collect();
    let sent: Vec<_> = bare.chip.log[begun..]
        .iter()
        .filter_map(|sent| {
            let (errand, handle) = errand(sent)?;
            Some((errand, handle, End::Response(sent.rc()?)))
        })
        .collect();
    assert_eq!(errands, sent);
    assert!(errands.len() > 8, "{errands:?}");
}

#[test]
fn g9_whoever_watches_is_told_when_others_come_and_what_that_costs() {
    let mut bare = Bare::new();
    bare.engine.set_idle(Span(1000));
    bare.engine.set_barrier(&mut bare.chip, Barrier::Installed);
    let notes = Arc::new(Notes::default());
    bare.engine.set_observer(notes.clone());
    let space = bare.open(ALICE);
    let lost = bare.make(space, sequence());
    bare.chip
        .fail_code(cc::CONTEXT_SAVE, Fault::Answer(rc::RETRY));
    bare.engine.vacate(&mut bare.chip);
    bare.chip.fail_none();
    let told = |event| notes.0.lock().unwrap().contains(&event);
    assert!(told(Event::Barrier));
    assert!(told(Event::Lost {
        space,
        handle: lost
    }));
    assert_eq!(bare.run(space, update(lost)), Ok(answer(rc::LOST_H0)));
    // Nothing is there, so that nothing has to leave.
    notes.0.lock().unwrap().clear();
    bare.engine.vacate(&mut bare.chip);
    assert!(!told(Event::Barrier));
}

#[cfg(feature = "exhaustion")]
#[test]
fn g7_whoever_watches_is_told_of_each_wait_and_its_end() {
    use harness::clock::pass;
    use harness::engine::{Terms, Wait};

    let mut bare = Bare::new();
    let notes = Arc::new(Notes::default());
    bare.engine.set_observer(notes.clone());
    let terms = Terms {
        kernel_reserve: 63,
        ..Terms::default()
    };
    bare.engine.set_terms(terms);
    let [a, b, c] = [ALICE, BOB, CAROL].map(|user| bare.open(user));
    let held = bare.make(a, session());
    let ask = |bare: &mut Bare, space| bare.try_run(space, session()).map(|p| p.0);
    assert_eq!(ask(&mut bare, b), Ok(Progress::Waits));
    bare.engine.leave(b);
    assert_eq!(ask(&mut bare, b), Ok(Progress::Waits));
    assert_eq!(ask(&mut bare, c), Ok(Progress::Waits));
    bare.run(a, flush(held)).unwrap();
    assert_eq!(ask(&mut bare, b), Ok(Progress::Answered));
    let wait = terms.wait.0;
    // He has it for a lease, and then it would be taken from him.
    bare.engine
        .set_policy(b, Some(harness::engine::LossPolicy::Never))
        .unwrap();
    pass(wait);
    bare.engine.attend(&mut bare.chip);

    let notes = notes.0.lock().unwrap();
    let waits: Vec<_> = notes
        .iter()
        .filter_map(|event| match *event {
            Event::Wait { space, wait } => Some((space, wait)),
            _ => None,
        })
        .collect();
    let told = [
        (b, Wait::Begins),
        (b, Wait::Left),
        (c, Wait::Begins),
        (b, Wait::Granted),
        (c, Wait::Expired),
    ];
    assert_eq!(waits, told);
}

#[test]
fn g10_whoever_logs_commands_is_told_which_one_a_message_is() {
    let mut message = Message::new(GFP_KERNEL).unwrap();
    for mut command in [sequence(), session(), digest(1), handles(rh::TRANSIENT)] {
        let bytes = command.bytes();
        message.room().fill(0xff);
        message.room()[..bytes.len()].copy_from_slice(&bytes);
        message.set_len(bytes.len());
        assert_eq!(message.command(), command_code(&bytes));
        // What is left of an earlier message is no command.
        message.set_len(9);
        assert_eq!(message.command(), 0);
    }
}
