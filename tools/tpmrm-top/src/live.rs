// SPDX-License-Identifier: GPL-2.0

//! On a terminal, until a key ends it.

use crate::{
    draw::{self, View},
    options::Options,
    sample::{Sample, Sampler},
};
use ratatui::{
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout},
    text::Line,
    DefaultTerminal,
};
use std::{
    io,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Shows samples until the user has seen enough.
///
/// # Errors
///
/// Why nothing can be read any more, or the terminal is of no use.
pub fn run(sampler: &mut Sampler, options: &Options) -> Result<(), String> {
    // Before the screen is taken: what is wrong at once is said where it can be read.
    let first = sampler.next()?;
    let mut terminal = ratatui::try_init().map_err(|why| format!("no terminal: {why}"))?;
    let result = watch(&mut terminal, sampler, options, first);

    ratatui::restore();
    result
}

fn watch(
    terminal: &mut DefaultTerminal,
    sampler: &mut Sampler,
    options: &Options,
    first: Sample,
) -> Result<(), String> {
    let mut sample = first;
    let mut view = View {
        sort: options.sort,
        skip: 0,
    };

    loop {
        show(terminal, &sample, &view).map_err(|why| why.to_string())?;

        let next = Instant::now() + options.interval;

        while let Some(left) = next.checked_duration_since(Instant::now()) {
            match key(left).map_err(|why| why.to_string())? {
                Some(key) if obey(key, &mut view, &sample).is_break() => return Ok(()),
                Some(_) => show(terminal, &sample, &view).map_err(|why| why.to_string())?,
                None => {}
            }
        }
        sample = sampler.next()?;
    }
}

fn show(terminal: &mut DefaultTerminal, sample: &Sample, view: &View) -> io::Result<()> {
    terminal.draw(|frame| {
        let [above, below] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        let keys = format!(
            "q quit  s sort (by {})  up, down: other spaces",
            view.sort.name()
        );

        draw::draw(sample, view, above, frame.buffer_mut());
        frame.render_widget(Line::from(keys), below);
    })?;
    Ok(())
}

/// The next key, if there is one within some time. A new size counts as one that means nothing.
fn key(time: Duration) -> io::Result<Option<KeyCode>> {
    if !event::poll(time)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(KeyEvent {
            code: KeyCode::Char('c'),
            modifiers: KeyModifiers::CONTROL,
            ..
        }) => Some(KeyCode::Esc),
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(key.code),
        Event::Resize(..) => Some(KeyCode::Null),
        _ => None,
    })
}

fn obey(key: KeyCode, view: &mut View, sample: &Sample) -> ControlFlow<()> {
    let most = sample.chips.iter().map(|chip| chip.spaces.len()).max();

    match key {
        KeyCode::Char('q') | KeyCode::Esc => return ControlFlow::Break(()),
        KeyCode::Char('s') => view.sort = view.sort.next(),
        KeyCode::Down => view.skip = (view.skip + 1).min(most.unwrap_or(1).saturating_sub(1)),
        KeyCode::Up => view.skip = view.skip.saturating_sub(1),
        _ => {}
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{options::Sort, sample::tests::first};

    #[test]
    fn keys_do_what_they_say() {
        let sample = first();
        let mut view = View {
            sort: Sort::Sessions,
            skip: 0,
        };

        for (key, skip) in [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::Down, 1),
            (KeyCode::Null, 1),
            (KeyCode::Up, 0),
        ] {
            assert!(obey(key, &mut view, &sample).is_continue());
            assert_eq!(view.skip, skip);
        }
        assert!(obey(KeyCode::Char('s'), &mut view, &sample).is_continue());
        assert_eq!(view.sort, Sort::Objects);
        assert!(obey(KeyCode::Char('q'), &mut view, &sample).is_break());
        assert!(obey(KeyCode::Esc, &mut view, &sample).is_break());
    }
}
