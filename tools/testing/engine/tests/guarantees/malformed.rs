// SPDX-License-Identifier: GPL-2.0

//! Malformed commands get the response code that a plain TPM gives, and harm nothing.
//!
//! The engine's caller has made the header's size field the length of the message, and at least 10.

use harness::client::{storage_template, Client, Failure, Object, Outcome};
use harness::command::{header, Command, Kind, Session, CONTINUE, EMPTY};
use harness::rig::{rc, Rig, Space, ALICE, BOB};
use harness::tpm::{alg, cap, cc, rc, rh, NO_SESSIONS, SESSIONS};
use harness::wire::{response_code, su, Put};

/// Commands that are right, for a TPM that holds this object and this policy session.
fn seeds(object: &Object, session: &Session) -> Vec<(&'static str, Vec<u8>)> {
    let sensitive = vec![].sized(&vec![].sized(b"").sized(b""));
    vec![
        (
            "GetRandom",
            Command::new(cc::GET_RANDOM).params(vec![].u16(8)).bytes(),
        ),
        (
            "GetCapability",
            Command::new(cc::GET_CAPABILITY)
                .params(vec![].u32(cap::ALGS).u32(0).u32(1))
                .bytes(),
        ),
        (
            "CreatePrimary",
            Command::new(cc::CREATE_PRIMARY)
                .handle(rh::OWNER)
                .auth(EMPTY)
                .params(sensitive.sized(&storage_template()).sized(b"").u32(0))
                .bytes(),
        ),
        (
            "HMAC",
            Command::new(cc::HMAC)
                .named(object.handle, &object.name)
                .auth(EMPTY)
                .params(vec![].sized(b"data").u16(alg::SHA256))
                .bytes(),
        ),
        (
            "ReadPublic",
            Command::new(cc::READ_PUBLIC).handle(object.handle).bytes(),
        ),
        (
            "PolicyCommandCode",
            Command::new(cc::POLICY_COMMAND_CODE)
                .handle(session.handle)
                .params(vec![].u32(cc::SIGN))
                .bytes(),
        ),
        (
            "PCR_Read",
            Command::new(cc::PCR_READ)
                .params(vec![].u32(1).u16(alg::SHA256).u8(3).bytes(&[1, 0, 0]))
                .bytes(),
        ),
        (
            "StartAuthSession",
            Command::new(cc::START_AUTH_SESSION)
                .handle(rh::NULL)
                .handle(rh::NULL)
                .params(
                    vec![]
                        .sized(&[1; 16])
                        .sized(b"")
                        .u8(3)
                        .u16(alg::NULL)
                        .u16(alg::SHA256),
                )
                .bytes(),
        ),
    ]
}

/// The same bytes under a header that fits them.
fn resized(command: &[u8]) -> Vec<u8> {
    let mut command = command.to_vec();
    let size = su(command.len()).to_be_bytes();
    command[2..6].copy_from_slice(&size);
    command
}

