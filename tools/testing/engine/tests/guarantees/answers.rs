// SPDX-License-Identifier: GPL-2.0

//! What a TPM says of itself: little at a time, again and again, nothing, or too much.

use crate::count;
use harness::chip::{Chip, Device, Fault, Sent};
use harness::client::{Failure, Outcome};
use harness::clock::CLOCK;
use harness::command::{sha256, Command, Kind};
use harness::engine::Engine;
use harness::fake::{play, Fake, Model};
use harness::rig::{errno, label, rc, until_unreached, Rig, Space, ALICE, BOB};
use harness::tpm::{cap, cc, rc as code, rh};
use harness::wire::{command_code, su, Get, Put};
use kernel::error::code::{EIO, ENOMEM};
use kernel::fault;
use std::cell::Cell;

/// More commands than it takes to ask a TPM for all that it has.
const ENDLESS: usize = 20_000;

/// What comes of a question: capability, the first value, and how many.
type Tell = fn(&mut Fake, [u32; 3]) -> Vec<u8>;

/// A TPM that has its own way to answer GetCapability.
struct Teller {
    tpm: Fake,
    tell: Tell,
    /// How often it may be asked.
    left: Cell<usize>,
}

impl Teller {
    fn new(model: Model, tell: Tell) -> Self {
        Self {
            tpm: Fake::new(model),
            tell,
            left: Cell::new(ENDLESS),
        }
    }
}

impl Device for Teller {
    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.left.set(
            self.left
                .get()
                .checked_sub(1)
                .expect("the engine asks for ever"),
        );
        if command_code(command) != cc::GET_CAPABILITY {
            return self.tpm.process(command);
        }
        let mut get = Get(&command[10..]);
        let question = [get.u32(), get.u32(), get.u32()];
        (self.tell)(&mut self.tpm, question)
    }
}

fn ask(tpm: &mut Fake, [capability, first, count]: [u32; 3]) -> Vec<u8> {
    let question = vec![].u32(capability).u32(first).u32(count);
    tpm.process(&Command::new(cc::GET_CAPABILITY).params(question).bytes())
}

/// A successful answer: whether there is more, how many values it says that it has, and those.
fn told(capability: u32, more: u8, count: usize, values: &[u32]) -> Vec<u8> {
    let mut body = vec![].u8(more).u32(capability).u32(su(count));
    for value in values {
        body = body.u32(*value);
    }
    vec![]
        .u16(0x8001)
        .u32(su(10 + body.len()))
        .u32(0)
        .bytes(&body)
}

/// Two values at a time.
fn by_twos(tpm: &mut Fake, [capability, first, count]: [u32; 3]) -> Vec<u8> {
    ask(tpm, [capability, first, count.min(2)])
}

/// Two commands and two handles, the same each time, and always more.
fn the_same_again(tpm: &mut Fake, [capability, first, count]: [u32; 3]) -> Vec<u8> {
    match capability {
        cap::COMMANDS => told(capability, 1, 2, &[cc::GET_RANDOM, cc::GET_CAPABILITY]),
        cap::HANDLES => told(
            capability,
            1,
            2,
            &[first & 0xff00_0000, first & 0xff00_0000],
        ),
        _ => ask(tpm, [capability, first, count]),
    }
}

/// The handles alone are the same each time.
fn the_same_handles(tpm: &mut Fake, question: [u32; 3]) -> Vec<u8> {
    match question[0] {
        cap::COMMANDS => ask(tpm, question),
        _ => the_same_again(tpm, question),
    }
}

/// There is more, and nothing comes.
fn more_of_nothing(tpm: &mut Fake, question: [u32; 3]) -> Vec<u8> {
    match question[0] {
        cap::HANDLES => told(cap::HANDLES, 1, 0, &[]),
        _ => ask(tpm, question),
    }
}

/// It has no properties.
fn no_properties(tpm: &mut Fake, question: [u32; 3]) -> Vec<u8> {
    match question[0] {
        cap::TPM_PROPERTIES => told(cap::TPM_PROPERTIES, 0, 0, &[]),
        _ => ask(tpm, question),
    }
}

