// SPDX-License-Identifier: GPL-2.0

//! When something is expected again, in a kernel where an overflow is fatal.

use super::{
    check,
    Verdict, //
};
use crate::engine::rhythm::{
    Beat,
    Rhythm, //
};

fn beat(number: usize) -> Beat {
    (0..number).fold(Beat::ZERO, |beat, _| beat.next())
}

/// The rhythm of something that is used so many times, at equal intervals, and last at a beat.
fn regular(times: usize, interval: usize, last: usize) -> Rhythm {
    let first = last.saturating_sub(interval.saturating_mul(times));
    let mut rhythm = Rhythm::new(beat(first));

    for time in 1..=times {
        rhythm.used(beat(first.saturating_add(interval.saturating_mul(time))));
    }
    rhythm
}

pub(crate) fn who_is_expected_last_leaves() -> Verdict {
    let now = beat(100);
    let often = regular(10, 2, 99).expected(now);
    let seldom = regular(3, 20, 99).expected(now);
    let no_more = regular(3, 5, 50).expected(now);

    check!(often < seldom);
    check!(seldom < no_more);
    check!(regular(3, 5, 60).expected(now) < no_more);
    Ok(())
}

pub(crate) fn time_that_ends_is_no_harm() -> Verdict {
    let mut rhythm = regular(3, 5, 50);

    // Back in time, and beyond what anything takes.
    rhythm.used(Beat::ZERO);
    check!(rhythm.expected(beat(1000)) >= rhythm.expected(Beat::ZERO));
    rhythm.used(beat(1000));
    check!(rhythm.expected(Beat::ZERO) <= rhythm.expected(beat(5000)));
    Ok(())
}
