// SPDX-License-Identifier: GPL-2.0

//! When two TPMs have said the same: to the byte, but for what a TPM chooses. What is made of a choice
//! corresponds: the same on one side is the same on the other, and nothing else is.

use super::layout::{self, Field};
use super::program::{Call, Damage};
use super::reference::{Holdings, Unknown};
use super::seat::{client_of, Answer, Outcome};
use crate::tpm::{cap, cc, rc};
use crate::wire::{Get, Put};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const EINVAL: i32 = 22;
/// A session attribute.
const AUDIT_EXCLUSIVE: u8 = 0x02;
/// How a TPM refuses the parameter of FlushContext and the handle of ContextSave.
const NO_SUCH_HANDLE: u32 = rc::HANDLE | rc::P1;
/// Attestations, by what they are about.
const ATTEST_NV: u16 = 0x8014;
const ATTEST_SESSION_AUDIT: u16 = 0x8016;
const ATTEST_CERTIFY: u16 = 0x8017;
const ATTEST_QUOTE: u16 = 0x8018;
const ATTEST_CREATION: u16 = 0x801a;

/// What has to come of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// What came of it on the client's own TPM.
    pub outcome: Outcome,
    /// The names in it that its descriptor does not have.
    pub unknown: Vec<Unknown>,
    pub holdings: Holdings,
}

/// Buffers of both sides that are made of the same.
#[derive(Default)]
struct Pairs {
    theirs: HashMap<Vec<u8>, Vec<u8>>,
    ours: HashMap<Vec<u8>, Vec<u8>>,
}

impl Pairs {
    fn join(&mut self, what: &str, ours: &[u8], theirs: &[u8]) -> Result<(), String> {
        let known = (self.theirs.get(ours), self.ours.get(theirs));
        match known {
            (None, None) => {
                self.theirs.insert(ours.to_vec(), theirs.to_vec());
                self.ours.insert(theirs.to_vec(), ours.to_vec());
                Ok(())
            }
            (Some(before), _) if before == theirs => Ok(()),
            _ => Err(format!(
                "{what} {ours:02x?} stands for {theirs:02x?}, which before were {known:02x?}"
            )),
        }
    }
}

/// What one client's two sides have in common.
#[derive(Default)]
struct Client {
    derived: Pairs,
    /// Sessions: our number, theirs.
    sessions: HashMap<u32, u32>,
}

/// What the two sides have in common.
#[derive(Default)]
pub struct Correspondence {
    clients: HashMap<usize, Client>,
}

impl Correspondence {
    /// Compares what came of a command. `bytes` is what was sent on our side.
    pub fn check(
        &mut self,
        who: usize,
        call: &Call,
        bytes: &[u8],
        ours: &Outcome,
        expected: &Expected,
    ) -> Result<(), String> {
        let client = self.clients.entry(client_of(who)).or_default();
        let theirs = &expected.outcome;
        let context = || format!("{ours:?} instead of {theirs:?}, {:?}", expected.unknown);
        if let Damage::Header(_) = call.damage {
            let both = matches!((ours, theirs), (Outcome::Errno(EINVAL), Outcome::Rc(_)));
            return both.then_some(()).ok_or_else(context);
        }
        if !expected.unknown.is_empty() {
            // Where there are several, which one shows first depends on what is known to be lost.
            let is_one = expected.unknown.iter().any(|unknown| match unknown {
                Unknown::Never(_) => *ours == Outcome::Errno(EINVAL),
                Unknown::Gone(code) => *ours == Outcome::Rc(rc::LAYER | code),
            });
            let both = is_one && matches!(theirs, Outcome::Rc(_));
            return both.then_some(()).ok_or_else(context);
        }
        match (ours, theirs) {
            (Outcome::Done(ours), Outcome::Done(theirs)) => {
                client.handles(call, ours, theirs)?;
                if !is_same_but_exclusive(&ours.attributes, &theirs.attributes) {
                    return Err(format!("session attributes: {}", context()));
                }
                client.fields(call, bytes, ours, theirs, &expected.holdings)
            }
            _ if is_same_refusal(call, ours, theirs) => Ok(()),
            _ => Err(context()),
        }
    }
}

/// Whether session attributes are the same. Others may use the TPM between two commands, so whether an
/// audit session is exclusive does not count.
fn is_same_but_exclusive(ours: &[u8], theirs: &[u8]) -> bool {
    let without = |attributes: &[u8]| -> Vec<u8> {
        attributes
            .iter()
            .map(|byte| byte & !AUDIT_EXCLUSIVE)
            .collect()
    };
    without(ours) == without(theirs)
}

