// SPDX-License-Identifier: GPL-2.0

//! Public and sensitive areas of the objects that programs make.

use super::rsa_key;
use crate::command::sha256;
use crate::oracle::codes::alg;
use crate::oracle::program::{Hex, Part};
use crate::tpm::attr;
use crate::wire::Put;

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A P-256 parent of others.
    Storage,
    /// A 2048-bit parent of others.
    RsaStorage,
    /// A P-256 key that signs.
    Signing,
    /// A P-256 key for ECDH.
    Exchange,
    /// An HMAC key.
    Mac,
    /// Sealed data.
    Seal,
    /// An AES key.
    Cipher,
    /// The RSA key that everybody knows.
    Rsa,
    /// A hash sequence.
    HashSequence,
    /// An HMAC sequence.
    MacSequence,
    /// A hash sequence of all algorithms at once.
    EventSequence,
}

/// The kinds that a parent can have, and that can be primary.
pub const KINDS: [Kind; 6] = [
    Kind::Storage,
    Kind::Signing,
    Kind::Exchange,
    Kind::Mac,
    Kind::Seal,
    Kind::Cipher,
];

/// TPMA_OBJECT_encryptedDuplication and others are clear everywhere; this one is for objects that can leave.
const FIXED: u32 = attr::FIXED_TPM | attr::FIXED_PARENT;

/// How a template differs from the usual.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The policy that authorizes its use, instead of a value.
    pub policy: Option<Part>,
    /// Failures count.
    pub is_protected: bool,
    /// It can be duplicated.
    pub can_leave: bool,
    /// What makes primary keys of one template different.
    pub unique: Vec<u8>,
}

/// Bytes as a part.
pub fn bytes(bytes: Vec<u8>) -> Part {
    Part::Bytes(Hex(bytes))
}

/// The public area of an object to be created.
pub fn public(kind: Kind, choice: &Choice) -> Part {
    let mut attributes = match kind {
        Kind::Storage | Kind::RsaStorage => attr::RESTRICTED | attr::DECRYPT,
        Kind::Signing | Kind::Mac => attr::SIGN,
        Kind::Exchange => attr::DECRYPT,
        Kind::Cipher | Kind::Rsa => attr::DECRYPT | attr::SIGN,
        Kind::Seal | Kind::HashSequence | Kind::MacSequence | Kind::EventSequence => 0,
    };
    if kind != Kind::Seal {
        attributes |= attr::SENSITIVE_DATA_ORIGIN;
    }
    if !choice.can_leave {
        attributes |= FIXED;
    }
    if !choice.is_protected {
        attributes |= attr::NO_DA;
    }
    if choice.policy.is_none() || choice.can_leave {
        attributes |= attr::USER_WITH_AUTH;
    }
    area(kind, attributes, choice.policy.clone(), &choice.unique)
}

/// A public area from its parts.
fn area(kind: Kind, attributes: u32, policy: Option<Part>, unique: &[u8]) -> Part {
    let (algorithm, details) = match kind {
        Kind::Storage => (
            alg::ECC,
            vec![]
                .u16(alg::AES)
                .u16(128)
                .u16(alg::CFB)
                .u16(alg::NULL)
                .u16(alg::P256)
                .u16(alg::NULL)
                .sized(unique)
                .sized(b""),
        ),
        Kind::Signing | Kind::Exchange => (
            alg::ECC,
            vec![]
                .u16(alg::NULL)
                .u16(alg::NULL)
                .u16(alg::P256)
                .u16(alg::NULL)
                .sized(unique)
                .sized(b""),
        ),
        Kind::RsaStorage => (
            alg::RSA,
            vec![]
                .u16(alg::AES)
                .u16(128)
                .u16(alg::CFB)
                .u16(alg::NULL)
                .u16(2048)
                .u32(0)
                .sized(unique),
        ),
        Kind::Rsa => (
            alg::RSA,
            vec![]
                .u16(alg::NULL)
                .u16(alg::NULL)
                .u16(2048)
                .u32(0)
                .sized(unique),
        ),
        Kind::Mac => (
            alg::KEYEDHASH,
            vec![].u16(alg::HMAC).u16(alg::SHA256).sized(unique),
        ),
        Kind::Cipher => (
            alg::SYMCIPHER,
            vec![].u16(alg::AES).u16(128).u16(alg::CFB).sized(unique),
        ),
        Kind::Seal | Kind::HashSequence | Kind::MacSequence | Kind::EventSequence => {
            (alg::KEYEDHASH, vec![].u16(alg::NULL).sized(unique))
        }
    };
    let head = vec![].u16(algorithm).u16(alg::SHA256).u32(attributes);
    Part::Sized(vec![
        bytes(head),
        Part::Sized(policy.into_iter().collect()),
        bytes(details),
    ])
}

/// TPM2B_SENSITIVE_CREATE.
pub fn sensitive(kind: Kind, auth: &[u8], secret: &[u8]) -> Part {
    let data = if kind == Kind::Seal { secret } else { b"" };
    bytes(vec![].sized(&vec![].sized(auth).sized(data)))
}

/// The sensitive and the public area of a key that the program knows.
pub fn external(kind: Kind, auth: &[u8], key: &[u8]) -> Vec<Part> {
    let seed = sha256(&[b"seed", key]);
    let (algorithm, key, unique, attributes) = match kind {
        Kind::Rsa => (
            alg::RSA,
            rsa_key::PRIME.to_vec(),
            rsa_key::MODULUS.to_vec(),
            attr::SIGN | attr::DECRYPT,
        ),
        Kind::Cipher => {
            let key = sha256(&[key])[..16].to_vec();
            let unique = sha256(&[&seed, &key]);
            (alg::SYMCIPHER, key, unique, attr::SIGN | attr::DECRYPT)
        }
        _ => {
            let unique = sha256(&[&seed, key]);
            (alg::KEYEDHASH, key.to_vec(), unique, attr::SIGN)
        }
    };
    let seed = if kind == Kind::Rsa { vec![] } else { seed };
    let private = vec![].u16(algorithm).sized(auth).sized(&seed).sized(&key);
    let attributes = attributes | attr::USER_WITH_AUTH | attr::NO_DA;
    vec![
        bytes(vec![].sized(&private)),
        area(kind, attributes, None, &unique),
    ]
}
