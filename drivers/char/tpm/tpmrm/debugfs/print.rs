// SPDX-License-Identifier: GPL-2.0

//! What the files say. `Documentation/interface.rst` has it for those who read them.
//!
//! Names and values with blanks in between; a value is a number or a word. Names that are there
//! stay, others may be added.

use crate::{
    clock::SystemClock,
    engine::{
        Barrier,
        Clock,
        Counters,
        OwnerView,
        PlaceView,
        Span,
        UserId,
        View, //
    },
    manager::Manager, //
};
use kernel::fmt;

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::{
    LossPolicy,
    SpaceTerms,
    WaitView,
    WholeTerms, //
};

type To<'a, 'b> = &'a mut fmt::Formatter<'b>;

/// Instead of a user or a space, where there is none.
const NOBODY: i32 = -1;

/// How long ago it was as the rest says.
fn age(view: &View, to: To<'_, '_>) -> fmt::Result {
    let Span(age) = view.at.until(SystemClock.now());

    writeln!(to, "age_ms {age}")
}

/// The chip as a whole, a value on each line.
pub(super) fn chip(manager: &Manager, view: &View, to: To<'_, '_>) -> fmt::Result {
    let chip = &view.chip;
    let state = if manager.is_gone() { "gone" } else { "served" };
    let barrier = match chip.barrier {
        Barrier::Installed => "installed",
        Barrier::Absent => "absent",
    };

    age(view, to)?;
    writeln!(to, "state {state}")?;
    writeln!(to, "barrier {barrier}")?;
    writeln!(to, "spaces {}", view.spaces.all())?;
    writeln!(to, "objects_loaded {}", chip.objects_loaded)?;
    writeln!(to, "object_slots {}", chip.object_slots)?;
    writeln!(to, "sessions_loaded {}", chip.sessions_loaded)?;
    writeln!(to, "session_slots {}", chip.session_slots)?;
    writeln!(to, "sessions_detached {}", chip.sessions_detached)?;
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    if let Some(terms) = &chip.terms {
        whole_terms(terms, to)?;
    }
    // Who is in the way, if anybody is.
    if let Some(running) = manager.window().running() {
        let Span(since) = running.since.until(SystemClock.now());

        writeln!(to, "command {:#x}", running.command)?;
        writeln!(to, "command_space {}", running.space.number())?;
        writeln!(to, "command_ms {since}")?;
    }
    Ok(())
}

/// The spaces, one on each line.
pub(super) fn spaces(_manager: &Manager, view: &View, to: To<'_, '_>) -> fmt::Result {
    age(view, to)?;
    for space in view.spaces.iter() {
        write!(
            to,
            "space {} pid {} uid {} commands {}",
            space.number, space.process, space.user.0, space.commands
        )?;
        write!(
            to,
            " objects {} objects_loaded {} objects_lost {}",
            space.objects, space.objects_loaded, space.objects_lost
        )?;
        write!(
            to,
            " sessions {} sessions_loaded {}",
            space.sessions, space.sessions_loaded
        )?;
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        if let Some(terms) = &space.terms {
            space_terms(terms, to)?;
        }
        writeln!(to)?;
    }
    Ok(())
}

/// The sessions, one on each line.
pub(super) fn sessions(_manager: &Manager, view: &View, to: To<'_, '_>) -> fmt::Result {
    age(view, to)?;
    for session in view.sessions.iter() {
        let owner = match session.owner {
            OwnerView::Space(_) => "space",
            OwnerView::Detached => "detached",
            OwnerView::Nobody => "nobody",
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            OwnerView::Stray => "stray",
        };
        let place = match session.place {
            PlaceView::Loaded => "loaded",
            PlaceView::Saved => "saved",
        };

        write!(
            to,
            "session {:#x} place {place} owner {owner}",
            session.handle
        )?;
        match session.owner {
            OwnerView::Space(space) => write!(to, " space {space}")?,
            _ => write!(to, " space {NOBODY}")?,
        }
        match session.user {
            Some(UserId(user)) => writeln!(to, " uid {user}")?,
            None => writeln!(to, " uid {NOBODY}")?,
        }
    }
    Ok(())
}

/// What was done so far, a number on each line.
pub(super) fn counters(_manager: &Manager, view: &View, to: To<'_, '_>) -> fmt::Result {
    let Counters {
        client,
        sent,
        loads,
        saves,
        flushes,
        questions,
        regaps,
        barriers,
        rests,
        retries,
    } = view.counters;

    age(view, to)?;
    for (name, count) in [
        ("client", client),
        ("sent", sent),
        ("loads", loads),
        ("saves", saves),
        ("flushes", flushes),
        ("questions", questions),
        ("regaps", regaps),
        ("barriers", barriers),
        ("rests", rests),
        ("retries", retries),
    ] {
        writeln!(to, "{name} {count}")?;
    }
    Ok(())
}

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
fn whole_terms(terms: &WholeTerms, to: To<'_, '_>) -> fmt::Result {
    if let Some(numbers) = terms.numbers {
        writeln!(to, "session_numbers {numbers}")?;
    }
    writeln!(to, "sessions_of_others {}", terms.others)?;
    writeln!(to, "waiting {}", terms.waiting)?;
    writeln!(to, "numbers_kept {}", terms.kept)
}

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
fn space_terms(terms: &SpaceTerms, to: To<'_, '_>) -> fmt::Result {
    let policy = match terms.policy {
        LossPolicy::Fail => "fail",
        LossPolicy::Close => "close",
        LossPolicy::Never => "never",
    };
    let (wait, Span(left)) = match terms.wait {
        None => ("none", Span(0)),
        Some((WaitView::Waiting, left)) => ("waiting", left),
        Some((WaitView::Away, left)) => ("away", left),
        Some((WaitView::Granted, left)) => ("granted", left),
        Some((WaitView::Expired, left)) => ("expired", left),
    };

    write!(
        to,
        " sessions_lost {} sessions_reserved {} policy {policy} wait {wait} wait_ms {left}",
        terms.lost, terms.reserved
    )
}
