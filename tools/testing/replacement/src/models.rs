// SPDX-License-Identifier: GPL-2.0

//! Traces of stated models: what the programs do is written down here, and their order is in turn, or
//! drawn by fixed dice.

use crate::trace::{Event, Id, Kind, Trace, What};

/// A trace in the making.
#[derive(Default)]
pub struct Script {
    events: Vec<Event>,
    ids: u32,
    spaces: u32,
    dice: u64,
}

impl Script {
    fn id(&mut self, kind: Kind) -> Id {
        self.ids += 1;
        let number = self.ids;
        Id { kind, number }
    }

    fn open(&mut self) -> u32 {
        self.spaces += 1;
        self.spaces
    }

    fn event(&mut self, space: u32, what: What) {
        self.events.push(Event { space, what });
    }

    fn command(&mut self, space: u32, names: &[Id]) {
        self.full(space, names, None, &[], 0);
    }

    fn full(&mut self, space: u32, names: &[Id], makes: Option<Id>, ends: &[Id], scratch: usize) {
        let what = What::Command {
            names: names.to_vec(),
            makes,
            ends: ends.to_vec(),
            scratch,
        };
        self.event(space, what);
    }

    fn make(&mut self, space: u32, names: &[Id], kind: Kind) -> Id {
        let id = self.id(kind);
        self.full(space, names, Some(id), &[], 0);
        id
    }

    fn flush(&mut self, space: u32, id: Id) {
        self.event(space, What::Flush(id));
    }

    fn close(&mut self, space: u32) {
        self.event(space, What::Close);
    }

    /// A number below `n`.
    fn roll(&mut self, n: usize) -> usize {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) as usize % n
    }

    /// A number below `n`, the `i`-th with a weight of 1 / (i + 1).
    fn zipf(&mut self, n: usize) -> usize {
        let weight = |i: usize| 5040 / (i + 1);
        let mut at = self.roll((0..n).map(weight).sum());
        (0..n)
            .find(|i| match at.checked_sub(weight(*i)) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            })
            .expect("the weights add up")
    }

    fn trace(self, name: impl Into<String>, origin: &str) -> Trace {
        Trace {
            name: name.into(),
            origin: format!("model: {origin}"),
            events: self.events,
        }
    }
}

/// How a signer authorizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    Password,
    /// One HMAC session for all its life.
    Hmac,
    /// A policy session for each signature: start, two assertions, sign, which ends it.
    Policy,
}

/// An agent that holds a key, and perhaps the primary key above it, which is not used again.
struct Signer {
    space: u32,
    key: Id,
    auth: Auth,
    session: Option<Id>,
}

impl Signer {
    fn new(s: &mut Script, auth: Auth, with_parent: bool) -> Self {
        let space = s.open();
        let parent: Vec<Id> = with_parent
            .then(|| s.make(space, &[], Kind::Ordinary))
            .into_iter()
            .collect();
        let key = s.make(space, &parent, Kind::Ordinary);
        let session = (auth == Auth::Hmac).then(|| s.make(space, &[], Kind::Session));
        Self {
            space,
            key,
            auth,
            session,
        }
    }

    fn sign(&self, s: &mut Script) {
        match (self.auth, self.session) {
            (Auth::Policy, _) => {
                let policy = s.make(self.space, &[], Kind::Session);
                s.command(self.space, &[policy]);
                s.command(self.space, &[policy]);
                s.full(self.space, &[self.key, policy], None, &[policy], 0);
            }
            (_, Some(session)) => s.command(self.space, &[self.key, session]),
            (_, None) => s.command(self.space, &[self.key]),
        }
    }
}

/// A process of tpm2-tools: loads the contexts of a parent and of a key that earlier ones have left, and
/// uses the key once.
fn tool(s: &mut Script) {
    let space = s.open();
    let key = s.make(space, &[], Kind::Context);
    s.command(space, &[key]);
    s.flush(space, key);
    s.close(space);
}

/// The processes createprimary, create, load, sign of tpm2-tools.
fn tour(s: &mut Script) {
    let space = s.open();
    let primary = s.make(space, &[], Kind::Ordinary);
    s.command(space, &[primary]);
    s.command(space, &[primary]);
    s.flush(space, primary);
    s.close(space);
    let space = s.open();
    let primary = s.make(space, &[], Kind::Context);
    s.command(space, &[primary]);
    s.full(space, &[primary], None, &[], 1);
    s.flush(space, primary);
    s.close(space);
    let space = s.open();
    let primary = s.make(space, &[], Kind::Context);
    s.command(space, &[primary]);
    let key = s.make(space, &[primary], Kind::Ordinary);
    s.command(space, &[key]);
    s.flush(space, key);
    s.flush(space, primary);
    s.close(space);
    tool(s);
}

