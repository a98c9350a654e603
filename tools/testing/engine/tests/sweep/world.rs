// SPDX-License-Identifier: GPL-2.0

//! Clients, what they have, and a judgement on each thing that they are told.
//!
//! The books are the clients' own: what they made, what it must answer, and whether it may have come to
//! grief by what went wrong. Nothing of the engine's is looked at.

use crate::reply::is_reply;
use crate::run::Residency;
use crate::trouble::{is_absence, is_loss, is_shortage, Event, Hit, Trouble, GARBLED};
use harness::chip::{Fault, Sent};
use harness::client::{Client, Failure, Object, Outcome};
use harness::command::Session;
use harness::fake::{Fake, Reset};
use harness::rig::{Rig, Space, ALICE, BOB, CAROL};
use harness::tpm::{cc, rc};
use std::cell::RefCell;
use std::rc::Rc;

/// No action takes more transmissions than this.
const ENDLESS: usize = 500;
/// And in a program.
const ENDLESS_PROGRAM: usize = 10_000;

/// Who does something. Alice has two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Alice,
    Again,
    Bob,
    Carol,
}

impl Who {
    pub const ALL: [Who; 4] = [Who::Alice, Who::Again, Who::Bob, Who::Carol];

    pub fn user(self) -> u32 {
        match self {
            Who::Alice | Who::Again => ALICE,
            Who::Bob => BOB,
            Who::Carol => CAROL,
        }
    }
}

/// A client with its descriptor.
pub struct Seat<'r> {
    pub space: Rc<Space<'r>>,
    pub client: Client<'r>,
}

/// What a thing is, and what it must answer.
#[derive(Clone, Debug)]
pub enum Kind {
    Key(Object),
    /// A key that goes with its owner.
    OwnersKey(Object),
    /// The digests that the policy can have.
    Policy(Vec<Vec<u8>>),
    Hmac(Session),
    /// The data that the sequence can have been given.
    Sequence(Vec<Vec<u8>>),
}

/// What is known of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It must work.
    Sure,
    /// It may be gone.
    Doubtful,
    /// It may be gone, or the client's side of the session be out of step.
    OutOfStep,
    /// It must be refused by name.
    Lost,
    /// The client gave it up.
    Gone,
}

/// Something that a client has.
#[derive(Clone, Debug)]
pub struct Thing {
    pub who: Who,
    pub name: &'static str,
    pub handle: u32,
    pub kind: Kind,
    pub state: State,
    /// During which action it came into being.
    born: usize,
}

/// A session's context in a file.
pub struct File {
    pub name: &'static str,
    pub context: Vec<u8>,
    pub thing: Thing,
}

/// What an event may have destroyed.
#[derive(Default)]
struct Damage {
    everything: bool,
    sessions: Vec<u32>,
    sequences: bool,
    names: Vec<Vec<u8>>,
    /// Keys that a client has saved by itself: that there is a context does not mean that the driver has one.
    copied: Vec<Vec<u8>>,
}

/// What others have loaded.
#[derive(Default)]
pub struct Others {
    pub objects: Vec<u32>,
    pub sessions: Vec<u32>,
    /// What they have may pass for what somebody else had.
    pub are_mixed_up: bool,
}

/// An action that failed.
pub struct Mishap {
    pub failure: Failure,
    /// The TPM may have executed the command all the same.
    pub may_have_run: bool,
}

