// SPDX-License-Identifier: GPL-2.0

//! Random programs of several clients at once: each finds everything as if it were alone.
//!
//! The model knows what each client has: keys with the HMAC that each computes, sequences with what they
//! were given, policy sessions with their digests, and contexts of sessions in files.

use harness::chip::{Device, Fault};
use harness::client::Object;
use harness::command::{hmac, sha256, Kind};
use harness::fake::{Fake, Model};
use harness::rig::{label, Rig, Space, ALICE};
use harness::tpm::{cc, rc, rh};

/// Numbers without much of a pattern, the same each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Any index of a list that may be empty.
    fn pick<T>(&mut self, list: &[T]) -> Option<usize> {
        (!list.is_empty()).then(|| self.below(list.len()))
    }
}

/// A policy session and the digest that it must have.
struct Policy {
    handle: u32,
    digest: Vec<u8>,
}

/// One client, and what it must find.
struct Life<'r> {
    space: Space<'r>,
    keys: Vec<(Object, Vec<u8>)>,
    sequences: Vec<(Object, Vec<u8>)>,
    policies: Vec<Policy>,
}

/// What lies in files: contexts of sessions whose client may be gone.
type Files = Vec<(Policy, Vec<u8>)>;

const CLIENTS: usize = 4;
/// Fewer than the TPM has, so that nobody goes without.
const SESSIONS: usize = 50;

fn policies(lives: &[Life<'_>], files: &Files) -> usize {
    lives.iter().map(|life| life.policies.len()).sum::<usize>() + files.len()
}

impl<'r> Life<'r> {
    fn new(rig: &'r Rig, n: usize) -> Self {
        Self {
            space: rig.open(ALICE + u32::try_from(n % 2).unwrap()),
            keys: vec![],
            sequences: vec![],
            policies: vec![],
        }
    }

    /// One step; `serial` makes what is new unlike all else.
    fn step(&mut self, dice: &mut Dice, serial: usize, room: bool, files: &mut Files) {
        let space = &self.space;
        match dice.below(12) {
            0 | 1 if self.keys.len() < 40 => {
                let key = label("key", serial);
                self.keys.push((space.mac_key(&key).unwrap(), key));
            }
            2 | 3 => {
                if let Some(n) = dice.pick(&self.keys) {
                    let (object, key) = &self.keys[n];
                    let mac = space.mac(object, b"data").unwrap();
                    assert_eq!(mac, hmac(key, &[b"data"]));
                }
            }
            4 => {
                if let Some(n) = dice.pick(&self.keys) {
                    let (object, _) = self.keys.swap_remove(n);
                    space.flush(object.handle).unwrap();
                }
            }
            5 if self.sequences.len() < 6 => {
                self.sequences.push((space.hash_start().unwrap(), vec![]));
            }
            6 => {
                if let Some(n) = dice.pick(&self.sequences) {
                    let (object, data) = &mut self.sequences[n];
                    let more = label("more", serial);
                    space.hash_update(object, &more).unwrap();
                    data.extend(more);
                }
            }
            7 => {
                if let Some(n) = dice.pick(&self.sequences) {
                    let (object, data) = self.sequences.swap_remove(n);
                    let digest = space.hash_complete(&object, b"").unwrap();
                    assert_eq!(digest, sha256(&[&data]));
                }
            }
            8 if room => {
                let session = space.start(Kind::Policy).unwrap();
                self.policies.push(Policy {
                    handle: session.handle,
                    digest: vec![0; 32],
                });
            }
            9 => {
                if let Some(n) = dice.pick(&self.policies) {
                    let policy = &mut self.policies[n];
                    let before = space.policy_digest(policy.handle).unwrap();
                    assert_eq!(before, policy.digest);
                    // Only one code may be asserted: after that, start over.
                    if before == [0; 32] {
                        let code = [cc::SIGN, cc::HMAC, cc::UNSEAL][dice.below(3)];
                        space.policy_command_code(policy.handle, code).unwrap();
                        policy.digest =
                            sha256(&[&before, &0x16cu32.to_be_bytes(), &code.to_be_bytes()]);
                    } else {
                        space.policy_restart(policy.handle).unwrap();
                        policy.digest = vec![0; 32];
                    }
                }
            }
            10 => {
                if let Some(n) = dice.pick(&self.policies) {
                    let policy = self.policies.swap_remove(n);
                    if dice.below(3) == 0 {
                        space.flush(policy.handle).unwrap();
                    } else {
                        let context = space.save(policy.handle).unwrap();
                        files.push((policy, context));
                    }
                }
            }
            11 => {
                if let Some(n) = dice.pick(files) {
                    let (policy, context) = files.swap_remove(n);
                    assert_eq!(space.restore(&context), Ok(policy.handle));
                    self.policies.push(policy);
                }
            }
            _ => space.random().unwrap(),
        }
    }

    /// What the client is told that it has is what it has.
    fn check_lists(&self) {
        let list = |first| self.space.handles(first, 1000).unwrap().1;
        let mut objects: Vec<_> = self.keys.iter().map(|(object, _)| object.handle).collect();
        objects.extend(self.sequences.iter().map(|(object, _)| object.handle));
        objects.sort_unstable();
        assert_eq!(list(rh::TRANSIENT), objects);
        let mut sessions: Vec<_> = self.policies.iter().map(|policy| policy.handle).collect();
        sessions.sort_unstable();
        assert_eq!(list(rh::LOADED_SESSION), sessions);
    }
}

/// What becomes of what is loaded when a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    Leaves,
    Stays,
}

