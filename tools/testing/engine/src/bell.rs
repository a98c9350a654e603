// SPDX-License-Identifier: GPL-2.0

//! Bells that remember what they were told, and when.

#[cfg(feature = "exhaustion")]
use crate::clock::now;
#[cfg(feature = "exhaustion")]
pub use crate::engine::News;
use crate::engine::{Bell, Moment};
use std::sync::{Arc, Mutex};

/// Without the option nobody is told anything.
#[cfg(not(feature = "exhaustion"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {}

/// One ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The space's place in the order of opening.
    pub space: usize,
    pub news: News,
    pub at: Moment,
}

/// What all bells of a rig were told, in order.
#[derive(Default)]
pub struct Record(Mutex<Vec<Heard>>);

impl Record {
    /// All of it.
    pub fn all(&self) -> Vec<Heard> {
        self.0.lock().expect("nobody panics here").clone()
    }
}

#[derive(Default)]
struct Ears {
    news: Vec<News>,
    is_called: bool,
}

/// The process that opened the first space, as far as its bell knows.
pub const FIRST_PROCESS: i32 = 4000;

/// The bell of one space.
pub struct Recorder {
    ordinal: usize,
    #[cfg_attr(
        not(feature = "exhaustion"),
        expect(dead_code, reason = "nobody is told anything")
    )]
    record: Arc<Record>,
    ears: Mutex<Ears>,
    paid: Mutex<usize>,
}

impl Recorder {
    /// A bell that was told nothing.
    pub fn new(ordinal: usize, record: Arc<Record>) -> Self {
        Self {
            ordinal,
            record,
            ears: Mutex::default(),
            paid: Mutex::default(),
        }
    }

    /// Which space it is.
    pub fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// What it was told since this was asked last.
    pub fn news(&self) -> Vec<News> {
        std::mem::take(&mut self.ears.lock().expect("nobody panics here").news)
    }

    /// Whether it was called, and nothing has come of that yet.
    pub fn is_called(&self) -> bool {
        self.ears.lock().expect("nobody panics here").is_called
    }

    /// How often it paid for something that others caused, or nobody.
    pub fn paid(&self) -> usize {
        *self.paid.lock().expect("nobody panics here")
    }

    /// The client comes.
    pub fn answer(&self) {
        self.ears.lock().expect("nobody panics here").is_called = false;
    }
}

impl Bell for Recorder {
    fn process(&self) -> i32 {
        FIRST_PROCESS + i32::try_from(self.ordinal).expect("there are few")
    }

    fn pay(&self, work: &mut dyn FnMut()) {
        *self.paid.lock().expect("nobody panics here") += 1;
        work();
    }

    #[cfg(feature = "exhaustion")]
    fn ring(&self, news: News) {
        let mut ears = self.ears.lock().expect("nobody panics here");
        ears.news.push(news);
        ears.is_called |= news == News::Called;
        self.record
            .0
            .lock()
            .expect("nobody panics here")
            .push(Heard {
                space: self.ordinal,
                news,
                at: now(),
            });
    }
}
