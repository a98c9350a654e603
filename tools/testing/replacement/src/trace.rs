// SPDX-License-Identifier: GPL-2.0

//! What clients did: one event a line, words separated by blanks.
//!
//! ```text
//! 0 cmd o1 s2 + o3 - s2      space 0 sends a command that names object 1 and session 2, makes object 3,
//!                            and ends session 2 (so does a command that flushes what it names)
//! 0 cmd o1 * *               ... that needs two free object slots to work in, and leaves them free
//! 0 flush o1                 space 0 ends an object, or a session, by FlushContext
//! 0 detach s2                space 0 saves a session by ContextSave, which gives it away
//! 1 claim s2                 space 1 brings the context of a session that was given away
//! 0 close                    space 0 is closed
//! - vacate                   everything leaves the TPM: others use it, or nobody does
//! ```
//!
//! `o` is an ordinary object, `c` one that came with a context of its own (by ContextLoad), `q` a
//! sequence, `s` a session. Numbers are never used again. Lines that start with `#` say where the
//! trace is from.

use std::fmt::Write;

/// What has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An object that does not change.
    Ordinary,
    /// The same, of which there is a context already.
    Context,
    /// An object that changes whenever it is used.
    Sequence,
    Session,
}

impl Kind {
    const LETTERS: [(Kind, char); 4] = [
        (Kind::Ordinary, 'o'),
        (Kind::Context, 'c'),
        (Kind::Sequence, 'q'),
        (Kind::Session, 's'),
    ];

    fn letter(self) -> char {
        Self::LETTERS
            .iter()
            .find(|l| l.0 == self)
            .expect("all have one")
            .1
    }

    pub fn is_session(self) -> bool {
        self == Kind::Session
    }
}

/// An object or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub kind: Kind,
    pub number: u32,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Command {
        names: Vec<Id>,
        makes: Option<Id>,
        ends: Vec<Id>,
        /// How many object slots it needs to work in, for instance for a persistent object.
        scratch: usize,
    },
    Flush(Id),
    Detach(Id),
    Claim(Id),
    Close,
    Vacate,
}

/// What happens, and in which space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub space: u32,
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub name: String,
    /// Where it is from.
    pub origin: String,
    pub events: Vec<Event>,
}

impl Trace {
    /// Parses a trace.
    ///
    /// # Errors
    ///
    /// The line that makes no sense.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut trace = Trace {
            name: name.into(),
            ..Trace::default()
        };
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                if !comment.contains("SPDX-") {
                    trace.origin.push_str(comment);
                }
            } else if !line.trim().is_empty() {
                let event = event(line).ok_or_else(|| format!("{name}: {line}"))?;
                trace.events.push(event);
            }
        }
        trace.origin = trace.origin.trim().into();
        Ok(trace)
    }

    /// The trace as text.
    pub fn text(&self) -> String {
        let mut text = format!("# SPDX-License-Identifier: GPL-2.0\n# {}\n", self.origin);
        for event in &self.events {
            match &event.what {
                What::Command {
                    names,
                    makes,
                    ends,
                    scratch,
                } => {
                    let _ = write!(text, "{} cmd", event.space);
                    names.iter().for_each(|id| put(&mut text, *id));
                    if let Some(id) = makes {
                        text.push_str(" +");
                        put(&mut text, *id);
                    }
                    if !ends.is_empty() {
                        text.push_str(" -");
                        ends.iter().for_each(|id| put(&mut text, *id));
                    }
                    text.push_str(&" *".repeat(*scratch));
                }
                What::Flush(id) => one(&mut text, event.space, "flush", *id),
                What::Detach(id) => one(&mut text, event.space, "detach", *id),
                What::Claim(id) => one(&mut text, event.space, "claim", *id),
                What::Close => {
                    let _ = write!(text, "{} close", event.space);
                }
                What::Vacate => text.push_str("- vacate"),
            }
            text.push('\n');
        }
        text
    }

    /// How many commands clients sent.
    pub fn commands(&self) -> u64 {
        let is_one = |e: &&Event| !matches!(e.what, What::Close | What::Vacate);
        self.events.iter().filter(is_one).count() as u64
    }
}

fn put(text: &mut String, id: Id) {
    let _ = write!(text, " {}{}", id.kind.letter(), id.number);
}

fn one(text: &mut String, space: u32, verb: &str, id: Id) {
    let _ = write!(text, "{space} {verb}");
    put(text, id);
}

fn id(word: &str) -> Option<Id> {
    let letter = word.chars().next()?;
    let kind = Kind::LETTERS.iter().find(|l| l.1 == letter)?.0;
    let number = word[1..].parse().ok()?;
    Some(Id { kind, number })
}

fn event(line: &str) -> Option<Event> {
    let mut words = line.split_whitespace();
    let space = words.next()?;
    let verb = words.next()?;
    let rest: Vec<&str> = words.collect();
    let only = || match rest[..] {
        [word] => id(word),
        _ => None,
    };
    let what = match verb {
        "cmd" => command(&rest)?,
        "flush" => What::Flush(only()?),
        "detach" => What::Detach(only()?),
        "claim" => What::Claim(only()?),
        "close" if rest.is_empty() => What::Close,
        "vacate" if rest.is_empty() => What::Vacate,
        _ => return None,
    };
    let space = match space {
        "-" => 0,
        number => number.parse().ok()?,
    };
    Some(Event { space, what })
}

fn command(words: &[&str]) -> Option<What> {
    let (mut names, mut makes, mut ends, mut scratch) = (vec![], None, vec![], 0);
    let mut mode = ' ';
    for word in words {
        match (*word, mode) {
            ("+" | "-", _) => mode = word.chars().next()?,
            ("*", _) => scratch += 1,
            (_, '+') => makes = Some(id(word)?),
            (_, '-') => ends.push(id(word)?),
            _ => names.push(id(word)?),
        }
    }
    Some(What::Command {
        names,
        makes,
        ends,
        scratch,
    })
}