impl Afterwards {
    fn settle<D: Device>(self, rig: &Rig<D>) {
        match self {
            Self::Leaves => rig.check_empty.set(true),
            Self::Stays => rig.let_stay(1000),
        }
    }

    /// Others use the TPM, or nobody does for a while.
    fn interrupt<D: Device>(self, rig: &Rig<D>, dice: &mut Dice) {
        if self == Self::Stays {
            match dice.below(20) {
                0 => rig.assert_empty(),
                1 => rig.pass(1000),
                _ => {}
            }
        }
    }
}

fn play(seed: u64, steps: usize, afterwards: Afterwards) {
    let rig = Rig::new();
    afterwards.settle(&rig);
    let mut dice = Dice(seed);
    let mut files = vec![];
    let mut lives: Vec<_> = (0..CLIENTS).map(|n| Life::new(&rig, n)).collect();
    for serial in 0..steps {
        let n = dice.below(CLIENTS);
        afterwards.interrupt(&rig, &mut dice);
        if dice.below(100) == 0 {
            rig.close(lives.swap_remove(n).space);
            lives.push(Life::new(&rig, serial));
            continue;
        }
        let room = policies(&lives, &files) < SESSIONS;
        lives[n].step(&mut dice, serial, room, &mut files);
        if serial % 16 == 0 {
            lives[n].check_lists();
        }
    }
    for life in lives {
        rig.close(life.space);
    }
    let last = rig.open(ALICE);
    for (policy, context) in files {
        last.restore(&context).unwrap();
        assert_eq!(last.policy_digest(policy.handle), Ok(policy.digest));
    }
    rig.assert_leave([last]);
}

/// How many random programs: more of them with TPMRM_RANDOM_PROGRAMS.
fn programs() -> u64 {
    std::env::var("TPMRM_RANDOM_PROGRAMS").map_or(8, |n| n.parse().expect("a number"))
}

#[test]
fn g1_g3_g4_g5_g8_g9_every_client_of_a_random_program_finds_what_it_left() {
    for seed in 0..programs() {
        for afterwards in [Afterwards::Leaves, Afterwards::Stays] {
            let played = std::panic::catch_unwind(|| play(seed, 600, afterwards));
            assert!(played.is_ok(), "random program {seed}, {afterwards:?}");
        }
    }
}

