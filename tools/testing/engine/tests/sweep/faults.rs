// SPDX-License-Identifier: GPL-2.0

//! Every transmission of every program fails once in every way, or together with the next one, or all of a kind;
//! and every allocation.

use crate::actions::FORMAT_ONE;
use crate::programs::PROGRAMS;
use crate::run::{Play, Residency, Tally};
use crate::trouble::{is_absence, Trouble};
use harness::chip::{Fault, Sent};
use harness::client::Failure;
use harness::engine::Neighbours;
use harness::fake::Model;
use harness::tpm::{cc, rc};
use kernel::error::code::EIO;
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

/// What can become of a transmission, in short: refused, for want of room, not executed, and executed without an
/// answer.
const CLASSES: [Fault; 6] = [
    Fault::Answer(rc::FAILURE),
    Fault::Answer(rc::OBJECT_MEMORY),
    Fault::Answer(rc::SESSION_MEMORY),
    Fault::Answer(rc::CONTEXT_GAP),
    Fault::Before(EIO),
    Fault::After(EIO),
];

/// Every transmission fails together with the one that comes next, whatever that is then.
fn sweep_pairs(residency: Residency) {
    let pairs = CLASSES.map(|first| CLASSES.map(|second| Trouble::Pair(first, second)));
    let pairs = pairs.concat();
    let mut tally = Tally::default();
    let mut all = 0;
    for play in plays(residency) {
        let course = play.course();
        // There is one that comes next.
        let points = course.sent.len() - 1;
        all += points * pairs.len();
        tally.cover(&play, &course, points, |_| pairs.clone());
    }
    assert_eq!(tally.runs, all, "nothing is left out");
    tally.close(&format!(
        "{} pairs of faults, contexts {residency:?}",
        pairs.len()
    ));
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_when_any_two_transmissions_fail_in_a_row_and_contexts_leave() {
    sweep_pairs(Residency::Leave);
}

#[test]
fn g1_g2_g3_g4_g5_g6_g7_g8_g9_hold_when_any_two_transmissions_fail_in_a_row_and_contexts_stay() {
    sweep_pairs(Residency::Stay);
}

/// A command that never works: what does not need it works, nothing means something else, and when it works
/// again, nothing is left.
#[test]
fn g2_g4_g5_g6_g7_g8_g9_hold_when_any_command_fails_for_ever_in_any_way() {
    // From a TPM that never names the right handle nobody is safe; and if it says again and again that things are
    // gone, they are given up.
    let is_lie = |fault: &Fault| match *fault {
        Fault::Answer(code) => {
            let is_condemned = matches!(code & FORMAT_ONE, rc::HANDLE | rc::INTEGRITY);
            is_condemned || is_absence(Failure::Rc(code))
        }
        fault => matches!(fault, Fault::Handle(_) | Fault::OtherSessionType),
    };
    let faults: Vec<_> = Fault::every().into_iter().filter(|f| !is_lie(f)).collect();
    let mut tally = Tally::default();
    let mut all = 0;
    for play in Residency::BOTH.into_iter().flat_map(plays) {
        let course = play.course();
        let codes: BTreeSet<_> = course.sent.iter().map(Sent::code).collect();
        let codes: Vec<_> = codes.into_iter().collect();
        all += codes.len() * faults.len();
        tally.cover(&play, &course, codes.len(), |n| {
            let always = |fault: &Fault| Trouble::Always(codes[n], *fault);
            faults.iter().map(always).collect()
        });
    }
    assert_eq!(tally.runs, all, "nothing is left out");
    tally.close(&format!("{} faults for ever", faults.len()));
}
