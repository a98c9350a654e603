// SPDX-License-Identifier: GPL-2.0

//! G7 as a property: whatever attackers do, and in whatever order, honest clients wait no longer than the
//! bound; nobody loses what is fair; the books are right.
//!
//! Small worlds are explored completely up to a depth, larger ones at random. What fails is made as short as
//! it gets and printed; a random one is played again with `TPMRM_RANDOM_SEED`. With `TPMRM_RANDOM_PROGRAMS`
//! there are more and longer ones.

use super::world::{Action, Seen, Setup, World};
use super::{LEASE, WAIT};
use crate::random::Dice;
use harness::fake::Numbers;
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

/// Plays a sequence of actions, the impossible ones left out.
fn play(setup: &Setup, actions: &[Action]) -> Seen {
    let rig = setup.rig();
    let mut world = World::new(&rig, setup);
    for action in actions {
        world.act(*action);
    }
    world.calm_down();
    let seen = world.seen;
    world.end();
    seen
}

fn fails(setup: &Setup, actions: &[Action]) -> Option<String> {
    let why = catch_unwind(AssertUnwindSafe(|| play(setup, actions))).err()?;
    let text = why.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| {
        let text = why.downcast_ref::<&str>();
        text.map_or("?", |text| text).to_string()
    }))
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's panics are of interest; those of the tries are not.
fn quietly(is_quiet: bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                hook(info);
            }
        }));
    });
    IS_QUIET.set(is_quiet);
}

/// Leaves out what is not needed for the failure, and reports it.
fn report(setup: &Setup, actions: &[Action], origin: &str) -> ! {
    quietly(true);
    let mut shortest = actions.to_vec();
    let mut n = 0;
    while n < shortest.len() {
        let mut shorter = shortest.clone();
        shorter.remove(n);
        if fails(setup, &shorter).is_some() {
            shortest = shorter;
            n = 0;
        } else {
            n += 1;
        }
    }
    let why = fails(setup, &shortest);
    quietly(false);
    panic!("{origin}: {setup:?}: {shortest:?}: {why:?}");
}

/// The next choices in order, when there were so many at each point; `None` after the last.
fn next(mut choices: Vec<usize>, counts: &[usize]) -> Option<Vec<usize>> {
    loop {
        let last = choices.pop()?;
        if last + 1 < counts[choices.len()] {
            choices.push(last + 1);
            return Some(choices);
        }
    }
}

/// Plays every sequence of `depth` of these actions that are possible, after `prelude`; how many there were.
fn explore(setup: &Setup, prelude: &[Action], choice: &[Action], depth: usize) -> (usize, Seen) {
    let (mut played, mut seen) = (0, Seen::default());
    let mut choices = vec![];
    loop {
        let mut counts = vec![];
        let mut actions = prelude.to_vec();
        let run = catch_unwind(AssertUnwindSafe(|| {
            let rig = setup.rig();
            let mut world = World::new(&rig, setup);
            for action in prelude {
                world.act(*action);
            }
            for n in 0..depth {
                let possible = choice.iter().filter(|action| world.is_possible(**action));
                let possible: Vec<Action> = possible.copied().collect();
                if n == choices.len() {
                    choices.push(0);
                }
                counts.push(possible.len());
                let action = possible[choices[n]];
                actions.push(action);
                world.act(action);
            }
            world.calm_down();
            let seen = world.seen;
            world.end();
            seen
        }));
        match run {
            Ok(one) => seen.add(one),
            Err(_) => report(setup, &actions, "explored"),
        }
        played += 1;
        match next(std::mem::take(&mut choices), &counts) {
            Some(more) => choices = more,
            None => return (played, seen),
        }
    }
}

/// Whether more is to be played than every time.
fn programs() -> Option<u64> {
    let programs = std::env::var("TPMRM_RANDOM_PROGRAMS").ok()?;
    Some(programs.parse().expect("a number"))
}

fn deeper() -> usize {
    usize::from(programs().is_some()) + usize::from(programs().is_some_and(|n| n > 1000))
}

fn setup(numbers: usize, users: &[(usize, bool)]) -> Setup {
    Setup {
        numbers,
        order: Numbers::Lowest,
        wait: WAIT,
        greed: 0,
        users: users.to_vec(),
    }
}

/// A hog with two spaces has all numbers; an honest user with two spaces comes.
#[test]
fn g7_holds_in_every_interleaving_of_a_hog_and_an_honest_user() {
    let setup = setup(3, &[(2, false), (2, true)]);
    let prelude = [Action::Ask(0), Action::Ask(0), Action::Ask(0)];
    let choice = [
        Action::Ask(2),
        Action::Ask(3),
        Action::Flush(2),
        Action::Ask(0),
        Action::Ask(1),
        Action::Try(1),
        Action::Flush(0),
        Action::Save(0),
        Action::Leave(1),
        Action::Reopen(0),
        Action::Pass(LEASE / 2),
        Action::Pass(LEASE),
    ];
    let (played, seen) = explore(&setup, &prelude, &choice, 5 + deeper());
    println!("{played} interleavings of a hog and an honest user: {seen:?}");
    assert!(played > 5000 && seen.losses > 0 && seen.waits > 0);
}

/// The hog asks for more than there is before anybody comes, and does not fetch what it is given.
#[test]
fn g7_holds_in_every_interleaving_with_a_hog_that_does_not_fetch() {
    let setup = setup(3, &[(3, false), (1, true)]);
    let prelude = [
        Action::Ask(0),
        Action::Ask(0),
        Action::Ask(0),
        Action::Ask(1),
        Action::Ask(2),
    ];
    let choice = [
        Action::Ask(3),
        Action::Flush(3),
        Action::Try(1),
        Action::Try(2),
        Action::Leave(1),
        Action::Flush(0),
        Action::Reopen(1),
        Action::Reopen(0),
        Action::Pass(LEASE / 2),
        Action::Pass(LEASE),
    ];
    let (played, seen) = explore(&setup, &prelude, &choice, 5 + deeper());
    println!("{played} interleavings with a hog that does not fetch: {seen:?}");
    assert!(played > 5000 && seen.losses > 0 && seen.waits > 0);
}

