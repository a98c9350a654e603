// SPDX-License-Identifier: GPL-2.0

//! Who is there and what they can do, and how long one of them can have to wait.

use super::super::{DEFAULT, LEASE, RESERVE};
use harness::engine::{Span, Terms};
use harness::fake::{Fake, Model, Numbers};
use harness::rig::Rig;

/// What one client, or time, does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks for a session.
    Ask(usize),
    /// Asks again, called or not.
    Try(usize),
    /// A signal ends its wait.
    Leave(usize),
    /// Flushes its oldest session.
    Flush(usize),
    /// Saves its oldest session, which is then any of its user's.
    Save(usize),
    /// Claims what was saved first.
    Claim(usize),
    /// The same, of another user who gave it the context.
    Take(usize),
    /// Uses its oldest session.
    Use(usize),
    /// Flushes what it has lost.
    Forget(usize),
    /// Closes its descriptor, and opens another.
    Reopen(usize),
    /// Chooses to lose all with one.
    Fragile(usize),
    /// The timer.
    Attend,
    /// Time.
    Pass(u64),
}

/// Who is there.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many session numbers users can have.
    pub numbers: usize,
    pub order: Numbers,
    pub wait: u64,
    /// How many more than what is fair to all an honest user asks for.
    pub greed: usize,
    /// For each user how many spaces it has, and whether it is honest.
    pub users: Vec<(usize, bool)>,
}

impl Setup {
    /// The rig on which it is played.
    pub fn rig(&self) -> Rig<Fake> {
        let rig = Rig::over(
            Fake::new(Model {
                active_sessions: self.numbers + RESERVE,
                numbers: self.order,
                ..Model::default()
            }),
            Default::default(),
        );
        rig.set_terms(Terms {
            wait: Span(self.wait),
            ..DEFAULT
        });
        rig.check_empty.set(true);
        rig
    }

    /// How many spaces there are.
    pub fn clients(&self) -> usize {
        self.users.iter().map(|user| user.0).sum()
    }
}

/// G7: how long the `j`-th waiting client of a user can have to wait, when there are so many numbers, and so many
/// users who have or want some; the user has `held` already, and so many other users come while it waits.
///
/// Time stands still while commands are executed, so that the rest of the bound, which is how long the TPM
/// takes for what is done before, is nothing here; `rounds.rs` has it.
pub fn bound(numbers: usize, users: usize, held: usize, j: usize, newcomers: usize) -> u64 {
    let share = (numbers / users).div_ceil(newcomers + 1);
    let leases = if share == 0 && held + j == 1 {
        // More users than numbers: whoever comes later is behind.
        users.div_ceil(numbers)
    } else if share == 0 {
        j * (users + newcomers).div_ceil(numbers)
    } else if newcomers == 0 || held + j <= share {
        j.div_ceil(share)
    } else {
        // Nobody knows, when he takes what is fair, that one more will come.
        j.div_ceil(share) + 1
    };
    u64::try_from(leases).unwrap() * LEASE
}
