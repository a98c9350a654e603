// SPDX-License-Identifier: GPL-2.0

//! Every client of a random program finds what it would find alone on a TPM of its own.

use harness::oracle::coverage::Coverage;
use harness::oracle::generate::{Generator, Wanted};
use harness::oracle::program::Step;
use harness::oracle::script::{self, Line};
use harness::oracle::shrink::shrink;
use harness::oracle::world::{rig, Afterwards, Taken, World};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

/// The program of a private TPM.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_private-tpm"))
}

/// How many steps a program has.
const STEPS: usize = 400;

/// How many programs, each with contexts that leave and with contexts that stay: more of them with
/// TPMRM_RANDOM_PROGRAMS.
fn programs() -> u64 {
    std::env::var("TPMRM_RANDOM_PROGRAMS").map_or(16, |n| n.parse().expect("a number"))
}

/// The number of the first program.
fn first() -> u64 {
    std::env::var("TPMRM_RANDOM_SEED").map_or(0, |n| n.parse().expect("a number"))
}

/// Plays a program that is invented on the way, and keeps its steps.
fn invent(
    seed: u64,
    wanted: Wanted,
    afterwards: Afterwards,
    steps: &mut Vec<Step>,
) -> Result<Coverage, String> {
    let rig = rig(program(), afterwards);
    let mut world = World::new(&rig, program());
    let mut generator = Generator::new(seed, wanted);
    for _ in 0..STEPS {
        let step = generator.step(|register| world.has(register));
        steps.push(step.clone());
        match world.step(&step)? {
            Taken::Done => generator.done(&step),
            Taken::Other => generator.failed(&step),
            Taken::Skipped => {}
        }
    }
    world.close_all();
    rig.assert_empty();
    if let Some(folder) = std::env::var_os("TPMRM_RANDOM_KEEP") {
        let path = Path::new(&folder).join(format!("oracle-{seed}-{afterwards:?}.ron"));
        std::fs::write(path, script::write(&world.lines)).expect("a folder");
    }
    Ok(world.coverage.clone())
}

/// Plays these steps up to a difference, and keeps what was done.
fn replay(steps: &[Step], afterwards: Afterwards, lines: &mut Vec<Line>) -> Result<(), String> {
    let rig = rig(program(), afterwards);
    let mut world = World::new(&rig, program());
    let played = steps.iter().try_for_each(|step| world.step(step).map(drop));
    world.close_all();
    rig.assert_empty();
    *lines = world.lines;
    played
}

/// A panic of the engine, or of a look at its TPM, is a difference too.
fn caught<T>(play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let played = catch_unwind(AssertUnwindSafe(play));
    played.unwrap_or_else(|_| Err("a panic, see above".into()))
}

/// Says what is different, in as few steps as it takes.
fn report(steps: &[Step], afterwards: Afterwards, file: &str) -> String {
    let shows = |steps: &[Step]| caught(|| replay(steps, afterwards, &mut vec![])).is_err();
    let steps = shrink(steps, shows);
    let mut lines = vec![];
    let Err(why) = caught(|| replay(&steps, afterwards, &mut lines)) else {
        return "it does not show again".into();
    };
    let path = std::env::temp_dir().join(file);
    std::fs::write(&path, script::write(&lines)).expect("a file");
    format!(
        "{why} ({} steps; tools/testing/system/play {}):\n{steps:#?}",
        lines.len(),
        path.display(),
    )
}

#[test]
fn g1_g3_g4_g5_g10_every_client_finds_what_it_would_find_on_a_tpm_of_its_own() {
    let mut coverage = Coverage::default();
    let mut differences: Vec<String> = vec![];
    for seed in first()..first() + programs() {
        for afterwards in Afterwards::BOTH {
            let (name, mut steps) = (format!("{seed}-{afterwards:?}"), vec![]);
            match caught(|| invent(seed, coverage.wanted(), afterwards, &mut steps)) {
                Ok(played) => coverage.add(&played),
                // One is made short, which takes its time; the others are only told of.
                Err(why) if differences.is_empty() => {
                    eprintln!("program {name}: {why}");
                    let short = report(&steps, afterwards, &format!("oracle-{name}.ron"));
                    differences.push(format!("program {name}: {short}"));
                }
                Err(why) => differences.push(format!("program {name}: {why}")),
            }
        }
    }
    println!("programs from {} on: {coverage}", first());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let missing = coverage.missing();
    assert!(
        missing.is_empty(),
        "not both done and refused: {missing:#?}"
    );
}
