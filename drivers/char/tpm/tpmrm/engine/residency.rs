// SPDX-License-Identifier: GPL-2.0

//! Having in the TPM what a command names, and making room for it.
//!
//! How an object or a session is moved is in [`swap_object`](crate::engine::swap_object) and
//! [`swap_session`](crate::engine::swap_session); which one has to go, [`Policy`] decides.

use crate::engine::{
    courier::ATTEMPTS,
    names::{
        Names,
        Position,
        Target, //
    },
    policy::{
        Candidate,
        Policy,
        Resident, //
    },
    refusal::{
        Outcome,
        Refusal, //
    },
    reread::Found,
    slots::Occupant,
    tpm::Tpm,
    wire::{
        command::Command,
        handle::SessionHandle,
        message::Message,
        rc::Shortage, //
    },
    Engine,
};
use kernel::prelude::*;

/// How much the TPM has room for, as far as it has shown: it is not asked more often than it has
/// to be, and room is made before it refuses something.
pub(crate) struct Room {
    objects: usize,
    sessions: usize,
    /// The most objects that were loaded at the same time, or that there is room for by the TPM's
    /// own words.
    most_objects: usize,
    /// The same of sessions.
    most_sessions: usize,
}

impl Room {
    /// In a TPM that has room for so many, and perhaps more.
    pub(crate) const fn new(objects: usize, sessions: usize) -> Self {
        Self {
            objects: usize::MAX,
            sessions: usize::MAX,
            most_objects: objects,
            most_sessions: sessions,
        }
    }

    /// Others have used the TPM, or will. What they have left there takes room, or does no longer.
    pub(crate) fn forget(&mut self) {
        self.objects = self.objects.max(self.most_objects);
        self.sessions = self.sessions.max(self.most_sessions);
    }
}

/// Whether there was something to take out of the TPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evicted {
    One,
    Nothing,
}

/// Why something could not be loaded.
pub(crate) enum Failure {
    /// It is gone, and was struck off.
    Lost,
    /// It is still there, for a later command.
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    /// What the client gets for the name that could not be loaded.
    pub(crate) fn of(self, lost: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Lost => lost(),
            Self::Refused(refusal) => refusal,
        }
    }
}

impl Engine {
    /// Loads everything that a command names, and puts the handles of the TPM into `message`.
    ///
    /// # Errors
    ///
    /// - TPM_RC_REFERENCE_Hn or Sn of the resource manager when it turns out that a name is lost.
    /// - What the TPM said when it is in trouble, or has no room although nothing of ours is in
    ///   the way.
    /// - `ENOMEM`, and those of the transport.
    pub(crate) fn load_named(
        &mut self,
        tpm: &mut dyn Tpm,
        names: &Names,
        message: &mut Message,
    ) -> Outcome {
        // It may be something else that is there.
        if self.era.is_shaken() && names.iter().next().is_some() {
            return Err(Refusal::Errno(EIO));
        }
        // After a reset that nobody told us of, what is loaded may get a handle under which another
        // was believed to be loaded. Then that one is to be loaded as well.
        for _ in 0..ATTEMPTS {
            for name in names.iter() {
                let loaded = match name.target {
                    Target::Object(id) => self.load_object(tpm, id, names).map(|_| ()),
                    Target::Session(handle) => self.load_session(tpm, handle, names),
                };

                loaded.map_err(|failure| failure.of(|| name.position.refusal()))?;
            }
            if self.fill_in(names, message) == Found::All {
                return Ok(());
            }
        }
        Err(Refusal::Errno(EIO))
    }

    /// Puts the handles of the TPM into `message`, for the objects that are loaded.
    fn fill_in(&self, names: &Names, message: &mut Message) -> Found {
        let mut found = Found::All;

        for name in names.iter() {
            let (Target::Object(id), Position::Handle(n)) = (name.target, name.position) else {
                continue;
            };

            match self.slots.find(id) {
                Some(physical) => {
                    message.set_u32_at(Command::handle_offset(n), physical.to_wire());
                }
                None => found = Found::NotAll,
            }
        }
        found
    }

    /// Takes something out of the TPM that `needed` does not name, so that there is room: the TPM
    /// has none.
    ///
    /// This may fail: whoever needs the room tries again and sees.
    pub(crate) fn make_room(&mut self, tpm: &mut dyn Tpm, shortage: Shortage, needed: &Names) {
        self.make_room_for(tpm, shortage, needed, 1);
    }

