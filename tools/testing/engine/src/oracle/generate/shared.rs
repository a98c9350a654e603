// SPDX-License-Identifier: GPL-2.0

//! What clients do to what they share, and what they ask the TPM about itself.

use super::templates::bytes;
use super::{password, sized, Generator, Item, Nv, Persistent, Session};
use crate::oracle::codes::{self, alg};
use crate::oracle::program::{Call, Hex, Named, Part};
use crate::tpm::{cap, cc, rh};
use crate::wire::{Get, Put};

/// The first NV index, and how many there are.
const INDEX: u32 = 0x0150_0010;
const INDICES: usize = 4;
/// The authorization value of each.
const INDEX_AUTH: &[u8] = b"index";
/// TPMA_NV: the owner and who knows the value may read and write; failures do not count.
const ORDINARY: u32 = 0x0206_0006;
/// The same, a counter.
const COUNTER: u32 = ORDINARY | 0x10;
/// TPMA_NV_NO_DA.
const NO_DA: u32 = 0x0200_0000;
/// Persistent objects, and how many there are.
const PERSISTENT: u32 = 0x8100_0000;
const OBJECTS: usize = 2;
/// The PCRs that can be extended and reset.
const DEBUG_PCR: u32 = 16;
const APPLICATION_PCR: u32 = 23;

impl Generator {
    pub(super) fn use_shared(&mut self, who: usize) {
        match self.dice.below(40) {
            0..=5 => self.persist(who),
            6..=8 => self.find_persistent(who),
            9..=20 => self.use_index(who),
            21..=27 => self.use_pcr(who),
            28..=31 => self.simple(who),
            32 => self.on_lockout(who, cc::CLEAR, vec![]),
            33 => self.on_lockout(who, codes::DICTIONARY_ATTACK_LOCK_RESET, vec![]),
            34 => {
                let code = [cc::CHANGE_EPS, cc::CHANGE_EPS, cc::CHANGE_PPS][self.dice.below(3)];
                let platform = Named::Fixed(rh::PLATFORM);
                self.hierarchies(who, code, platform, vec![]);
            }
            35 | 36 => {
                let auth = self.auth_value();
                let call = Call {
                    code: cc::HIERARCHY_CHANGE_AUTH,
                    handles: vec![Named::Fixed(rh::OWNER)],
                    auths: vec![self.by_hierarchy(who, rh::OWNER)],
                    params: vec![sized(&auth)],
                    renews: Some(Hex(auth)),
                    ..Call::default()
                };
                self.push(who, call);
            }
            37 => {
                let policy = vec![sized(&[0x33; 32]), bytes(vec![].u16(alg::SHA256))];
                let endorsement = Named::Fixed(rh::ENDORSEMENT);
                self.hierarchies(who, codes::SET_PRIMARY_POLICY, endorsement, policy);
            }
            38 => {
                // Clear stays possible.
                let platform = Named::Fixed(rh::PLATFORM);
                self.hierarchies(who, codes::CLEAR_CONTROL, platform, vec![bytes(vec![0])]);
            }
            _ => {
                let state = u8::from(!self.owner_is_enabled || self.dice.once_in(2));
                self.control_owner(who, state);
            }
        }
        if !self.owner_is_enabled && self.dice.once_in(3) {
            self.control_owner(who, 1);
        }
    }

    fn control_owner(&mut self, who: usize, state: u8) {
        let params = vec![bytes(vec![].u32(rh::OWNER).u8(state))];
        self.hierarchies(
            who,
            cc::HIERARCHY_CONTROL,
            Named::Fixed(rh::PLATFORM),
            params,
        );
    }

    fn hierarchies(&mut self, who: usize, code: u32, handle: Named, params: Vec<Part>) {
        let call = Call {
            code,
            handles: vec![handle],
            auths: vec![password(b"")],
            params,
            ..Call::default()
        };
        self.push(who, call);
    }