/// A space and a plain user of the same TPM who hold the same things.
struct Pair<'r> {
    rig: &'r Rig,
    ours: (Space<'r>, Object, Session),
    plain: (Client<'r>, Object, Session),
}

impl<'r> Pair<'r> {
    fn new(rig: &'r Rig) -> Self {
        let (a, raw) = (rig.open(ALICE), rig.raw());
        let ours = (a.mac_key(b"key").unwrap(), a.start(Kind::Policy).unwrap());
        let plain = (
            raw.mac_key(b"key").unwrap(),
            raw.start(Kind::Policy).unwrap(),
        );
        Self {
            rig,
            ours: (a, ours.0, ours.1),
            plain: (raw, plain.0, plain.1),
        }
    }

    /// Sends what `spoil` makes of each seed to both; compares the response codes.
    fn compare(&self, what: &str, spoil: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        let (a, object, session) = &self.ours;
        let (raw, raw_object, raw_session) = &self.plain;
        let ours = seeds(object, session);
        let plain = seeds(raw_object, raw_session);
        for ((name, ours), (_, plain)) in ours.iter().zip(&plain) {
            let (Some(ours), Some(plain)) = (spoil(ours), spoil(plain)) else {
                continue;
            };
            let expected = raw.bytes(&plain).unwrap();
            if response_code(&expected) == 0 {
                self.tidy(raw, &expected, name);
            }
            let got = a.bytes(&ours);
            if let Ok(response) = &got {
                assert_eq!(response[2..6], su(response.len()).to_be_bytes());
                if response_code(response) == 0 {
                    self.tidy(a, response, name);
                }
            }
            assert_eq!(
                got.map(|response| response_code(&response)),
                Ok(response_code(&expected)),
                "{name}, {what}: code or errno"
            );
        }
        a.assert_mac_key(object, b"key");
        a.policy_restart(session.handle).unwrap();
        raw.policy_restart(raw_session.handle).unwrap();
        assert_eq!(
            self.rig.listed(rh::TRANSIENT),
            [raw_object.handle],
            "{what}"
        );
    }

    /// Flushes what a seed that was not spoilt after all has made.
    fn tidy(&self, client: &Client<'_>, response: &[u8], name: &str) {
        if matches!(name, "CreatePrimary" | "StartAuthSession") {
            let handle = u32::from_be_bytes(response[10..14].try_into().unwrap());
            client.flush(handle).unwrap();
        }
    }
}

#[test]
fn g10_a_wrong_tag_gets_the_tpms_answer() {
    let rig = Rig::new();
    let pair = Pair::new(&rig);
    for tag in [
        0u16,
        1,
        0x00c1,
        0x00c4,
        0x8000,
        NO_SESSIONS,
        SESSIONS,
        0x8003,
        0xffff,
    ] {
        pair.compare(&format!("tag {tag:#x}"), |command| {
            let mut command = command.to_vec();
            command[..2].copy_from_slice(&tag.to_be_bytes());
            Some(command)
        });
    }
}

#[test]
fn g10_a_command_cut_anywhere_gets_the_tpms_answer() {
    let rig = Rig::new();
    let pair = Pair::new(&rig);
    for size in 10..130 {
        pair.compare(&format!("cut to {size}"), |command| {
            command.get(..size).map(resized)
        });
    }
}

#[test]
fn g10_a_command_with_more_behind_it_gets_the_tpms_answer() {
    let rig = Rig::new();
    let pair = Pair::new(&rig);
    for more in [1, 2, 3, 4, 8, 100, 3000] {
        for byte in [0, 0xff] {
            pair.compare(&format!("{more} more"), |command| {
                Some(resized(&command.to_vec().bytes(&vec![byte; more])))
            });
        }
    }
}

#[test]
fn g10_a_wrong_size_of_the_authorization_area_gets_the_tpms_answer() {
    let rig = Rig::new();
    let pair = Pair::new(&rig);
    let sizes = (0..24).chain([
        27,
        36,
        100,
        0xffff,
        0x1_0000,
        0x7fff_ffff,
        0xffff_fff7,
        u32::MAX,
    ]);
    for size in sizes {
        pair.compare(&format!("area of {size:#x}"), |command| {
            if command[..2] != SESSIONS.to_be_bytes() {
                return None;
            }
            let mut command = command.to_vec();
            command[14..18].copy_from_slice(&size.to_be_bytes());
            Some(command)
        });
    }
}

#[test]
fn g10_a_wrong_authorization_gets_the_tpms_answer() {
    let rig = Rig::new();
    let pair = Pair::new(&rig);
    let password = |nonce: &[u8], attributes: u8, value: &[u8]| {
        vec![].u32(rh::PW).sized(nonce).u8(attributes).sized(value)
    };
    let plain = password(b"", CONTINUE, b"");
    let areas = [
        plain.clone().bytes(&plain),
        plain.clone().bytes(&plain).bytes(&plain),
        plain.clone().bytes(&plain).bytes(&plain).bytes(&plain),
        plain.clone().u8(0),
        password(b"nonce", CONTINUE, b""),
        password(b"", 0, b""),
        password(b"", 0xff, b""),
        password(b"", 0x60, b""),
        password(b"", CONTINUE, b"wrong"),
        password(b"", CONTINUE, &[1; 32]),
        password(b"", CONTINUE, &[1; 33]),
        password(b"", CONTINUE, &[1; 65]),
        password(&[1; 65], CONTINUE, b""),
        vec![].u32(rh::PW).u16(0xffff).u8(1).u16(0),
        vec![].u32(rh::PW).u16(0).u8(1).u16(0xffff),
        vec![].u32(rh::NULL).u16(0).u8(1).u16(0),
        vec![].u32(rh::OWNER).u16(0).u8(1).u16(0),
        vec![].u32(0).u16(0).u8(1).u16(0),
        vec![].u32(rh::TRANSIENT).u16(0).u8(1).u16(0),
        vec![].u32(u32::MAX).u16(0).u8(1).u16(0),
    ];
    for (n, area) in areas.iter().enumerate() {
        pair.compare(&format!("area {n}: {area:02x?}"), |command| {
            if command[..2] != SESSIONS.to_be_bytes() {
                return None;
            }
            Some(resized(
                &command[..14]
                    .to_vec()
                    .sized_area(area)
                    .bytes(&command[27..]),
            ))
        });
    }
}

trait SizedArea {
    /// An authorization area with its size in four bytes before it.
    fn sized_area(self, area: &[u8]) -> Self;
}

impl SizedArea for Vec<u8> {
    fn sized_area(self, area: &[u8]) -> Self {
        self.u32(su(area.len())).bytes(area)
    }
}

#[test]
fn g10_every_command_without_its_body_gets_the_tpms_answer() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let key = a.mac_key(b"key").unwrap();
    for code in (0x11f..=0x1a5).filter(|code| !stateful(*code)) {
        for tag in [NO_SESSIONS, SESSIONS] {
            for body in [&[][..], &[0], &[0x40, 0, 0, 7], &[0; 8], &[0xff; 3]] {
                let command = header(tag, code, body);
                let expected = response_code(&raw.bytes(&command).unwrap());
                let got = a.bytes(&command).map(|response| response_code(&response));
                if expected == rc::COMMAND_CODE {
                    assert_eq!(got, Ok(rc::UNIMPLEMENTED), "{code:#x}");
                } else {
                    assert_eq!(got, Ok(expected), "{code:#x}, tag {tag:#x}, {body:02x?}");
                }
            }
        }
    }
    a.assert_mac_key(&key, b"key");
}

