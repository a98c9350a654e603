// SPDX-License-Identifier: GPL-2.0

//! A picture of a sample, for a terminal and for text alike.

use crate::{
    options::Sort,
    parse::{Chip, Session, Space},
    sample::{ChipSample, Count, Sample, SpaceSample},
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    style::{Style, Stylize},
    text::Line,
    widgets::{Paragraph, Row, Table, Widget},
};
use std::collections::BTreeMap;

/// From this age on, what is shown is marked as old.
const OLD_MS: u64 = 1000;

/// The columns of spaces: what they are called, and how wide they are.
const COLUMNS: [(&str, u16); 13] = [
    ("SPACE", 6),
    ("PID", 7),
    ("PROCESS", 15),
    ("UID", 6),
    ("COMMANDS", 8),
    ("OBJECTS", 7),
    ("LOADED", 6),
    ("LOST", 4),
    ("SESSIONS", 8),
    ("LOADED", 6),
    ("LOST", 4),
    ("POLICY", 9),
    ("WAIT", 16),
];

/// How much of the picture there is to be seen, and from where.
pub struct View {
    pub sort: Sort,
    /// How many spaces of each chip are passed over.
    pub skip: usize,
}

/// Draws `sample` into `area`, as far as there is room. Chips share what is left of it by their
/// order.
pub fn draw(sample: &Sample, view: &View, area: Rect, buffer: &mut Buffer) {
    let mut left = area;

    if sample.chips.is_empty() {
        Line::from("there is no TPM 2.0 that is served").render(area, buffer);
    }
    for chip in &sample.chips {
        let height = height(chip, view.skip).min(left.height);

        draw_chip(chip, view, Rect { height, ..left }, buffer);
        left.y += height;
        left.height -= height;
    }
}

/// The picture as text, as high as it needs to be.
pub fn text(sample: &Sample, sort: Sort, width: u16) -> String {
    let height = sample
        .chips
        .iter()
        .fold(0, |sum: u16, chip| sum.saturating_add(height(chip, 0)))
        .max(1);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);

    draw(sample, &View { sort, skip: 0 }, area, &mut buffer);
    lines(&buffer)
}

/// The lines of a picture.
pub fn lines(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width.max(1));

    buffer
        .content
        .chunks(width)
        .map(|cells| {
            let line: String = cells.iter().map(|cell| cell.symbol()).collect();

            format!("{}\n", line.trim_end())
        })
        .collect()
}

/// How many lines a chip needs: what is said of it, a line with names, the spaces, and an empty one.
fn height(chip: &ChipSample, skip: usize) -> u16 {
    let spaces = chip.spaces.len().saturating_sub(skip);

    u16::try_from(spaces)
        .unwrap_or(u16::MAX)
        .saturating_add(HEAD + 2)
}

/// How many lines are said of a chip.
const HEAD: u16 = 5;

fn draw_chip(sample: &ChipSample, view: &View, area: Rect, buffer: &mut Buffer) {
    let head = [
        title(&sample.chip).bold(),
        Line::from(loaded(&sample.chip)),
        Line::from(numbers(&sample.chip)),
        Line::from(happened(&sample.counters)),
        Line::from(""),
    ];
    let above = Rect {
        height: area.height.min(HEAD),
        ..area
    };
    let below = Rect {
        y: area.y + above.height,
        height: area.height - above.height,
        ..area
    };
    let names = Row::new(COLUMNS.map(|(name, _)| name)).style(Style::new().reversed());
    let rows = sorted(&sample.spaces, view.sort)
        .into_iter()
        .skip(view.skip)
        .map(row);

    Paragraph::new(head.to_vec()).render(above, buffer);
    Widget::render(
        Table::new(rows, COLUMNS.map(|(_, width)| Constraint::Length(width))).header(names),
        below,
        buffer,
    );
}

/// What a chip is, and what is in the way.
fn title(chip: &Chip) -> Line<'static> {
    let mut said = format!("{}  {}, barrier {}", chip.name, chip.state, chip.barrier);

    if let Some(running) = &chip.running {
        said += &format!(
            "; executes {} of space {} for {} ms",
            running.command, running.space, running.ms
        );
    }
    if chip.age_ms >= OLD_MS {
        said += &format!("; as it was {} ms ago", chip.age_ms);
    }
    Line::from(said)
}

/// What is in the TPM, and for how much there is room.
fn loaded(chip: &Chip) -> String {
    format!(
        "loaded: {} of {} objects, {} of {} sessions",
        chip.objects_loaded, chip.object_slots, chip.sessions_loaded, chip.session_slots
    )
}

/// Who has session numbers beside the spaces, and who waits for some.
fn numbers(chip: &Chip) -> String {
    let mut said = format!("session numbers: {}", chip.sessions.len());

    if let Some(numbers) = chip.numbers {
        said += &format!(" of {numbers}");
    }
    said += " in use";
    for (name, count) in [
        ("of others", chip.others),
        ("waiting", chip.waiting),
        ("kept for them", chip.kept),
    ] {
        if let Some(count) = count {
            said += &format!(", {count} {name}");
        }
    }
    for (who, count) in without_space(&chip.sessions) {
        said += &format!(", {count} {who}");
    }
    said
}

/// Sessions that no space has, by what they are.
fn without_space(sessions: &[Session]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();

    for session in sessions {
        let who = match session.owner.as_str() {
            "space" => continue,
            owner if session.uid < 0 => owner.to_owned(),
            owner => format!("{owner} of uid {}", session.uid),
        };

        *found.entry(who).or_default() += 1;
    }
    found
}