    fn on_lockout(&mut self, who: usize, code: u32, params: Vec<Part>) {
        self.hierarchies(who, code, Named::Fixed(rh::LOCKOUT), params);
    }

    /// Makes an object persistent, or removes one.
    fn persist(&mut self, who: usize) {
        let handle = PERSISTENT + crate::wire::su(self.dice.below(OBJECTS));
        let known = self.persistent.iter().any(|p| p.handle == handle);
        let item = self.own(who, |item| {
            item.origin.is_some() && item.hierarchy != rh::PLATFORM
        });
        let (named, origin) = match item {
            _ if known && self.dice.once_in(3) => (Named::Fixed(handle), None),
            Some(item) => (
                Named::Of(item.register),
                item.origin.map(|origin| {
                    let auths = vec![password(&self.hierarchy_auth(item.hierarchy))];
                    Box::new(Call { auths, ..origin })
                }),
            ),
            None => return self.create_primary(who),
        };
        let call = Call {
            code: cc::EVICT_CONTROL,
            handles: vec![Named::Fixed(rh::OWNER), named],
            auths: vec![password(&self.owner_auth.clone())],
            params: vec![bytes(vec![].u32(handle))],
            origin,
            ..Call::default()
        };
        self.push(who, call);
    }

    /// A persistent object becomes one that the client knows of.
    fn find_persistent(&mut self, who: usize) {
        let Some(persistent) = self.dice.pick(&self.persistent.clone()) else {
            return self.persist(who);
        };
        let register = self.register();
        let call = Call {
            code: cc::READ_PUBLIC,
            handles: vec![Named::Fixed(persistent.handle)],
            into: Some(register),
            ..Call::default()
        };
        self.push(who, call);
        // Its Name is found out; how it was made is not.
        self.items.push(Item {
            register,
            who,
            origin: None,
            ..persistent.item
        });
    }

    pub(super) fn note_shared(&mut self, call: &Call) {
        let word = |n: usize, at: usize| match call.params.get(n) {
            Some(Part::Bytes(bytes)) => bytes.0.get(at..at + 4).map(|four| Get(four).u32()),
            _ => None,
        };
        match call.code {
            codes::NV_DEFINE_SPACE => {
                if let (Some(index), Some(attributes)) = (word(1, 2), word(1, 8)) {
                    let is_counter = attributes & !NO_DA == COUNTER & !NO_DA;
                    self.nv.push(Nv { index, is_counter });
                }
            }
            codes::NV_UNDEFINE_SPACE => {
                if let Some(Named::Fixed(index)) = call.handles.get(1) {
                    self.nv.retain(|nv| nv.index != *index);
                }
            }
            cc::HIERARCHY_CONTROL => {
                if let Some(Part::Bytes(params)) = call.params.first() {
                    self.owner_is_enabled = params.0.last() == Some(&1);
                }
            }
            cc::EVICT_CONTROL => match (call.handles.get(1), word(0, 0)) {
                (Some(Named::Of(register)), Some(handle)) => {
                    let item = self.items.iter().find(|item| item.register == *register);
                    if let Some(item) = item.cloned() {
                        self.persistent.push(Persistent { handle, item });
                    }
                }
                (_, Some(handle)) => self.persistent.retain(|p| p.handle != handle),
                _ => {}
            },
            _ => {}
        }
    }

