// SPDX-License-Identifier: GPL-2.0

//! What may happen in one step.

use crate::books::{File, FileState, Item, Seat, Trust, Wait};
use crate::commands::{self, is_object, is_session, own as compose_own};
use crate::input::Input;
use crate::program::Program;
use crate::tpm::{own, Reset};
use harness::client::{Client, Failure, Outcome};
#[cfg(feature = "exhaustion")]
use harness::engine::LossPolicy;
use harness::engine::Neighbours;
use harness::rig::CAROL;
use harness::tpm::rh;
use harness::wire::response_code;
use std::sync::OnceLock;

/// What has to become of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It succeeds, unless something that it names is doubtful.
    Success,
    /// It is refused, and the TPM sees nothing of it.
    Refused,
    /// Whatever it is.
    Anything,
}

const CONTINUE: u8 = 1;

/// A persistent object, of which the TPM has any number.
const PERSISTENT: u32 = 0x8100_0001;

impl<'r> Program<'r> {
    /// One step of the program.
    pub fn step(&mut self, input: &mut Input<'_>) {
        let opcode = input.byte();
        self.commanded = false;
        let n = usize::from(opcode >> 6) % self.seats.len();
        if is_told() {
            eprintln!(
                "step {} of {n} at {:?}",
                opcode & 0x3f,
                harness::clock::now()
            );
        }
        match opcode & 0x3f {
            0..=7 => self.use_things(n, input),
            8..=10 => self.make(n, input),
            11 => self.end_objects(n, input),
            12..=15 => self.start_session(n, input),
            16 | 17 => self.flush(n, input),
            18..=20 => self.save(n, input),
            21..=24 => self.load(n, input),
            25..=27 => self.foreign(n, input),
            28..=32 => self.mutated(n, input),
            33 => self.list(n, input),
            34 => self.reopen(n),
            35 => self.clear(n, input),
            36 => self.let_time_pass(input),
            37 => self.attend(),
            38 | 39 => self.policy(n, input),
            40 => self.reserve(n, input),
            41..=45 => self.arm(input),
            46 | 47 => self.starve = Some((1 + input.below(12), input.byte() & 1 != 0)),
            48..=53 => self.raw_user(input),
            54 => self.kernel_session(input),
            55 => self.reset(input),
            56 => self.neighbours(input),
            57 => self.random(n),
            _ => self.retry(n, input),
        }
    }

    /// Whether the seat can send a command now. One that waits leaves first, as after a signal.
    fn ready(&mut self, n: usize) {
        if self.seats[n].wait.take().is_some() {
            let seat = &self.seats[n];
            #[cfg(feature = "exhaustion")]
            self.rig.leave(seat.space());
            seat.space().bell().answer();
            self.observe();
        }
    }

    fn some_object(&self, n: usize, input: &mut Input<'_>) -> Option<u32> {
        input.any(&self.seats[n].objects).map(|item| item.handle)
    }

    fn some_session(&self, n: usize, input: &mut Input<'_>) -> Option<u32> {
        input.any(&self.seats[n].sessions).map(|item| item.handle)
    }

    /// Objects in the handle area, sessions in the authorization area, as `shape` says.
    fn names(&self, n: usize, shape: u8, input: &mut Input<'_>) -> (Vec<u32>, Vec<(u32, u8)>) {
        let mut handles: Vec<u32> = (0..shape & 3)
            .filter_map(|_| self.some_object(n, input))
            .collect();
        if shape & 4 != 0 {
            handles.extend(self.some_session(n, input));
        }
        if shape & 8 != 0 {
            handles.push(PERSISTENT);
        }
        let mut sessions: Vec<(u32, u8)> = vec![];
        for _ in 0..shape >> 4 & 3 {
            if let Some(handle) = self.some_session(n, input) {
                if sessions.iter().all(|(other, _)| *other != handle) {
                    let ends = shape & 0xc0 == 0xc0;
                    sessions.push((handle, if ends { 0 } else { CONTINUE }));
                }
            }
        }
        (handles, sessions)
    }

    fn use_things(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let (handles, sessions) = self.names(n, input.byte(), input);
        let command = compose_own(own::USE, &handles, &sessions);
        self.client(n, &command, Expect::Success);
    }

    fn make(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let what = input.byte();
        let family = [own::MAKE, own::START, own::MAKE_MORTAL, own::CREATE][usize::from(what >> 6)];
        let (handles, sessions) = self.names(n, what & 0x1d, input);
        let command = compose_own(family, &handles, &sessions);
        self.client(n, &command, Expect::Success);
    }