pub struct World<'r> {
    pub rig: &'r Rig<Fake>,
    pub seats: [Option<Seat<'r>>; 4],
    pub things: Vec<Thing>,
    pub files: Vec<File>,
    pub others: Rc<RefCell<Others>>,
    /// What goes wrong, and at which transmission; allocations are counted elsewhere.
    trouble: Option<(usize, Trouble)>,
    damage: Rc<RefCell<Damage>>,
    /// The action during which it happened.
    pub struck: Option<usize>,
    pub action: usize,
    /// Of whom the policy takes sessions.
    pub loser: Option<Who>,
    /// The action during which the TPM named a handle that was not the right one.
    lied: Option<usize>,
    /// Whether that was a client's copy of what there is a good context of.
    is_copy_misnamed: bool,
    /// Whether the owner has changed: then much is gone that nobody names.
    pub was_cleared: bool,
    /// How many session numbers others may take.
    spare: usize,
    /// Whether so much went wrong that anything may be gone.
    is_nothing_sure: bool,
    /// Whether a handle that is in use was misnamed, or given to strangers, after a reset that the driver does
    /// not know of.
    is_mixed_up: bool,
    was_reset: bool,
    pub residency: Residency,
    /// How many things a client may have without knowing, since it could not read the response.
    pub unread: usize,
}

impl<'r> World<'r> {
    pub fn new(rig: &'r Rig<Fake>, residency: Residency, spare: usize) -> Self {
        Self {
            rig,
            seats: [None, None, None, None],
            things: vec![],
            files: vec![],
            others: Rc::default(),
            trouble: None,
            damage: Rc::default(),
            struck: None,
            action: 0,
            loser: None,
            lied: None,
            is_copy_misnamed: false,
            was_cleared: false,
            spare,
            is_nothing_sure: false,
            is_mixed_up: false,
            was_reset: false,
            residency,
            unread: 0,
        }
    }

    /// Has something go wrong at the `n`-th transmission from now, or the `n`-th allocation.
    pub fn expect(&mut self, n: usize, trouble: Trouble) {
        let mut chip = self.rig.chip.borrow_mut();
        match trouble {
            Trouble::Fault(fault) => chip.fail_nth(n, fault),
            Trouble::Pair(first, second) => {
                chip.fail_nth(n, first);
                chip.fail_nth(n + 1, second);
            }
            Trouble::Always(code, fault) => {
                chip.fail_code(code, fault);
                let is_endless = |_: &mut Fake| panic!("G7: it does not end");
                chip.before_nth(n + ENDLESS_PROGRAM, Box::new(is_endless));
                self.is_nothing_sure = true;
            }
            Trouble::Event(event) => {
                let (damage, others) = (self.damage.clone(), self.others.clone());
                let spare = self.spare;
                let happen = move |tpm: &mut Fake| happen(event, tpm, spare, &damage, &others);
                chip.before_nth(n, Box::new(happen));
                if event == Event::Passers {
                    let others = self.others.clone();
                    let go = move |tpm: &mut Fake| leave(tpm, &others);
                    chip.before_nth(n + 2, Box::new(go));
                }
            }
            Trouble::Starved => self.rig.starve(n + 1, false),
            Trouble::Starving => self.rig.starve(n + 1, true),
        }
        self.trouble = Some((chip.log.len() + n, trouble));
    }

    /// Nothing goes wrong any more.
    pub fn calm(&mut self) {
        self.rig.feed();
        self.rig.chip.borrow_mut().fail_none();
        self.trouble = None;
    }

