// SPDX-License-Identifier: GPL-2.0

//! Shows what the chips that tpmrm serves are doing: who has what, who waits, and what it costs.
//!
//! All of it is in debugfs; this only reads that, again and again ([`source`], [`parse`]), counts
//! what has happened in between ([`sample`]) and draws it ([`draw`]), on a terminal ([`live`]) or as
//! text.

mod draw;
mod live;
mod options;
mod parse;
mod sample;
mod source;

use options::{Mode, Options};
use sample::Sampler;
use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
};

fn main() -> ExitCode {
    let result = options::read().and_then(|options| match options {
        Some(options) => run(&options),
        None => Ok(()),
    });

    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tpmrm-top: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut sampler = Sampler::new(&options.folder);

    match options.mode {
        Mode::Live => live::run(&mut sampler, options),
        Mode::Text { frames } => print(&mut sampler, options, frames),
    }
}

/// Prints frames as text: so many, or for ever.
fn print(sampler: &mut Sampler, options: &Options, frames: Option<u64>) -> Result<(), String> {
    let mut printed = 0;

    loop {
        let text = draw::text(&sampler.next()?, options.sort, options.width);

        // Whoever reads may have had enough.
        if writeln!(io::stdout(), "{text}").is_err() {
            return Ok(());
        }
        printed += 1;
        if frames.is_some_and(|frames| printed >= frames) {
            return Ok(());
        }
        thread::sleep(options.interval);
    }
}
