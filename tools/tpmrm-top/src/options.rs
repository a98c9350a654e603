// SPDX-License-Identifier: GPL-2.0

//! What the command line says.

use lexopt::prelude::*;
use std::{path::PathBuf, time::Duration};

const HELP: &str = "\
usage: tpmrm-top [OPTION]...

Shows what the TPMs that the module tpmrm serves are doing. Root can see it.

  -1, --once           print it once, as text
  -b, --batch          print it again and again, as text
  -n, --frames NUMBER  so many times, with --batch
  -d, --delay SECONDS  so long in between (1)
  -s, --sort COLUMN    by sessions, objects, commands or space (sessions)
  -w, --width COLUMNS  how wide text is (120)
      --folder PATH    where it is read (/sys/kernel/debug/tpmrm)
  -h, --help           print this
";
const FOLDER: &str = "/sys/kernel/debug/tpmrm";
const DELAY: Duration = Duration::from_secs(1);
const WIDTH: u16 = 120;
const LEAST_WIDTH: u16 = 40;

/// How it is shown.
pub enum Mode {
    /// On a terminal.
    Live,
    /// As text, so many times if that is said.
    Text { frames: Option<u64> },
}

/// What spaces are sorted by, the most first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    Sessions,
    Objects,
    Commands,
    Space,
}

impl Sort {
    const ALL: [(&'static str, Self); 4] = [
        ("sessions", Self::Sessions),
        ("objects", Self::Objects),
        ("commands", Self::Commands),
        ("space", Self::Space),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("", |(name, _)| name)
    }

    /// The next one, for a key that goes through them.
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|(_, sort)| *sort == self);

        Self::ALL[place.map_or(0, |place| (place + 1) % Self::ALL.len())].1
    }

    fn of(name: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, sort)| *sort)
            .ok_or_else(|| format!("--sort {name}: there is no such column to sort by"))
    }
}

/// What the command line says.
pub struct Options {
    pub mode: Mode,
    pub interval: Duration,
    pub sort: Sort,
    pub width: u16,
    pub folder: PathBuf,
}

/// Reads the command line. There is nothing more to do when it asks for help.
///
/// # Errors
///
/// Why it cannot be understood.
pub fn read() -> Result<Option<Options>, String> {
    parse(lexopt::Parser::from_env()).map_err(|why| format!("{why}; see --help"))
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        mode: Mode::Live,
        interval: DELAY,
        sort: Sort::Sessions,
        width: WIDTH,
        folder: FOLDER.into(),
    };
    let mut frames = None;

    while let Some(argument) = parser.next()? {
        match argument {
            Short('1') | Long("once") => options.mode = Mode::Text { frames: Some(1) },
            Short('b') | Long("batch") => options.mode = Mode::Text { frames: None },
            Short('n') | Long("frames") => frames = Some(parser.value()?.parse()?),
            Short('d') | Long("delay") => {
                let seconds = parser.value()?.parse()?;

                options.interval =
                    Duration::try_from_secs_f64(seconds).map_err(|why| why.to_string())?;
            }
            Short('s') | Long("sort") => options.sort = Sort::of(&parser.value()?.string()?)?,
            Short('w') | Long("width") => {
                options.width = parser.value()?.parse::<u16>()?.max(LEAST_WIDTH);
            }
            Long("folder") => options.folder = parser.value()?.into(),
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            _ => return Err(argument.unexpected()),
        }
    }
    if let (Some(_), Mode::Text { frames: None }) = (frames, &options.mode) {
        options.mode = Mode::Text { frames };
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Options, String> {
        parse(lexopt::Parser::from_args(words))
            .map_err(|why| why.to_string())
            .map(|options| options.expect("no help was asked for"))
    }

    #[test]
    fn live_is_the_default_and_text_can_be_had() {
        assert!(matches!(of(&[]).unwrap().mode, Mode::Live));
        assert!(matches!(
            of(&["--once"]).unwrap().mode,
            Mode::Text { frames: Some(1) }
        ));
        assert!(matches!(
            of(&["-b"]).unwrap().mode,
            Mode::Text { frames: None }
        ));
        assert!(matches!(
            of(&["-b", "-n", "3"]).unwrap().mode,
            Mode::Text { frames: Some(3) }
        ));
    }

    #[test]
    fn values_are_taken_and_wrong_ones_refused() {
        let options = of(&["-d", "0.5", "-s", "objects", "--folder=/tmp/x", "-w", "10"]).unwrap();

        assert_eq!(options.interval, Duration::from_millis(500));
        assert_eq!(options.sort, Sort::Objects);
        assert_eq!(options.folder, PathBuf::from("/tmp/x"));
        assert_eq!(options.width, LEAST_WIDTH);
        for words in [
            &["-d", "-1"][..],
            &["-d", "much"],
            &["-s", "age"],
            &["-w", "70000"],
            &["-n"],
            &["file"],
        ] {
            assert!(of(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_columns_to_sort_by_are_gone_through_in_a_ring() {
        let mut sort = Sort::Sessions;

        for _ in Sort::ALL {
            sort = sort.next();
            assert_eq!(Sort::of(sort.name()), Ok(sort));
        }
        assert_eq!(sort, Sort::Sessions);
    }
}