/// More users than numbers: two attackers and two honest users, for three numbers.
#[test]
fn g7_holds_in_every_interleaving_of_more_users_than_numbers() {
    let setup = Setup {
        wait: 4 * LEASE,
        ..setup(3, &[(1, false), (2, false), (1, true), (1, true)])
    };
    let prelude = [Action::Ask(0), Action::Ask(1), Action::Ask(2)];
    let choice = [
        Action::Ask(3),
        Action::Ask(4),
        Action::Flush(3),
        Action::Ask(0),
        Action::Ask(1),
        Action::Try(0),
        Action::Try(1),
        Action::Flush(0),
        Action::Save(1),
        Action::Claim(2),
        Action::Take(0),
        Action::Pass(LEASE / 2),
        Action::Pass(LEASE),
    ];
    let (played, seen) = explore(&setup, &prelude, &choice, 5 + deeper());
    println!("{played} interleavings of more users than numbers: {seen:?}");
    assert!(played > 5000 && seen.losses > 0 && seen.waits > 0);
}

/// The timer is as late as it can be without time passing: every place between two commands.
#[test]
fn g7_holds_in_every_interleaving_with_the_timer() {
    let setup = setup(4, &[(2, false), (1, false), (2, true)]);
    let prelude = [
        Action::Ask(0),
        Action::Ask(0),
        Action::Ask(1),
        Action::Ask(2),
        Action::Ask(0),
        Action::Pass(LEASE - 1),
    ];
    let choice = [
        Action::Ask(3),
        Action::Ask(4),
        Action::Attend,
        Action::Pass(1),
        Action::Try(0),
        Action::Flush(1),
        Action::Claim(1),
        Action::Save(0),
        Action::Fragile(1),
        Action::Ask(2),
        Action::Pass(LEASE),
    ];
    let (played, seen) = explore(&setup, &prelude, &choice, 5 + deeper());
    println!("{played} interleavings with the timer: {seen:?}");
    assert!(played > 5000 && seen.losses > 0 && seen.waits > 0);
}

fn any_setup(dice: &mut Dice) -> Setup {
    let most = if dice.below(2) == 0 { 8 } else { 15 };
    let attackers = 1 + dice.below(3);
    let honest = 1 + dice.below(2);
    let greed = [0, 0, 1, 3][dice.below(4)];
    let mut users: Vec<_> = (0..attackers).map(|_| (1 + dice.below(5), false)).collect();
    users.extend((0..honest).map(|_| (1 + dice.below(3), true)));
    Setup {
        numbers: 2 + dice.below(most - 1),
        order: [Numbers::Lowest, Numbers::RoundRobin, Numbers::Random][dice.below(3)],
        greed,
        wait: [WAIT, 4 * LEASE, 20 * LEASE][dice.below(3)],
        users,
    }
}

fn any_action(dice: &mut Dice, clients: usize) -> Action {
    let n = dice.below(clients);
    match dice.below(32) {
        0..=8 => Action::Ask(n),
        9..=12 => Action::Try(n),
        13 => Action::Leave(n),
        14..=16 => Action::Flush(n),
        17..=18 => Action::Save(n),
        19 => Action::Claim(n),
        20 => [Action::Claim, Action::Take][dice.below(2)](n),
        21 => Action::Use(n),
        22..=23 => Action::Forget(n),
        24 => Action::Reopen(n),
        25 => Action::Attend,
        26 if dice.below(4) == 0 => Action::Fragile(n),
        27 => Action::Pass(LEASE),
        28 => Action::Pass(LEASE / 2),
        _ => Action::Pass(1 + dice.below(300) as u64),
    }
}

fn random_program(seed: u64, steps: usize) -> (Setup, Vec<Action>) {
    let mut dice = Dice(seed);
    for _ in 0..8 {
        dice.below(2);
    }
    let setup = any_setup(&mut dice);
    let clients = setup.clients();
    // Honest clients do what honest clients do.
    let honest_from: usize = {
        let attackers = setup.users.iter().filter(|user| !user.1);
        attackers.map(|user| user.0).sum()
    };
    let mut actions = vec![];
    while actions.len() < steps {
        let action = any_action(&mut dice, clients);
        let is_attack = match action {
            Action::Try(n)
            | Action::Leave(n)
            | Action::Save(n)
            | Action::Claim(n)
            | Action::Take(n)
            | Action::Fragile(n)
            | Action::Reopen(n) => n >= honest_from,
            _ => false,
        };
        if !is_attack {
            actions.push(action);
        }
    }
    (setup, actions)
}

#[test]
fn g7_holds_in_random_interleavings_of_any_users() {
    let only = std::env::var("TPMRM_RANDOM_SEED").ok();
    let only: Option<u64> = only.map(|seed| seed.parse().expect("a number"));
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..programs().map_or(300, |n| n * 20),
    };
    let mut all = Seen::default();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let (setup, actions) = random_program(seed, 120);
        match catch_unwind(AssertUnwindSafe(|| play(&setup, &actions))) {
            Ok(seen) => all.add(seen),
            Err(_) => report(&setup, &actions, &format!("TPMRM_RANDOM_SEED={seed}")),
        }
    }
    println!("{count} random interleavings of 120 steps: {all:?}");
    assert!(only.is_some() || (all.losses > 100 && all.waits > 100));
}
