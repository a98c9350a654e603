// SPDX-License-Identifier: GPL-2.0

//! What a command names, and which of it the descriptor does not have.

use super::Reference;
use crate::tpm::{NO_SESSIONS, SESSIONS};
use crate::wire::{command_code, su, Get};

/// A name that a command has and the descriptor does not: how a manager refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Unknown {
    /// A transient object that never was the descriptor's, or that was flushed.
    Never(u32),
    /// Something lost, or a session that is not the descriptor's.
    Gone(u32),
}

/// What a command names, and where in its bytes that stands.
pub(super) struct Mention {
    pub(super) at: usize,
    pub(super) handle: u32,
    /// The code by which a TPM refuses what is not loaded.
    refusal: u32,
}

impl Reference {
    /// The names in a command that the descriptor does not have; `None` if nobody can tell: the command names
    /// what was gone, and is there again. A manager may have noticed that or not.
    pub fn unknown(&mut self, who: usize, bytes: &[u8]) -> Option<Vec<Unknown>> {
        let mentions = self.mentions(bytes);
        let handles = mentions.iter().map(|mention| mention.handle);
        let dead: Vec<u32> = handles
            .filter(|handle| self.is_dead(who, *handle))
            .collect();
        let desk = self.desk(who);
        let is_back = |mention: &Mention| {
            desk.undecided.contains(&mention.handle) && !dead.contains(&mention.handle)
        };
        if mentions.iter().any(is_back) {
            return None;
        }
        let unknown: Vec<Unknown> = mentions
            .iter()
            .filter_map(|mention| {
                let handle = mention.handle;
                let is_gone = desk.lost.contains(&handle) || dead.contains(&handle);
                match handle >> 24 {
                    0x80 if is_gone => Some(Unknown::Gone(mention.refusal)),
                    0x80 if !desk.objects.contains_key(&handle) => {
                        Some(Unknown::Never(mention.refusal))
                    }
                    2 | 3 if !desk.has_session(handle) => Some(Unknown::Gone(mention.refusal)),
                    _ => None,
                }
            })
            .collect();
        // Of several that are gone, only one is sure to be noticed.
        for handle in dead {
            match unknown.len() {
                1 => desk.lose(handle),
                _ => drop(desk.undecided.insert(handle)),
            }
        }
        Some(unknown)
    }

    /// Whether an object that should be there cannot be loaded.
    fn is_dead(&mut self, who: usize, handle: u32) -> bool {
        let context = self.desk(who).objects.get(&handle).cloned();
        context.is_some_and(|context| match self.load(&context) {
            Ok(physical) => {
                self.flush(physical);
                false
            }
            Err(_) => true,
        })
    }

    pub(super) fn mentions(&self, bytes: &[u8]) -> Vec<Mention> {
        let word = |at: usize| bytes.get(at..at + 4).map(|four| Get(four).u32());
        let tag = bytes.get(..2).map_or(0, |two| Get(two).u16());
        let code = command_code(bytes);
        let count = match self.attributes.get(&code) {
            Some(attributes) if tag == NO_SESSIONS || tag == SESSIONS => attributes >> 25 & 7,
            _ => return vec![],
        } as usize;
        let mut mentions = vec![];
        if 10 + 4 * count > bytes.len() {
            return vec![];
        }
        for n in 0..count {
            let at = 10 + 4 * n;
            let handle = word(at).expect("long enough");
            let refusal = 0x910 + su(n);
            mentions.push(Mention {
                at,
                handle,
                refusal,
            });
        }
        if tag == SESSIONS {
            let sessions = self.authorizing(bytes, 10 + 4 * count).into_iter();
            // What is no session there is for the TPM to refuse.
            mentions.extend(sessions.filter(|mention| matches!(mention.handle >> 24, 2 | 3)));
        }
        mentions
    }

    /// The sessions of an authorization area, as far as it can be read.
    fn authorizing(&self, bytes: &[u8], at: usize) -> Vec<Mention> {
        let number = |at: usize, n: usize| {
            let bytes = bytes.get(at..at + n)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |all, byte| all << 8 | usize::from(*byte)),
            )
        };
        let mut mentions = vec![];
        let Some(end) = number(at, 4).map(|size| at + 4 + size) else {
            return mentions;
        };
        if end > bytes.len() {
            return mentions;
        }
        let mut at = at + 4;
        let one = |at: usize| -> Option<(u32, usize)> {
            let handle = u32::try_from(number(at, 4)?).ok()?;
            let attributes = at + 6 + number(at + 4, 2)?;
            Some((handle, attributes + 3 + number(attributes + 1, 2)?))
        };
        while at < end && mentions.len() < 3 {
            let Some((handle, next)) = one(at).filter(|(_, next)| *next <= end) else {
                break;
            };
            let refusal = 0x918 + su(mentions.len());
            mentions.push(Mention {
                at,
                handle,
                refusal,
            });
            at = next;
        }
        mentions
    }
}