/// What the chip does.
fn happened(counters: &[(String, Count)]) -> String {
    let is_rate = counters
        .iter()
        .any(|(_, count)| matches!(count, Count::PerSecond(_)));
    let mut said = if is_rate { "per second:" } else { "in all:" }.to_owned();

    for (name, count) in counters {
        said += &format!(" {name} {}", shown(*count));
    }
    said
}

fn shown(count: Count) -> String {
    match count {
        Count::InAll(count) => count.to_string(),
        Count::PerSecond(rate) if rate >= 10.0 || rate == 0.0 => format!("{rate:.0}"),
        Count::PerSecond(rate) => format!("{rate:.1}"),
    }
}

/// The spaces, those with the most first; among equals the older.
fn sorted(spaces: &[SpaceSample], sort: Sort) -> Vec<&SpaceSample> {
    let mut all: Vec<_> = spaces.iter().collect();
    let key = |sample: &SpaceSample| match sort {
        Sort::Sessions => sample.space.sessions as f64,
        Sort::Objects => sample.space.objects as f64,
        Sort::Commands => match sample.commands {
            Count::InAll(count) => count as f64,
            Count::PerSecond(rate) => rate,
        },
        Sort::Space => 0.0,
    };

    all.sort_by(|a, b| {
        key(b)
            .total_cmp(&key(a))
            .then(a.space.number.cmp(&b.space.number))
    });
    all
}

fn row(sample: &SpaceSample) -> Row<'static> {
    let space = &sample.space;
    let optional = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    let row = Row::new([
        space.number.to_string(),
        space.pid.to_string(),
        sample.process.clone().unwrap_or_else(|| "-".to_owned()),
        space.uid.to_string(),
        shown(sample.commands),
        space.objects.to_string(),
        space.objects_loaded.to_string(),
        space.objects_lost.to_string(),
        space.sessions.to_string(),
        space.sessions_loaded.to_string(),
        optional(space.sessions_lost),
        policy(space),
        wait(space),
    ]);

    match space.wait {
        Some(_) => row.yellow(),
        None if space.sessions_lost.unwrap_or(0) > 0 || space.objects_lost > 0 => row.red(),
        None => row,
    }
}

/// The policy, with how many numbers are reserved, if some are.
fn policy(space: &Space) -> String {
    match (&space.policy, space.reserved) {
        (Some(policy), None | Some(0)) => policy.clone(),
        (Some(policy), Some(reserved)) => format!("{policy}:{reserved}"),
        (None, _) => "-".to_owned(),
    }
}

fn wait(space: &Space) -> String {
    match &space.wait {
        Some((what, ms)) => format!("{what} {:.1} s", *ms as f64 / 1000.0),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::first;

    #[test]
    fn all_of_it_is_in_the_text() {
        let text = text(&first(), Sort::Sessions, 120);
        let found: Vec<_> = text.lines().collect();

        assert_eq!(
            found[..5],
            [
                "tpmrm0  served, barrier installed; executes 0x131 of space 7 for 1234 ms",
                "loaded: 3 of 3 objects, 2 of 3 sessions",
                "session numbers: 3 of 64 in use, 0 of others, 1 waiting, 0 kept for them, \
                 1 detached of uid 1000, 1 stray",
                "in all: client 18446744073709551615 sent 21",
                "",
            ]
        );
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(found[5]), COLUMNS.map(|(name, _)| name));
        assert_eq!(
            words(found[6]),
            ["7", "1234", "client", "1000", "15", "7", "3", "1", "2", "1", "1", "never:4", "-"]
        );
        assert_eq!(words(found[7])[11..], ["fail", "waiting", "4.3", "s"]);
        assert_eq!(found.len(), 9);
    }

    #[test]
    fn what_no_space_has_is_counted_by_what_it_is() {
        let found = without_space(&first().chips[0].chip.sessions);

        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("detached of uid 1000".to_owned(), 1),
                ("stray".to_owned(), 1)
            ]
        );
    }

    #[test]
    fn what_is_old_is_said_to_be() {
        let mut sample = first();

        sample.chips[0].chip.age_ms = 61000;
        assert!(text(&sample, Sort::Sessions, 120).contains("as it was 61000 ms ago"));
    }

    #[test]
    fn spaces_are_sorted_the_most_first() {
        let sample = first();
        let order = |sort| -> Vec<_> {
            sorted(&sample.chips[0].spaces, sort)
                .iter()
                .map(|sample| sample.space.number)
                .collect()
        };

        for sort in [Sort::Sessions, Sort::Objects, Sort::Commands, Sort::Space] {
            assert_eq!(order(sort), [7, 9], "{sort:?}");
        }
    }

    #[test]
    fn any_area_will_do() {
        let mut sample = first();

        sample.chips.extend(first().chips);
        for width in [0, 1, 7, 80, 200] {
            for height in 0..20 {
                let area = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(area);

                for skip in [0, 1, 5] {
                    let view = View {
                        sort: Sort::Objects,
                        skip,
                    };

                    draw(&sample, &view, area, &mut buffer);
                }
            }
        }
    }

    #[test]
    fn no_chip_is_said() {
        let text = text(&Sample { chips: vec![] }, Sort::Sessions, 80);

        assert_eq!(text, "there is no TPM 2.0 that is served\n");
    }
}
