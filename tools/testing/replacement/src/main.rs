// SPDX-License-Identifier: GPL-2.0

//! Prints how many TPM commands each policy needs for each trace, as a multiple of the fewest possible.

use replacement::policies::{Engine, Insertion, Lfu, Lirs, Lru, Lru2, Mru, Policy, Random};
use replacement::sim::{run, Slots};
use replacement::trace::Trace;
use replacement::{models, optimum};
use std::{fs, process};

/// A policy under its name, made anew for each pool of each run.
type Named = (&'static str, fn() -> Box<dyn Policy>);

const POLICIES: [Named; 9] = [
    ("LRU", || Box::new(Lru)),
    ("MRU", || Box::new(Mru)),
    ("random", || Box::new(Random(1))),
    ("LIP", || Box::new(Insertion::new(0))),
    ("BIP", || Box::new(Insertion::new(8))),
    ("LRU-2", || Box::new(Lru2::default())),
    ("LFU", || Box::new(Lfu::new(16.0))),
    ("LIRS", || Box::new(Lirs::default())),
    ("engine", || Box::new(Engine::default())),
];

/// What the issue asks for.
const GOAL: f64 = 1.25;

/// One trace with so many slots.
struct Case {
    trace: Trace,
    slots: Slots,
    optimum: u64,
}

impl Case {
    fn new(trace: Trace, slots: usize) -> Option<Self> {
        let slots = Slots {
            objects: slots,
            sessions: slots,
        };
        let optimum = optimum::total(&trace, slots)?;
        Some(Self {
            trace,
            slots,
            optimum,
        })
    }

    fn total(&self, policy: Named) -> u64 {
        run(&self.trace, self.slots, policy.1(), policy.1()).total()
    }

    fn ratio(&self, policy: Named) -> f64 {
        self.total(policy) as f64 / self.optimum as f64
    }
}

fn recorded(folder: &str) -> Vec<Trace> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| fail(&format!("{folder}: {e}")));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "trace"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = fs::read_to_string(path).unwrap_or_else(|e| fail(&format!("{name}: {e}")));
            Trace::parse(&name, &text).unwrap_or_else(|e| fail(&e))
        })
        .collect()
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    process::exit(1)
}

fn heading(what: &str) {
    print!("{what:16}{:>9}{:>9}", "commands", "optimum");
    for (name, _) in POLICIES {
        print!("{name:>8}");
    }
    println!();
}

fn line(case: &Case) {
    print!(
        "{:16}{:9}{:9}",
        case.trace.name,
        case.trace.commands(),
        case.optimum
    );
    for policy in POLICIES {
        print!("{:8.2}", case.ratio(policy));
    }
    println!();
}

fn worst(what: &str, cases: &[Case]) {
    print!("{what:34}");
    for policy in POLICIES {
        let ratios = cases.iter().map(|case| case.ratio(policy));
        print!("{:8.2}", ratios.fold(0.0, f64::max));
    }
    println!();
}

/// The traces with other dice where there are dice, and mixtures, with more slots too.
fn many(recorded: &[Trace]) -> Vec<Case> {
    let mut cases = vec![];
    for seed in [0, 77, 123_456] {
        for slots in [3, 4, 5, 7] {
            let mixtures = (seed..seed + 25).map(models::mixture);
            let drawn = models::all_with(seed).into_iter().chain(mixtures);
            let traces = recorded.iter().filter(|_| seed == 0).cloned().chain(drawn);
            cases.extend(traces.filter_map(|trace| Case::new(trace, slots)));
        }
    }
    cases
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "traces".into());
    let recorded = recorded(&folder);
    let three = |traces: Vec<Trace>| -> Vec<Case> {
        traces
            .into_iter()
            .filter_map(|trace| Case::new(trace, 3))
            .collect()
    };

    println!("TPM commands by the fewest possible, 3 object slots and 3 loaded sessions");
    println!();
    heading("recorded");
    let cases = three(recorded.clone());
    cases.iter().for_each(line);
    worst("worst", &cases);
    println!();
    heading("models");
    let (even, cases): (Vec<_>, Vec<_>) = three(models::all())
        .into_iter()
        .partition(|case| case.trace.name.contains("uniform"));
    cases.iter().for_each(line);
    worst("worst", &cases);
    println!();
    heading("drawn evenly");
    even.iter().for_each(line);
    println!();

    let (_, cases): (Vec<_>, Vec<_>) = many(&recorded)
        .into_iter()
        .partition(|case| case.trace.name.contains("uniform"));
    let what = format!("worst of {} runs, 3 to 7 slots", cases.len());
    worst(&what, &cases);
    print!("{:34}", "of these, runs above 1.25");
    for policy in POLICIES {
        print!(
            "{:8}",
            cases
                .iter()
                .filter(|case| case.ratio(policy) > GOAL)
                .count()
        );
    }
    println!();
    print!("{:34}", "worst against LRU");
    for policy in POLICIES {
        let against = cases
            .iter()
            .map(|case| case.total(policy) as f64 / case.total(POLICIES[0]) as f64);
        print!("{:8.2}", against.fold(0.0, f64::max));
    }
    println!();
}