fn is_same_refusal(call: &Call, ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Rc(ours), Outcome::Rc(theirs)) => {
            // The resource manager's own words for it.
            let is_layered = matches!(*ours, rc::UNIMPLEMENTED)
                || *ours == rc::LAYER | NO_SUCH_HANDLE && call.code == cc::CONTEXT_LOAD;
            let plain = match (*ours, call.code) {
                (rc::LOST_H0, cc::FLUSH_CONTEXT) => NO_SUCH_HANDLE,
                (ours, _) if is_layered => ours & 0xffff,
                (ours, _) => ours,
            };
            // A TPM may say first what else is wrong with a context that is damaged.
            let is_damaged = is_layered && call.damage != Damage::None;
            plain == *theirs || is_damaged && call.code == cc::CONTEXT_LOAD
        }
        (Outcome::Errno(EINVAL), Outcome::Rc(NO_SUCH_HANDLE)) => call.code == cc::FLUSH_CONTEXT,
        _ => false,
    }
}

impl Client {
    fn handles(&mut self, call: &Call, ours: &Answer, theirs: &Answer) -> Result<(), String> {
        let (Some(ours), Some(theirs)) = (ours.handle, theirs.handle) else {
            return match ours.handle == theirs.handle {
                true => Ok(()),
                false => Err("only one response has a handle".into()),
            };
        };
        let wrong = || Err(format!("the handle {ours:#x} instead of {theirs:#x}"));
        if ours >> 24 != theirs >> 24 {
            return wrong();
        }
        if ours >> 24 == 0x80 {
            return if ours == theirs { Ok(()) } else { wrong() };
        }
        if call.code == cc::START_AUTH_SESSION {
            self.sessions.retain(|_, known| *known != theirs);
            self.sessions.insert(ours, theirs);
        }
        match self.sessions.get(&ours) {
            Some(known) if *known == theirs => Ok(()),
            _ => wrong(),
        }
    }