/// Commands that change the TPM even without a body.
fn stateful(code: u32) -> bool {
    // Startup, Shutdown, SelfTest and IncrementalSelfTest, GetTestResult.
    matches!(code, 0x142..=0x145 | 0x17c)
}

#[test]
fn g10_an_unimplemented_command_is_answered_in_the_resource_managers_layer() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    for code in [
        0,
        1,
        0x11e,
        0x1ff,
        cc::NOBODYS,
        0x8000_017b,
        0x0001_017b,
        u32::MAX,
    ] {
        for tag in [NO_SESSIONS, SESSIONS] {
            let (response, sent) = rig.sent(|| a.bytes(&header(tag, code, &[0; 8])).unwrap());
            assert_eq!(
                response,
                harness::wire::answer(rc::UNIMPLEMENTED),
                "{code:#x}"
            );
            assert!(sent.is_empty());
        }
    }
}

#[test]
fn g3_an_unknown_object_in_a_malformed_command_harms_nothing() {
    let rig = Rig::new();
    let a = rig.open(ALICE);
    let key = a.mac_key(b"key").unwrap();
    let command = Command::new(cc::HMAC)
        .handle(0x8000_7777)
        .auth(EMPTY)
        .params(vec![].sized(b"data").u16(alg::SHA256))
        .bytes();
    for size in 10..=command.len() {
        let outcome = a.send(&resized(&command[..size]));
        assert!(outcome.is_err(), "{size}");
        if size >= 14 {
            // Whichever is noticed first; the TPM has no say.
            assert!(matches!(outcome, Err(Failure::Errno(22) | Failure::Rc(_))));
        }
    }
    a.assert_mac_key(&key, b"key");
}

/// Numbers without much of a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn g4_spoilt_commands_of_one_space_never_reach_another() {
    let rig = Rig::new();
    let (a, b) = (rig.open(ALICE), rig.open(BOB));
    let key = b.mac_key(b"key").unwrap();
    let mut session = b.start(Kind::Hmac).unwrap();
    let mut dice = Dice(1);
    for round in 0..3000 {
        let object = a.mac_key(b"victim");
        let policy = a.start(Kind::Policy);
        let (Ok(object), Ok(policy)) = (object, policy) else {
            panic!("round {round}: the space is of no use any more");
        };
        let mut seeds = seeds(&object, &policy);
        for (code, handle) in [
            (cc::FLUSH_CONTEXT, object.handle),
            (cc::CONTEXT_SAVE, policy.handle),
            (cc::CONTEXT_SAVE, object.handle),
        ] {
            seeds.push(("context", header(NO_SESSIONS, code, &handle.to_be_bytes())));
        }
        let (_, seed) = &seeds[dice.below(seeds.len())];
        let mut command = seed.clone();
        // The command code stays: a command that may change the TPM would be right to do so.
        for _ in 0..=dice.below(3) {
            let at = match dice.below(command.len()) {
                at @ 2..=9 => at % 2,
                at => at,
            };
            command[at] = match dice.below(3) {
                0 => 0xff,
                1 => 0,
                _ => command[at] ^ (1 << dice.below(8)),
            };
        }
        let _ = a.bytes(&command);
        let _ = a.flush(object.handle);
        let _ = a.flush(policy.handle);
        for handle in a.handles(rh::TRANSIENT, 100).unwrap().1 {
            a.flush(handle).unwrap();
        }
        for first in [rh::LOADED_SESSION, rh::SAVED_SESSION] {
            for handle in a.handles(first, 100).unwrap().1 {
                a.flush(handle).unwrap();
            }
        }
        if round % 10 == 0 {
            b.assert_mac_key(&key, b"key");
            b.mac_with(&key, session.auth(b""), b"data").unwrap();
        }
    }
    rig.assert_leave([a, b]);
}

#[test]
fn g3_an_error_of_the_tpm_reaches_the_client_unchanged() {
    let rig = Rig::new();
    let (a, raw) = (rig.open(ALICE), rig.raw());
    let same = |what: &dyn Fn(&Client<'_>) -> Outcome| {
        assert_eq!(rc(what(&a)), rc(what(&raw)));
    };
    same(&|tpm| {
        let public = vec![].u16(0x99);
        tpm.primary_with(rh::OWNER, &public, b"").map(drop)
    });
    same(&|tpm| tpm.primary(0x4000_0099).map(drop));
    same(&|tpm| tpm.read_public(rh::PERSISTENT + 99).map(drop));
    same(&|tpm| tpm.capability(0x77, 0, 1).map(drop));
}
