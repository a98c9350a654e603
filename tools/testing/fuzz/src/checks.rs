// SPDX-License-Identifier: GPL-2.0

//! What has to be true after every step. A message begins with the guarantee that does not hold.

use crate::books::{File, FileState, Item, Seat, Trust};
use crate::commands::{self, is_object, is_session, number, parse, Parsed, HEADER};
use crate::program::Program;
use crate::steps::Expect;
use crate::tpm::{own, Event};
use harness::client::{Failure, Outcome};
#[cfg(feature = "exhaustion")]
use harness::engine::News;
use harness::engine::{Neighbours, Tpm};
use harness::tpm::{cc, rc, rh};
use harness::wire::{response_code, su, Get};

const EINVAL: i32 = 22;
const EPIPE: i32 = 32;

/// Codes that only a client's own command has.
fn is_clients(event: &Event) -> bool {
    let starts = event.code == cc::START_AUTH_SESSION && !event.handles.is_empty();
    own::family(event.code).is_some() || event.code == cc::CREATE || starts
}

/// How good is what came of a command in which a fault hit, or none did.
fn trust_after(hit: bool) -> Trust {
    if hit {
        Trust::Doubtful
    } else {
        Trust::Certain
    }
}

impl Program<'_> {
    /// What the TPM has under this handle.
    pub fn identity(&self, handle: u32) -> Option<u64> {
        self.rig.chip.borrow().device.identity(handle)
    }

    /// The handles of what raw users have.
    pub fn raw_handles(&self) -> Vec<u32> {
        let chip = self.rig.chip.borrow();
        let kernel = chip.kernel_session;
        let handles = self.raw.iter().filter_map(|id| chip.device.handle(*id));
        handles.filter(|handle| Some(*handle) != kernel).collect()
    }

    /// Raw users know what is gone.
    pub fn forget_raw(&mut self) {
        let chip = self.rig.chip.borrow();
        self.raw.retain(|id| chip.device.handle(*id).is_some());
    }

    /// Raw users go, and take along what they have; the kernel's own session is not theirs.
    pub fn raw_leaves(&mut self) {
        for handle in self.raw_handles() {
            let _ = self.rig.raw().bytes(&commands::flush(handle));
        }
        let mut chip = self.rig.chip.borrow_mut();
        chip.neighbours = Neighbours::Absent;
        chip.device.events.clear();
        drop(chip);
        self.forget_raw();
    }

    pub fn doubt_identity(&mut self, id: u64) {
        for seat in &mut self.seats {
            let items = seat.objects.iter_mut().chain(&mut seat.sessions);
            for item in items.filter(|item| item.id == id) {
                item.trust = Trust::Doubtful;
            }
        }
        for file in self.files.iter_mut().filter(|file| file.id == id) {
            file.trust = Trust::Doubtful;
        }
    }

    pub fn doubt_files(&mut self) {
        for file in &mut self.files {
            file.trust = Trust::Doubtful;
        }
    }

    /// Whether the TPM has room for all that the command needs at once.
    fn has_room(&self, parsed: &Parsed) -> bool {
        let family = own::family(parsed.code);
        let mut objects: Vec<u32> = parsed.handles.clone();
        let mut sessions: Vec<u32> = parsed.sessions.clone();
        sessions.extend(objects.iter().copied().filter(|h| is_session(*h)));
        objects.retain(|handle| is_object(*handle));
        for list in [&mut objects, &mut sessions] {
            list.sort_unstable();
            list.dedup();
        }
        let persistent = parsed.persistent;
        let makes = matches!(family, Some(own::MAKE | own::START | own::MAKE_MORTAL))
            || matches!(parsed.code, cc::CREATE | cc::CONTEXT_LOAD)
            || family == Some(own::CREATE);
        let starts = usize::from(parsed.code == cc::START_AUTH_SESSION);
        // Others may have loaded what they have, and what they have may close the gap.
        let possible = self.rig.chip.borrow().neighbours == Neighbours::Possible;
        // What a fault has left there stays, lest it be theirs; so does what the TPM claims to have ended.
        let strangers = !self.raw.is_empty() || self.past.faults && possible || self.past.lies;
        let model = &self.setup.model;
        !strangers
            && objects.len() + persistent + usize::from(makes) <= model.object_slots
            && sessions.len() + starts <= model.loaded_sessions
    }

    /// What is to be expected after all that has happened.
    pub fn reconsider(&mut self, n: usize, command: &[u8], expect: Expect) -> Expect {
        let parsed = parse(command);
        let flushed = match parsed.code {
            cc::FLUSH_CONTEXT => commands::flushed(command),
            _ => None,
        };
        let named = parsed
            .handles
            .iter()
            .chain(&parsed.sessions)
            .chain(&flushed);
        let named: Vec<u32> = named.copied().collect();
        let seat = &mut self.seats[n];
        let full = seat.objects.len() >= self.setup.objects_per_space;
        let is_doubtful = |handle: &u32| match seat.item(*handle) {
            Some(item) => item.trust == Trust::Doubtful,
            // What a command names that has waited may be gone, or was never there.
            None => expect == Expect::Success && flushed != Some(*handle),
        };
        let doubtful = named.iter().any(is_doubtful)
            || flushed.is_some_and(|handle| {
                let is_it = |f: &&File| number(f.handle) == number(handle);
                self.files
                    .iter()
                    .filter(is_it)
                    .any(|f| f.trust == Trust::Doubtful)
            });
        if self.seats[n].is_closed {
            return Expect::Anything;
        }
        // A foreign handle is refused whatever else there is, unless that is refused first.
        if !self.faults.is_empty() || doubtful || full && expect == Expect::Success {
            return Expect::Anything;
        }
        if expect == Expect::Success && !self.has_room(&parsed) {
            return Expect::Anything;
        }
        expect
    }

    /// A command came to an end: the books are brought up to date, and the response is checked.
    pub fn settle(&mut self, n: usize, command: &[u8], outcome: &Outcome<Vec<u8>>, expect: Expect) {
        let events = std::mem::take(&mut self.rig.chip.borrow_mut().device.events);
        let parsed = parse(command);
        let seen: Vec<&Event> = events.iter().filter(|event| is_clients(event)).collect();
        let is_success = matches!(outcome, Ok(response) if response_code(response) == 0);
        if let Ok(response) = outcome {
            let size = Get(&response[2..6]).u32();
            assert_eq!(size, su(response.len()), "G10: size of {response:x?}");
            assert!(is_success || response.len() == HEADER, "G10: {response:x?}");
        }
        for event in &seen {
            assert_eq!(event.code, parsed.code, "G4: another's command was sent");
            self.check_named(n, &parsed, event);
        }
        let had_lost = self.seats[n].lost.clone();
        // What was lost may have a new owner already.
        self.hear();
        let executed: Vec<&&Event> = seen.iter().filter(|event| event.rc == 0).collect();
        assert!(
            executed.len() <= 1 || parsed.code == cc::START_AUTH_SESSION,
            "G2: executed twice"
        );
        let is_own = own::family(parsed.code).is_some() || parsed.code == cc::CREATE;
        if is_own && !self.hit {
            assert_eq!(
                is_success,
                executed.len() == 1,
                "G2: {outcome:?} of {events:?}"
            );
        }
        self.past.lies |= self.hit && is_own && is_success && executed.is_empty();
        self.check_expected(n, command, outcome, expect, &seen);
        if is_own {
            if let Some(event) = executed.first() {
                self.executed(n, &parsed, event, outcome);
            }
        } else if is_success {
            self.succeeded(n, command, &parsed, outcome, &had_lost);
        } else {
            self.failed(n, &parsed);
        }
    }

    fn check_expected(
        &mut self,
        n: usize,
        command: &[u8],
        outcome: &Outcome<Vec<u8>>,
        expect: Expect,
        seen: &[&Event],
    ) {
        let starts = parse(command).code == cc::START_AUTH_SESSION;
        match (expect, outcome) {
            (Expect::Success, Ok(response)) => {
                let code = response_code(response);
                // Who waited for long enough is told so.
                let is_refusal = starts && code == rc::LAYER | rc::SESSION_HANDLES;
                let is_lack = code == rc::SESSION_HANDLES && !cfg!(feature = "exhaustion");
                assert!(
                    code == 0 || is_refusal || is_lack,
                    "G1 G3: {code:#x} for {command:x?} of {n}"
                );
            }
            (Expect::Success, Err(Failure::Waits)) => assert!(starts, "G1: waits for nothing"),
            (Expect::Success, Err(Failure::Errno(EPIPE))) => {}
            (Expect::Success, Err(failure)) => panic!("G1 G3: {failure:?} for {command:x?} of {n}"),
            (Expect::Refused, Ok(response)) => {
                let code = response_code(response);
                assert_ne!(code, 0, "G4: {command:x?} of {n} was not refused");
                // A context of a session that is on no books is for the TPM to judge.
                if parse(command).code == cc::CONTEXT_LOAD {
                    return;
                }
                assert_eq!(code >> 16, 11, "G6: {code:#x} was not the driver's refusal");
                assert!(seen.is_empty(), "G6: the TPM saw {seen:?}");
            }
            (Expect::Refused, Err(failure)) => {
                let is_refusal = matches!(failure, Failure::Errno(EINVAL | EPIPE));
                assert!(is_refusal, "G4: {failure:?} for {command:x?} of {n}");
                assert!(seen.is_empty(), "G6: the TPM saw {seen:?}");
            }
            (Expect::Anything, _) => {}
        }
    }

    /// What the TPM was told to use is what the client's handles mean.
    fn check_named(&mut self, n: usize, parsed: &Parsed, event: &Event) {
        let disturbed = self.past.faults || self.past.losses || self.past.hunger;
        let seat = &mut self.seats[n];
        let handles = parsed.handles.iter().zip(&event.handles);
        let sessions = parsed.sessions.iter().zip(&event.sessions);
        // What is no session is for the TPM to refuse among the authorizations.
        let sessions = sessions.filter(|(handle, _)| is_session(**handle));
        for (&handle, named) in handles.chain(sessions) {
            let Some(item) = seat.item(handle) else {
                panic!("G4: {handle:#x} is not of {n}, and the TPM saw it as {named:?}");
            };
            let Some(id) = named.id else {
                // A session with the wrong type of handle is for the TPM to refuse.
                let is_other = item.handle != handle;
                assert!(
                    disturbed || is_other,
                    "G6: the TPM has no {handle:#x} of {n}"
                );
                continue;
            };
            assert_eq!(id, item.id, "G5: {handle:#x} of {n} means something else");
            if let (Some(version), true) = (item.version, is_object(handle)) {
                assert_eq!(
                    named.version, version,
                    "G5: {handle:#x} of {n} is an older one"
                );
            }
        }
    }

    /// The TPM has executed a command of those that exist here alone.
    fn executed(&mut self, n: usize, parsed: &Parsed, event: &Event, outcome: &Outcome<Vec<u8>>) {
        let hit = self.hit;
        let seat = &mut self.seats[n];
        let mut uses = parsed.handles.clone();
        uses.retain(|handle| is_object(*handle));
        for handle in uses {
            if let Some(item) = seat.object(handle).filter(|item| item.is_sequence) {
                item.version = item.version.filter(|_| !hit).map(|version| version + 1);
            }
        }
        let ends_objects = own::family(parsed.code) == Some(own::END);
        let is_ended = |item: &Item| {
            let may_end = ends_objects && is_object(item.handle);
            let is_named = may_end && parsed.handles.contains(&item.handle);
            is_named || is_session(item.handle) && event.ended.contains(&item.id)
        };
        let items = seat.objects.iter().chain(&seat.sessions);
        let ended = items.filter(|item| is_ended(item)).map(|item| item.handle);
        seat.stale.extend(ended);
        if outcome.is_ok() {
            seat.objects.retain(|item| !is_ended(item));
            seat.sessions.retain(|item| !is_ended(item));
        }
        if own::family(parsed.code) == Some(own::CLEAR) {
            self.cleared();
        }
        let (Some(id), Ok(response)) = (event.made, outcome) else {
            return;
        };
        if response_code(response) != 0 {
            return;
        }
        // With a fault, a header alone may claim success.
        let Some(handle) = commands::response_handle(response) else {
            return assert!(hit, "G2: no handle");
        };
        let family = own::family(parsed.code);
        self.arrived(n, handle, id);
        if let Some(item) = self.seats[n].object(handle) {
            item.is_sequence = family == Some(own::START);
            item.is_mortal = family == Some(own::MAKE_MORTAL);
        }
    }

    /// An object came into being for the client.
    fn arrived(&mut self, n: usize, handle: u32, id: u64) {
        assert!(is_object(handle), "G10: {handle:#x} for an object");
        let seat = &mut self.seats[n];
        let is_new = seat.highest.is_none_or(|highest| handle > highest);
        assert!(is_new, "G5: {handle:#x} was given before");
        seat.highest = Some(handle);
        seat.objects.push(Item {
            trust: trust_after(self.hit),
            ..Item::new(handle, id, Some(0))
        });
    }

    /// Whatever is mortal may be dead: the TPM knows which.
    fn cleared(&mut self) {
        for seat in &mut self.seats {
            for item in seat.objects.iter_mut().filter(|item| item.is_mortal) {
                item.trust = Trust::Doubtful;
            }
        }
        for file in self.files.iter_mut().filter(|file| file.is_mortal) {
            file.trust = Trust::Doubtful;
        }
    }

    /// One of the commands about contexts and sessions has succeeded.
    fn succeeded(
        &mut self,
        n: usize,
        command: &[u8],
        parsed: &Parsed,
        outcome: &Outcome<Vec<u8>>,
        had_lost: &[u32],
    ) {
        let Ok(response) = outcome else {
            return;
        };
        if self.seats[n].is_closed {
            return self.saved_before_closed(n, parsed, response);
        }
        match parsed.code {
            cc::START_AUTH_SESSION => {
                // With a fault, a header alone may claim success.
                let Some(handle) = commands::response_handle(response) else {
                    return assert!(self.hit, "G2: no handle");
                };
                self.started(n, handle, had_lost);
            }
            cc::FLUSH_CONTEXT if !parsed.has_sessions => {
                if let Some(handle) = commands::flushed(command) {
                    self.flushed(n, handle);
                }
            }
            cc::CONTEXT_SAVE if !parsed.has_sessions => {
                self.saved(n, parsed.handles.first().copied(), response);
            }
            cc::CONTEXT_LOAD if !parsed.has_sessions => self.loaded(n, command, response),
            _ => {}
        }
    }

    fn failed(&mut self, n: usize, parsed: &Parsed) {
        // A flush or a save may have been half done.
        if self.hit {
            let seat = &mut self.seats[n];
            for handle in &parsed.handles {
                if let Some(item) = seat.item(*handle) {
                    item.trust = Trust::Doubtful;
                }
            }
        }
    }

    /// The client has a session, and had lost these before.
    fn started(&mut self, n: usize, handle: u32, had_lost: &[u32]) {
        assert!(is_session(handle), "G10: {handle:#x} for a session");
        let Some(id) = self
            .identity(handle)
            .or_else(|| self.saved_identity(handle))
        else {
            // With a fault it may be lost before its owner has used it.
            return assert!(self.hit, "G2: the TPM has no session {handle:#x}");
        };
        let is_it = |other: &u32| number(*other) == number(handle);
        let was_lost = had_lost.iter().any(is_it);
        assert!(!was_lost, "G5: {handle:#x} is one that {n} has lost");
        self.take_number(handle);
        if self.past.faults && self.seats[n].lost.iter().any(is_it) {
            // The TPM told only then of a reset, and nobody knows what was before.
            return;
        }
        self.seats[n].sessions.push(Item {
            trust: trust_after(self.hit),
            ..Item::new(handle, id, None)
        });
    }

    /// Whoever had the number has it no more, or it is an error.
    fn take_number(&mut self, handle: u32) {
        for (n, seat) in self.seats.iter_mut().enumerate() {
            if let Some(item) = seat.session(handle) {
                let is_doubtful = item.trust == Trust::Doubtful;
                assert!(is_doubtful, "G4: {handle:#x} of {n} was given again");
                let id = item.id;
                seat.stale.push(handle);
                seat.remove(id);
            }
        }
        for file in &mut self.files {
            if file.state == FileState::Detached && number(file.handle) == number(handle) {
                let is_doubtful = file.trust == Trust::Doubtful;
                assert!(is_doubtful, "G4: {handle:#x} in a file was given again");
                file.state = FileState::Spent;
            }
        }
    }

    fn saved_identity(&self, handle: u32) -> Option<u64> {
        let chip = self.rig.chip.borrow();
        let [_, _, saved] = chip.device.contents();
        let has_number = |id: &u64| {
            let is_it = |other| number(other) == number(handle);
            chip.device.session_handle(*id).is_some_and(is_it)
        };
        saved.into_iter().find(has_number)
    }

    fn flushed(&mut self, n: usize, handle: u32) {
        let seat = &mut self.seats[n];
        if is_object(handle) || !is_session(handle) {
            let item = seat.object(handle).map(|item| item.handle);
            assert!(
                item.is_some() || !is_object(handle),
                "G5: {n} never had {handle:#x}"
            );
            seat.objects.retain(|item| item.handle != handle);
            seat.stale.push(handle);
            return;
        }
        seat.stale.push(handle);
        let is_it = |other: &u32| number(*other) == number(handle);
        if let Some(at) = seat.lost.iter().position(is_it) {
            seat.lost.remove(at);
            return;
        }
        if let Some(id) = seat.session(handle).map(|item| item.id) {
            seat.remove(id);
            return;
        }
        let user = seat.user;
        let is_own = |file: &&mut File| {
            let is_it = number(file.handle) == number(handle);
            is_it && file.user == user && file.state == FileState::Detached
        };
        match self.files.iter_mut().find(is_own) {
            Some(file) => file.state = FileState::Spent,
            None => assert!(self.hit, "G4: {n} has flushed {handle:#x} of somebody else"),
        }
    }

    fn saved(&mut self, n: usize, handle: Option<u32>, response: &[u8]) {
        let Some(handle) = handle else {
            return;
        };
        let context = response[HEADER..].to_vec();
        let hit = self.hit;
        let seat = &mut self.seats[n];
        let user = seat.user;
        let Some(item) = seat.item(handle).cloned() else {
            panic!("G4: {n} has saved {handle:#x}, which it does not have");
        };
        let identified = self.rig.chip.borrow().device.identify(&context);
        if identified.is_none() && hit {
            return;
        }
        assert_eq!(
            identified,
            Some(item.id),
            "G4 G5: {handle:#x} was saved as another"
        );
        let state = if is_object(handle) {
            FileState::Object
        } else {
            seat.remove(item.id);
            seat.stale.push(handle);
            FileState::Detached
        };
        self.files.push(File {
            context,
            id: item.id,
            version: item.version.filter(|_| !hit),
            handle: item.handle,
            user,
            state,
            trust: if hit { Trust::Doubtful } else { item.trust },
            is_sequence: item.is_sequence,
            is_mortal: item.is_mortal,
        });
    }

    /// The client was answered before it lost a session, and was closed for that: it has what it saved.
    fn saved_before_closed(&mut self, n: usize, parsed: &Parsed, response: &[u8]) {
        let (cc::CONTEXT_SAVE, Some(&handle)) = (parsed.code, parsed.handles.first()) else {
            return;
        };
        let context = response[HEADER..].to_vec();
        let identified = self.rig.chip.borrow().device.identify(&context);
        if let Some(id) = identified {
            self.files.push(File {
                context,
                id,
                version: None,
                handle,
                user: self.seats[n].user,
                state: if is_object(handle) {
                    FileState::Object
                } else {
                    FileState::Detached
                },
                trust: Trust::Doubtful,
                is_sequence: false,
                is_mortal: false,
            });
        }
    }

    fn loaded(&mut self, n: usize, command: &[u8], response: &[u8]) {
        let context = &command[HEADER..];
        let Some(handle) = commands::response_handle(response) else {
            return assert!(self.hit, "G2: no handle");
        };
        let at = self.files.iter().rposition(|file| file.context == context);
        let Some(at) = at else {
            panic!("G4: {n} has loaded what nobody has saved: {context:x?}");
        };
        let file = self.files[at].clone();
        if is_object(handle) {
            assert_eq!(
                file.state,
                FileState::Object,
                "G4: a session became an object"
            );
            self.arrived(n, handle, file.id);
            let item = self.seats[n].object(handle).expect("it has just come");
            item.version = file.version;
            item.is_sequence = file.is_sequence;
            item.is_mortal = file.is_mortal;
            return;
        }
        let is_good = matches!(file.state, FileState::Detached | FileState::Raw);
        assert!(
            is_good,
            "G4: {n} has claimed {handle:#x} with a context that was spent"
        );
        assert_eq!(
            number(handle),
            number(file.handle),
            "G5: claimed {handle:#x}"
        );
        self.raw.retain(|id| *id != file.id);
        self.take_number_for(handle, at);
        let item = Item {
            trust: file.trust,
            ..Item::new(file.handle, file.id, None)
        };
        self.seats[n].sessions.push(item);
        self.files[at].state = FileState::Spent;
    }

    /// As [`Self::take_number`], for a session that was in the file at `at`.
    fn take_number_for(&mut self, handle: u32, at: usize) {
        self.files[at].state = FileState::Spent;
        self.take_number(handle);
    }

    /// What is true after every step, and what the clients were told.
    pub fn observe(&mut self) {
        self.hear();
        if self.hit {
            self.hit = false;
            return;
        }
        self.check_empty();
        self.check_leaks();
    }

    #[cfg(feature = "exhaustion")]
    fn hear(&mut self) {
        // Others may have needed what was in a file.
        for file in self
            .files
            .iter_mut()
            .filter(|f| f.state == FileState::Detached)
        {
            let device = &self.rig.chip.borrow().device;
            if device.session_handle(file.id).is_none() {
                file.trust = Trust::Doubtful;
            }
        }
        for n in 0..self.seats.len() {
            let Some(space) = &self.seats[n].space else {
                continue;
            };
            let lost = self.rig.lost(space);
            if space.news().contains(&News::Closed) {
                self.seats[n].clear();
                self.seats[n].is_closed = true;
            }
            for handle in lost {
                let seat = &mut self.seats[n];
                if seat
                    .lost
                    .iter()
                    .any(|known| number(*known) == number(handle))
                {
                    continue;
                }
                seat.lost.push(handle);
                if let Some(id) = seat.session(handle).map(|item| item.id) {
                    seat.remove(id);
                    let chip = self.rig.chip.borrow();
                    let is_gone = chip.device.session_handle(id).is_none();
                    assert!(is_gone || self.past.faults, "G5: {handle:#x} of {n} lives");
                }
            }
        }
    }

    #[cfg(not(feature = "exhaustion"))]
    fn hear(&mut self) {}

    /// Others find nothing of ours, unless it is to stay.
    fn check_empty(&mut self) {
        // What could not leave because of strangers leaves with the next command.
        let is_later = self.past.strangers && !self.commanded;
        if self.setup.resident || self.past.faults || is_later {
            return;
        }
        let [objects, loaded, saved] = self.rig.chip.borrow().device.contents();
        // An old session of a stranger closes the gap, and only he can open it.
        if saved.iter().any(|id| self.raw.contains(id)) {
            return;
        }
        let stays = objects
            .iter()
            .chain(&loaded)
            .find(|id| !self.raw.contains(id));
        assert_eq!(stays, None, "G9: something of ours is loaded");
    }

    /// Every session of the TPM is somebody's, and everybody's is there.
    fn check_leaks(&mut self) {
        if self.past.faults {
            return;
        }
        let chip = self.rig.chip.borrow();
        let [_, loaded, saved] = chip.device.contents();
        let active: Vec<u64> = loaded.into_iter().chain(saved).collect();
        let held = |seats: &[Seat<'_>]| -> Vec<u64> {
            let items = seats.iter().flat_map(|seat| &seat.sessions);
            items.map(|item| item.id).collect()
        };
        let held = held(&self.seats);
        let is_kept = |file: &&File| matches!(file.state, FileState::Detached | FileState::Raw);
        let files: Vec<&File> = self.files.iter().filter(is_kept).collect();
        for id in &active {
            let is_known = held.contains(id)
                || self.raw.contains(id)
                || files.iter().any(|file| file.id == *id);
            assert!(is_known, "G8: session {id} is nobody's");
        }
        let items = self.seats.iter().flat_map(|seat| &seat.sessions);
        for item in items.filter(|item| item.trust == Trust::Certain) {
            assert!(active.contains(&item.id), "G3: {item:?} is gone");
        }
        if !self.past.strangers && cfg!(feature = "exhaustion") {
            let left = self.setup.model.active_sessions - active.len();
            assert!(left >= self.setup.reserve, "G9: {left} numbers are left");
        }
    }

    /// A list of handles is that of what the client has.
    pub fn check_list(&mut self, n: usize, first: u32, response: &[u8]) {
        if response_code(response) != 0 || self.past.faults || self.seats[n].is_closed {
            return;
        }
        let mut get = Get(&response[HEADER..]);
        let more = get.u8();
        assert_eq!(more, 0, "G10: all of it fits");
        get.u32();
        let count = get.u32();
        let listed: Vec<u32> = (0..count).map(|_| get.u32()).collect();
        let seat = &self.seats[n];
        let of = |items: &[Item]| -> Vec<(u32, Trust)> {
            items.iter().map(|item| (item.handle, item.trust)).collect()
        };
        let has = match first {
            rh::TRANSIENT => of(&seat.objects),
            rh::LOADED_SESSION => of(&seat.sessions),
            _ => {
                let is_own = |f: &&File| f.user == seat.user && f.state == FileState::Detached;
                let own = self.files.iter().filter(is_own);
                own.map(|f| (rh::HMAC_SESSION | number(f.handle), f.trust))
                    .collect()
            }
        };
        for handle in &listed {
            // It may have been lost since it was listed.
            let is_lost = |lost: &u32| is_session(*handle) && number(*lost) == number(*handle);
            let is_own = has.iter().any(|(own, _)| own == handle) || seat.lost.iter().any(is_lost);
            assert!(is_own, "G4: {handle:#x} is listed to {n}");
        }
        for (handle, _) in has.iter().filter(|(_, trust)| *trust == Trust::Certain) {
            // Others may need what is in a file.
            let may_go = first == rh::SAVED_SESSION;
            assert!(
                may_go || listed.contains(handle),
                "G10: {handle:#x} is not listed to {n}"
            );
        }
    }

    /// A client is gone: so is what it had.
    pub fn left(&mut self, was: &Seat<'_>) {
        if self.hit || self.past.faults {
            return;
        }
        let chip = self.rig.chip.borrow();
        for item in &was.sessions {
            let is_gone = chip.device.session_handle(item.id).is_none();
            assert!(is_gone, "G8: {item:?} is left");
        }
    }

    /// Everybody goes. Nothing is left but what is in files, and that can be flushed by its user.
    pub fn end(&mut self) {
        self.faults.clear();
        self.starve = None;
        self.serve();
        self.raw_leaves();
        for seat in &mut self.seats {
            let space = seat.space.take().expect("it is open");
            self.rig.close(space);
        }
        for user in [harness::rig::ALICE, harness::rig::BOB, harness::rig::CAROL] {
            let space = self.rig.open(user);
            let random = space.bytes(&commands::random());
            assert!(random.is_ok(), "G3: {random:?}");
            let (_, handles) = space.handles(rh::SAVED_SESSION, 254).expect("a list");
            for handle in handles {
                let _ = space.bytes(&commands::flush(handle));
            }
            self.rig.close(space);
        }
        self.raw_leaves();
        Tpm::end_kernel_session(&mut *self.rig.chip.borrow_mut());
        if self.setup.resident {
            self.rig.pass(100);
        }
        self.forget_raw();
        let mut contents = self.rig.chip.borrow().device.contents();
        // What was never on the books cannot be told from what others have left.
        contents[2].retain(|id| {
            !self
                .files
                .iter()
                .any(|f| f.id == *id && f.state == FileState::Raw)
        });
        // Whoever is told that a command has ended something believes it.
        if !self.past.lies {
            assert_eq!(contents, [vec![], vec![], vec![]], "G8: left in the TPM");
        }
    }

    /// Nobody waits for longer than was said.
    #[cfg(feature = "exhaustion")]
    fn serve(&mut self) {
        self.rig.pass(self.setup.wait);
        // Whoever was closed does not wait any more.
        self.hear();
        for (n, seat) in self.seats.iter().enumerate() {
            let waits = seat.wait.is_some() && !seat.space().is_called();
            assert!(
                !waits,
                "G7: {n} waits for ever, {:?}, {:?}, alarm {:?} at {:?}",
                seat.wait,
                self.rig.heard(),
                self.rig.alarm(),
                harness::clock::now()
            );
        }
    }

    #[cfg(not(feature = "exhaustion"))]
    fn serve(&mut self) {}
}