/// It says that there are more properties than come.
fn fewer_than_said(tpm: &mut Fake, question: [u32; 3]) -> Vec<u8> {
    match question {
        [cap::TPM_PROPERTIES, cap::PT_HR_LOADED, 9] => {
            let one = [cap::PT_HR_LOADED, 7, cap::PT_HR_LOADED_AVAIL];
            told(cap::TPM_PROPERTIES, 0, 9, &one)
        }
        _ => ask(tpm, question),
    }
}

/// It says that contexts are small, and they are not.
fn small_contexts(tpm: &mut Fake, question: [u32; 3]) -> Vec<u8> {
    match question {
        [cap::TPM_PROPERTIES, name, 1]
            if [cap::PT_MAX_OBJECT_CONTEXT, cap::PT_MAX_SESSION_CONTEXT].contains(&name) =>
        {
            told(cap::TPM_PROPERTIES, 1, 1, &[name, 16])
        }
        _ => ask(tpm, question),
    }
}

fn rig(tell: Tell) -> Rig<Teller> {
    let model = Model {
        object_slots: 5,
        loaded_sessions: 5,
        ..Model::default()
    };
    Rig::over(Teller::new(model, tell), Default::default())
}

fn probe<D: Device>(chip: &mut Chip<D>) -> Result<Engine, kernel::error::Error> {
    Engine::probe(chip, &CLOCK, Default::default())
}

/// Which handles were asked for.
fn listed(sent: &[Sent]) -> Vec<u32> {
    sent.iter()
        .filter(|sent| sent.code() == cc::GET_CAPABILITY)
        .filter_map(|sent| {
            let mut get = Get(&sent.command[10..]);
            (get.u32() == cap::HANDLES).then(|| get.u32())
        })
        .collect()
}

#[test]
fn g1_g3_a_tpm_that_tells_two_things_at_a_time_is_understood() {
    let rig = rig(by_twos);
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let keys: Vec<_> = (0..5)
        .map(|n| a.mac_key_in_model(&label("key", n)))
        .collect();
    // All commands are known, also those on the last page.
    assert_eq!(a.random(), Ok(()));
    // Somebody flushes the second one, without a word.
    let second = rh::TRANSIENT + 1;
    rig.chip.borrow_mut().device.tpm.flush(second).unwrap();
    let (outcome, sent) = rig.sent(|| a.read_public(keys[1]));
    assert_eq!(listed(&sent)[..2], [rh::TRANSIENT, rh::TRANSIENT + 3]);
    assert!(outcome.is_err(), "it was never saved: {outcome:?}");
    for key in [keys[0], keys[2], keys[3], keys[4]] {
        let (outcome, sent) = rig.sent(|| a.read_public(key));
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(
            count(&sent, cc::CONTEXT_LOAD),
            0,
            "it was there all the time"
        );
    }
    rig.close(a);
    rig.assert_empty();
}

#[test]
fn g7_a_tpm_that_repeats_itself_keeps_nobody() {
    let mut chip = Chip::new(Teller::new(Model::default(), the_same_again));
    assert_eq!(probe(&mut chip).err(), Some(EIO));

    for tell in [the_same_handles as Tell, more_of_nothing] {
        let rig = rig(tell);
        rig.let_stay(1000);
        let (a, b) = (rig.open(ALICE), rig.open(BOB));
        let (key, other) = (a.mac_key_in_model(b"key"), b.mac_key_in_model(b"other"));
        rig.chip
            .borrow_mut()
            .device
            .tpm
            .flush(rh::TRANSIENT)
            .unwrap();
        // What the TPM said is all that there is.
        assert_eq!(rc(a.read_public(key)), code::REFERENCE_H0);
        b.read_public(other).unwrap();
    }
}

#[test]
fn g1_a_tpm_without_properties_is_managed_all_the_same() {
    let rig = rig(no_properties);
    let a = rig.open(ALICE);
    let keys: Vec<_> = (0..12)
        .map(|n| a.mac_key_in_model(&label("key", n)))
        .collect();
    let sessions: Vec<_> = (0..12).map(|_| a.start(Kind::Policy).unwrap()).collect();
    for (key, session) in keys.iter().zip(&sessions) {
        a.read_public(*key).unwrap();
        a.policy_digest(session.handle).unwrap();
    }
    rig.assert_leave([a]);
}