    fn fields(
        &mut self,
        call: &Call,
        bytes: &[u8],
        ours: &Answer,
        theirs: &Answer,
        holdings: &Holdings,
    ) -> Result<(), String> {
        let fields = layout::of(call.code);
        for (n, field) in fields.iter().enumerate() {
            let (ours, theirs) = (&ours.fields[n].0, &theirs.fields[n].0);
            if *field == Field::Capability {
                self.capability(bytes, ours, theirs, holdings)?;
                continue;
            }
            self.field(call, *field, ours, theirs)
                .map_err(|why| format!("field {n}: {why}: {ours:02x?} instead of {theirs:02x?}"))?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        call: &Call,
        field: Field,
        ours: &[u8],
        theirs: &[u8],
    ) -> Result<(), String> {
        let same = |is: bool, what: &str| if is { Ok(()) } else { Err(what.to_string()) };
        let parts = || layout::public(ours).zip(layout::public(theirs));
        match field {
            Field::Same(_) | Field::SameSized | Field::SameRest => same(ours == theirs, "bytes"),
            Field::Random => same(ours.len() == theirs.len(), "size"),
            Field::Derived => self.derived(call, "a buffer", ours, theirs),
            Field::Point => self.derived.join("a point", ours, theirs),
            Field::Public => {
                let ([head, policy, key, unique], [h, p, k, u]) =
                    parts().ok_or("no public area")?;
                same(head == h && key == k, "public area")?;
                self.derived(call, "a policy", policy, p)?;
                self.derived(call, "a key", unique, u)
            }
            Field::CreationData => self.mixed(call, ours, theirs, creation_data),
            Field::Attest => self.mixed(call, ours, theirs, attest),
            Field::Ticket => same(
                ours[..6] == theirs[..6] && ours.len() == theirs.len(),
                "ticket",
            ),
            Field::Signature => same(
                ours[..4.min(ours.len())] == theirs[..4.min(theirs.len())],
                "signature",
            ),
            Field::Context => {
                // The count differs, and what is inside.
                let [our_handle, their_handle] = [ours, theirs].map(|c| Get(&c[8..]).u32());
                let handle = match our_handle >> 24 {
                    0x80 => Some(&our_handle),
                    _ => self.sessions.get(&our_handle),
                };
                same(handle == Some(&their_handle), "saved handle")?;
                same(ours[12..16] == theirs[12..16], "hierarchy")?;
                same(ours.len() == theirs.len(), "size")
            }
            Field::Capability => Err("not a buffer".into()),
        }
    }

    fn derived(
        &mut self,
        call: &Call,
        what: &str,
        ours: &[u8],
        theirs: &[u8],
    ) -> Result<(), String> {
        if ours.len() != theirs.len() || call.exact && ours != theirs {
            return Err(format!("{what} that is not the same"));
        }
        self.derived.join(what, ours, theirs)
    }

    /// A structure of parts: what `split` makes of it is the same, derived, or free.
    fn mixed(
        &mut self,
        call: &Call,
        ours: &[u8],
        theirs: &[u8],
        split: fn(&[u8]) -> Vec<(Freedom, Vec<u8>)>,
    ) -> Result<(), String> {
        for ((freedom, ours), (_, theirs)) in split(ours).iter().zip(split(theirs)) {
            match freedom {
                Freedom::None if *ours == theirs => {}
                Freedom::None => return Err(format!("part {ours:02x?} instead of {theirs:02x?}")),
                Freedom::Derived => self.derived(call, "a part", ours, &theirs)?,
                Freedom::Any => {}
            }
        }
        Ok(())
    }

    fn capability(
        &mut self,
        bytes: &[u8],
        ours: &[u8],
        theirs: &[u8],
        holdings: &Holdings,
    ) -> Result<(), String> {
        let params = &bytes[bytes.len() - 12..];
        let mut get = Get(params);
        let (capability, first, count) = (get.u32(), get.u32(), get.u32());
        let has_sessions = Get(bytes).u16() != crate::tpm::NO_SESSIONS;
        let must = match capability {
            cap::HANDLES if matches!(first >> 24, 2 | 3) && !has_sessions => {
                self.sessions_as_ours(first, count, theirs)?
            }
            cap::HANDLES if matches!(first >> 24, 2 | 3) => return Ok(()),
            cap::HANDLES if first >> 24 == 0x80 && !holdings.undecided.is_empty() => {
                return is_list_of_objects(ours, theirs, &holdings.undecided);
            }
            cap::TPM_PROPERTIES => {
                return properties(ours, theirs, holdings);
            }
            _ => theirs.to_vec(),
        };
        if ours == must {
            Ok(())
        } else {
            Err(format!("{ours:02x?} is listed instead of {must:02x?}"))
        }
    }

    /// The list of our numbers that corresponds to a whole list of theirs.
    fn sessions_as_ours(&self, first: u32, count: u32, theirs: &[u8]) -> Result<Vec<u8>, String> {
        let mut get = Get(&theirs[1..]);
        let (capability, n) = (get.u32(), get.u32());
        let mut handles = vec![];
        for _ in 0..n {
            let handle = get.u32();
            let pair = self.sessions.iter().find(|(_, known)| **known == handle);
            let ours = *pair.ok_or(format!("unknown session {handle:#x}"))?.0;
            handles.push(match first >> 24 {
                // As a TPM lists a saved session.
                3 => ours & 0x00ff_ffff | crate::tpm::rh::HMAC_SESSION,
                _ => ours,
            });
        }
        let index = |handle: &u32| *handle & 0x00ff_ffff;
        handles.retain(|handle| index(handle) >= index(&first));
        handles.sort_by_key(index);
        let count = count.min(254) as usize;
        let more = handles.len() > count;
        handles.truncate(count);
        let list = vec![]
            .u8(more.into())
            .u32(capability)
            .u32(crate::wire::su(handles.len()));
        Ok(handles.iter().fold(list, |list, handle| list.u32(*handle)))
    }
}

/// Compares lists of objects, of which some may have gone: then a list may go further than the other.
fn is_list_of_objects(ours: &[u8], theirs: &[u8], undecided: &[u32]) -> Result<(), String> {
    let certain = |list: &[u8]| -> Vec<u32> {
        let mut get = Get(&list[5..]);
        let handles = (0..get.u32()).map(|_| get.u32());
        handles
            .filter(|handle| !undecided.contains(handle))
            .collect()
    };
    let (certain_ours, certain_theirs) = (certain(ours), certain(theirs));
    let n = certain_ours.len().min(certain_theirs.len());
    // Only a list that says that there is more may be the shorter one.
    let ours_is_whole = certain_ours.len() >= certain_theirs.len() || ours[0] != 0;
    let theirs_is_whole = certain_theirs.len() >= certain_ours.len() || theirs[0] != 0;
    if certain_ours[..n] == certain_theirs[..n] && ours_is_whole && theirs_is_whole {
        Ok(())
    } else {
        Err(format!(
            "{ours:02x?} is listed instead of {theirs:02x?}, without {undecided:x?}"
        ))
    }
}

/// Properties: what depends on how much there is, and on who shares it, is known.
fn properties(ours: &[u8], theirs: &[u8], holdings: &Holdings) -> Result<(), String> {
    if ours.len() != theirs.len() || ours[..9] != theirs[..9] {
        return Err(format!("properties {ours:02x?} instead of {theirs:02x?}"));
    }
    let (mut a, mut b) = (Get(&ours[9..]), Get(&theirs[9..]));
    while !a.is_empty() {
        let (name, value, of, other) = (a.u32(), a.u32(), b.u32(), b.u32());
        let must = match name {
            cap::PT_HR_LOADED => holdings.sessions,
            // Some that are gone may not be known to be.
            cap::PT_HR_TRANSIENT_AVAIL => {
                let most = LIMIT - holdings.objects;
                value.clamp(most - crate::wire::su(holdings.undecided.len()), most)
            }
            cap::PT_HR_ACTIVE => holdings.active,
            cap::PT_HR_ACTIVE_AVAIL => ACTIVE_MAX - holdings.active,
            _ => other,
        };
        if (name, value) != (of, must) {
            return Err(format!(
                "property {name:#x} is {value:#x} instead of {must:#x}"
            ));
        }
    }
    Ok(())
}

/// Objects of a space, by default.
const LIMIT: u32 = 256;
/// Sessions of libtpms.
const ACTIVE_MAX: u32 = 64;

/// How free a TPM is to choose something.
enum Freedom {
    None,
    Derived,
    Any,
}

struct Splitter<'a>(&'a [u8], Vec<(Freedom, Vec<u8>)>);

