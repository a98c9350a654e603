// SPDX-License-Identifier: GPL-2.0

//! Programs in files, with what has to come of them: one step a line.

use super::correspondence::Expected;
use super::program::Step;
use serde::{Deserialize, Serialize};

/// A step, and what has to come of it if it is a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub step: Step,
    pub expected: Option<Expected>,
}

/// The text of a program.
pub fn write(lines: &[Line]) -> String {
    let text = |line| ron::to_string(line).expect("plain data") + "\n";
    lines.iter().map(text).collect()
}

/// The program of a text.
pub fn read(text: &str) -> Result<Vec<Line>, ron::error::SpannedError> {
    text.lines().map(ron::from_str).collect()
}