/// How many numbers users can have.
fn numbers(model: Model) -> usize {
    let reserve = if cfg!(feature = "exhaustion") { 2 } else { 0 };
    model.active_sessions - reserve
}

/// Sessions come, are used and go on a TPM of few slots and a narrow gap.
fn play_sessions(seed: u64, model: Model, afterwards: Afterwards) {
    let rig = Rig::over(Fake::new(model), Default::default());
    afterwards.settle(&rig);
    let mut dice = Dice(seed);
    let space = rig.open(ALICE);
    let (mut held, mut files) = (vec![], vec![]);
    for _ in 0..1500 {
        afterwards.interrupt(&rig, &mut dice);
        match dice.below(8) {
            0 if held.len() + files.len() < numbers(model) => {
                held.push(space.start(Kind::Policy).unwrap().handle);
            }
            1 => {
                if let Some(n) = dice.pick(&held) {
                    let handle = held.swap_remove(n);
                    files.push((handle, space.save(handle).unwrap()));
                }
            }
            2 => {
                if let Some(n) = dice.pick(&files) {
                    let (handle, context) = files.swap_remove(n);
                    assert_eq!(space.restore(&context), Ok(handle));
                    held.push(handle);
                }
            }
            3 if dice.below(4) == 0 => {
                if let Some(n) = dice.pick(&held) {
                    space.flush(held.swap_remove(n)).unwrap();
                }
            }
            _ => {
                if let Some(n) = dice.pick(&held) {
                    space.policy_digest(held[n]).unwrap();
                }
            }
        }
    }
}

#[test]
fn g1_random_sessions_on_tpms_of_every_size_and_gap() {
    for seed in 0..programs() {
        for loaded_sessions in [1, 2, 3] {
            for (active_sessions, gap) in [(4, 6), (8, 20), (30, 64), (64, 255)] {
                let model = Model {
                    loaded_sessions,
                    active_sessions,
                    gap,
                    ..Model::default()
                };
                for afterwards in [Afterwards::Leaves, Afterwards::Stays] {
                    let play = || play_sessions(seed, model, afterwards);
                    let played = std::panic::catch_unwind(play);
                    assert!(
                        played.is_ok(),
                        "random program {seed}, {model:?}, {afterwards:?}"
                    );
                }
            }
        }
    }
}

/// As [`Life::step`], while the TPM or the way to it fails at any time. What a command failed on is not
/// looked at again: what works must still mean what it meant.
fn faulty_step(life: &mut Life<'_>, dice: &mut Dice, serial: usize, room: bool, files: &mut Files) {
    let space = &life.space;
    match dice.below(10) {
        0 if life.keys.len() < 30 => {
            let key = label("key", serial);
            if let Ok(object) = space.mac_key(&key) {
                life.keys.push((object, key));
            }
        }
        1 | 2 => {
            if let Some(n) = dice.pick(&life.keys) {
                let (object, key) = &life.keys[n];
                match space.mac(object, b"data") {
                    Ok(mac) => assert_eq!(mac, hmac(key, &[b"data"])),
                    Err(_) => drop(life.keys.swap_remove(n)),
                }
            }
        }
        3 => {
            if let Some(n) = dice.pick(&life.sequences) {
                let (object, data) = &mut life.sequences[n];
                let more = label("more", serial);
                match space.hash_update(object, &more) {
                    Ok(()) => data.extend(more),
                    Err(_) => drop(life.sequences.swap_remove(n)),
                }
            } else if let Ok(object) = space.hash_start() {
                life.sequences.push((object, vec![]));
            }
        }
        4 => {
            if let Some(n) = dice.pick(&life.sequences) {
                let (object, data) = life.sequences.swap_remove(n);
                if let Ok(digest) = space.hash_complete(&object, b"") {
                    assert_eq!(digest, sha256(&[&data]));
                }
            }
        }
        5 if room => {
            if let Ok(session) = space.start(Kind::Policy) {
                // A number that was lost without our knowledge may come again.
                life.policies
                    .retain(|policy| policy.handle != session.handle);
                life.policies.push(Policy {
                    handle: session.handle,
                    digest: vec![0; 32],
                });
            }
        }
        6 => {
            if let Some(n) = dice.pick(&life.policies) {
                let policy = &mut life.policies[n];
                let code = cc::SIGN.to_be_bytes();
                match space.policy_digest(policy.handle) {
                    Ok(digest) => assert_eq!(digest, policy.digest),
                    Err(_) => return drop(life.policies.swap_remove(n)),
                }
                if policy.digest == [0; 32] {
                    match space.policy_command_code(policy.handle, cc::SIGN) {
                        Ok(()) => {
                            let before = &policy.digest;
                            policy.digest = sha256(&[before, &0x16cu32.to_be_bytes(), &code]);
                        }
                        Err(_) => drop(life.policies.swap_remove(n)),
                    }
                }
            }
        }
        7 => {
            if let Some(n) = dice.pick(&life.policies) {
                let policy = life.policies.swap_remove(n);
                let _ = space.flush(policy.handle);
            }
        }
        8 => {
            if let Some(n) = dice.pick(&life.policies) {
                if let Ok(context) = space.save(life.policies[n].handle) {
                    files.push((life.policies.swap_remove(n), context));
                }
            }
        }
        _ => {
            if let Some(n) = dice.pick(files) {
                let (policy, context) = files.swap_remove(n);
                if let Ok(handle) = space.restore(&context) {
                    assert_eq!(handle, policy.handle);
                    life.policies.retain(|policy| policy.handle != handle);
                    life.policies.push(policy);
                }
            }
        }
    }
}

