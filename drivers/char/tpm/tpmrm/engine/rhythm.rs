// SPDX-License-Identifier: GPL-2.0

//! How often something is used, and how soon it is to be expected again: what the replacement
//! policy knows. Documentation/replacement.rst has the measurements behind it.
//!
//! Nothing here needs the rest of the engine. The simulator in tools/testing/replacement compiles
//! the same file.

/// How many commands have used something of a kind: the time by which uses are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Beat(u64);

impl Beat {
    /// Before all commands.
    pub(crate) const ZERO: Self = Self(0);

    /// The next one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How soon something is to be expected. What is greater is needed later, and leaves first; of what
/// is needed at the same time, that was used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    again: Again,
    last: Beat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Again {
    /// In so many units.
    In(u64),
    /// No more: it should have been used long ago. It was not for so many units.
    Never(u64),
}

/// When something was used last, and at which intervals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    last: Beat,
    /// In units; 0 until there has been one.
    interval: u64,
}

/// What a beat is divided into, so that the mean of small intervals is one.
const UNITS: u64 = 16;

/// How much later than expected something may come, as a part of the interval: three quarters.
const GRACE: (u64, u64) = (3, 4);

impl Rhythm {
    /// That of something that comes into being, which is its first use.
    pub(crate) const fn new(now: Beat) -> Self {
        Self {
            last: now,
            interval: 0,
        }
    }

    /// It is used. Uses by commands that follow each other are one, and tell of no interval. Of two
    /// intervals the newer one counts as much as all earlier ones.
    pub(crate) fn used(&mut self, now: Beat) {
        let beats = now.since(self.last);

        self.last = now;
        if beats > 1 {
            let newest = beats.saturating_mul(UNITS);

            self.interval = match self.interval {
                0 => newest,
                mean => mean.saturating_add(newest) / 2,
            };
        }
    }

    /// How soon it is to be expected: one interval after its last use. While nothing is known, it
    /// is expected in as long as it was not used.
    pub(crate) fn expected(&self, now: Beat) -> Expected {
        let age = now.since(self.last).saturating_mul(UNITS);
        let (part, of) = GRACE;
        let grace = self.interval.saturating_mul(part) / of;

        let again = if self.interval == 0 {
            Again::In(age)
        } else if age > self.interval.saturating_add(grace) {
            Again::Never(age)
        } else {
            Again::In(self.interval.saturating_sub(age))
        };

        Expected {
            again,
            last: self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(n: u64) -> Beat {
        (0..n).fold(Beat::ZERO, |beat, _| beat.next())
    }

    /// The rhythm of something that is used at these beats.
    fn rhythm(uses: &[u64]) -> Rhythm {
        let mut rhythm = Rhythm::new(beat(uses[0]));

        for n in &uses[1..] {
            rhythm.used(beat(*n));
        }
        rhythm
    }

    /// Which of these leaves at a beat.
    fn victim(all: &[&[u64]], now: u64) -> usize {
        (0..all.len())
            .max_by_key(|n| rhythm(all[*n]).expected(beat(now)))
            .expect("there is one")
    }

    #[test]
    fn the_interval_is_the_mean_of_the_last_and_of_those_before() {
        for (uses, interval) in [
            (&[7][..], 0),
            (&[7, 8, 9], 0),
            (&[7, 7], 0),
            (&[7, 12], 5 * UNITS),
            (&[7, 12, 13, 14], 5 * UNITS),
            (&[7, 12, 15], 4 * UNITS),
            (&[7, 12, 17, 20], 4 * UNITS),
            (&[7, 9, 12], 5 * UNITS / 2),
        ] {
            assert_eq!(rhythm(uses).interval, interval, "{uses:?}");
        }
    }

    #[test]
    fn what_is_expected_the_latest_leaves() {
        for (all, now, leaves) in [
            // In turn: who has just had his turn.
            (&[&[1, 6, 11][..], &[2, 7, 12], &[3, 8, 13]][..], 13, 2),
            // What is used all the time stays.
            (&[&[1, 6, 11], &[2, 4, 6, 8, 10, 12], &[3, 8, 13]], 13, 2),
            // What should have come long ago leaves first, the longest unused before others.
            (&[&[1, 3, 5], &[2, 4, 6], &[3, 43, 83]], 84, 0),
            // A little late is not too late.
            (&[&[1, 5], &[2, 10]], 11, 1),
            // While nothing is known, the least recently used.
            (&[&[1], &[2], &[3]], 4, 0),
            // Of equals the most recently used.
            (&[&[1, 5], &[1, 3, 5]], 6, 0),
        ] {
            assert_eq!(victim(all, now), leaves, "{all:?}");
        }
    }

    #[test]
    fn no_interval_is_too_long() {
        let mut rhythm = Rhythm::new(Beat::ZERO);
        let last = Beat(u64::MAX);

        rhythm.used(last);
        assert!(rhythm.expected(last) >= Rhythm::new(last).expected(last));
        assert_eq!(last.next(), Beat::ZERO);
        assert!(rhythm.expected(Beat::ZERO) <= rhythm.expected(Beat::ZERO));
    }
}
