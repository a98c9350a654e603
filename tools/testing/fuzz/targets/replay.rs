// SPDX-License-Identifier: GPL-2.0

//! Plays the corpus, and mutations of it that nothing guides: `replay TARGET CORPUS SECONDS [SEED]`.
//!
//! With `within:SECONDS` nothing is changed, and no input is begun after that time.
//!
//! What fails is written to the standard output as one line, and its bytes into the file `failed-TARGET`.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long an input gets.
const LENGTH_MAX: usize = 512;

/// Numbers without much of a pattern, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// One of the inputs, changed in some places, or with a part of another.
fn mutate(dice: &mut Dice, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = inputs[dice.below(inputs.len())].clone();
    for _ in 0..1 + dice.below(6) {
        let at = dice.below(input.len() + 1);
        match dice.below(5) {
            0 if at < input.len() => input[at] = dice.byte(),
            1 => input.insert(at, dice.byte()),
            2 if at < input.len() => drop(input.remove(at)),
            3 => {
                let other = &inputs[dice.below(inputs.len())];
                let from = dice.below(other.len());
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            _ => (0..dice.below(24)).for_each(|_| input.push(dice.byte())),
        }
    }
    input.truncate(LENGTH_MAX);
    input
}

/// The inputs of a corpus: a line of hexadecimal digits each. Any other file is one input.
fn read(path: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path)?;
    if !bytes.starts_with(b"# SPDX") {
        return Ok(vec![bytes]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines.map(from_hex).collect())
}

fn from_hex(line: &str) -> Vec<u8> {
    let digits: Vec<u32> = line.chars().filter_map(|c| c.to_digit(16)).collect();
    let bytes = digits.chunks_exact(2);
    bytes.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [target, corpus, seconds, seed @ ..] = words.as_slice() else {
        eprintln!("usage: replay TARGET CORPUS SECONDS [SEED]");
        std::process::exit(2);
    };
    let Some(play) = fuzz::target(target) else {
        eprintln!("no target {target}");
        std::process::exit(2);
    };
    let mut inputs = read(Path::new(corpus)).expect("the corpus can be read");
    let began = Instant::now();
    let limit = seconds.strip_prefix("within:");
    let number = limit
        .unwrap_or(seconds)
        .parse()
        .expect("a number of seconds");
    let (limit, time) = match limit {
        Some(_) => (Duration::from_secs(number), Duration::ZERO),
        None => (Duration::MAX, Duration::from_secs(number)),
    };
    let mut dice = Dice(seed.first().map_or(1, |s| s.parse().expect("a seed")));
    let mut count: usize = 0;
    let mut run = |input: &[u8]| {
        count += 1;
        if catch_unwind(|| play(input)).is_err() {
            std::fs::write(format!("failed-{target}"), input).expect("the input can be written");
            println!(
                "failed after {count}: {} bytes in failed-{target}",
                input.len()
            );
            std::process::exit(1);
        }
    };
    let fits = |_: &&Vec<u8>| began.elapsed() < limit;
    inputs.iter().take_while(fits).for_each(|input| run(input));
    if inputs.is_empty() {
        inputs.push(vec![]);
    }
    let began = Instant::now();
    while began.elapsed() < time {
        for _ in 0..64 {
            run(&mutate(&mut dice, &inputs));
        }
    }
    println!("{} inputs, {count} played", inputs.len());
}
