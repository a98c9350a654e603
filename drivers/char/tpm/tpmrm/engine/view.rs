// SPDX-License-Identifier: GPL-2.0

//! What there is, for an administrator to look at: figures and handles, and nothing that a command
//! or a context has inside.
//!
//! Looking takes no memory: whoever wants to see brings room for it ([`View::with_room`]).

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::exhaustion::{
    SpaceTerms,
    WholeTerms, //
};
use crate::engine::{
    clock::Moment,
    counters::Counters,
    policy::Barrier,
    session::{
        Owner,
        Place,
        Session, //
    },
    slots::Occupant,
    space::{
        Space,
        UserId, //
    },
    spaces::SpaceId,
    Engine,
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// How it stood with a chip at some moment.
pub struct View {
    /// When that was.
    pub at: Moment,
    /// The chip as a whole.
    pub chip: ChipView,
    /// What was done so far.
    pub counters: Counters,
    /// The spaces, in no order.
    pub spaces: Rows<SpaceView>,
    /// The sessions that we know of, in the order of their numbers, then those of others.
    pub sessions: Rows<SessionView>,
}

/// What is told of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipView {
    /// Whether others' commands are announced to us.
    pub barrier: Barrier,
    /// How many objects are in the TPM by our doing.
    pub objects_loaded: usize,
    /// How many objects the TPM has room for, at least.
    pub object_slots: usize,
    /// How many sessions of ours are loaded.
    pub sessions_loaded: usize,
    /// How many loaded sessions the TPM has room for, at least.
    pub session_slots: usize,
    /// How many sessions their clients have saved.
    pub sessions_detached: usize,
    /// What there is to tell of session numbers.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub terms: Option<WholeTerms>,
}

/// What is told of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceView {
    /// See [`SpaceId::number`].
    pub number: u64,
    /// The process that opened it: see [`Bell::process`](crate::engine::Bell::process).
    pub process: i32,
    /// Whose it is.
    pub user: UserId,
    /// How many commands it has written.
    pub commands: u64,
    /// How many objects it has, lost ones not counted.
    pub objects: usize,
    /// How many of them are in the TPM.
    pub objects_loaded: usize,
    /// How many objects it has lost and not flushed.
    pub objects_lost: usize,
    /// How many sessions it has.
    pub sessions: usize,
    /// How many of them are loaded.
    pub sessions_loaded: usize,
    /// What there is to tell of session numbers.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    pub terms: Option<SpaceTerms>,
}

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerView {
    /// That of the space with this number.
    Space(u64),
    /// Its client has saved it, and whoever brings the context can have it.
    Detached,
    /// Nobody's: it is to be flushed.
    Nobody,
    /// None of ours, as far as we know.
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    Stray,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceView {
    /// In the TPM's memory.
    Loaded,
    /// Outside.
    Saved,
}

/// What is told of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its handle.
    pub handle: u32,
    /// Whose it is.
    pub owner: OwnerView,
    /// The user of that space, or who has saved it.
    pub user: Option<UserId>,
    /// Where it is.
    pub place: PlaceView,
}

/// A list for which there may be too little room.
pub struct Rows<T> {
    rows: KVVec<T>,
    all: usize,
}

impl<T> Rows<T> {
    const fn new() -> Self {
        Self {
            rows: KVVec::new(),
            all: 0,
        }
    }

    fn with_room(room: usize) -> Result<Self, AllocError> {
        Ok(Self {
            rows: KVVec::with_capacity(room, GFP_KERNEL)?,
            all: 0,
        })
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.all = 0;
    }

    pub(crate) fn add(&mut self, row: T) {
        self.all = self.all.saturating_add(1);
        drop(self.rows.push_within_capacity(row));
    }

    /// Those for which there was room.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.rows.iter()
    }

    /// How many there were.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Whether there was room for all.
    pub fn is_complete(&self) -> bool {
        self.rows.len() == self.all
    }
}

impl View {
    /// Nothing was seen yet.
    pub const fn new() -> Self {
        Self {
            at: Moment(0),
            chip: ChipView::NOTHING,
            counters: Counters::NONE,
            spaces: Rows::new(),
            sessions: Rows::new(),
        }
    }

    /// The same, with room for so many spaces and sessions.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub fn with_room(spaces: usize, sessions: usize) -> Result<Self, AllocError> {
        Ok(Self {
            spaces: Rows::with_room(spaces)?,
            sessions: Rows::with_room(sessions)?,
            ..Self::new()
        })
    }

    /// Whether there was room for everything.
    pub fn is_complete(&self) -> bool {
        self.spaces.is_complete() && self.sessions.is_complete()
    }
}

impl ChipView {
    const NOTHING: Self = Self {
        barrier: Barrier::Absent,
        objects_loaded: 0,
        object_slots: 0,
        sessions_loaded: 0,
        session_slots: 0,
        sessions_detached: 0,
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        terms: None,
    };
}

impl Engine {
    /// Enters into `view` what there is now, as far as there is room.
    pub fn show(&self, view: &mut View) {
        view.at = self.clock.now();
        view.counters = self.counters();
        view.chip = self.view_chip();
        view.spaces.clear();
        for (id, space) in self.spaces.iter() {
            view.spaces.add(self.view_space(id, space));
        }
        view.sessions.clear();
        for session in self.sessions.iter() {
            view.sessions.add(self.view_session(session));
        }
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        self.show_strays(&mut view.sessions);
    }

    fn view_chip(&self) -> ChipView {
        ChipView {
            barrier: self.barrier,
            objects_loaded: self.slots.iter().count(),
            object_slots: self.properties.object_slots,
            sessions_loaded: self.sessions.loaded().count(),
            session_slots: self.properties.session_slots,
            sessions_detached: self
                .sessions
                .iter()
                .filter(|session| matches!(session.owner(), Owner::Detached { .. }))
                .count(),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            terms: self.whole_terms(),
        }
    }

    fn view_space(&self, id: SpaceId, space: &Space) -> SpaceView {
        let is_ours = |occupant| matches!(occupant, Occupant::Object(object) if object.space == id);
        let own = || {
            self.sessions
                .iter()
                .filter(|session| session.belongs_to(id))
        };

        SpaceView {
            number: id.number(),
            process: space.process(),
            user: space.user(),
            commands: space.commands(),
            objects: space.alive().count(),
            objects_loaded: self
                .slots
                .iter()
                .filter(|slot| is_ours(slot.occupant))
                .count(),
            objects_lost: space.lost(),
            sessions: own().count(),
            sessions_loaded: own()
                .filter(|session| session.place() == Place::Loaded)
                .count(),
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            terms: self.space_terms(id, space),
        }
    }

    fn view_session(&self, session: &Session) -> SessionView {
        let (owner, user) = match session.owner() {
            Owner::Space(id) => (
                OwnerView::Space(id.number()),
                self.spaces.get(*id).map(Space::user),
            ),
            Owner::Detached { user, .. } => (OwnerView::Detached, Some(*user)),
            Owner::Nobody => (OwnerView::Nobody, None),
        };

        SessionView {
            handle: session.handle().to_wire(),
            owner,
            user,
            place: match session.place() {
                Place::Loaded => PlaceView::Loaded,
                Place::Saved => PlaceView::Saved,
            },
        }
    }
}