#[test]
fn g2_a_list_that_ends_before_its_end_is_passed_on_as_it_is() {
    let rig = rig(fewer_than_said);
    let a = rig.open(ALICE);
    a.start(Kind::Policy).unwrap();
    let (_, data) = a
        .capability(cap::TPM_PROPERTIES, cap::PT_HR_LOADED, 9)
        .unwrap();
    // What is the space's own is, as far as it goes.
    let own = vec![].u32(9).u32(cap::PT_HR_LOADED).u32(1);
    assert_eq!(data, own.u32(cap::PT_HR_LOADED_AVAIL));
}

#[test]
fn g10_without_memory_a_tpm_is_refused_and_later_taken() {
    let mut chip = Chip::new(Fake::new(Model::default()));
    let allocations = until_unreached(1..1000, |n| {
        fault::fail_nth(n);
        let probed = probe(&mut chip);
        fault::fail_none();
        let error = probed.err();
        assert!(error.is_none() || error == Some(ENOMEM), "{error:?}");
        error.is_some()
    });
    assert!(
        allocations > 2,
        "the buffers and the commands: {allocations}"
    );
}

#[test]
fn g10_a_tpm_that_does_not_answer_is_refused_and_later_taken() {
    for fault in Fault::ALL {
        let mut chip = Chip::new(Fake::new(Model::default()));
        let failures = until_unreached(0..100, |n| {
            let before = chip.log.len();
            chip.fail_nth(n, *fault);
            let probed = probe(&mut chip);
            let met = chip.fail_none() > 0;
            // Without a count of sessions it can begin; without anything else it cannot.
            let is_census = met && n + 1 == chip.log.len() - before && probed.is_ok();
            assert!(
                !met || is_census || probed.err() == Some(EIO),
                "{fault:?} at {n}"
            );
            met
        });
        assert!(failures >= 6, "{failures}");
        assert!(probe(&mut chip).is_ok());
    }
}

#[test]
fn g3_what_cannot_be_saved_for_the_client_is_still_his() {
    let rig = rig(ask);
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let fault = Fault::Answer(code::RETRY);
    rig.chip.borrow_mut().fail_code(cc::CONTEXT_SAVE, fault);
    assert_eq!(errno(a.save(session.handle)), -EIO.to_errno());
    rig.chip.borrow_mut().fail_none();
    a.policy_digest(session.handle).unwrap();
    let context = a.save(session.handle).unwrap();
    assert_eq!(a.restore(&context), Ok(session.handle));
    a.policy_digest(session.handle).unwrap();
}

#[test]
fn g3_g5_what_cannot_be_saved_is_lost_only_if_the_tpm_says_that_it_is_not_there() {
    let rig = rig(ask);
    rig.let_stay(1000);
    let a = rig.open(ALICE);
    let sequence = a.hash_start().unwrap();
    let fault = Fault::Answer(code::RETRY);
    rig.chip.borrow_mut().fail_code(cc::CONTEXT_SAVE, fault);
    rig.withdraw();
    rig.chip.borrow_mut().fail_none();
    a.hash_update(&sequence, b"data").unwrap();
    // Somebody flushes it, without a word.
    let handle = rh::TRANSIENT;
    rig.chip.borrow_mut().device.tpm.flush(handle).unwrap();
    rig.withdraw();
    let (outcome, sent) = rig.sent(|| a.hash_update(&sequence, b"more"));
    assert_eq!(rc(outcome), code::LOST_H0);
    assert_eq!(count(&sent, cc::SEQUENCE_UPDATE), 0, "{sent:?}");
}

#[test]
fn g3_g8_what_the_tpm_does_not_flush_is_still_there_and_goes_later() {
    let rig = rig(ask);
    let a = rig.open(ALICE);
    let session = a.start(Kind::Policy).unwrap();
    let fault = Fault::Answer(code::RETRY);
    rig.chip.borrow_mut().fail_code(cc::FLUSH_CONTEXT, fault);
    assert_eq!(rc(a.flush(session.handle)), code::RETRY);
    rig.chip.borrow_mut().fail_none();
    a.policy_digest(session.handle).unwrap();
    a.flush(session.handle).unwrap();
    rig.assert_nothing();
}