    fn use_index(&mut self, who: usize) {
        let index = INDEX + crate::wire::su(self.dice.below(INDICES));
        let known = self.dice.pick(&self.nv.clone());
        let Some(nv) = known.filter(|_| !self.dice.once_in(6)) else {
            return self.define_index(who, index);
        };
        let named = Named::Fixed(nv.index);
        // By its own value, or the owner's.
        let (by, auth) = match self.dice.once_in(2) {
            true => (named.clone(), password(INDEX_AUTH)),
            false => (Named::Fixed(rh::OWNER), self.by_hierarchy(who, rh::OWNER)),
        };
        let data = self.label("data");
        let mut call = Call {
            handles: vec![by.clone(), named.clone()],
            auths: vec![auth],
            ..Call::default()
        };
        match self.dice.below(8) {
            0 => {
                call.code = codes::NV_UNDEFINE_SPACE;
                call.handles = vec![Named::Fixed(rh::OWNER), named];
                call.auths = vec![password(&self.owner_auth.clone())];
            }
            1 => {
                call.code = codes::NV_READ_PUBLIC;
                call.handles = vec![named];
                call.auths = vec![];
            }
            2 | 3 if nv.is_counter => call.code = codes::NV_INCREMENT,
            2 | 3 => {
                call.code = codes::NV_WRITE;
                call.params = vec![sized(&data[data.len() - 8..]), bytes(vec![].u16(0))];
            }
            _ => {
                call.code = codes::NV_READ;
                call.params = vec![bytes(vec![].u16(8).u16(0))];
            }
        }
        // The Name of an index is not its handle: an HMAC would not be right.
        if by == Named::Fixed(nv.index) || call.code != codes::NV_READ_PUBLIC {
            let value = call.auths.first().map(|auth| auth.value.0.clone());
            call.auths = value.iter().map(|value| password(value)).collect();
        }
        self.push(who, call);
    }

    fn define_index(&mut self, who: usize, index: u32) {
        let mut attributes = if self.dice.once_in(2) {
            ORDINARY
        } else {
            COUNTER
        };
        if self.dice.once_in(4) {
            attributes &= !NO_DA;
        }
        let public = vec![]
            .u32(index)
            .u16(alg::SHA256)
            .u32(attributes)
            .sized(b"")
            .u16(8);
        let call = Call {
            code: codes::NV_DEFINE_SPACE,
            handles: vec![Named::Fixed(rh::OWNER)],
            auths: vec![self.by_hierarchy(who, rh::OWNER)],
            params: vec![sized(INDEX_AUTH), sized(&public)],
            ..Call::default()
        };
        self.push(who, call);
        let kinds = [codes::NV_WRITE, codes::NV_INCREMENT];
        let code = kinds[usize::from(attributes & 0x10 != 0)];
        let written = match code {
            codes::NV_WRITE => vec![sized(&[7; 8]), bytes(vec![].u16(0))],
            _ => vec![],
        };
        let call = Call {
            code,
            handles: vec![Named::Fixed(index); 2],
            auths: vec![password(INDEX_AUTH)],
            params: written,
            ..Call::default()
        };
        self.push(who, call);
    }

    /// NV_Certify of any index.
    pub(super) fn certify_index(&mut self, signer: &Item, mut call: Call) {
        let Some(nv) = self.dice.pick(&self.nv.clone()) else {
            return self.define_index(signer.who, INDEX);
        };
        call.handles
            .extend([Named::Fixed(rh::OWNER), Named::Fixed(nv.index)]);
        call.auths = vec![password(&signer.auth), password(&self.owner_auth.clone())];
        call.params.push(bytes(vec![].u16(8).u16(0)));
        self.push(signer.who, call);
    }

    /// PolicyNV: that an index has any value at all, which is 0 or more.
    pub(super) fn policy_nv(&mut self, session: &Session) -> Option<Call> {
        let nv = self.dice.pick(&self.nv.clone());
        let Some(nv) = nv else {
            self.define_index(session.who, INDEX);
            return None;
        };
        const UNSIGNED_GE: u16 = 7;
        Some(Call {
            code: codes::POLICY_NV,
            handles: vec![
                Named::Fixed(rh::OWNER),
                Named::Fixed(nv.index),
                Named::Of(session.register),
            ],
            auths: vec![password(&self.owner_auth.clone())],
            params: vec![sized(&[0; 8]), bytes(vec![].u16(0).u16(UNSIGNED_GE))],
            ..Call::default()
        })
    }

