// SPDX-License-Identifier: GPL-2.0

//! Commands that are not as they should be.

use super::{is_one_of, Generator, SPOILT};
use crate::oracle::codes;
use crate::oracle::program::{By, Call, Damage, Hex, Named, Proof, Step};
use crate::oracle::seat::client_of;
use crate::tpm::{cc, rh};

/// Session attributes and handles that a command may have instead of its own.
const ODD_HANDLES: [u32; 6] = [
    rh::NULL,
    rh::OWNER,
    // A PCR, an NV index and a persistent object that are not there, and no handle at all.
    5,
    0x0150_00ff,
    0x8100_00ff,
    0xffff_ffff,
];

/// Whether turning over a bit of the parameters leaves a program that can be compared: what is made by the
/// command is described by its response alone, and what it does to all is done to all.
fn can_flip(code: u32) -> bool {
    !matches!(
        code,
        cc::CREATE_PRIMARY
            | cc::START_AUTH_SESSION
            | cc::FLUSH_CONTEXT
            | cc::EVICT_CONTROL
            | cc::HIERARCHY_CONTROL
            | cc::HIERARCHY_CHANGE_AUTH
            | codes::CLEAR_CONTROL
            | codes::SET_PRIMARY_POLICY
            | codes::NV_DEFINE_SPACE
    )
}

impl Generator {
    /// Spoils one of the commands that were just invented, now and then.
    pub(super) fn spoil(&mut self) {
        // What was done and has never failed.
        let wanted = |step: &Step| {
            is_one_of(step, &self.wanted.failed) && !is_one_of(step, &self.wanted.done)
        };
        let wanted = self.queue.iter().position(wanted);
        if let Some(Step::Call { call, .. }) = wanted.and_then(|n| self.queue.get_mut(n)) {
            call.damage = Damage::Extend(1);
            return;
        }
        if self.queue.is_empty() || !self.dice.once_in(SPOILT) {
            return;
        }
        let n = self.dice.below(self.queue.len());
        let Some(Step::Call { who, mut call }) = self.queue.get(n).cloned() else {
            return;
        };
        match self.dice.below(10) {
            0 => call.damage = Damage::Truncate(self.dice.below(1 << 16)),
            1 => call.damage = Damage::Extend(1 + self.dice.below(8)),
            2 | 3 if can_flip(call.code) => {
                let bit = 1u8 << self.dice.below(8);
                call.damage = Damage::Flip(self.dice.below(1 << 16), bit);
            }
            4 => self.spoil_proof(&mut call),
            5 | 6 => self.spoil_handle(&mut call),
            7 => self.spoil_session(who, &mut call),
            8 => {
                call.auths.pop();
            }
            _ if self.dice.once_in(8) => call.code = cc::NOBODYS,
            _ if self.dice.once_in(4) => call.damage = Damage::Header(self.dice.below(10)),
            _ => self.spoil_proof(&mut call),
        }
        self.queue[n] = Step::Call { who, call };
    }

    fn spoil_proof(&mut self, call: &mut Call) {
        // A failure there would stop everybody for long.
        if call.handles.first() == Some(&Named::Fixed(rh::LOCKOUT)) || call.auths.is_empty() {
            return;
        }
        let n = self.dice.below(call.auths.len());
        match call.auths[n].by {
            By::Password => call.auths[n].value = Hex(b"wrong".to_vec()),
            By::Session(_) => call.auths[n].proof = Proof::Wrong,
        }
    }

    fn spoil_handle(&mut self, call: &mut Call) {
        if call.handles.is_empty() {
            return;
        }
        let n = match call.code {
            // What becomes persistent has to be known.
            cc::EVICT_CONTROL => 0,
            _ => self.dice.below(call.handles.len()),
        };
        let odd = match self.dice.below(4) {
            0 => Named::Fixed(ODD_HANDLES[self.dice.below(ODD_HANDLES.len())]),
            1 => match self.dice.pick(&self.sessions) {
                Some(session) => Named::Of(session.register),
                None => Named::Fixed(rh::NULL),
            },
            _ => Named::Fixed(rh::TRANSIENT + crate::wire::su(self.dice.below(15))),
        };
        // How a primary object was made has to be known, too.
        let is_hierarchy = matches!(odd, Named::Fixed(rh::NULL | rh::OWNER));
        if call.code != cc::CREATE_PRIMARY || !is_hierarchy {
            call.handles[n] = odd;
            // It may be something that a TPM chose.
            call.exact = false;
        }
    }

    /// Another session in the place of one, or a session where there was a password.
    fn spoil_session(&mut self, who: usize, call: &mut Call) {
        let is_foreign = self.dice.once_in(2);
        let others = self.sessions.iter().filter(|session| {
            session.who != who && (client_of(session.who) != client_of(who)) == is_foreign
        });
        let others: Vec<_> = others.cloned().collect();
        let Some(session) = self.dice.pick(&others) else {
            return;
        };
        match call.auths.first_mut() {
            Some(auth) => auth.by = By::Session(session.register),
            None => call.handles.iter_mut().for_each(|handle| {
                if let Named::Of(_) = handle {
                    *handle = Named::Of(session.register);
                }
            }),
        }
    }
}
