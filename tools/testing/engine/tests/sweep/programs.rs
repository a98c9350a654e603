// SPDX-License-Identifier: GPL-2.0

//! The programs: every way in which the driver comes to use the TPM.

use crate::world::Who::{Again, Alice, Bob, Carol};
use crate::world::World;
use harness::fake::Model;

/// How long what is loaded stays, where it does.
pub const IDLE: u64 = 1000;

/// So many session numbers are left to others.
const SPARE: usize = 2;

/// What clients do.
pub struct Program {
    pub name: &'static str,
    /// What the TPM is like, if it has to be like something.
    pub shape: fn(Model) -> Model,
    /// How many session numbers others may take.
    pub spare: usize,
    pub run: fn(&mut World<'_>),
}

const fn on_any(name: &'static str, run: fn(&mut World<'_>)) -> Program {
    Program {
        name,
        shape: |model| model,
        spare: SPARE,
        run,
    }
}

/// Somebody who has one of everything, and must not notice.
fn bystander(w: &mut World<'_>) {
    w.open(Bob);
    w.key(Bob, "bob's");
    w.sequence(Bob, "bob's sequence");
    w.policy(Bob, "bob's policy");
    w.extend(Bob, "bob's policy");
}

pub const PROGRAMS: &[Program] = &[
    on_any("objects beyond the slots", |w| {
        w.open(Alice);
        let keys = ["1", "2", "3", "4", "5", "6", "7", "8"];
        for key in keys {
            w.key(Alice, key);
        }
        for key in keys {
            w.uses(Alice, key);
        }
        w.flush(Alice, "2");
        w.copy_key(Alice, "3", "copy");
        w.uses(Alice, "copy");
        w.list(Alice);
    }),
    on_any("sequences beside a key", |w| {
        bystander(w);
        w.open(Alice);
        for name in ["s1", "s2", "s3"] {
            w.sequence(Alice, name);
        }
        for name in ["s1", "bob's", "s2", "s3", "s1"] {
            w.uses(Alice, name);
            w.uses(Bob, name);
        }
        w.complete(Alice, "s1");
        w.complete(Bob, "bob's sequence");
        w.flush(Alice, "s2");
        w.uses(Alice, "s3");
    }),
    on_any("sessions that authorize", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        for name in ["h1", "h2", "h3", "h4"] {
            w.hmac(Alice, name);
        }
        for name in ["h1", "h2", "h3", "h4", "h1"] {
            w.uses(Alice, name);
            w.read_with(Alice, "key", name);
        }
        w.ends(Alice, "h1");
        w.flush(Alice, "h2");
        w.uses(Alice, "h3");
        w.uses(Bob, "bob's policy");
    }),
    on_any("policies", |w| {
        w.open(Alice);
        w.open(Again);
        for (who, name) in [(Alice, "p1"), (Again, "p2"), (Alice, "p3"), (Again, "p4")] {
            w.policy(who, name);
            w.extend(who, name);
        }
        w.extend(Alice, "p1");
        for (who, name) in [(Alice, "p1"), (Again, "p2"), (Alice, "p3"), (Again, "p4")] {
            w.uses(who, name);
        }
        w.flush(Again, "p2");
        w.close(Again);
        w.uses(Alice, "p1");
    }),
    on_any("sessions in files", |w| {
        bystander(w);
        w.open(Alice);
        w.policy(Alice, "p");
        w.extend(Alice, "p");
        w.hmac(Alice, "h");
        w.uses(Alice, "h");
        w.save(Alice, "p", "p.ctx");
        w.save(Alice, "h", "h.ctx");
        w.close(Alice);
        w.open(Again);
        w.restore(Again, "p.ctx");
        w.uses(Again, "p");
        w.restore(Again, "h.ctx");
        // What was only claimed has to get another context.
        w.save(Again, "h", "h2.ctx");
        w.extend(Again, "p");
        w.save(Again, "p", "p2.ctx");
        w.restore(Again, "h2.ctx");
        w.uses(Again, "h");
        w.flush(Again, "h");
        w.uses(Bob, "bob's policy");
    }),
    Program {
        name: "a gap that closes",
        shape: |model| Model {
            gap: model.gap.min(12),
            ..model
        },
        spare: SPARE,
        run: |w| {
            w.open(Alice);
            w.open(Bob);
            w.policy(Bob, "idle");
            w.extend(Bob, "idle");
            w.policy(Bob, "saved");
            w.save(Bob, "saved", "saved.ctx");
            w.hmac(Bob, "idle too");
            for _ in 0..2 {
                for name in ["b1", "b2", "b3", "b4"] {
                    if w.find(Alice, name).is_none() {
                        w.policy(Alice, name);
                    }
                    w.extend(Alice, name);
                }
            }
            w.others_come();
            w.gap_closes();
            w.uses(Alice, "b1");
            w.uses(Alice, "b2");
            w.uses(Bob, "idle too");
            w.restore(Bob, "saved.ctx");
            w.uses(Bob, "saved");
        },
    },
    on_any("questions", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        w.hmac(Alice, "h");
        w.list(Alice);
        w.list(Bob);
        w.ask(Alice, "h");
        w.random(Alice);
        w.uses(Bob, "bob's sequence");
        w.ask(Alice, "h");
        w.uses(Alice, "key");
    }),
    on_any("Clear", |w| {
        bystander(w);
        w.open(Alice);
        w.owners_key(Alice, "owner's");
        w.owners_key(Bob, "bob's owner's");
        w.key(Alice, "key");
        w.hmac(Alice, "h");
        w.uses(Alice, "owner's");
        w.clear(Alice);
        w.uses(Alice, "key");
        w.owners_key(Alice, "new owner's");
        w.uses(Bob, "bob's sequence");
        w.uses(Alice, "new owner's");
        w.uses(Alice, "h");
        w.flush(Alice, "owner's");
    }),
    on_any("closing with everything", |w| {
        bystander(w);
        for who in [Alice, Again] {
            w.open(who);
            w.key(who, "key");
            w.sequence(who, "sequence");
            w.policy(who, "policy");
            w.hmac(who, "hmac");
            w.uses(who, "key");
        }
        w.close(Alice);
        w.uses(Again, "hmac");
        w.close(Again);
        w.uses(Bob, "bob's");
        w.uses(Bob, "bob's policy");
    }),
    on_any("others between commands", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        w.sequence(Alice, "sequence");
        w.hmac(Alice, "h");
        w.others_come();
        w.uses(Alice, "key");
        w.uses(Alice, "sequence");
        w.uses(Alice, "h");
        w.uses(Bob, "bob's sequence");
        w.others_come();
        w.complete(Alice, "sequence");
        w.uses(Alice, "h");
    }),
    on_any("nobody for a while", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        w.sequence(Alice, "sequence");
        w.hmac(Alice, "h");
        w.pass(IDLE);
        w.pass(IDLE);
        w.uses(Alice, "sequence");
        w.uses(Alice, "h");
        w.pass(IDLE);
        w.uses(Bob, "bob's");
    }),
    on_any("sleep", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        w.sequence(Alice, "sequence");
        w.hmac(Alice, "h");
        w.uses(Alice, "h");
        w.suspend();
        w.uses(Alice, "key");
        w.uses(Alice, "sequence");
        w.uses(Alice, "h");
        w.uses(Bob, "bob's sequence");
        w.suspend();
        w.uses(Bob, "bob's policy");
    }),
    on_any("a reset that nobody announces", |w| {
        bystander(w);
        w.open(Alice);
        w.key(Alice, "key");
        w.sequence(Alice, "sequence");
        w.hmac(Alice, "h");
        w.policy(Alice, "p");
        w.save(Alice, "p", "p.ctx");
        w.reset();
        w.open(Carol);
        w.policy(Carol, "carol's policy");
        w.extend(Carol, "carol's policy");
        w.key(Carol, "carol's");
        w.uses(Alice, "key");
        w.uses(Alice, "sequence");
        w.uses(Alice, "h");
        w.restore(Alice, "p.ctx");
        w.uses(Carol, "carol's policy");
        w.uses(Bob, "bob's policy");
        w.hmac(Alice, "another");
        w.uses(Alice, "another");
        w.uses(Carol, "carol's");
    }),
    #[cfg(feature = "exhaustion")]
    Program {
        name: "a number that has to be taken",
        shape: crate::exhaustion::few,
        spare: 0,
        run: crate::exhaustion::taking,
    },
    #[cfg(feature = "exhaustion")]
    Program {
        name: "numbers that were lost",
        shape: crate::exhaustion::few,
        spare: 0,
        run: crate::exhaustion::losing,
    },
];
