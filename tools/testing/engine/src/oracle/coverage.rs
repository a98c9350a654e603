// SPDX-License-Identifier: GPL-2.0

//! How often each command and each response code occurred.

use super::codes;
use super::generate::Wanted;
use super::program::{By, Call, Proof};
use super::seat::Outcome;
use super::session::{AUDIT, CONTINUE, DECRYPT, ENCRYPT};
use std::collections::BTreeMap;
use std::fmt;

/// What a command came to, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub done: usize,
    pub failed: usize,
}

/// What a command that succeeded had to do with sessions, beside being authorized.
const FEATURES: &[(&str, fn(&Call) -> bool)] = &[
    ("salted session", |call| {
        call.start
            .as_ref()
            .is_some_and(|start| start.salt.is_some())
    }),
    ("bound session", |call| {
        call.start
            .as_ref()
            .is_some_and(|start| start.bind.is_some())
    }),
    ("authorized by a bound session", |call| {
        call.auths.iter().any(|auth| auth.bound)
    }),
    ("parameter encrypted", |call| {
        has_session_with(call, DECRYPT)
    }),
    ("response encrypted", |call| has_session_with(call, ENCRYPT)),
    ("audited", |call| has_session_with(call, AUDIT)),
    ("ended by a command", |call| {
        call.auths
            .iter()
            .any(|auth| auth.by != By::Password && auth.attributes & CONTINUE == 0)
    }),
    ("two sessions", |call| {
        call.auths
            .iter()
            .filter(|auth| auth.by != By::Password)
            .count()
            > 1
    }),
    ("HMAC with a value", |call| has_proof(call, Proof::Value)),
    ("policy with a password", |call| {
        has_proof(call, Proof::Plain)
    }),
];

/// A session or an object that was saved on one descriptor and loaded on another.
pub const MOVED: &str = "moved to another descriptor";

/// Refusals of the resource manager's own that have to occur.
const REFUSALS: [&str; 6] = [
    "errno 22", "0xb0143", "0xb01cb", "0xb0910", "0xb0911", "0xb0918",
];

fn has_session_with(call: &Call, bit: u8) -> bool {
    call.auths
        .iter()
        .any(|auth| auth.by != By::Password && auth.attributes & bit != 0)
}

fn has_proof(call: &Call, proof: Proof) -> bool {
    call.auths
        .iter()
        .any(|auth| auth.by != By::Password && auth.proof == proof)
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub programs: usize,
    pub steps: usize,
    /// Steps whose registers were empty.
    pub skipped: usize,
    pub commands: BTreeMap<u32, Tally>,
    pub features: BTreeMap<&'static str, usize>,
    /// What our side answered.
    pub codes: BTreeMap<String, usize>,
}

impl Coverage {
    /// A command was answered on both sides, alike.
    pub fn note(&mut self, call: &Call, outcome: &Outcome) {
        self.steps += 1;
        if let Outcome::Done(_) = outcome {
            for (name, _) in FEATURES.iter().filter(|(_, is_there)| is_there(call)) {
                self.feature(name);
            }
        }
        let tally = self.commands.entry(call.code).or_default();
        let answer = match outcome {
            Outcome::Done(_) => {
                tally.done += 1;
                "success".into()
            }
            Outcome::Rc(rc) => {
                tally.failed += 1;
                format!("{rc:#x}")
            }
            Outcome::Errno(errno) => {
                tally.failed += 1;
                format!("errno {errno}")
            }
        };
        *self.codes.entry(answer).or_default() += 1;
    }

    /// One of the features occurred.
    pub fn feature(&mut self, name: &'static str) {
        *self.features.entry(name).or_default() += 1;
    }

    /// Adds what another run has done.
    pub fn add(&mut self, other: &Self) {
        self.programs += other.programs;
        self.steps += other.steps;
        self.skipped += other.skipped;
        for (code, tally) in &other.commands {
            let sum = self.commands.entry(*code).or_default();
            sum.done += tally.done;
            sum.failed += tally.failed;
        }
        for (name, count) in &other.features {
            *self.features.entry(name).or_default() += count;
        }
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
    }

    /// What programs to come should have.
    pub fn wanted(&self) -> Wanted {
        let those = |lacks: fn(&Tally) -> bool| {
            let tally = |code: &u32| self.commands.get(code).copied().unwrap_or_default();
            let codes = codes::NAMES.iter().map(|(code, _)| *code);
            codes.filter(|code| lacks(&tally(code))).collect()
        };
        Wanted {
            done: those(|tally| tally.done == 0),
            failed: those(|tally| tally.failed == 0),
        }
    }

    /// The commands of `codes::NAMES` that have not both succeeded and failed, and whatever else is missing.
    pub fn missing(&self) -> Vec<String> {
        let both = |code: &u32| {
            let tally = self.commands.get(code).copied().unwrap_or_default();
            tally.done > 0 && tally.failed > 0
        };
        let commands = codes::NAMES.iter().filter(|(code, _)| !both(code));
        let commands = commands.map(|(code, name)| format!("{name} {:?}", self.commands.get(code)));
        let features = FEATURES.iter().map(|(name, _)| *name).chain([MOVED]);
        let features = features.filter(|name| !self.features.contains_key(name));
        let refusals = REFUSALS
            .iter()
            .filter(|code| !self.codes.contains_key(**code));
        commands
            .chain(features.map(String::from))
            .chain(refusals.map(|code| String::from(*code)))
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} programs, {} commands compared, {} left out",
            self.programs, self.steps, self.skipped
        )?;
        for (code, tally) in &self.commands {
            let name = codes::name(*code);
            writeln!(
                f,
                "  {name:28} {:7} done {:7} failed",
                tally.done, tally.failed
            )?;
        }
        for (name, count) in &self.features {
            writeln!(f, "  {name:28} {count:7}")?;
        }
        for (code, count) in &self.codes {
            writeln!(f, "  {code:28} {count:7}")?;
        }
        Ok(())
    }
}
