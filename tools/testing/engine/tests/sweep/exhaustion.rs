// SPDX-License-Identifier: GPL-2.0

//! Programs that have more users than the TPM has session numbers.

use crate::world::Who::{Again, Alice, Bob, Carol};
use crate::world::World;
use harness::clock::{now, pass};
use harness::engine::{LossPolicy, Span, Terms};
use harness::fake::Model;
use harness::tpm::cc;

/// The terms that they are played on.
const LEASE: u64 = 2000;
const WAIT: u64 = 5000;
const RESERVE: usize = 2;

/// So many numbers are for users.
const NUMBERS: usize = 4;

/// A TPM with few numbers.
pub fn few(model: Model) -> Model {
    Model {
        active_sessions: NUMBERS + RESERVE,
        ..model
    }
}

fn agree(w: &World<'_>) {
    w.rig.set_terms(Terms {
        lease: Span(LEASE),
        wait: Span(WAIT),
        kernel_reserve: RESERVE,
        sessions_per_user: 64,
        policy: LossPolicy::Fail,
    });
}

/// Alice has all numbers but one; Bob and Carol come.
pub fn taking(w: &mut World<'_>) {
    agree(w);
    w.open(Alice);
    w.open(Carol);
    w.policy(Carol, "carol's");
    w.extend(Carol, "carol's");
    for name in ["a1", "a2", "a3"] {
        w.policy(Alice, name);
        w.extend(Alice, name);
    }
    w.loser = Some(Alice);
    w.open(Bob);
    let before = now().0;
    w.policy(Bob, "b1");
    let waited = now().0 - before;
    // A TPM that ends no session has none to give.
    let longest = if w.never_works(cc::FLUSH_CONTEXT) {
        WAIT
    } else {
        LEASE
    };
    assert!(waited <= longest + 200, "G7: {waited} ms");
    w.extend(Bob, "b1");
    w.uses(Alice, "a3");
    w.uses(Carol, "carol's");
}

/// Alice loses sessions, and starts more: the numbers that she lost do not come back (G5).
pub fn losing(w: &mut World<'_>) {
    agree(w);
    w.open(Alice);
    w.open(Carol);
    w.policy(Carol, "carol's");
    for name in ["a1", "a2", "a3"] {
        w.policy(Alice, name);
    }
    w.loser = Some(Alice);
    pass(LEASE);
    w.open(Again);
    w.policy(Again, "again's");
    w.close(Again);
    w.policy(Alice, "a4");
    w.extend(Alice, "a4");
    w.uses(Alice, "a4");
    w.uses(Carol, "carol's");
}
