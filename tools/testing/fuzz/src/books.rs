// SPDX-License-Identifier: GPL-2.0

//! What every client has, from what it was told alone.

use crate::commands::number;
use harness::rig::Space;

/// Whether a thing has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing has happened that could have cost it.
    Certain,
    /// It may be refused: a fault, a reset or a raw user came in between. What works is still the same thing.
    Doubtful,
}

/// An object or a session of a client.
#[derive(Clone, Debug)]
pub struct Item {
    pub handle: u32,
    /// What it really is.
    pub id: u64,
    /// For a sequence, how often it was used; `None` if that is not known.
    pub version: Option<u32>,
    pub is_sequence: bool,
    /// Whether a clear ends it.
    pub is_mortal: bool,
    pub trust: Trust,
}

/// A context in a file.
#[derive(Clone, Debug)]
pub struct File {
    pub context: Vec<u8>,
    pub id: u64,
    /// For an object, its version then.
    pub version: Option<u32>,
    pub handle: u32,
    pub user: u32,
    pub state: FileState,
    pub trust: Trust,
    pub is_sequence: bool,
    pub is_mortal: bool,
}

/// What a context in a file is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// An object's: any number of times.
    Object,
    /// A session's that is nobody's now.
    Detached,
    /// A session's of a raw user.
    Raw,
    /// A session's that was claimed or flushed since.
    Spent,
}

/// What a client waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    Start(Vec<u8>),
    Reserve(usize),
}

/// One client.
pub struct Seat<'r> {
    pub space: Option<Space<'r>>,
    pub user: u32,
    pub objects: Vec<Item>,
    pub sessions: Vec<Item>,
    /// Handles of lost sessions that were not flushed.
    pub lost: Vec<u32>,
    /// Handles that are not good any more.
    pub stale: Vec<u32>,
    pub wait: Option<Wait>,
    pub is_closed: bool,
    /// The last virtual handle that was given.
    pub highest: Option<u32>,
}

impl<'r> Seat<'r> {
    pub fn new(space: Space<'r>, user: u32) -> Self {
        Self {
            space: Some(space),
            user,
            objects: vec![],
            sessions: vec![],
            lost: vec![],
            stale: vec![],
            wait: None,
            is_closed: false,
            highest: None,
        }
    }

    /// The open space.
    pub fn space(&self) -> &Space<'r> {
        self.space.as_ref().expect("seats are open between steps")
    }

    pub fn object(&mut self, handle: u32) -> Option<&mut Item> {
        self.objects.iter_mut().find(|item| item.handle == handle)
    }

    pub fn session(&mut self, handle: u32) -> Option<&mut Item> {
        let is_it = |item: &&mut Item| number(item.handle) == number(handle);
        self.sessions.iter_mut().find(is_it)
    }

    /// What the handle stands for, of either kind.
    pub fn item(&mut self, handle: u32) -> Option<&mut Item> {
        if crate::commands::is_object(handle) {
            self.object(handle)
        } else {
            self.session(handle)
        }
    }

    /// Strikes out what has this identity.
    pub fn remove(&mut self, id: u64) {
        self.objects.retain(|item| item.id != id);
        self.sessions.retain(|item| item.id != id);
    }

    /// Nothing of it has to work any more.
    pub fn doubt(&mut self) {
        for item in self.objects.iter_mut().chain(&mut self.sessions) {
            item.trust = Trust::Doubtful;
        }
    }

    /// The versions of sequences are not known any more.
    pub fn forget_versions(&mut self) {
        for item in &mut self.objects {
            item.version = None;
        }
    }

    /// The client is cut off from all that it had.
    pub fn clear(&mut self) {
        self.objects.clear();
        self.sessions.clear();
        self.lost.clear();
        self.wait = None;
    }
}
