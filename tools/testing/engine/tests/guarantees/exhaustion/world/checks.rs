// SPDX-License-Identifier: GPL-2.0

//! What must be true after every step, and when all have calmed down.

use super::super::{LEASE, RESERVE};
use super::{bound, number, Before, Client, Wait, World};
use harness::clock::{now, pass_to};
use harness::command::Kind;
use harness::engine::{Moment, News};
use std::collections::BTreeMap;

impl World<'_> {
    /// How long the client can have to wait at most, if there is anything to be said about it.
    pub(super) fn bound(&self, n: usize, wait: &Wait) -> Option<u64> {
        let fair_to_all = self.setup.numbers / self.setup.users.len();
        // Who wants more than is fair gets it from his own, and of these others may take some when they come.
        let is_fair = wait.held + wait.j <= fair_to_all.max(1) || wait.newcomers == 0;
        // Who has lost numbers and not flushed them has fewer to choose from.
        let has_choice = self.rig.lost(self.clients[n].space()).is_empty();
        let given = if wait.has_given { LEASE } else { 0 };
        (is_fair && has_choice).then_some(
            given
                + bound(
                    self.setup.numbers,
                    wait.users,
                    wait.held,
                    wait.j,
                    wait.newcomers,
                ),
        )
    }

    /// Nobody of the same user who came before still waits.
    pub(super) fn in_order(&self, n: usize, wait: &Wait) {
        for other in self.clients.iter().filter(|c| c.is_honest) {
            if let Some(earlier) = &other.wait {
                assert!(
                    other.user != self.clients[n].user
                        || earlier.serial > wait.serial
                        || earlier.is_called,
                    "client {n} was served before one of the same user who came first"
                );
            }
        }
    }

    /// No honest client waits for longer than the bound.
    pub(super) fn in_time(&self) {
        for (n, client) in self.clients.iter().enumerate().filter(|(_, c)| c.is_honest) {
            if let Some(wait) = &client.wait {
                let (waited, bound) = (now().0 - wait.since, self.bound(n, wait));
                assert!(
                    wait.is_called || bound.is_none_or(|bound| waited <= bound),
                    "honest client {n} waits since {waited} ms, bound {bound:?} ms"
                );
            }
        }
    }

    /// Takes note of what the engine's call has changed, and checks that it was right.
    pub(super) fn observe(&mut self, before: &Before) {
        let mut taken: Vec<(usize, u64)> = vec![];
        // For whom it was: who was called, and who is here.
        let mut served: Vec<usize> = before
            .actor
            .map(|n| self.clients[n].user)
            .into_iter()
            .collect();
        for n in 0..self.clients.len() {
            let Some(space) = &self.clients[n].space else {
                continue;
            };
            let is_called = space.is_called();
            let lost = self.rig.lost(space);
            let news = space.news();
            let client = &mut self.clients[n];
            if news.contains(&News::Called) {
                served.push(client.user);
            }
            if let Some(wait) = &mut client.wait {
                wait.is_called = is_called;
                if news.contains(&News::Called) {
                    wait.kept = Some(now().0);
                }
            }
            if news.contains(&News::Closed) {
                assert!(client.is_fragile, "client {n} never chose that");
                let all = std::mem::take(&mut client.held);
                let is_lost = |held: &&(u32, u64)| lost.contains(&held.0);
                let (handle, since) = all.iter().find(is_lost).expect("it had what it lost");
                taken.push((before.starters[&number(*handle)], *since));
                client.is_closed = true;
                if !is_called {
                    client.wait = None;
                }
                continue;
            }
            let (gone, held) = std::mem::take(&mut client.held)
                .into_iter()
                .partition(|held| lost.contains(&held.0));
            client.held = held;
            let gone: Vec<(u32, u64)> = gone;
            for (handle, since) in gone {
                taken.push((before.starters[&number(handle)], since));
            }
        }
        let [_, _, in_tpm] = self.rig.contents();
        let in_tpm: Vec<u32> = in_tpm.into_iter().map(number).collect();
        self.files.retain(|file| {
            let is_same = |held: &(u32, u64)| number(held.0) == number(file.handle);
            let is_reused = self.clients.iter().any(|c| c.held.iter().any(is_same));
            let is_there = in_tpm.contains(&number(file.handle)) && !is_reused;
            if !is_there {
                taken.push((before.starters[&number(file.handle)], file.since));
            }
            is_there
        });
        // Who was not there before: each makes the share of the others smaller.
        let present = self.present();
        let arrived = (0..present.len()).filter(|user| present[*user] && !self.present[*user]);
        let arrived: Vec<usize> = arrived.collect();
        self.present = present;
        for client in &mut self.clients {
            let others = arrived.iter().filter(|user| **user != client.user).count();
            if let Some(wait) = &mut client.wait {
                wait.newcomers += others;
            }
        }
        self.losses_are_right(before, &taken, &served);
        self.books_are_right(&in_tpm);
        self.in_time();
    }

    /// Nobody loses within the lease, and nobody at or below the fair share loses to others.
    fn losses_are_right(&mut self, before: &Before, taken: &[(usize, u64)], served: &[usize]) {
        if taken.is_empty() {
            return;
        }
        self.seen.losses += taken.len();
        assert!(taken.len() <= 1, "{} were taken in one visit", taken.len());
        for (user, since) in taken {
            assert!(
                since + LEASE <= now().0,
                "user {user} lost a session of {} ms",
                now().0 - since
            );
            assert!(
                before.had[*user] > before.share || served.contains(user),
                "user {user} had {} of a fair {}, and lost one to others",
                before.had[*user],
                before.share
            );
        }
    }

    /// Every session in the TPM is known to be somebody's, once; there are no more than users may have.
    fn books_are_right(&self, in_tpm: &[u32]) {
        let mut owners: BTreeMap<u32, usize> = BTreeMap::new();
        let live = self.clients.iter().flat_map(|client| &client.held);
        for handle in live.map(|h| h.0).chain(self.files.iter().map(|f| f.handle)) {
            *owners.entry(number(handle)).or_default() += 1;
        }
        let known: Vec<u32> = owners.keys().copied().collect();
        assert_eq!(known, in_tpm, "what clients have, and what the TPM has");
        assert!(owners.values().all(|count| *count == 1), "{owners:?}");
        assert!(
            in_tpm.len() <= self.setup.numbers,
            "the kernel's reserve is taken: {} of {}",
            in_tpm.len(),
            self.setup.numbers
        );
    }

    /// Everybody comes when called, and nobody asks for more: after a lease all is fair.
    pub fn calm_down(&mut self) {
        let end = now().0 + LEASE;
        for step in 0.. {
            assert!(step < 5000, "it does not calm down");
            while let Some(n) = (0..self.clients.len()).find(|n| self.clients[*n].has_grant()) {
                self.retry(n);
            }
            match self.rig.alarm() {
                Some(at) if at.0 <= end => {
                    pass_to(at);
                    let before = self.before(None);
                    self.rig.attend();
                    self.observe(&before);
                }
                _ => break,
            }
        }
        pass_to(Moment(end));
        let users = 0..self.setup.users.len();
        let still_waits = |user: &usize| {
            let waits = |c: &Client<'_>| c.wait.as_ref().is_some_and(|w| !w.has_left);
            // Who has lost numbers and not flushed them, or must not take his own, has fewer to choose from.
            let has_choice = |c: &Client<'_>| !c.is_fragile && self.rig.lost(c.space()).is_empty();
            let mut own = self.clients.iter().filter(|c| c.user == *user);
            own.any(|c| waits(c) && has_choice(c))
        };
        for poor in users.clone().filter(still_waits) {
            for rich in users.clone() {
                assert!(
                    self.held(rich) <= self.held(poor) + 1,
                    "user {poor} waits and has {}, user {rich} has {}",
                    self.held(poor),
                    self.held(rich)
                );
            }
        }
    }

    /// All descriptors close: what is left is in files.
    pub fn end(mut self) {
        for client in &mut self.clients {
            self.rig.close(client.space.take().expect("it is open"));
        }
        assert_eq!(self.rig.alarm(), None, "nobody waits any more");
        let [objects, loaded, saved] = self.rig.contents();
        assert_eq!((objects, loaded), (vec![], vec![]));
        let mut files: Vec<u32> = self.files.iter().map(|f| number(f.handle)).collect();
        files.sort_unstable();
        assert_eq!(saved.into_iter().map(number).collect::<Vec<_>>(), files);
        let kernel: Vec<u32> = (0..RESERVE)
            .map(|_| {
                self.rig
                    .raw()
                    .start(Kind::Hmac)
                    .expect("the kernel's")
                    .handle
            })
            .collect();
        for handle in kernel {
            self.rig.raw().flush(handle).unwrap();
        }
    }
}