/// A module of PKCS #11 that has logged in: a primary key, a salted HMAC session, `n` keys.
struct Pkcs11 {
    space: u32,
    primary: Id,
    session: Id,
    keys: Vec<Id>,
}

impl Pkcs11 {
    fn login(s: &mut Script, n: usize) -> Self {
        let space = s.open();
        let primary = s.make(space, &[], Kind::Ordinary);
        let session = s.make(space, &[primary], Kind::Session);
        // Unsealing the wrapping key.
        let sealed = s.make(space, &[primary, session], Kind::Ordinary);
        s.command(space, &[sealed, session]);
        s.flush(space, sealed);
        let keys = (0..n)
            .map(|_| s.make(space, &[primary, session], Kind::Ordinary))
            .collect();
        Self {
            space,
            primary,
            session,
            keys,
        }
    }

    fn sign(&self, s: &mut Script, n: usize) {
        s.command(self.space, &[self.keys[n % self.keys.len()], self.session]);
    }
}

/// Unseals with a policy: start, PCR, unseal.
fn unseal(s: &mut Script, space: u32, primary: Id) {
    let sealed = s.make(space, &[primary], Kind::Ordinary);
    let policy = s.make(space, &[], Kind::Session);
    s.command(space, &[policy]);
    s.command(space, &[sealed, policy]);
    s.flush(space, policy);
    s.flush(space, sealed);
}

fn signers(s: &mut Script, k: usize, auth: Auth, with_parent: bool) -> Vec<Signer> {
    (0..k).map(|_| Signer::new(s, auth, with_parent)).collect()
}

const SIGNATURES: usize = 240;

fn in_turn(k: usize, burst: usize, auth: Auth, with_parent: bool) -> Script {
    let mut s = Script::default();
    let all = signers(&mut s, k, auth, with_parent);
    for n in 0..SIGNATURES {
        all[n / burst % k].sign(&mut s);
    }
    s
}

/// All traces of models.
pub fn all() -> Vec<Trace> {
    all_with(0)
}

