// SPDX-License-Identifier: GPL-2.0

//! Every transmission of every program fails once in every way, and every allocation.

use crate::programs::PROGRAMS;
use crate::run::{Play, Residency, Tally};
use crate::trouble::Trouble;
use harness::chip::{Fault, Sent};
use harness::engine::Neighbours;
use harness::fake::Model;
use harness::tpm::cc;
use std::collections::BTreeSet;

/// The commands that the driver sends by itself.
const OF_THE_DRIVER: [u32; 4] = [
    cc::CONTEXT_LOAD,
    cc::CONTEXT_SAVE,
    cc::FLUSH_CONTEXT,
    cc::GET_CAPABILITY,
];

fn plays(residency: Residency) -> impl Iterator<Item = Play<'static>> {
    PROGRAMS.iter().map(move |program| Play {
        program,
        model: Model::default(),
        residency,
        neighbours: Neighbours::Absent,
    })
}

/// Every way in which a transmission fails at every transmission.
fn sweep(residency: Residency) {
    let every = Fault::every();
    let mut tally = Tally::default();
    let mut all = 0;
    let mut codes = BTreeSet::new();
    for play in plays(residency) {
        let course = play.course();
        codes.extend(course.sent.iter().map(Sent::code));
        all += course.sent.len() * every.len();
        let mut without_effect = 0;
        for sent in &course.sent {
            without_effect += every.iter().filter(|fault| !fault.applies(sent)).count();
        }
        tally.without_effect += without_effect;
        tally.cover(&play, &course, course.sent.len(), |n| {
            let applies = |fault: &Fault| fault.applies(&course.sent[n]);
            let faults = every.iter().copied().filter(applies);
            faults.map(Trouble::Fault).collect()
        });
    }
    assert_eq!(
        tally.runs + tally.without_effect,
        all,
        "nothing is left out"
    );
    for code in OF_THE_DRIVER {
        assert!(codes.contains(&code), "{code:#x} is never sent");
    }
    tally.close(&format!("{} faults, contexts {residency:?}", every.len()));
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_when_any_transmission_fails_in_any_way_and_contexts_leave() {
    sweep(Residency::Leave);
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_when_any_transmission_fails_in_any_way_and_contexts_stay() {
    sweep(Residency::Stay);
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_when_any_allocation_fails_alone_or_with_all_that_follow() {
    let mut tally = Tally::default();
    let mut all = 0;
    for play in Residency::BOTH.into_iter().flat_map(plays) {
        let course = play.course();
        all += course.allocations * 2;
        tally.cover(&play, &course, course.allocations, |_| {
            vec![Trouble::Starved, Trouble::Starving]
        });
    }
    assert_eq!(tally.runs, all, "nothing is left out");
    tally.close("allocations");
}