    fn end_objects(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let (mut handles, sessions) = self.names(n, input.byte() & 0x33, input);
        // A TPM cannot end a thing twice.
        handles.sort_unstable();
        handles.dedup();
        let command = compose_own(own::END, &handles, &sessions);
        self.client(n, &command, Expect::Success);
    }

    fn clear(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let (handles, sessions) = self.names(n, input.byte() & 0x33, input);
        let command = compose_own(own::CLEAR, &handles, &sessions);
        self.client(n, &command, Expect::Success);
    }

    fn start_session(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let what = input.byte();
        let mut objects = [None, None];
        for (bit, object) in objects.iter_mut().enumerate() {
            if what >> bit & 1 != 0 {
                *object = self.some_object(n, input);
            }
        }
        let command = commands::start(what >> 2 & 1, objects);
        self.client(n, &command, Expect::Success);
    }

    fn flush(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let which = input.byte();
        let handle = match which & 3 {
            0 => self.some_object(n, input),
            1 => self.some_session(n, input),
            2 => input.any(&self.seats[n].lost).copied(),
            // A session that one of the same user has saved.
            _ => {
                let user = self.seats[n].user;
                let is_own = |f: &&File| f.user == user && f.state == FileState::Detached;
                let own: Vec<u32> = self.files.iter().filter(is_own).map(|f| f.handle).collect();
                input.any(&own).copied()
            }
        };
        if let Some(handle) = handle {
            self.client(n, &commands::flush(handle), Expect::Success);
        }
    }

    fn save(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let handle = if input.byte() & 1 == 0 {
            self.some_session(n, input)
        } else {
            self.some_object(n, input)
        };
        if let Some(handle) = handle {
            self.client(n, &commands::save(handle), Expect::Success);
        }
    }