    fn use_pcr(&mut self, who: usize) {
        let pcr = [DEBUG_PCR, APPLICATION_PCR][self.dice.below(2)];
        let data = self.label("event");
        let digest = vec![]
            .u32(1)
            .u16(alg::SHA256)
            .bytes(&crate::command::sha256(&[&data]));
        let (code, params) = match self.dice.below(4) {
            0 => (codes::PCR_EXTEND, vec![bytes(digest)]),
            1 => (codes::PCR_EVENT, vec![sized(&data)]),
            2 => (codes::PCR_RESET, vec![]),
            _ => {
                let call = Call {
                    code: cc::PCR_READ,
                    params: vec![super::using::selection()],
                    ..Call::default()
                };
                return self.push(who, call);
            }
        };
        self.hierarchies(who, code, Named::Fixed(pcr), params);
    }

    /// Commands that need nothing.
    fn simple(&mut self, who: usize) {
        let data = self.label("data");
        let (code, params) = match self.dice.below(4) {
            0 => (
                cc::HASH,
                vec![sized(&data), bytes(vec![].u16(alg::SHA256).u32(rh::NULL))],
            ),
            1 => (cc::STIR_RANDOM, vec![sized(&data)]),
            2 => (
                cc::TEST_PARMS,
                vec![bytes(vec![].u16(alg::KEYEDHASH).u16(alg::NULL))],
            ),
            _ => (cc::GET_RANDOM, vec![bytes(vec![].u16(20))]),
        };
        let mut call = Call {
            code,
            params,
            ..Call::default()
        };
        self.audit(who, &mut call);
        self.push(who, call);
    }

    /// Asks the TPM what it has and can do.
    pub(super) fn ask(&mut self, who: usize) {
        let counts = [0, 1, 2, 3, 254, 255, u32::MAX];
        let count = self.dice.pick(&counts).unwrap_or_default();
        let low = crate::wire::su(self.dice.below(16));
        let firsts = [
            rh::TRANSIENT,
            rh::TRANSIENT + low,
            rh::LOADED_SESSION,
            rh::LOADED_SESSION + low,
            rh::SAVED_SESSION,
            rh::SAVED_SESSION + low,
            rh::PERSISTENT,
            rh::TRANSIENT | 0x00ff_ffff,
            // NV indices, PCRs, permanent handles.
            0x0100_0000,
            0,
            0x4000_0000,
        ];
        let properties = [
            cap::PT_FIXED,
            cap::PT_HR_TRANSIENT_MIN,
            cap::PT_VAR,
            cap::PT_HR_LOADED,
            cap::PT_HR_LOADED_AVAIL,
            cap::PT_HR_ACTIVE,
            cap::PT_HR_ACTIVE_AVAIL,
            cap::PT_HR_TRANSIENT_AVAIL,
            0x2ff,
        ];
        let (capability, property) = match self.dice.below(8) {
            0..=4 => (cap::HANDLES, self.dice.pick(&firsts)),
            5 | 6 => (cap::TPM_PROPERTIES, self.dice.pick(&properties)),
            _ => {
                let which = [cap::ALGS, cap::COMMANDS, 5, 8, 99];
                (self.dice.pick(&which).unwrap_or_default(), Some(0))
            }
        };
        let mut params = vec![
            bytes(vec![].u32(capability)),
            bytes(vec![].u32(property.unwrap_or_default())),
            bytes(vec![].u32(count)),
        ];
        // From a handle of the client's own on.
        let own = self.own(who, |_| true).map(|item| item.register);
        let session = self
            .own_session(who, |_| true)
            .map(|session| session.register);
        if capability == cap::HANDLES && self.dice.once_in(3) {
            if let Some(register) = own.filter(|_| self.dice.once_in(2)).or(session) {
                params[1] = Part::Handle(register);
            }
        }
        let mut call = Call {
            code: cc::GET_CAPABILITY,
            params,
            ..Call::default()
        };
        // Protected answers tell of everybody's saved sessions, as they must.
        if capability == cap::ALGS || capability == cap::COMMANDS {
            self.audit(who, &mut call);
        }
        self.push(who, call);
    }
}
