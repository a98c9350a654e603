// SPDX-License-Identifier: GPL-2.0

//! What there is now, beside what there was the last time: so it can be said what happens in a second.

use crate::{
    parse::{Chip, Space},
    source,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// Since the chip is served, or the space open: there is nothing to compare with yet.
    InAll(u64),
    /// In a second.
    PerSecond(f64),
}

/// What there is, and what happens.
pub struct Sample {
    pub chips: Vec<ChipSample>,
}

/// The same of a chip.
pub struct ChipSample {
    pub chip: Chip,
    pub counters: Vec<(String, Count)>,
    pub spaces: Vec<SpaceSample>,
}

/// The same of a space.
pub struct SpaceSample {
    pub space: Space,
    pub commands: Count,
    /// The name of the process, if that still has the node open.
    pub process: Option<String>,
}

/// Takes samples.
pub struct Sampler {
    folder: PathBuf,
    before: Option<(Instant, Vec<Chip>)>,
}

impl Sampler {
    /// Of what is in this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            before: None,
        }
    }

    /// What there is now.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn next(&mut self) -> Result<Sample, String> {
        let chips = source::chips(&self.folder)?;
        let now = Instant::now();
        let sample = {
            let before = self.before.as_ref();
            let samples = chips.iter().map(|chip| {
                let old = before.and_then(|(then, chips)| {
                    let old = chips.iter().find(|old| old.name == chip.name)?;

                    Some((old, now.duration_since(*then)))
                });

                compare(chip, old, |space| source::process(space.pid, &chip.name))
            });

            Sample {
                chips: samples.collect(),
            }
        };

        self.before = Some((now, chips));
        Ok(sample)
    }
}

fn compare(
    chip: &Chip,
    old: Option<(&Chip, Duration)>,
    process: impl Fn(&Space) -> Option<String>,
) -> ChipSample {
    let counters: HashMap<_, _> = old
        .iter()
        .flat_map(|(old, _)| &old.counters)
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    let commands: HashMap<_, _> = old
        .iter()
        .flat_map(|(old, _)| &old.spaces)
        .map(|space| (space.number, space.commands))
        .collect();
    let time = old.map(|(_, time)| time);

    ChipSample {
        counters: chip
            .counters
            .iter()
            .map(|(name, now)| {
                let before = counters.get(name.as_str()).copied();

                (name.clone(), count(*now, before, time))
            })
            .collect(),
        spaces: chip
            .spaces
            .iter()
            .map(|space| SpaceSample {
                space: space.clone(),
                // A space that is new has done all of it since.
                commands: count(
                    space.commands,
                    commands.get(&space.number).copied().or(Some(0)),
                    time,
                ),
                process: process(space),
            })
            .collect(),
        chip: chip.clone(),
    }
}

/// A counter that has become less is that of another chip with the same name.
fn count(now: u64, before: Option<u64>, time: Option<Duration>) -> Count {
    match (before, time) {
        (Some(before), Some(time)) if now >= before && !time.is_zero() => {
            Count::PerSecond((now - before) as f64 / time.as_secs_f64())
        }
        _ => Count::InAll(now),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::parse::tests::example;

    /// The first sample of the example.
    pub fn first() -> Sample {
        Sample {
            chips: vec![compare(&example(), None, |_| Some("client".into()))],
        }
    }

    #[test]
    fn at_first_there_is_nothing_to_compare_with() {
        let sample = &first().chips[0];

        assert_eq!(sample.counters[1], ("sent".into(), Count::InAll(21)));
        assert_eq!(sample.spaces[0].commands, Count::InAll(15));
    }

    #[test]
    fn what_has_happened_is_told_by_the_second() {
        let (old, mut new) = (example(), example());

        new.counters[1].1 += 9;
        new.spaces[0].commands += 3;
        new.spaces[1].number = 10;

        let sample = compare(&new, Some((&old, Duration::from_secs(2))), |_| None);

        assert_eq!(sample.counters[0].1, Count::PerSecond(0.0));
        assert_eq!(sample.counters[1].1, Count::PerSecond(4.5));
        assert_eq!(sample.spaces[0].commands, Count::PerSecond(1.5));
        assert_eq!(sample.spaces[1].commands, Count::PerSecond(0.5));
    }

    #[test]
    fn another_chip_of_the_same_name_is_not_compared() {
        let (mut old, new) = (example(), example());

        old.counters[1].1 = 22;
        let sample = compare(&new, Some((&old, Duration::from_secs(1))), |_| None);

        assert_eq!(sample.counters[1].1, Count::InAll(21));
        let at_once = compare(&new, Some((&new, Duration::ZERO)), |_| None);
        assert_eq!(at_once.counters[1].1, Count::InAll(21));
    }
}