impl Splitter<'_> {
    fn take(&mut self, freedom: Freedom, n: usize) -> &mut Self {
        let (part, rest) = self.0.split_at(n.min(self.0.len()));
        self.1.push((freedom, part.to_vec()));
        self.0 = rest;
        self
    }

    fn sized(&mut self, freedom: Freedom) -> &mut Self {
        let size = self.0.get(..2).map_or(0, |two| Get(two).u16());
        self.take(freedom, 2 + usize::from(size))
    }

    /// TPML_PCR_SELECTION.
    fn selection(&mut self) -> &mut Self {
        let count = self.0.get(..4).map_or(0, |four| Get(four).u32());
        self.take(Freedom::None, 4);
        for _ in 0..count {
            let size = self.0.get(2).copied().unwrap_or_default();
            self.take(Freedom::None, 3 + usize::from(size));
        }
        self
    }

    fn rest(&mut self, freedom: Freedom) {
        self.take(freedom, usize::MAX);
    }
}

fn creation_data(bytes: &[u8]) -> Vec<(Freedom, Vec<u8>)> {
    let mut split = Splitter(bytes, vec![]);
    split.selection().sized(Freedom::None);
    // Locality and the algorithm of the parent's name.
    split.take(Freedom::None, 3);
    split.sized(Freedom::Derived).sized(Freedom::Derived);
    split.rest(Freedom::None);
    split.1
}

fn attest(bytes: &[u8]) -> Vec<(Freedom, Vec<u8>)> {
    let mut split = Splitter(bytes, vec![]);
    let kind = bytes.get(4..6).map_or(0, |two| Get(two).u16());
    split
        .take(Freedom::None, 6)
        .sized(Freedom::Derived)
        .sized(Freedom::None);
    // The time, and counts that are disguised by the signing key.
    split.take(Freedom::Any, 17 + 8);
    match kind {
        ATTEST_CERTIFY | ATTEST_CREATION => {
            split.sized(Freedom::Derived).sized(Freedom::Derived);
        }
        ATTEST_QUOTE => {
            split.selection();
        }
        ATTEST_NV => {
            split.sized(Freedom::None);
        }
        // Others may use the TPM between two commands: the session is exclusive or not.
        ATTEST_SESSION_AUDIT => {
            split.take(Freedom::Any, 1).sized(Freedom::Derived);
        }
        _ => split.rest(Freedom::Any),
    }
    split.rest(Freedom::None);
    split.1
}
