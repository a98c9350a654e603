// SPDX-License-Identifier: GPL-2.0

//! One program: a TPM, an engine, clients and others, and steps until the bytes end.

use crate::books::{File, Seat};
use crate::input::Input;
use crate::tpm::{Model, Numbers, Tpm};
use harness::chip::Fault;
use harness::engine::{Limits, Span};
#[cfg(feature = "exhaustion")]
use harness::engine::{LossPolicy, Terms};
use harness::rig::{Rig, ALICE};
use harness::tpm::rc;
use kernel::fault;
use std::cell::Cell;

/// How long a program may be, in steps.
const STEPS_MAX: usize = 64;

/// Faults that do not say of something that it is gone which is not.
const FAULTS: &[Fault] = &[
    Fault::Answer(rc::FAILURE),
    Fault::Answer(rc::RETRY),
    Fault::Answer(rc::MEMORY),
    Fault::Answer(rc::OBJECT_MEMORY),
    Fault::Answer(rc::SESSION_MEMORY),
    Fault::Answer(rc::CONTEXT_GAP),
    Fault::Answer(rc::SESSION_HANDLES),
    Fault::Before(kernel::error::code::EIO),
    Fault::After(kernel::error::code::EIO),
    Fault::Truncated(0),
    Fault::Truncated(9),
    Fault::Truncated(11),
    Fault::Hollow,
    Fault::Noise,
];

/// Those that do: at most one in a step, since two in a row are believed.
const LIES: &[Fault] = &[
    Fault::Answer(rc::HANDLE),
    Fault::Answer(rc::INTEGRITY),
    Fault::Answer(rc::REFERENCE_H0),
];

/// What the program is played on.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub model: Model,
    pub objects_per_space: usize,
    /// Whether what is loaded stays.
    pub resident: bool,
    pub reserve: usize,
    pub lease: u64,
    pub wait: u64,
}

impl Setup {
    fn read(input: &mut Input<'_>) -> Self {
        let sizes = input.byte();
        let flags = input.byte();
        let (active_sessions, gap) = [(4, 6), (8, 20), (6, 255), (12, 30)][usize::from(sizes >> 6)];
        Self {
            model: Model {
                object_slots: 1 + usize::from(sizes & 3),
                objects_full: [rc::OBJECT_MEMORY, rc::OBJECT_HANDLES][usize::from(flags & 1)],
                loaded_sessions: 1 + usize::from(sizes >> 2 & 3),
                active_sessions,
                numbers: [Numbers::Lowest, Numbers::RoundRobin][usize::from(flags >> 1 & 1)],
                gap,
            },
            objects_per_space: [256, 5][usize::from(flags >> 2 & 1)],
            resident: flags & 8 != 0,
            reserve: usize::from(flags >> 4 & 1) + usize::from(flags >> 5 & 1),
            lease: [100, 400][usize::from(flags >> 6 & 1)],
            wait: [300, 1000][usize::from(flags >> 7)],
        }
    }
}

/// What has happened that lets less be expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// A transmission failed.
    pub faults: bool,
    /// Something of the clients' ended without their doing: a reset, a raw user's flush.
    pub losses: bool,
    /// Somebody had sessions that the engine did not start.
    pub strangers: bool,
    /// Memory was short: what the TPM has could not be listed.
    pub hunger: bool,
    /// A response claimed that a command was executed which the TPM had refused.
    pub lies: bool,
}

/// All of it.
pub struct Program<'r> {
    pub rig: &'r Rig<Tpm>,
    pub setup: Setup,
    pub seats: Vec<Seat<'r>>,
    pub files: Vec<File>,
    /// What raw users and the kernel have, by identity.
    pub raw: Vec<u64>,
    pub past: Past,
    /// Whether a fault hit in this step.
    pub hit: bool,
    /// Whether the engine had something sent for a client's command in this step.
    pub commanded: bool,
    /// The faults of the next command.
    pub faults: Vec<(usize, Fault)>,
    /// The allocation of the next command that fails, and whether all later ones do.
    pub starve: Option<(usize, bool)>,
    /// How much of what was sent was told.
    pub told: Cell<usize>,
}

/// Plays the program in `bytes`. Panics when a guarantee does not hold.
pub fn play(bytes: &[u8]) {
    let before = fault::live_bytes();
    let mut input = Input::new(bytes);
    let setup = Setup::read(&mut input);
    {
        let limits = Limits {
            objects_per_space: setup.objects_per_space,
        };
        let rig = Rig::over(Tpm::new(setup.model), limits);
        #[cfg(feature = "exhaustion")]
        rig.set_terms(Terms {
            lease: Span(setup.lease),
            wait: Span(setup.wait),
            kernel_reserve: setup.reserve,
            sessions_per_user: 64,
            policy: LossPolicy::Fail,
        });
        if setup.resident {
            rig.let_stay(50);
        }
        let mut program = Program {
            rig: &rig,
            setup,
            seats: vec![],
            files: vec![],
            raw: vec![],
            past: Past::default(),
            hit: false,
            commanded: false,
            faults: vec![],
            starve: None,
            told: Cell::new(0),
        };
        for n in 0..3 {
            let user = ALICE + n % 2;
            program.seats.push(Seat::new(rig.open(user), user));
        }
        for _ in 0..STEPS_MAX {
            if input.is_empty() {
                break;
            }
            program.step(&mut input);
        }
        program.end();
    }
    assert_eq!(fault::live_bytes(), before, "memory was not freed");
}

impl Program<'_> {
    /// Arms up to two faults for the next command.
    pub fn arm(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        for n in 0..1 + (what & 1) {
            let at = input.below(8);
            let lies = self.faults.iter().any(|(_, fault)| LIES.contains(fault));
            let is_lie = n == 0 && what & 2 != 0 && !lies;
            let kinds = if is_lie { LIES } else { FAULTS };
            self.faults.push((at, input.pick(kinds)));
        }
    }

    /// Runs `f`, which calls the engine, with what was armed.
    pub fn with_faults<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        for (n, fault) in std::mem::take(&mut self.faults) {
            self.rig.chip.borrow_mut().fail_nth(n, fault);
        }
        let value = f(self);
        self.hit = self.rig.chip.borrow_mut().fail_none() > 0;
        if self.hit {
            self.past.faults = true;
            for seat in &mut self.seats {
                seat.doubt();
                seat.forget_versions();
            }
            self.doubt_files();
        }
        value
    }
}