/// Whether the TPM says of something that it is gone, or not good, which is.
fn is_lie(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Answer(rc::HANDLE | rc::INTEGRITY | rc::REFERENCE_H0)
    )
}

/// Faults for one command: at most one lie, because two in a row are believed.
pub fn any_faults(dice: &mut Dice) -> Vec<Fault> {
    let mut faults: Vec<Fault> = vec![];
    for _ in 0..dice.below(4) {
        let fault = Fault::ALL[dice.below(Fault::ALL.len())];
        // A client cannot tell that from a response.
        let is_passed_on = fault == Fault::Hollow;
        let is_second_lie = is_lie(fault) && faults.iter().copied().any(is_lie);
        if !is_passed_on && !is_second_lie {
            faults.push(fault);
        }
    }
    faults
}

fn play_faulty(seed: u64) {
    let rig = Rig::new();
    let mut dice = Dice(seed);
    let mut files = vec![];
    let mut lives: Vec<_> = (0..CLIENTS).map(|n| Life::new(&rig, n)).collect();
    for serial in 0..600 {
        let n = dice.below(CLIENTS);
        for fault in any_faults(&mut dice) {
            rig.chip.borrow_mut().fail_nth(dice.below(12), fault);
        }
        if dice.below(60) == 0 {
            rig.close(lives.swap_remove(n).space);
            lives.push(Life::new(&rig, serial));
        } else {
            let room = policies(&lives, &files) < SESSIONS - 20;
            faulty_step(&mut lives[n], &mut dice, serial, room, &mut files);
        }
        rig.chip.borrow_mut().fail_none();
        if dice.below(3) == 0 {
            // One command without a fault, and whatever was left is gone.
            lives[n].space.random().unwrap();
            rig.assert_empty();
        }
    }
    for life in lives {
        rig.close(life.space);
    }
    // What lies in files is its user's to flush.
    for user in [ALICE, ALICE + 1] {
        let space = rig.open(user);
        for handle in space.handles(rh::SAVED_SESSION, 100).unwrap().1 {
            space.flush(handle).unwrap();
        }
        rig.close(space);
    }
    rig.assert_nothing();
}

#[test]
fn g3_g4_g5_g8_g9_hold_in_random_programs_with_faults_at_any_time() {
    for seed in 0..programs() {
        let played = std::panic::catch_unwind(|| play_faulty(seed));
        assert!(played.is_ok(), "random program {seed}");
    }
}