    pub fn seat(&self, who: Who) -> &Seat<'r> {
        self.seats[who as usize].as_ref().expect("he is there")
    }

    /// The thing of this name, if he has it.
    pub fn find(&self, who: Who, name: &str) -> Option<usize> {
        self.seats[who as usize].as_ref()?;
        let is_it = |thing: &Thing| (thing.who, thing.name) == (who, name);
        let index = self.things.iter().position(is_it)?;
        (self.things[index].state != State::Gone).then_some(index)
    }

    /// He has something new.
    pub fn add(&mut self, who: Who, name: &'static str, handle: u32, kind: Kind) {
        let thing = Thing {
            who,
            name,
            handle,
            kind,
            state: State::Sure,
            // Who has it was answered already.
            born: self.action - 1,
        };
        // Where lost sessions are not remembered, the type of a handle does not tell two of one number apart.
        let are_forgotten = cfg!(not(feature = "exhaustion"));
        let is_number = |a: u32, b: u32| are_forgotten && a >> 25 == 1 && (a ^ b) & !(1 << 24) == 0;
        let is_same = |old: &Thing| {
            let names = old.handle == handle || is_number(old.handle, handle);
            old.who == who && names && old.state != State::Gone
        };
        if let Some(old) = self.things.iter().position(is_same) {
            // A session's number comes again when the session has ended. Where lost ones are remembered, it
            // does not when the driver knows of that.
            let may_come_again = if self.is_nothing_sure {
                true
            } else if cfg!(feature = "exhaustion") {
                matches!(self.things[old].state, State::Doubtful | State::OutOfStep)
            } else {
                self.state(&self.things[old]) != State::Sure
            };
            assert!(may_come_again, "G5: {handle:#x} has two meanings");
            self.things[old].state = State::Gone;
        }
        self.things.push(thing);
    }

    /// Whether a thing may have come to grief.
    pub fn state(&self, thing: &Thing) -> State {
        let damage = self.damage.borrow();
        let was_there = self.struck.is_some_and(|struck| thing.born <= struck);
        let number = thing.handle & 0x00ff_ffff;
        let is_misnamed = self.lied == Some(thing.born);
        let hit = match &thing.kind {
            Kind::Key(object) | Kind::OwnersKey(object) => damage.names.contains(&object.name),
            Kind::Sequence(_) => damage.sequences,
            Kind::Policy(_) | Kind::Hmac(_) => damage.sessions.contains(&number),
        };
        let is_session = matches!(thing.kind, Kind::Policy(_) | Kind::Hmac(_));
        let taken = self.loser == Some(thing.who) && is_session || self.is_nothing_sure;
        match thing.state {
            State::Sure if was_there && (damage.everything || hit) => State::Doubtful,
            State::Sure if taken || is_misnamed => State::Doubtful,
            state => state,
        }
    }

    /// Does something, and judges what comes of it. `code` is the client's command, which names these
    /// things.
    pub fn act<T>(
        &mut self,
        who: Who,
        code: u32,
        names: &[usize],
        f: impl FnOnce(&Seat<'r>, &mut [Thing]) -> Outcome<T>,
    ) -> Result<T, Mishap> {
        let seat = self.seats[who as usize].as_ref().expect("he is there");
        let things = &mut self.things;
        let before = self.rig.chip.borrow().log.len();
        let was_starved = self.rig.is_starved();
        let outcome = f(seat, things);
        let hit = self.look(code, before, was_starved);
        let result = outcome.as_ref().map(drop).map_err(|failure| *failure);
        self.check_answer(code, before, result);
        if self.was_lied_to() {
            for n in names {
                if self.things[*n].state == State::Sure {
                    self.things[*n].state = State::Doubtful;
                }
            }
        }
        outcome.map_err(|failure| self.judge(who, names, before, hit, failure))
    }

    /// Whether a client may be told this, of these things.
    fn judge(
        &mut self,
        who: Who,
        names: &[usize],
        before: usize,
        hit: Option<Hit>,
        failure: Failure,
    ) -> Mishap {
        let states: Vec<_> = names.iter().map(|n| self.state(&self.things[*n])).collect();
        let trouble = self.trouble.map(|(_, trouble)| trouble);
        let is_allowed = match (hit, trouble) {
            (Some(hit), Some(trouble)) => trouble.may_say(failure, hit),
            _ => false,
        };
        // Without a list, what the TPM says of what is gone is all that is known.
        // Nor is more known of the number of one's own lost session, where those are not remembered.
        let are_forgotten = cfg!(not(feature = "exhaustion"));
        let is_known = hit.is_none() && self.lied.is_none() && !self.is_mixed_up;
        let is_unsure = !is_known || are_forgotten || self.is_nothing_sure;
        let is_named = is_loss(failure) || is_absence(failure) && is_unsure;
        let is_lost = is_named && states.iter().any(|state| *state != State::Sure);
        let is_refused = matches!(failure, Failure::Rc(rc) if rc == rc::AUTH_FAIL + rc::S1)
            && (states.contains(&State::OutOfStep) || are_forgotten && self.unread > 0);
        let is_told_so = matches!(trouble, Some(Trouble::Always(..))) && hit.is_some();
        assert!(
            !is_shortage(failure) || is_told_so,
            "G1: {failure:?} {}",
            self.told(before)
        );
        assert!(
            is_allowed || is_lost || is_refused,
            "G3: {who:?} gets {failure:?}, {states:?} {}",
            self.told(before)
        );
        self.unread += usize::from(failure == GARBLED);
        Mishap {
            failure,
            may_have_run: hit == Some(Hit::Own) && trouble.is_some_and(Trouble::executes),
        }
    }

    /// Does something that nobody is answered.
    pub fn quietly(&mut self, f: impl FnOnce(&mut Self)) {
        let before = self.rig.chip.borrow().log.len();
        let was_starved = self.rig.is_starved();
        f(self);
        self.look(0, before, was_starved);
    }

    /// Whether the last action brought a handle that is not the right one.
    pub fn was_lied_to(&self) -> bool {
        self.lied.is_some_and(|lied| lied + 1 == self.action)
    }

    /// Whether a lost thing may have become another one: it was loaded when the TPM was reset, and while nobody
    /// knows of that, a stranger gets its handle, or something of which the TPM has told another handle.
    pub fn may_be_anothers(&self, thing: &Thing) -> bool {
        let was_loaded = self.residency == Residency::Stay;
        self.is_mixed_up && was_loaded && thing.state == State::Lost
    }

    /// Whether there may be something that was misnamed, and that nobody named again before it was given up.
    pub fn has_misnamed(&self) -> bool {
        let is_given_up = |thing: &Thing| {
            matches!(thing.state, State::Gone | State::Lost) || self.loser == Some(thing.who)
        };
        let misnamed = |thing: &&Thing| self.lied == Some(thing.born);
        let given_up = self.things.iter().filter(misnamed).any(is_given_up);
        self.lied.is_some() && (self.is_copy_misnamed || self.was_cleared || given_up)
    }

    /// Whether it is a transmission that goes wrong.
    pub fn is_about_a_fault(&self) -> bool {
        self.trouble.is_some_and(|(_, trouble)| trouble.is_fault())
    }

    /// Whether this command always fails.
    #[cfg(feature = "exhaustion")]
    pub fn never_works(&self, code: u32) -> bool {
        matches!(self.trouble, Some((_, Trouble::Always(fails, _))) if fails == code)
    }

    /// What was sent since.
    pub fn told(&self, before: usize) -> String {
        format!(
            "in action {}: {:x?}",
            self.action,
            &self.rig.chip.borrow().log[before..]
        )
    }

    /// Looks whether it was now that something went wrong.
    fn look(&mut self, code: u32, before: usize, was_starved: bool) -> Option<Hit> {
        let log_len = self.rig.chip.borrow().log.len();
        assert!(log_len - before < ENDLESS, "{}", self.told(before));
        let action = self.action;
        self.action += 1;
        let (at, trouble) = self.trouble?;
        let is_now = match trouble {
            Trouble::Fault(_) | Trouble::Pair(..) | Trouble::Always(..) => {
                return self.look_at_faults(code, before, action);
            }
            Trouble::Event(_) => (before..log_len).contains(&at),
            Trouble::Starved => self.rig.is_starved() && !was_starved,
            Trouble::Starving => self.rig.is_starved(),
        };
        if !is_now {
            return None;
        }
        self.struck = Some(action);
        let is_stranger = matches!(trouble, Trouble::Event(Event::Others | Event::Passers));
        self.is_mixed_up = is_stranger && (self.was_reset || code == cc::CLEAR);
        self.others.borrow_mut().are_mixed_up |= self.is_mixed_up;
        Some(Hit::Drivers)
    }

    /// The transmissions since `before` that have failed, and how.
    fn failed(&self, before: usize) -> Vec<(usize, Sent, Fault)> {
        let Some((at, trouble)) = self.trouble else {
            return vec![];
        };
        let chip = self.rig.chip.borrow();
        let sent = chip.log.iter().enumerate().skip(before);
        sent.filter_map(|(n, sent)| Some((n, sent.clone(), trouble.fault(at, n, sent.code())?)))
            .collect()
    }

    fn look_at_faults(&mut self, code: u32, before: usize, action: usize) -> Option<Hit> {
        let failed = self.failed(before);
        if failed.is_empty() {
            return None;
        }
        self.struck = Some(action);
        for (_, sent, fault) in &failed {
            self.look_at(sent, *fault, code, action);
        }
        let is_own = failed.iter().any(|(_, sent, _)| sent.code() == code);
        Some(if is_own { Hit::Own } else { Hit::Drivers })
    }

    /// Enters what the fault of a transmission can have destroyed.
    fn look_at(&mut self, sent: &Sent, fault: Fault, code: u32, action: usize) {
        if fault.executes() && sent.code() == cc::CONTEXT_SAVE {
            // It left the TPM's memory, and nobody has what was saved.
            let handle = u32::from_be_bytes(sent.command[10..14].try_into().expect("a handle"));
            if handle >> 24 != 0x80 {
                self.damage.borrow_mut().sessions.push(handle & 0x00ff_ffff);
            }
        }
        let makes = matches!(
            sent.code(),
            cc::START_AUTH_SESSION | cc::LOAD_EXTERNAL | cc::HASH_SEQUENCE_START
        );
        let is_lie = matches!(fault, Fault::Handle(_) | Fault::OtherSessionType);
        self.is_mixed_up |= makes && is_lie && self.was_reset;
        // Of what the driver saves it knows what it is.
        if is_lie && (sent.code() != cc::CONTEXT_SAVE || sent.code() == code) {
            self.lied = Some(action);
            self.is_copy_misnamed = [sent.code(), code] == [cc::CONTEXT_LOAD; 2];
        }
    }

    /// What the TPM has executed is answered with the TPM's answer (G2).
    fn check_answer(&self, code: u32, before: usize, outcome: Outcome) {
        // Those that the driver sends as well: the log does not tell whose they are.
        if matches!(
            code,
            0 | cc::CONTEXT_SAVE
                | cc::CONTEXT_LOAD
                | cc::FLUSH_CONTEXT
                | cc::GET_CAPABILITY
                | cc::START_AUTH_SESSION
        ) {
            return;
        }
        let chip = self.rig.chip.borrow();
        let failed = self.failed(before);
        let is_spoilt = |n: usize| failed.iter().any(|(at, ..)| *at == n);
        let answer = |(_, sent): &(usize, &Sent)| match sent.rc() {
            Some(code) if is_shortage(Failure::Rc(code)) => None,
            code => code,
        };
        let own = chip.log.iter().enumerate().skip(before);
        let last = own.filter(|(_, sent)| sent.code() == code).last();
        let Some(answered) = last
            .filter(|(n, _)| !is_spoilt(*n))
            .as_ref()
            .and_then(answer)
        else {
            return;
        };
        let expected = match answered {
            0 => Ok(()),
            code => Err(Failure::Rc(code)),
        };
        // What a lost thing is refused with, is not what the TPM said of it.
        let is_by_name = answered != 0 && matches!(outcome, Err(failure) if is_loss(failure));
        assert!(
            outcome == expected || is_by_name,
            "G2: {outcome:?} for {expected:?} {}",
            self.told(before)
        );
    }

    /// Opens a descriptor.
    pub fn sit(&mut self, who: Who) -> Result<(), i32> {
        let space = Rc::new(self.rig.try_open(who.user())?);
        let (heard, rig) = (space.clone(), self.rig);
        let client = Client::new(Box::new(move |command| {
            let response = heard.bytes(command)?;
            if is_reply(command, &response) {
                return Ok(response);
            }
            let chip = rig.chip.borrow();
            // The driver has handles of its own.
            let is_it = |came: &[u8]| {
                came.len() == response.len()
                    && came
                        .iter()
                        .zip(&response)
                        .enumerate()
                        .all(|(n, (a, b))| a == b || (10..14).contains(&n))
            };
            let came = chip.log.iter().rev().any(|sent| is_it(&sent.response));
            assert!(came, "G4: {response:x?} never came from the TPM");
            Err(GARBLED)
        }));
        self.seats[who as usize] = Some(Seat { space, client });
        Ok(())
    }

    /// A client has saved a key by itself.
    pub fn note_copy(&mut self, name: &[u8]) {
        self.damage.borrow_mut().copied.push(name.to_vec());
    }

    /// The power is cut.
    pub fn cut_power(&mut self, reset: Reset) {
        self.rig.chip.borrow_mut().device.reset(reset);
        *self.others.borrow_mut() = Others::default();
    }

    /// The TPM is reset, and nobody says so: what there was is gone.
    pub fn reset(&mut self) {
        self.cut_power(Reset::All);
        self.was_reset = true;
        self.others.borrow_mut().are_mixed_up = true;
        for thing in &mut self.things {
            if thing.state != State::Gone {
                thing.state = State::Lost;
            }
        }
        for file in &mut self.files {
            file.thing.state = State::Doubtful;
        }
    }

    /// Others save sessions until the TPM refuses.
    pub fn gap_closes(&mut self) {
        self.rig.chip.borrow_mut().device.close_gap();
    }

    /// Closes it.
    pub fn rise(&mut self, who: Who) {
        if let Some(Seat { space, client }) = self.seats[who as usize].take() {
            drop(client);
            let space = Rc::try_unwrap(space).ok().expect("nobody else has it");
            self.rig.close(space);
        }
    }
}