    /// The same for what takes so many object slots beside those that we have filled.
    pub(crate) fn make_room_for(
        &mut self,
        tpm: &mut dyn Tpm,
        shortage: Shortage,
        needed: &Names,
        object_slots: usize,
    ) {
        match shortage {
            Shortage::Object => {
                // It would have fitted if there were more than so many.
                let most = self.slots.iter().count().saturating_add(object_slots);

                self.room.objects = self.room.objects.min(most.saturating_sub(1)).max(1);
                self.evict_one_object(tpm, needed);
                self.clear_debris(tpm);
            }
            Shortage::Session => {
                self.room.sessions = self.sessions.loaded().count();
                if self.evict_one_session(tpm, needed) == Evicted::Nothing {
                    tpm.end_kernel_session();
                    self.clear_debris(tpm);
                }
            }
            // Nothing that is loaded is in the way of it.
            Shortage::SessionNumber => {}
            Shortage::ContextGap => self.reopen_gap(tpm),
        }
    }

    /// Makes room for so many more objects, if there would be none.
    pub(crate) fn expect_objects(&mut self, tpm: &mut dyn Tpm, needed: &Names, more: usize) {
        for _ in 0..more {
            if self.slots.iter().count().saturating_add(more) > self.room.objects {
                self.evict_one_object(tpm, needed);
            }
        }
    }

    /// Makes room for one more session, if there would be none.
    pub(crate) fn expect_session(&mut self, tpm: &mut dyn Tpm, needed: &Names) {
        if self.sessions.loaded().count() >= self.room.sessions {
            self.evict_one_session(tpm, needed);
        }
    }

    /// Learns from what is loaded that there is room for as much.
    pub(crate) fn learn_room(&mut self) {
        let objects = self.slots.iter().count();
        let sessions = self.sessions.loaded().count();
        let room = &mut self.room;

        room.objects = room.objects.max(objects);
        room.most_objects = room.most_objects.max(objects);
        room.sessions = room.sessions.max(sessions);
        room.most_sessions = room.most_sessions.max(sessions);
    }

    /// Remembers that a command is about to use what it names.
    pub(crate) fn note_uses(&mut self, names: &Names) {
        if names.objects().next().is_some() {
            let now = self.slots.tick();

            for id in names.objects() {
                if let Some(object) = self.spaces.object_mut(id) {
                    object.note_use(now);
                }
            }
        }
        if names.sessions().next().is_some() {
            let now = self.sessions.tick();

            for handle in names.sessions() {
                if let Some(session) = self.sessions.find_mut(handle) {
                    session.note_use(now);
                }
            }
        }
    }

    fn evict_one_object(&mut self, tpm: &mut dyn Tpm, needed: &Names) {
        let now = self.slots.now();
        let mut candidates = self.slots.iter().filter_map(|slot| {
            let expected = match slot.occupant {
                Occupant::Object(id) if needed.include(Target::Object(id)) => return None,
                Occupant::Object(id) => self.spaces.object(id).map(|object| object.expected(now)),
                Occupant::Nobody => None,
            };

            Some(Candidate {
                resident: Resident::Object(slot),
                expected,
            })
        });
        let victim = self.barrier.victim(&mut candidates);

        drop(candidates);
        if let Some(Resident::Object(slot)) = victim {
            self.evict_object(tpm, slot, self.barrier.urgency());
        }
    }

    fn evict_one_session(&mut self, tpm: &mut dyn Tpm, needed: &Names) -> Evicted {
        match self.session_victim(needed) {
            Some(victim) => {
                // What cannot be saved stays where it is.
                let _ = self.save_session(tpm, victim);
                Evicted::One
            }
            None => Evicted::Nothing,
        }
    }

    /// The loaded session that is to make room, if there is one that is not needed.
    pub(crate) fn session_victim(&self, needed: &Names) -> Option<SessionHandle> {
        let now = self.sessions.now();
        let mut candidates = self
            .sessions
            .loaded_sessions()
            .filter(|session| !needed.include(Target::Session(session.handle())))
            .map(|session| Candidate {
                resident: Resident::Session(session.handle()),
                expected: Some(session.expected(now)),
            });

        match self.barrier.victim(&mut candidates)? {
            Resident::Session(victim) => Some(victim),
            Resident::Object(_) => None,
        }
    }
}