#[test]
fn g3_g5_g8_what_outgrows_the_tpms_promise_and_all_memory_is_lost_alone() {
    let rig = rig(small_contexts);
    let b = rig.open(BOB);
    let (key, policy) = (b.mac_key_in_model(b"key"), b.start(Kind::Policy).unwrap());
    let mut lost = [0, 0];
    for all in [false, true] {
        until_unreached(1..1000, |n| {
            let a = rig.open(ALICE);
            let sequence = a.hash_start().unwrap();
            let (updated, met) = rig.without_memory(n, all, || a.hash_update(&sequence, &[7; 600]));
            let added: &[u8] = if updated.is_ok() { &[7; 600] } else { &[] };
            match a.hash_complete(&sequence, b"end") {
                Ok(digest) => assert_eq!(digest, sha256(&[added, b"end"])),
                Err(failure) => {
                    assert_eq!(failure, Failure::Rc(code::LOST_H0));
                    lost[0] += 1;
                }
            }
            let (started, met_too) = rig.without_memory(n, all, || a.start(Kind::Policy));
            if let Ok(session) = started {
                if let Err(failure) = a.policy_digest(session.handle) {
                    assert_eq!(failure, Failure::Rc(code::LOST_H0));
                    lost[1] += 1;
                }
            }
            rig.close(a);
            b.read_public(key).unwrap();
            b.policy_digest(policy.handle).unwrap();
            rig.assert_empty();
            met || met_too
        });
    }
    assert!(lost.iter().all(|lost| *lost > 0), "{lost:?}");
    rig.assert_leave([b]);
}

#[test]
fn g3_g8_what_is_loaded_under_a_handle_of_something_else_is_not_used_and_not_lost() {
    let rig = rig(ask);
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let (key, other) = (a.mac_key_in_model(b"key"), b.mac_key_in_model(b"other"));
    let session = a.start(Kind::Policy).unwrap().handle;
    let two = |a: &Space<'_>| {
        let use_both = Command::new(play::USE + 2).handle(key).handle(key);
        a.run(use_both).map(drop)
    };
    for handle in [0x8100_0000, 0x0200_0009, rh::NULL] {
        let fault = Fault::Handle(handle);
        let fail = || rig.chip.borrow_mut().fail_code(cc::CONTEXT_LOAD, fault);
        let heal = || rig.chip.borrow_mut().fail_none();
        fail();
        assert_eq!(errno(a.read_public(key)), -EIO.to_errno());
        assert_eq!(errno(a.policy_digest(session)), -EIO.to_errno());
        heal();
        b.read_public(other).unwrap();
        a.read_public(key).unwrap();
        a.policy_digest(session).unwrap();
        two(&a).unwrap();
        rig.assert_empty();
    }
}

#[test]
fn g4_g5_a_tpm_that_gives_one_handle_to_two_objects_gets_no_command_that_names_both() {
    let model = Model {
        object_slots: 16,
        ..Model::default()
    };
    let rig = Rig::over(Teller::new(model, ask), Default::default());
    let a = rig.open(ALICE);
    let keys = [b"one", b"two"].map(|key| a.mac_key_in_model(key));
    let both = || {
        let use_both = Command::new(play::USE + 2).handle(keys[0]).handle(keys[1]);
        a.run(use_both).map(drop)
    };
    let fault = Fault::Handle(rh::TRANSIENT);
    rig.chip.borrow_mut().fail_code(cc::CONTEXT_LOAD, fault);
    let (outcome, sent) = rig.sent(both);
    assert_eq!(errno(outcome), -EIO.to_errno());
    assert_eq!(count(&sent, play::USE + 2), 0);
    rig.chip.borrow_mut().fail_none();
    both().unwrap();
}

/// What the model takes for an object.
trait InModel {
    /// The handle of a new object.
    fn mac_key_in_model(&self, key: &[u8]) -> u32;
}

impl InModel for harness::client::Client<'_> {
    fn mac_key_in_model(&self, key: &[u8]) -> u32 {
        let made: Outcome<_> = self.mac_key(key);
        made.expect("the model makes any object").handle
    }
}