fn happen(
    event: Event,
    tpm: &mut Fake,
    spare: usize,
    damage: &RefCell<Damage>,
    others: &RefCell<Others>,
) {
    let (mut damage, mut others) = (damage.borrow_mut(), others.borrow_mut());
    match event {
        Event::Reset(reset) => {
            damage.everything |= reset == Reset::All;
            *others = Others::default();
            damage.sessions.extend(tpm.loaded_sessions());
            for object in tpm.loaded_objects() {
                if object.is_sequence {
                    damage.sequences = true;
                    continue;
                }
                let name = harness::command::name_of(&object.public);
                if !object.is_saved || damage.copied.contains(&name) {
                    damage.names.push(name);
                }
            }
            tpm.reset(reset);
        }
        Event::Others => {
            let [objects, sessions] = tpm.free();
            let sessions = sessions.saturating_sub(1).min(spare);
            others.objects = tpm.occupy_objects(objects.saturating_sub(1));
            others.sessions = tpm.occupy_sessions(sessions);
        }
        Event::Passers => {
            let [objects, _] = tpm.free();
            others.objects = tpm.occupy_objects(objects);
        }
        Event::GapCloses => tpm.close_gap(),
    }
}

/// Others flush what they have, as it was when they came.
pub fn leave(tpm: &mut Fake, others: &RefCell<Others>) {
    let mut others = others.borrow_mut();
    let objects = std::mem::take(&mut others.objects);
    let sessions = std::mem::take(&mut others.sessions);
    for handle in objects.into_iter().chain(sessions) {
        let flushed = tpm.flush(handle);
        assert!(
            flushed.is_some() || others.are_mixed_up,
            "G9: nobody flushes what is others'"
        );
    }
}
