// SPDX-License-Identifier: GPL-2.0

//! The client's side of a session: keys, HMACs and parameter encryption (Part 1, 19.6 and 21).

use crate::command::{hmac, sha256};
use crate::wire::{su, Put};

/// Session attributes.
pub const CONTINUE: u8 = 0x01;
pub const DECRYPT: u8 = 0x20;
pub const ENCRYPT: u8 = 0x40;
pub const AUDIT: u8 = 0x80;

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    pub is_policy: bool,
    /// Empty if it is neither salted nor bound.
    key: Vec<u8>,
    pub nonce_caller: Vec<u8>,
    pub nonce_tpm: Vec<u8>,
}

impl Session {
    /// The session that a TPM has just started. `secret` is the value of what it is bound to and the salt.
    pub fn new(is_policy: bool, secret: Option<&[u8]>, caller: &[u8], tpm: &[u8]) -> Self {
        Self {
            is_policy,
            key: secret.map_or(vec![], |secret| kdfa(secret, b"ATH", tpm, caller, 32)),
            nonce_caller: caller.to_vec(),
            nonce_tpm: tpm.to_vec(),
        }
    }

    /// Another nonce, that nobody else has.
    pub fn roll(&mut self) {
        self.nonce_caller = sha256(&[&self.nonce_caller, b"next"]);
    }

    /// The key of its HMACs.
    pub fn mac_key(&self, value: &[u8]) -> Vec<u8> {
        self.key.clone().bytes(value)
    }

    /// Turns what goes to the TPM over, in place.
    pub fn hide(&self, value: &[u8], data: &mut [u8]) {
        self.mask(value, &self.nonce_caller, &self.nonce_tpm, data);
    }

    /// Turns what came from the TPM back, in place.
    pub fn show(&self, value: &[u8], data: &mut [u8]) {
        self.mask(value, &self.nonce_tpm, &self.nonce_caller, data);
    }

    fn mask(&self, value: &[u8], newer: &[u8], older: &[u8], data: &mut [u8]) {
        let mask = kdfa(&self.mac_key(value), b"XOR", newer, older, data.len());
        data.iter_mut().zip(mask).for_each(|(byte, m)| *byte ^= m);
    }
}

/// KDFa with SHA-256: so many bytes.
fn kdfa(key: &[u8], label: &[u8], u: &[u8], v: &[u8], size: usize) -> Vec<u8> {
    let bits = su(size * 8).to_be_bytes();
    let mut out = vec![];
    for counter in 1u32.. {
        if out.len() >= size {
            break;
        }
        out.extend(hmac(
            key,
            &[&counter.to_be_bytes(), label, &[0], u, v, &bits],
        ));
    }
    out.truncate(size);
    out
}

/// KDFe with SHA-256, for a salt: from the x coordinates of the shared point and of both keys.
pub fn salt(z: &[u8], ephemeral: &[u8], key: &[u8]) -> Vec<u8> {
    sha256(&[&1u32.to_be_bytes(), z, b"SECRET\0", ephemeral, key])
}
