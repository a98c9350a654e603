// SPDX-License-Identifier: GPL-2.0

//! The texts of debugfs, turned into numbers. `Documentation/interface.rst` says what they mean.
//!
//! Names that are not known are passed over, since there may be more one day; those that are not
//! there are so because the module was built without session exhaustion.

use std::collections::HashMap;

/// What a chip says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chip {
    pub name: String,
    /// How old what it says is.
    pub age_ms: u64,
    pub state: String,
    pub barrier: String,
    pub objects_loaded: u64,
    pub object_slots: u64,
    pub sessions_loaded: u64,
    pub session_slots: u64,
    pub numbers: Option<u64>,
    pub others: Option<u64>,
    pub waiting: Option<u64>,
    pub kept: Option<u64>,
    pub running: Option<Running>,
    pub spaces: Vec<Space>,
    pub sessions: Vec<Session>,
    /// In the order in which they are listed.
    pub counters: Vec<(String, u64)>,
}

/// A command that is executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub command: String,
    pub space: u64,
    pub ms: u64,
}

/// An open descriptor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    pub number: u64,
    pub pid: i32,
    pub uid: u32,
    pub commands: u64,
    pub objects: u64,
    pub objects_loaded: u64,
    pub objects_lost: u64,
    pub sessions: u64,
    pub sessions_loaded: u64,
    pub sessions_lost: Option<u64>,
    pub reserved: Option<u64>,
    pub policy: Option<String>,
    /// What it waits for, and how many milliseconds that can last.
    pub wait: Option<(String, u64)>,
}

/// A session that is not a space's, or is.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub owner: String,
    /// -1 when there is none.
    pub uid: i64,
}

