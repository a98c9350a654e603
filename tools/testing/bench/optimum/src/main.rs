// SPDX-License-Identifier: GPL-2.0

//! Prints the fewest TPM commands for so many clients that each load a key, and then use theirs in
//! turn until there were so many uses: `optimum CLIENTS USES SLOTS`.

use replacement::optimum;
use replacement::sim::Slots;
use replacement::trace::Trace;
use std::process::ExitCode;

/// What the benchmark's clients do, as a trace.
fn turns(clients: usize, uses: usize) -> Result<Trace, String> {
    let loads = (0..clients).map(|client| format!("{client} cmd + o{client}\n"));
    let uses = (0..uses).map(|number| {
        let client = number % clients;
        format!("{client} cmd o{client}\n")
    });
    Trace::parse("turns", &loads.chain(uses).collect::<String>())
}

/// The number that the arguments ask for.
///
/// # Errors
///
/// What is wrong with them, in words.
fn answer(arguments: &[String]) -> Result<u64, String> {
    let numbers: Result<Vec<usize>, _> = arguments.iter().map(|text| text.parse()).collect();
    let [clients, uses, slots] = numbers.map_err(|error| error.to_string())?[..] else {
        return Err("optimum CLIENTS USES SLOTS".into());
    };
    if clients == 0 {
        return Err("nobody is there".into());
    }
    let slots = Slots {
        objects: slots,
        sessions: slots,
    };
    optimum::total(&turns(clients, uses)?, slots).ok_or_else(|| "too many states".into())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match answer(&arguments) {
        Ok(count) => {
            println!("{count}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::answer;

    fn asked(numbers: [usize; 3]) -> Result<u64, String> {
        answer(&numbers.map(|number| number.to_string()))
    }

    #[test]
    fn what_fits_costs_nothing_more() {
        assert_eq!(asked([3, 30, 3]), Ok(33));
    }

    #[test]
    fn what_does_not_fit_is_saved_and_loaded() {
        // Two of four keys stay, the others leave (saved and flushed once) and come back.
        assert!(asked([4, 4, 3]) > Ok(8 + 2));
        assert_eq!(asked([1, 1, 1]), Ok(2));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(answer(&["3".into(), "x".into(), "3".into()]).is_err());
        assert!(asked([0, 1, 3]).is_err());
    }
}