    fn load(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let Some(file) = input.any(&self.files).cloned() else {
            return;
        };
        let has_lost = |seat: &Seat<'_>| {
            let number = commands::number(file.handle);
            let mut lost = seat.lost.iter();
            lost.any(|lost| commands::number(*lost) == number)
        };
        let expect = match file.state {
            FileState::Object | FileState::Detached if file.trust == Trust::Doubtful => {
                Expect::Anything
            }
            FileState::Detached if has_lost(&self.seats[n]) => Expect::Refused,
            FileState::Object | FileState::Detached => Expect::Success,
            FileState::Raw => Expect::Anything,
            FileState::Spent => Expect::Refused,
        };
        self.client(n, &commands::load(&file.context), expect);
    }

    /// A client names what is another's, what it had, or what nobody has.
    fn foreign(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let other = (n + 1 + input.below(2)) % self.seats.len();
        let how = input.byte();
        let handle = match how & 3 {
            0 => self.some_session(other, input),
            1 => input.any(&self.seats[n].stale).copied(),
            2 => input.any(&self.seats[n].lost).copied(),
            _ => {
                let highest = self.seats[n].highest.map_or(rh::TRANSIENT, |h| h + 1);
                Some(highest + u32::from(input.byte()))
            }
        };
        // What the TPM was once made to say of other handles is for the TPM to judge.
        let is_managed = |handle: &u32| is_session(*handle) || is_object(*handle);
        let is_foreign = |handle: &u32| is_managed(handle) && self.seats[n].item(*handle).is_none();
        let Some(handle) = handle.filter(is_foreign) else {
            return;
        };
        let (mut handles, mut sessions) = self.names(n, how & 0x10 | 1, input);
        let command = match how >> 2 & 3 {
            0 if !is_object(handle) => {
                sessions.push((handle, CONTINUE));
                compose_own(own::USE, &handles, &sessions)
            }
            1 => commands::save(handle),
            2 if self.is_flushable(n, handle) => return,
            2 => commands::flush(handle),
            _ => {
                handles.push(handle);
                compose_own(own::USE, &handles, &sessions)
            }
        };
        self.client(n, &command, Expect::Refused);
    }

    /// Whether flushing it is the client's right although it is not in its space.
    fn is_flushable(&self, n: usize, handle: u32) -> bool {
        let seat = &self.seats[n];
        let number = commands::number(handle);
        let is_lost = seat.lost.iter().any(|h| commands::number(*h) == number);
        let is_own = |f: &File| f.user == seat.user && commands::number(f.handle) == number;
        is_lost || self.files.iter().any(is_own)
    }

    /// A command that is not quite what it was.
    fn mutated(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let what = input.byte();
        let (handles, sessions) = self.names(n, input.byte(), input);
        let object = handles.first().copied().unwrap_or(rh::TRANSIENT);
        let session = sessions.first().map_or(rh::HMAC_SESSION, |s| s.0);
        let mut command = match what & 7 {
            0 => compose_own(own::USE, &handles, &sessions),
            1 => compose_own(own::MAKE, &handles, &sessions),
            2 => compose_own(own::END, &handles, &sessions),
            3 => commands::flush(if what & 8 == 0 { object } else { session }),
            4 => commands::save(if what & 8 == 0 { object } else { session }),
            5 => match input.any(&self.files) {
                Some(file) => commands::load(&file.context),
                None => commands::load(b""),
            },
            6 => commands::start(what >> 3 & 1, [None, Some(object)]),
            _ => commands::list(
                [rh::TRANSIENT, rh::HMAC_SESSION][usize::from(what >> 3 & 1)],
                9,
            ),
        };
        for _ in 0..1 + (what >> 4 & 3) {
            let at = input.below(command.len());
            if let Some(byte) = command.get_mut(at) {
                *byte = input.byte();
            }
        }
        if what & 0x40 != 0 {
            command.extend_from_slice(input.bytes(4));
        }
        if what & 0x80 != 0 {
            let cut = input.below(command.len());
            command.truncate((command.len() - cut).max(commands::HEADER));
        }
        commands::fix_size(&mut command);
        self.client(n, &command, Expect::Anything);
    }

    /// What the client is told that it has is what it has.
    fn list(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let first = [rh::TRANSIENT, rh::LOADED_SESSION, rh::SAVED_SESSION][input.below(3)];
        let outcome = self.ask(n, &commands::list(first, 254), Expect::Success);
        if let Ok(response) = outcome {
            self.check_list(n, first, &response);
        }
    }

    fn random(&mut self, n: usize) {
        self.ready(n);
        self.client(n, &commands::random(), Expect::Success);
    }

    /// The client is closed, and another comes.
    fn reopen(&mut self, n: usize) {
        self.seats[n].wait = None;
        let space = self.seats[n].space.take().expect("it is open");
        let rig = self.rig;
        self.with_faults(|_| rig.close(space));
        let user = self.seats[n].user;
        let was = std::mem::replace(&mut self.seats[n], Seat::new(rig.open(user), user));
        self.left(&was);
        self.observe();
    }

    fn let_time_pass(&mut self, input: &mut Input<'_>) {
        let ms = u64::from(input.byte()) * 8;
        let rig = self.rig;
        self.with_faults(|_| rig.pass(ms));
        self.observe();
    }

    fn attend(&mut self) {
        let rig = self.rig;
        self.with_faults(|_| rig.attend());
        self.observe();
    }

    #[cfg(feature = "exhaustion")]
    fn policy(&mut self, n: usize, input: &mut Input<'_>) {
        let policies = [
            None,
            Some(LossPolicy::Fail),
            Some(LossPolicy::Close),
            Some(LossPolicy::Never),
        ];
        let policy = input.pick(&policies);
        let set = self.rig.set_policy(self.seats[n].space(), policy);
        assert_eq!(set, Ok(()));
        self.observe();
    }

    #[cfg(not(feature = "exhaustion"))]
    fn policy(&mut self, _: usize, _: &mut Input<'_>) {}

    #[cfg(feature = "exhaustion")]
    fn reserve(&mut self, n: usize, input: &mut Input<'_>) {
        self.ready(n);
        let count = input.below(6);
        self.try_reserve(n, count);
    }

    #[cfg(feature = "exhaustion")]
    fn try_reserve(&mut self, n: usize, count: usize) {
        let rig = self.rig;
        let outcome = self.with_faults(|this| rig.reserve(this.seats[n].space(), count));
        self.seats[n].wait = match outcome {
            Err(Failure::Waits) => Some(Wait::Reserve(count)),
            _ => None,
        };
        self.observe();
    }

    #[cfg(not(feature = "exhaustion"))]
    fn reserve(&mut self, _: usize, _: &mut Input<'_>) {}

    #[cfg(not(feature = "exhaustion"))]
    fn try_reserve(&mut self, _: usize, _: usize) {}

    /// Who waits comes back, called or not.
    fn retry(&mut self, n: usize, input: &mut Input<'_>) {
        let is_patient = input.byte() & 1 == 0;
        let Some(wait) = self.seats[n].wait.clone() else {
            return;
        };
        if is_patient && !self.seats[n].space().is_called() {
            return;
        }
        self.seats[n].wait = None;
        match wait {
            Wait::Start(command) => {
                let is_whole = commands::is_start(&command);
                let expect = if is_whole {
                    Expect::Success
                } else {
                    Expect::Anything
                };
                self.client(n, &command, expect);
            }
            Wait::Reserve(count) => self.try_reserve(n, count),
        }
    }

    /// Somebody who talks to the TPM directly.
    fn raw_user(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let raw = self.rig.raw();
        if self.rig.chip.borrow().neighbours == Neighbours::Absent && what & 7 < 5 {
            // Without an open descriptor he has nothing.
            return self.neighbours(input);
        }
        match what & 7 {
            0 => self.raw_start(&raw, what),
            1 => {
                let command = compose_own(own::MAKE, &[], &[]);
                let made = send(&raw, &command).ok();
                self.note_raw(made.and_then(|r| commands::response_handle(&r)));
            }
            2 => self.raw_flush_own(&raw, input),
            3 => self.raw_save(&raw, input),
            // Sessions come and go, and the context counter moves on.
            4 => {
                for _ in 0..what >> 3 {
                    self.raw_turn(&raw);
                }
            }
            5 => self.raw_flush_others(&raw, input),
            _ => drop(send(&raw, &commands::random())),
        }
        self.drop_events();
    }

    /// A session of ours may have ended unnoticed. Then a stranger's that gets its number is taken for ours, and
    /// nobody can tell the difference: that is not played.
    fn raw_start(&mut self, raw: &Client<'_>, what: u8) {
        if self.past.losses {
            return;
        }
        let made = send(raw, &commands::start(what >> 3 & 1, [None, None])).ok();
        self.past.strangers = true;
        self.note_raw(made.and_then(|r| commands::response_handle(&r)));
    }

    fn note_raw(&mut self, handle: Option<u32>) {
        if let Some(handle) = handle {
            self.raw.extend(self.identity(handle));
        }
    }

    fn raw_flush_own(&mut self, raw: &Client<'_>, input: &mut Input<'_>) {
        let handles = self.raw_handles();
        if let Some(handle) = input.any(&handles) {
            let _ = send(raw, &commands::flush(*handle));
            self.forget_raw();
        }
    }

    fn raw_save(&mut self, raw: &Client<'_>, input: &mut Input<'_>) {
        let mut handles = self.raw_handles();
        handles.retain(|handle| commands::is_session(*handle));
        let Some(&handle) = input.any(&handles) else {
            return;
        };
        let id = self.identity(handle);
        if let (Ok(response), Some(id)) = (send(raw, &commands::save(handle)), id) {
            self.files.push(File {
                context: response[commands::HEADER..].to_vec(),
                id,
                version: None,
                handle,
                user: CAROL,
                state: FileState::Raw,
                trust: Trust::Doubtful,
                is_sequence: false,
                is_mortal: false,
            });
        }
    }

    fn raw_turn(&mut self, raw: &Client<'_>) {
        let Ok(response) = send(raw, &commands::start(0, [None, None])) else {
            return;
        };
        let handle = commands::response_handle(&response).expect("a handle");
        let _ = send(raw, &commands::save(handle));
        let _ = send(raw, &commands::flush(handle));
    }

    /// Nobody is kept from flushing what he can name.
    fn raw_flush_others(&mut self, raw: &Client<'_>, input: &mut Input<'_>) {
        let [_, _, saved] = self.rig.chip.borrow().device.contents();
        let Some(&id) = input.any(&saved) else {
            return;
        };
        let handle = self.rig.chip.borrow().device.session_handle(id);
        let _ = send(raw, &commands::flush(handle.expect("it is active")));
        self.past.losses = true;
        self.doubt_identity(id);
        self.forget_raw();
    }

    fn kernel_session(&mut self, input: &mut Input<'_>) {
        let is_none = self.rig.chip.borrow().kernel_session.is_none();
        if is_none && self.past.losses {
            return;
        }
        if is_none {
            let raw = self.rig.raw();
            let response = send(&raw, &commands::start(0, [None, None])).ok();
            let handle = response.and_then(|r| commands::response_handle(&r));
            self.past.strangers |= handle.is_some();
            self.note_raw(handle);
            self.rig.chip.borrow_mut().kernel_session = handle;
        } else if input.byte() & 1 == 0 {
            let handle = self.rig.chip.borrow_mut().kernel_session.take();
            let _ = send(
                &self.rig.raw(),
                &commands::flush(handle.expect("it has one")),
            );
        }
        self.forget_raw();
        self.drop_events();
    }

    fn reset(&mut self, input: &mut Input<'_>) {
        let reset = [Reset::All, Reset::Loaded][input.below(2)];
        {
            let mut chip = self.rig.chip.borrow_mut();
            chip.device.reset(reset);
            chip.kernel_session = None;
        }
        self.past.losses = true;
        for seat in &mut self.seats {
            seat.doubt();
            seat.forget_versions();
        }
        self.doubt_files();
        self.forget_raw();
    }

    /// Somebody opens or closes the other node; who closes it leaves nothing there.
    fn neighbours(&mut self, input: &mut Input<'_>) {
        let present = self.rig.chip.borrow().neighbours == Neighbours::Possible;
        if present && input.byte() & 1 == 0 {
            self.raw_leaves();
        } else {
            self.rig.chip.borrow_mut().neighbours = Neighbours::Possible;
        }
    }

    /// What others did is nothing to be checked.
    fn drop_events(&self) {
        let events = std::mem::take(&mut self.rig.chip.borrow_mut().device.events);
        if is_told() {
            events.iter().for_each(|event| eprintln!("   {event:x?}"));
            self.tell_sent();
        }
    }

    /// What the engine sent, with what it got for an answer.
    fn tell_sent(&self) {
        let chip = self.rig.chip.borrow();
        eprintln!(
            "   {:x?}",
            chip.log.get(self.told.get()..).unwrap_or_default()
        );
        self.told.set(chip.log.len());
    }

    /// A command of the client in seat `n`, and everything that has to be true of it.
    fn client(&mut self, n: usize, command: &[u8], expect: Expect) {
        let _ = self.ask(n, command, expect);
    }

    /// The same, for the response.
    fn ask(&mut self, n: usize, command: &[u8], expect: Expect) -> Outcome<Vec<u8>> {
        let expect = self.reconsider(n, command, expect);
        let starve = self.starve.take();
        self.past.hunger |= starve.is_some();
        let rig = self.rig;
        let before = rig.chip.borrow().log.len();
        let outcome = self.with_faults(|this| {
            let space = this.seats[n].space();
            match starve {
                Some((nth, all)) => rig.without_memory(nth, all, || space.bytes(command)).0,
                None => space.bytes(command),
            }
        });
        // What the driver refuses itself is no occasion to do something else.
        self.commanded = rig.chip.borrow().log.len() > before;
        if outcome == Err(Failure::Waits) {
            self.seats[n].wait = Some(Wait::Start(command.to_vec()));
        }
        let is_without_memory = starve.is_some() && outcome == Err(Failure::Errno(12));
        let expect = if is_without_memory {
            Expect::Anything
        } else {
            expect
        };
        if is_told() {
            let chip = self.rig.chip.borrow();
            let (setup, events) = (&self.setup, &chip.device.events);
            eprintln!("{n}: {command:x?}\n   {outcome:x?}, {expect:?}, {setup:?}");
            events.iter().for_each(|event| eprintln!("   {event:x?}"));
            drop(chip);
            self.tell_sent();
        }
        self.settle(n, command, &outcome, expect);
        self.observe();
        outcome
    }
}

/// Whether what happens is to be told.
fn is_told() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    *TOLD.get_or_init(|| std::env::var_os("TPMRM_FUZZ_TELL").is_some())
}

/// Sends bytes; the response, if it is a success.
fn send(raw: &Client<'_>, command: &[u8]) -> Outcome<Vec<u8>> {
    let response = raw.bytes(command)?;
    match response_code(&response) {
        0 => Ok(response),
        rc => Err(Failure::Rc(rc)),
    }
}

impl Item {
    /// Something that has just come into being.
    pub fn new(handle: u32, id: u64, version: Option<u32>) -> Self {
        Self {
            handle,
            id,
            version,
            is_sequence: false,
            is_mortal: false,
            trust: Trust::Certain,
        }
    }
}
