// SPDX-License-Identifier: GPL-2.0

//! When the TPM has no session number left: who waits, who loses, and what everybody is told.
//!
//! Most of it is played on the modelled TPM, with few numbers, so that a story stays short.

mod bound;
mod census;
mod faults;
mod interleavings;
mod kernel_reserve;
mod ledger;
mod limit;
mod policies;
mod queue;
mod reservations;
mod rounds;
mod tombstones;
mod victims;
mod view;
mod world;

use harness::chip::Device;
use harness::client::{Failure, Outcome};
use harness::clock::now;
use harness::command::{Kind, Session};
use harness::engine::{LossPolicy, News, Span, Terms};
use harness::fake::{Fake, Model};
use harness::rig::{Rig, Space};
use harness::tpm::rc;

/// The terms that hold unless a test changes them.
const LEASE: u64 = 2000;
const WAIT: u64 = 5000;
const RESERVE: usize = 2;

/// What a client is told who has waited for a session number in vain.
const REFUSED: Failure = Failure::Rc(rc::LAYER | rc::SESSION_HANDLES);

const DEFAULT: Terms = Terms {
    lease: Span(LEASE),
    wait: Span(WAIT),
    kernel_reserve: RESERVE,
    sessions_per_user: 64,
    policy: LossPolicy::Fail,
};

/// A TPM with so many session numbers for users, beside those that are left to the kernel.
fn numbers(users: usize) -> Rig<Fake> {
    modelled(Model {
        active_sessions: users + RESERVE,
        ..Model::default()
    })
}

/// The same with libtpms, which has more commands.
fn real_numbers(users: usize) -> Rig {
    let rig = Rig::new();
    rig.set_terms(Terms {
        kernel_reserve: 64 - users,
        ..DEFAULT
    });
    rig
}

/// An engine over a modelled TPM, on the terms of this file.
fn modelled(model: Model) -> Rig<Fake> {
    let rig = Rig::over(Fake::new(model), Default::default());
    rig.set_terms(DEFAULT);
    rig
}

/// Starts so many sessions, which are there at once.
#[track_caller]
fn hold(space: &Space<'_>, count: usize) -> Vec<u32> {
    (0..count)
        .map(|_| space.start(Kind::Policy).expect("there is room").handle)
        .collect()
}

/// Starts a session; it must wait.
#[track_caller]
fn waits(space: &Space<'_>) {
    let outcome = space.start(Kind::Policy).map(|session| session.handle);
    assert_eq!(outcome, Err(Failure::Waits));
}

/// The space was called, and gets its session.
#[track_caller]
fn fetch(space: &Space<'_>) -> u32 {
    assert!(space.is_called(), "it was not called");
    space.start(Kind::Policy).expect("it was called").handle
}

/// Whether the session can be used; if not, it must be refused by name, and the TPM must not hear of it.
#[track_caller]
fn lives<D: Device>(rig: &Rig<D>, space: &Space<'_>, handle: u32) -> bool {
    let (outcome, sent) = rig.sent(|| space.policy_digest(handle));
    match outcome {
        Ok(_) => true,
        Err(failure) => {
            assert_eq!(failure, Failure::Rc(rc::LOST_H0));
            assert!(sent.is_empty(), "the TPM heard of a lost session: {sent:?}");
            false
        }
    }
}

/// Those of the sessions that can be used.
#[track_caller]
fn living<D: Device>(rig: &Rig<D>, space: &Space<'_>, handles: &[u32]) -> Vec<u32> {
    let lives = |handle: &u32| lives(rig, space, *handle);
    handles.iter().copied().filter(lives).collect()
}

/// The session's handle.
fn handle(outcome: Outcome<Session>) -> Outcome<u32> {
    outcome.map(|session| session.handle)
}

/// How many milliseconds `f` takes.
fn taking<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let before = now().0;
    let value = f();
    (value, now().0 - before)
}

/// The spaces that were called, in order.
fn calls<D: Device>(rig: &Rig<D>) -> Vec<usize> {
    rig.heard()
        .iter()
        .filter(|heard| heard.news == News::Called)
        .map(|heard| heard.space)
        .collect()
}

/// How many sessions the TPM has.
fn active<D: Device>(rig: &Rig<D>) -> usize {
    let [_, loaded, saved] = rig.contents();
    loaded.len() + saved.len()
}

/// How many rounds of a long story are played: all of them with TPMRM_RANDOM_PROGRAMS, else a hundredth.
fn rounds(all: usize) -> usize {
    match std::env::var("TPMRM_RANDOM_PROGRAMS") {
        Ok(_) => all,
        Err(_) => all / 100,
    }
}

/// The client flushes what it has lost.
fn forget<D: Device>(rig: &Rig<D>, space: &Space<'_>) {
    for lost in rig.lost(space) {
        space.flush(lost).expect("it is on the list");
    }
}
