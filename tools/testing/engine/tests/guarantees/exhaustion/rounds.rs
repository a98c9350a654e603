// SPDX-License-Identifier: GPL-2.0

//! G7 on a real TPM: one user hogs with 40 descriptors of three sessions each, another one spins in 50 threads,
//! and 20 clients of a third each get a session within the bound, again and again.

use super::world::bound;
use super::{rounds, LEASE};
use harness::client::{Failure, Start};
use harness::clock::{now, pass_to};
use harness::command::Kind;
use harness::rig::{Rig, Space, ALICE, BOB, CAROL};

/// What libtpms has, without the kernel's.
const NUMBERS: usize = 62;
const CLIENTS: usize = 20;

/// How long a TPM command takes here.
const TICK: u64 = 1;

/// How many TPM commands one session costs at most, from its victim's end to its own saving: the census, the
/// flush of the victim, the start, the saving, what is saved again for the context gap; and each number that
/// its space has lost and not flushed is started, saved and flushed.
const COMMANDS: usize = 10;
const PER_LOST: usize = 4;

/// G7: the rest of the bound. Of each user as many as `j` are served before the `j`-th of one.
fn service(users: usize, j: usize, lost: usize) -> u64 {
    let commands = users * j * (COMMANDS + PER_LOST * lost);
    u64::try_from(commands).unwrap() * TICK
}

/// One thread of a program.
struct Thread<'r> {
    space: Space<'r>,
    start: Option<(Start<'static>, u64)>,
    held: Vec<u32>,
    /// How many it wants.
    wants: usize,
    /// Whether it flushes what it has lost.
    is_tidy: bool,
}

impl<'r> Thread<'r> {
    fn new(rig: &'r Rig, user: u32, wants: usize, is_tidy: bool) -> Self {
        Self {
            space: rig.open(user),
            start: None,
            held: vec![],
            wants,
            is_tidy,
        }
    }

    /// Sends what it has to send; how long it has waited if it got a session.
    fn step(&mut self, rig: &Rig) -> Option<u64> {
        let lost = rig.lost(&self.space);
        self.held.retain(|handle| !lost.contains(handle));
        if self.start.is_none() && self.is_tidy {
            for handle in lost {
                self.space.flush(handle).unwrap();
            }
        }
        if self.start.is_none() && self.held.len() < self.wants {
            self.start = Some((self.space.starting(Kind::Hmac), now().0));
        }
        let (mut start, since) = self.start.take()?;
        match start.send(&self.space) {
            Ok(session) => {
                self.held.push(session.handle);
                Some(now().0 - since)
            }
            Err(Failure::Waits) => {
                self.start = Some((start, since));
                None
            }
            Err(failure) => {
                assert_ne!(self.space.user(), CAROL, "refused: {failure:?}");
                None
            }
        }
    }

    fn can_go(&self) -> bool {
        self.space.is_called() || (self.start.is_none() && self.held.len() < self.wants)
    }
}

/// Plays it; how many sessions the third user's clients got, and the longest wait.
fn play(rounds: usize, is_tidy: bool) -> (usize, u64) {
    let rig = Rig::new();
    rig.chip.borrow_mut().tick = TICK;
    let mut others: Vec<_> = (0..40).map(|_| Thread::new(&rig, ALICE, 3, true)).collect();
    // Whoever spins wants as many as he can get.
    others.extend((0..50).map(|_| Thread::new(&rig, BOB, usize::MAX, is_tidy)));
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| Thread::new(&rig, CAROL, 0, true))
        .collect();
    let (mut got, mut longest) = (0, 0);
    for _ in 0..rounds {
        for client in &mut clients {
            client.wants = 1;
        }
        let mut left = CLIENTS;
        while left > 0 {
            let mut has_done = false;
            for client in clients.iter_mut().filter(|c| c.can_go() && c.wants > 0) {
                has_done = true;
                if let Some(waited) = client.step(&rig) {
                    longest = longest.max(waited);
                    got += 1;
                    left -= 1;
                    client.wants = 0;
                }
            }
            // Each of the others has its turn between the timer's.
            for other in others.iter_mut().filter(|other| other.can_go()) {
                has_done = true;
                other.step(&rig);
            }
            match rig.alarm() {
                Some(at) if at <= now() => rig.attend(),
                Some(at) if !has_done => {
                    pass_to(at);
                    rig.attend();
                }
                _ => {}
            }
        }
        for client in &mut clients {
            let handle = client.held.pop().expect("it got one");
            client
                .space
                .flush(handle)
                .expect("nobody takes what is fair");
        }
        let log = &mut rig.chip.borrow_mut().log;
        log.clear();
    }
    (got, longest)
}

#[test]
fn g7_twenty_clients_beside_a_hog_and_a_spinner_get_their_sessions_in_time() {
    for (is_tidy, lost) in [(true, 0), (false, NUMBERS)] {
        let count = rounds(1000);
        let (got, longest) = play(count, is_tidy);
        let most = bound(NUMBERS, 3, 0, CLIENTS, 0) + service(3, CLIENTS, lost);
        println!("{count} rounds: {got} sessions, at most {longest} ms of {most} ms");
        assert_eq!(got, count * CLIENTS);
        assert!(longest <= most, "{longest} ms, bound {most} ms");
    }
    assert_eq!(bound(NUMBERS, 3, 0, CLIENTS, 0), LEASE);
}