/// The same, with other dice.
pub fn all_with(seed: u64) -> Vec<Trace> {
    let mut traces = vec![];
    for k in 1..=8 {
        traces.push(
            in_turn(k, 1, Auth::Password, false)
                .trace(format!("turn-{k}"), "signers in turn, one key each"),
        );
    }
    for (k, burst) in [(4, 2), (5, 2), (5, 3), (5, 10)] {
        let name = format!("burst-{k}x{burst}");
        traces.push(
            in_turn(k, burst, Auth::Password, false)
                .trace(name, "signers in turn, several signatures each time"),
        );
    }
    for k in [2, 4, 5] {
        let name = format!("parent-{k}");
        traces.push(
            in_turn(k, 1, Auth::Password, true)
                .trace(name, "signers in turn that keep their primary key loaded"),
        );
    }
    for k in [4, 5, 8] {
        traces.push(in_turn(k, 1, Auth::Hmac, false).trace(
            format!("hmac-{k}"),
            "signers in turn, each with an HMAC session",
        ));
    }
    for k in [3, 5] {
        traces.push(in_turn(k, 1, Auth::Policy, false).trace(
            format!("policy-{k}"),
            "signers in turn, a policy session for each signature",
        ));
    }
    for k in [4, 5, 8] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for _ in 0..SIGNATURES * 2 {
            let n = s.zipf(k);
            all[n].sign(&mut s);
        }
        traces.push(s.trace(format!("zipf-{k}"), "signers drawn by Zipf's law"));
    }
    for k in [4, 5, 8] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for _ in 0..SIGNATURES * 2 {
            let n = s.roll(k);
            all[n].sign(&mut s);
        }
        traces.push(s.trace(format!("uniform-{k}"), "signers drawn, all alike"));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 5, Auth::Hmac, false);
        for _ in 0..SIGNATURES * 2 {
            let n = s.roll(5);
            all[n].sign(&mut s);
        }
        traces.push(s.trace(
            "uniform-hmac-5",
            "signers drawn, all alike, each with an HMAC session",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        for _ in 0..20 {
            tour(&mut s);
        }
        traces.push(s.trace(
            "tools",
            "createprimary, create, load, sign of tpm2-tools, a process each",
        ));
    }
    for n in [2, 4, 6] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let login = Pkcs11::login(&mut s, n);
        for i in 0..SIGNATURES {
            login.sign(&mut s, i);
        }
        traces.push(s.trace(
            format!("pkcs11-{n}"),
            "a login, then its keys in turn under its HMAC session",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let logins: Vec<_> = (0..4).map(|_| Pkcs11::login(&mut s, 2)).collect();
        for i in 0..SIGNATURES {
            logins[i % 4].sign(&mut s, i / 4);
        }
        traces.push(s.trace("pkcs11-4x2", "four logins in turn, two keys each in turn"));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let logins: Vec<_> = (0..2).map(|_| Pkcs11::login(&mut s, 3)).collect();
        for i in 0..SIGNATURES {
            let login = &logins[i / 6 % 2];
            if i % 6 == 0 {
                let key = s.make(login.space, &[login.primary, login.session], Kind::Ordinary);
                s.command(login.space, &[key, login.session]);
                s.flush(login.space, key);
            }
            login.sign(&mut s, i);
        }
        traces.push(s.trace(
            "pkcs11-create",
            "two logins by turns of six signatures, each with a key that comes and goes",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 2, Auth::Password, false);
        let space = s.open();
        let primary = s.make(space, &[], Kind::Ordinary);
        for i in 0..SIGNATURES / 2 {
            unseal(&mut s, space, primary);
            all[i % 2].sign(&mut s);
        }
        traces.push(s.trace(
            "unseal-2",
            "an unseal under a policy session and a signature by turns, two signers",
        ));
    }
    for k in [3, 5] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for i in 0..SIGNATURES {
            all[i % k].sign(&mut s);
            if i % k == 0 {
                tool(&mut s);
            }
        }
        traces.push(s.trace(
            format!("turn-{k}-tools"),
            "signers in turn, and a process of tpm2-tools in each round",
        ));
    }
    for k in [2, 3, 5] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        let space = s.open();
        let sequence = s.make(space, &[], Kind::Sequence);
        for i in 0..SIGNATURES {
            s.command(space, &[sequence]);
            all[i % k].sign(&mut s);
        }
        s.full(space, &[sequence], None, &[sequence], 0);
        traces.push(s.trace(
            format!("hash-{k}"),
            "a long hash sequence, and a signature after each update, signers in turn",
        ));
    }
    for k in [3, 4, 5] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        let space = s.open();
        let sequence = s.make(space, &[], Kind::Sequence);
        for i in 0..SIGNATURES {
            if i % k == 0 {
                s.command(space, &[sequence]);
            }
            all[i % k].sign(&mut s);
        }
        s.full(space, &[sequence], None, &[sequence], 0);
        traces.push(s.trace(
            format!("slow-hash-{k}"),
            "signers in turn, and an update of a hash sequence in each round",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 5, Auth::Password, false);
        for i in 0..SIGNATURES {
            all[i % 5].sign(&mut s);
        }
        for i in 0..SIGNATURES {
            all[i % 2 + 3].sign(&mut s);
        }
        for _ in 0..SIGNATURES {
            let n = s.zipf(5);
            all[4 - n].sign(&mut s);
        }
        let more = signers(&mut s, 4, Auth::Password, false);
        for i in 0..SIGNATURES {
            more[i % 4].sign(&mut s);
        }
        for i in 0..SIGNATURES {
            all[i / 4 % 5].sign(&mut s);
        }
        traces.push(s.trace(
            "phases",
            "five in turn, two in turn, Zipf, four others in turn, five in bursts",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 8, Auth::Password, false);
        for i in 0..SIGNATURES * 2 {
            let at = i / 24;
            all[(at * 3 + i % 3) % 8].sign(&mut s);
        }
        traces.push(s.trace(
            "shift-24",
            "three of eight signers in turn, other ones after each 24 signatures",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 8, Auth::Password, false);
        for i in 0..SIGNATURES * 2 {
            let at = i / 40;
            all[(at * 3 + i % 4) % 8].sign(&mut s);
        }
        traces.push(s.trace(
            "shift-40",
            "four of eight signers in turn, other ones after each 40 signatures",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 5, Auth::Password, false);
        for i in 0..SIGNATURES {
            all[i % 5].sign(&mut s);
            if i % 60 == 59 {
                s.event(0, What::Vacate);
            }
        }
        traces.push(s.trace(
            "turn-5-vacate",
            "five signers in turn, everything leaves after each 60 signatures",
        ));
    }
    for k in [4, 5, 8] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for i in 0..SIGNATURES * 2 {
            let at = if s.roll(5) == 0 { s.roll(k) } else { i % k };
            all[at].sign(&mut s);
        }
        traces.push(s.trace(
            format!("jitter-{k}"),
            "signers in turn, every fifth signature by any of them",
        ));
    }
    for k in [4, 5, 8] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for i in 0..SIGNATURES {
            for (n, signer) in all.iter().enumerate() {
                if i % (n + 1) == 0 {
                    signer.sign(&mut s);
                }
            }
        }
        traces.push(s.trace(
            format!("periods-{k}"),
            "the n-th signer signs in every n-th round",
        ));
    }
    for (k, auth) in [(4, Auth::Password), (8, Auth::Password), (5, Auth::Hmac)] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, auth, false);
        let mut left = SIGNATURES * 2;
        while left > 0 {
            let n = s.zipf(k);
            let burst = (1 + s.roll(6)).min(left);
            (0..burst).for_each(|_| all[n].sign(&mut s));
            left -= burst;
        }
        let name = format!(
            "bursts-{k}{}",
            if auth == Auth::Hmac { "-hmac" } else { "" }
        );
        traces.push(s.trace(
            name,
            "signers drawn by Zipf's law, one to six signatures each time",
        ));
    }
    for k in [2, 3, 4, 5] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        for _ in 0..SIGNATURES / 2 {
            let sessions: Vec<_> = all
                .iter()
                .map(|a| s.make(a.space, &[], Kind::Session))
                .collect();
            for _ in 0..2 {
                for (a, session) in all.iter().zip(&sessions) {
                    s.command(a.space, &[*session]);
                }
            }
            for (a, session) in all.iter().zip(&sessions) {
                s.full(a.space, &[a.key, *session], None, &[*session], 0);
            }
        }
        traces.push(s.trace(
            format!("interleaved-{k}"),
            "policy sessions for each signature, command by command in turn",
        ));
    }
    for k in [2, 4] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Hmac, false);
        for i in 0..SIGNATURES {
            all[i % k].sign(&mut s);
            if i % 12 == 0 {
                let login = Pkcs11::login(&mut s, 3);
                (0..4).for_each(|n| login.sign(&mut s, n));
                s.close(login.space);
            }
        }
        traces.push(s.trace(format!("logins-{k}"), "signers in turn with HMAC sessions, and a login now and then that ends after four signatures"));
    }
    for k in [3, 5] {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, k, Auth::Password, false);
        let others = signers(&mut s, 3, Auth::Password, false);
        for i in 0..SIGNATURES {
            all[i % k].sign(&mut s);
            if s.roll(3) == 0 {
                let n = s.zipf(3);
                others[n].sign(&mut s);
            }
        }
        traces.push(s.trace(
            format!("noise-{k}"),
            "signers in turn, and three others now and then by Zipf's law",
        ));
    }
    {
        let mut s = Script {
            dice: seed,
            ..Script::default()
        };
        let all = signers(&mut s, 2, Auth::Password, false);
        let space = s.open();
        let primary = s.make(space, &[], Kind::Ordinary);
        for i in 0..SIGNATURES / 2 {
            s.full(space, &[primary], None, &[], 1);
            let key = s.make(space, &[primary], Kind::Ordinary);
            s.command(space, &[key]);
            s.flush(space, key);
            all[i % 2].sign(&mut s);
        }
        traces.push(s.trace(
            "create",
            "keys that are created, loaded, used once and flushed, beside two signers",
        ));
    }
    traces
}