/// Puts the four files of a chip together.
///
/// # Errors
///
/// Which line is not as it should be.
pub fn chip(
    name: &str,
    chip: &str,
    spaces: &str,
    sessions: &str,
    counters: &str,
) -> Result<Chip, String> {
    let of = |file: &'static str| move |why| format!("{file}: {why}");
    let values = Line::lines(chip).map_err(of("chip"))?;
    let mut this = whole(&values).map_err(of("chip"))?;

    this.name = name.to_owned();
    this.spaces = rows(spaces, space).map_err(of("spaces"))?;
    this.sessions = rows(sessions, session).map_err(of("sessions"))?;
    this.counters = counters
        .lines()
        .map(|line| {
            Line::pair(line).and_then(|(name, value)| Ok((name.to_owned(), number(value)?)))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(of("counters"))?;
    this.counters.retain(|(name, _)| name != "age_ms");
    Ok(this)
}

fn whole(values: &Line<'_>) -> Result<Chip, String> {
    Ok(Chip {
        age_ms: values.number("age_ms")?,
        state: values.word("state")?.to_owned(),
        barrier: values.word("barrier")?.to_owned(),
        objects_loaded: values.number("objects_loaded")?,
        object_slots: values.number("object_slots")?,
        sessions_loaded: values.number("sessions_loaded")?,
        session_slots: values.number("session_slots")?,
        numbers: values.optional("session_numbers")?,
        others: values.optional("sessions_of_others")?,
        waiting: values.optional("waiting")?,
        kept: values.optional("numbers_kept")?,
        running: match values.0.get("command") {
            Some(command) => Some(Running {
                command: (*command).to_owned(),
                space: values.number("command_space")?,
                ms: values.number("command_ms")?,
            }),
            None => None,
        },
        ..Chip::default()
    })
}

fn space(line: &Line<'_>) -> Result<Space, String> {
    let wait = match line.0.get("wait") {
        None | Some(&"none") => None,
        Some(wait) => Some(((*wait).to_owned(), line.number("wait_ms")?)),
    };

    Ok(Space {
        number: line.number("space")?,
        pid: line.number("pid")?,
        uid: line.number("uid")?,
        commands: line.number("commands")?,
        objects: line.number("objects")?,
        objects_loaded: line.number("objects_loaded")?,
        objects_lost: line.number("objects_lost")?,
        sessions: line.number("sessions")?,
        sessions_loaded: line.number("sessions_loaded")?,
        sessions_lost: line.optional("sessions_lost")?,
        reserved: line.optional("sessions_reserved")?,
        policy: line.0.get("policy").map(|policy| (*policy).to_owned()),
        wait,
    })
}

fn session(line: &Line<'_>) -> Result<Session, String> {
    Ok(Session {
        owner: line.word("owner")?.to_owned(),
        uid: line.number("uid")?,
    })
}

/// A list: after a line with its age, a line for each thing.
fn rows<T>(text: &str, row: impl Fn(&Line<'_>) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut lines = text.lines();

    match lines.next().map(Line::pair) {
        Some(Ok(("age_ms", _))) => {}
        _ => return Err("it does not begin with its age".to_owned()),
    }
    lines
        .map(|line| {
            Line::words(line)
                .and_then(|words| row(&words))
                .map_err(|why| format!("{line:?}: {why}"))
        })
        .collect()
}

/// Names with values.
struct Line<'a>(HashMap<&'a str, &'a str>);

impl<'a> Line<'a> {
    /// A name and a value.
    fn pair(line: &'a str) -> Result<(&'a str, &'a str), String> {
        match line.split_once(' ') {
            Some((name, value)) if !name.is_empty() && !value.contains(' ') => Ok((name, value)),
            _ => Err(format!("{line:?} is not a name and a value")),
        }
    }

    /// One of them on each line.
    fn lines(text: &'a str) -> Result<Self, String> {
        text.lines()
            .map(Self::pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All on one line.
    fn words(line: &'a str) -> Result<Self, String> {
        let words: Vec<_> = line.split(' ').collect();

        if words.len() % 2 != 0 {
            return Err("a name has no value".to_owned());
        }
        Ok(Self(
            words
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect(),
        ))
    }

    fn word(&self, name: &str) -> Result<&'a str, String> {
        self.0
            .get(name)
            .copied()
            .ok_or_else(|| format!("there is no {name}"))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        number(self.word(name)?).map_err(|why| format!("{name}: {why}"))
    }

    fn optional(&self, name: &str) -> Result<Option<u64>, String> {
        self.0
            .get(name)
            .map(|value| number(value).map_err(|why| format!("{name}: {why}")))
            .transpose()
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{value:?} is no number, or too large"))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const CHIP: &str = "\
age_ms 0
state served
barrier installed
spaces 2
objects_loaded 3
object_slots 3
sessions_loaded 2
session_slots 3
sessions_detached 1
session_numbers 64
sessions_of_others 0
waiting 1
numbers_kept 0
command 0x131
command_space 7
command_ms 1234
";
    const SPACES: &str = "\
age_ms 0
space 7 pid 1234 uid 1000 commands 15 objects 7 objects_loaded 3 objects_lost 1 sessions 2 \
sessions_loaded 1 sessions_lost 1 sessions_reserved 4 policy never wait none wait_ms 0
space 9 pid 1235 uid 4294967294 commands 1 objects 0 objects_loaded 0 objects_lost 0 sessions 0 \
sessions_loaded 0 sessions_lost 0 sessions_reserved 0 policy fail wait waiting wait_ms 4321
";
    const SESSIONS: &str = "\
age_ms 0
session 0x2000000 place loaded owner space space 7 uid 1000
session 0x3000001 place saved owner detached space -1 uid 1000
session 0x3000002 place saved owner stray space -1 uid -1
";
    const COUNTERS: &str = "\
age_ms 0
client 18446744073709551615
sent 21
";
    /// The files of a chip.
    pub const TEXTS: [(&str, &str); 4] = [
        ("chip", CHIP),
        ("spaces", SPACES),
        ("sessions", SESSIONS),
        ("counters", COUNTERS),
    ];

    /// The chip of these files.
    pub fn example() -> Chip {
        chip("tpmrm0", CHIP, SPACES, SESSIONS, COUNTERS).unwrap()
    }

    #[test]
    fn everything_is_found() {
        let found = example();

        assert_eq!(
            (found.name.as_str(), found.state.as_str()),
            ("tpmrm0", "served")
        );
        assert_eq!(
            (found.numbers, found.waiting, found.kept),
            (Some(64), Some(1), Some(0))
        );
        assert_eq!(
            found.running,
            Some(Running {
                command: "0x131".into(),
                space: 7,
                ms: 1234
            })
        );
        let [first, second] = &found.spaces[..] else {
            panic!("{:?}", found.spaces);
        };
        assert_eq!(
            (first.pid, first.uid, first.objects, first.objects_lost),
            (1234, 1000, 7, 1)
        );
        assert_eq!((first.sessions_lost, first.reserved), (Some(1), Some(4)));
        assert_eq!(
            (first.policy.as_deref(), &first.wait),
            (Some("never"), &None)
        );
        assert_eq!(
            (second.uid, &second.wait),
            (4294967294, &Some(("waiting".into(), 4321)))
        );
        assert_eq!(
            found
                .sessions
                .iter()
                .map(|s| (s.owner.as_str(), s.uid))
                .collect::<Vec<_>>(),
            [("space", 1000), ("detached", 1000), ("stray", -1)]
        );
        assert_eq!(
            found.counters,
            [("client".into(), u64::MAX), ("sent".into(), 21)]
        );
    }

    #[test]
    fn without_exhaustion_there_is_less() {
        let less: String = CHIP
            .lines()
            .take(9)
            .map(|line| format!("{line}\n"))
            .collect();
        let space = "age_ms 5\nspace 0 pid 1 uid 0 commands 1 objects 0 objects_loaded 0 \
                     objects_lost 0 sessions 0 sessions_loaded 0\n";
        let found = chip("tpmrm0", &less, space, "age_ms 5\n", "age_ms 5\n").unwrap();

        assert_eq!(
            (found.numbers, found.waiting, &found.running),
            (None, None, &None)
        );
        assert_eq!(found.spaces[0].sessions_lost, None);
        assert_eq!(
            (&found.spaces[0].policy, &found.spaces[0].wait),
            (&None, &None)
        );
    }

    #[test]
    fn new_names_are_passed_over() {
        let spaces = SPACES.replace(" pid ", " colour blue pid ");

        assert_eq!(
            chip(
                "tpmrm0",
                &format!("{CHIP}taste sweet\n"),
                &spaces,
                SESSIONS,
                COUNTERS
            ),
            Ok(example())
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file() {
        for (file, from, to) in [
            ("chip", "object_slots 3", "object_slots three"),
            ("chip", "state served\n", ""),
            ("chip", "state served", "state"),
            ("chip", "state served", "state is served"),
            ("chip", "waiting 1", "waiting -1"),
            ("chip", "command_ms 1234\n", ""),
            ("spaces", "age_ms 0\n", ""),
            ("spaces", " commands 15", " commands"),
            ("spaces", "uid 1000", "uid 4294967296"),
            ("spaces", "wait_ms 4321", "wait_ms soon"),
            ("sessions", " owner stray", ""),
            ("counters", "sent 21", "sent 18446744073709551616"),
            ("counters", "sent 21", "sent"),
        ] {
            let texts = TEXTS.map(|(name, text)| {
                if name == file {
                    assert!(text.contains(from), "{from}");
                    text.replacen(from, to, 1)
                } else {
                    text.to_owned()
                }
            });
            let [one, two, three, four] = &texts;
            let why = chip("tpmrm0", one, two, three, four).unwrap_err();

            assert!(
                why.starts_with(&format!("{file}: ")),
                "{from:?} as {to:?}: {why}"
            );
        }
    }

    #[test]
    fn an_empty_file_is_wrong() {
        assert!(chip("tpmrm0", "", SPACES, SESSIONS, COUNTERS).is_err());
        assert!(chip("tpmrm0", CHIP, "", SESSIONS, COUNTERS).is_err());
        assert!(chip("tpmrm0", CHIP, SPACES, "", COUNTERS).is_err());
    }
}
