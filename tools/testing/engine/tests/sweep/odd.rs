// SPDX-License-Identifier: GPL-2.0

//! Every program on TPMs of every shape, with something happening between any two commands.

use crate::programs::PROGRAMS;
use crate::run::{Play, Residency, Tally};
use crate::trouble::{Event, Trouble};
use harness::fake::{Model, Numbers};
use harness::tpm::rc;

/// The largest context that a message has room for, behind its header.
const LARGE: usize = 4000;

/// TPMs that are unlike each other in every way.
const SHAPES: &[Model] = &[
    model(3, 3, 64, 255, 0),
    model(3, 1, 64, 255, 0),
    model(3, 2, 24, 16, LARGE),
    model(4, 3, 16, 9, 0),
    model(5, 4, 64, 255, LARGE),
    model(7, 1, 12, 255, LARGE),
    model(3, 8, 64, 8, 0),
];

const fn model(
    object_slots: usize,
    loaded_sessions: usize,
    active_sessions: usize,
    gap: u64,
    context_size: usize,
) -> Model {
    Model {
        object_slots,
        objects_full: if object_slots % 2 == 0 {
            rc::OBJECT_HANDLES
        } else {
            rc::OBJECT_MEMORY
        },
        loaded_sessions,
        active_sessions,
        numbers: if active_sessions % 3 == 0 {
            Numbers::RoundRobin
        } else {
            Numbers::Lowest
        },
        gap,
        context_size,
        has_clock: true,
    }
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_on_odd_tpms_whatever_happens_between_two_commands() {
    let mut tally = Tally::default();
    let mut all = 0;
    for model in SHAPES {
        for residency in Residency::BOTH {
            for program in PROGRAMS {
                for event in Event::ALL {
                    let play = Play {
                        program,
                        model: *model,
                        residency,
                        neighbours: event.neighbours(),
                    };
                    let course = play.course();
                    all += course.sent.len();
                    tally.cover(&play, &course, course.sent.len(), |_| {
                        vec![Trouble::Event(event)]
                    });
                }
            }
        }
    }
    assert_eq!(tally.runs, all, "nothing is left out");
    tally.close(&format!(
        "{} TPMs, {} events",
        SHAPES.len(),
        Event::ALL.len()
    ));
}