/// Everything at once, in an order that changes now and then.
pub fn mixture(seed: u64) -> Trace {
    let mut s = Script {
        dice: seed,
        ..Script::default()
    };
    let k = 2 + s.roll(7);
    let mut all = vec![];
    for _ in 0..k {
        let auth = [Auth::Password, Auth::Hmac, Auth::Policy][s.roll(3)];
        let parent = s.roll(3) == 0;
        all.push(Signer::new(&mut s, auth, parent));
    }
    let mut login = None;
    let sequence_space = s.open();
    let mut sequence: Option<Id> = None;
    for _ in 0..8 {
        let regime = s.roll(4);
        let active = 1 + s.roll(k);
        let first = s.roll(k);
        let (tools, logins, hash) = (s.roll(4) == 0, s.roll(4) == 0, s.roll(4) == 0);
        let length = 30 + s.roll(90);
        let mut at = 0;
        for i in 0..length {
            at = match regime {
                0 => i % active,
                1 => s.roll(active),
                2 => s.zipf(active),
                _ if s.roll(4) == 0 => s.roll(active),
                _ => at.min(active - 1),
            };
            all[(first + at) % k].sign(&mut s);
            if tools && s.roll(4) == 0 {
                tool(&mut s);
            }
            if logins && s.roll(2) == 0 {
                let l = login.get_or_insert_with(|| Pkcs11::login(&mut s, 3));
                l.sign(&mut s, i);
            }
            if hash {
                let q =
                    *sequence.get_or_insert_with(|| s.make(sequence_space, &[], Kind::Sequence));
                s.command(sequence_space, &[q]);
            }
        }
        if let Some(l) = login.take() {
            s.close(l.space);
        }
        if let Some(q) = sequence.take() {
            s.full(sequence_space, &[q], None, &[q], 0);
        }
    }
    s.trace(format!("mixture-{seed}"), "everything at once")
}
