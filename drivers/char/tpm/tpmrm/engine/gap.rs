// SPDX-License-Identifier: GPL-2.0

//! The context gap: the TPM counts the contexts of sessions that it saves, and the oldest saved
//! session must not fall too far behind (Part 1, 30.5). Loading it and saving it again makes it the
//! newest.

use crate::engine::{
    counters::Counters,
    names::Names,
    observer::Event,
    session::Session,
    swap_session::Load,
    tpm::Tpm,
    wire::{
        handle::SessionHandle,
        rc::Shortage, //
    },
    Engine,
};

/// A session is saved again when less than this part of the gap is left to it.
const MARGIN: u64 = 4;

/// How many sessions are saved again after one command. More than one, so that the sessions that
/// were saved one after the other are all young again before the gap closes.
const AT_ONCE: usize = 2;

impl Engine {
    /// Saves sessions again long before the gap would close for anybody.
    pub(crate) fn keep_young(&mut self, tpm: &mut dyn Tpm) {
        for _ in 0..AT_ONCE {
            match self.sessions.oldest() {
                Some((oldest, age)) if self.is_old(age) => self.renew(tpm, oldest),
                _ => return,
            }
        }
    }

    /// The TPM says that the gap has closed: saves the oldest session again, and whatever else has
    /// become old.
    pub(crate) fn reopen_gap(&mut self, tpm: &mut dyn Tpm) {
        let mut left = self.sessions.iter().count();

        while let Some((oldest, _)) = self.sessions.oldest().filter(|_| left > 0) {
            self.renew(tpm, oldest);
            left = match self.sessions.oldest() {
                Some((_, age)) if self.is_old(age) => left.saturating_sub(1),
                _ => 0,
            };
        }
    }

    fn is_old(&self, age: u64) -> bool {
        let gap = self.properties.context_gap;

        age >= gap.saturating_sub(gap / MARGIN)
    }

    /// Loads a session and saves it again, or ends it, if nobody has its newest context. If that
    /// fails, it is tried again by a later command.
    fn renew(&mut self, tpm: &mut dyn Tpm, handle: SessionHandle) {
        if self.sessions.find(handle).is_some_and(Session::is_disowned) {
            let _ = self.flush_session(tpm, handle);
            return;
        }

        let mut load = self.try_load_session(tpm, handle);

        // When the gap is closed, the TPM keeps its last slot for this very session.
        if let Load::Short(Shortage::Session, _) = load {
            // Not by what opens the gap, which is what we do: a TPM that has neither a slot nor a
            // gap would have us do it for ever.
            match self.session_victim(&Names::NONE) {
                Some(victim) => {
                    let _ = self.try_save_session(tpm, victim);
                }
                None => tpm.end_kernel_session(),
            }
            load = self.try_load_session(tpm, handle);
        }
        if let Load::Loaded = load {
            Counters::add(&mut self.counters.regaps);
            self.watch.note(Event::Regap {
                session: handle.to_wire(),
            });
            let _ = self.try_save_session(tpm, handle);
        }
    }
}
