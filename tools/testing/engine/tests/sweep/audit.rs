// SPDX-License-Identifier: GPL-2.0

//! What must be true when a program has ended, and nothing goes wrong any more.

use crate::trouble::is_loss;
use crate::world::{leave, Kind, State, Who, World};
use harness::engine::Neighbours;
use harness::tpm::{cc, rh};

/// In this time, what is left to do is tried again, in milliseconds.
const CHORES: u64 = 2_100_000;

impl World<'_> {
    /// Looks at everything, closes everything, and looks again.
    pub fn audit(mut self) {
        self.calm();
        // What had to be left behind goes with any command (G8), also what is noticed when others come.
        for _ in 0..2 {
            for who in Who::ALL {
                self.random(who);
            }
            self.others_come();
        }
        self.check_vacant();
        for n in 0..self.things.len() {
            self.check_thing(n);
        }
        for who in Who::ALL {
            self.list(who);
        }
        self.check_files();
        for who in Who::ALL {
            self.close(who);
        }
        self.check_nothing();
    }

    /// Others find the TPM empty (G9).
    fn check_vacant(&mut self) {
        let [mut objects, mut sessions] = self.rig.loaded();
        let others = self.others.borrow();
        objects.retain(|handle| !others.objects.contains(handle));
        sessions.retain(|handle| !others.sessions.contains(handle));
        if self.has_misnamed() {
            // Nobody missed it, and so nobody looked for it.
            let handle = objects.pop().or_else(|| sessions.pop());
            let mut chip = self.rig.chip.borrow_mut();
            handle.map(|handle| chip.device.flush(handle).expect("it is loaded"));
        }
        assert_eq!((objects, sessions), (vec![], vec![]), "G9: left loaded");
    }

    /// A thing works, or is refused by name if it may be gone; what was refused stays refused, and the TPM
    /// does not hear of it (G5, G6).
    fn check_thing(&mut self, n: usize) {
        let thing = self.things[n].clone();
        if self.seats[thing.who as usize].is_none() || thing.state == State::Gone {
            return;
        }
        let before = self.rig.chip.borrow().log.len();
        let used = match thing.kind {
            Kind::Sequence(_) => self.complete_thing(n),
            _ => self.use_thing(n),
        };
        let Err(mishap) = used else {
            let is_lost = thing.state == State::Lost && !self.may_be_anothers(&thing);
            assert!(!is_lost, "G5: {} is back {}", thing.name, self.told(before));
            return;
        };
        if !is_loss(mishap.failure) {
            return;
        }
        let before = self.rig.chip.borrow().log.len();
        let again = match thing.kind {
            Kind::Sequence(_) => self.complete_thing(n),
            _ => self.use_thing(n),
        };
        let refused = matches!(again, Err(mishap) if is_loss(mishap.failure));
        let code = match thing.kind {
            Kind::Key(_) | Kind::OwnersKey(_) => cc::READ_PUBLIC,
            Kind::Policy(_) => cc::POLICY_GET_DIGEST,
            Kind::Hmac(_) => cc::GET_RANDOM,
            Kind::Sequence(_) => cc::SEQUENCE_COMPLETE,
        };
        assert!(refused, "G5: {} is back", thing.name);
        let chip = self.rig.chip.borrow();
        let heard = chip.log[before..].iter().any(|sent| sent.code() == code);
        assert!(!heard, "G6: {} {}", thing.name, self.told(before));
    }

    /// A context in a file is as good as it was.
    fn check_files(&mut self) {
        while let Some(file) = self.files.first() {
            let who = file.thing.who;
            if self.seats[who as usize].is_none() {
                self.sit(who).expect("there is memory");
            }
            if self.restore_file(who, 0).is_ok() {
                self.check_thing(self.things.len() - 1);
            } else {
                // Whatever is left of it is its user's to flush, below.
                self.files.retain(|file| file.thing.who != who);
            }
        }
    }

    /// Nothing is left of anybody (G8), but what is others'.
    fn check_nothing(mut self) {
        for who in Who::ALL {
            self.sit(who).expect("there is memory");
            let client = &self.seat(who).client;
            client.random().expect("G3: the TPM works");
            for handle in client.handles(rh::SAVED_SESSION, 100).expect("a list").1 {
                client.flush(handle).expect("it is his");
            }
            client.random().expect("G3: the TPM works");
            self.rise(who);
        }
        {
            let mut chip = self.rig.chip.borrow_mut();
            leave(&mut chip.device, &self.others);
            chip.neighbours = Neighbours::Absent;
        }
        self.rig.assert_nothing();
        // What was put off because of them is done when they have gone.
        self.rig.pass(CHORES);
        assert_eq!(self.rig.alarm(), None, "nobody waits for anything");
    }
}
