// SPDX-License-Identifier: GPL-2.0

//! What the parameters of responses consist of, and which of it a TPM is free to choose.

use super::codes;
use crate::tpm::cc;
use crate::wire::Get;

/// A field of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The same on every TPM.
    Same(usize),
    /// A buffer that is the same on every TPM.
    SameSized,
    /// All that follows, the same on every TPM.
    SameRest,
    /// A buffer made of what the TPM has: the same things give the same, others give others.
    Derived,
    /// A buffer that is chosen anew each time; the size is always the same.
    Random,
    /// A point of an elliptic curve, in a buffer, chosen anew each time.
    Point,
    /// TPM2B_PUBLIC: as the template was, with a key that is derived.
    Public,
    /// TPM2B_CREATION_DATA.
    CreationData,
    /// A ticket: its digest is chosen by the TPM's proofs.
    Ticket,
    Signature,
    /// TPM2B_ATTEST.
    Attest,
    /// TPMS_CONTEXT.
    Context,
    /// TPMS_CAPABILITY_DATA and moreData.
    Capability,
}

use Field::{
    Attest, Capability, Context, CreationData, Derived, Point, Public, Random, Same, SameRest,
    SameSized, Signature, Ticket,
};

/// The fields of a response to this command.
pub fn of(code: u32) -> &'static [Field] {
    match code {
        cc::CREATE_PRIMARY => &[Public, CreationData, Derived, Ticket, Derived],
        cc::CREATE => &[Random, Public, CreationData, Derived, Ticket],
        cc::LOAD | cc::LOAD_EXTERNAL => &[Derived],
        codes::CREATE_LOADED => &[Random, Public, Derived],
        cc::READ_PUBLIC => &[Public, Derived, Derived],
        codes::OBJECT_CHANGE_AUTH | codes::IMPORT => &[Random],
        codes::DUPLICATE => &[Derived, Random, Derived],
        codes::MAKE_CREDENTIAL => &[Random, Random],
        codes::ACTIVATE_CREDENTIAL | cc::UNSEAL | codes::RSA_DECRYPT | cc::HMAC => &[Derived],
        codes::RSA_ENCRYPT => &[Derived],
        codes::ECDH_KEYGEN => &[Point, Point],
        codes::ECDH_ZGEN => &[Derived],
        codes::ENCRYPT_DECRYPT | codes::ENCRYPT_DECRYPT_2 => &[Derived, Derived],
        cc::SIGN => &[Signature],
        codes::VERIFY_SIGNATURE => &[Ticket],
        cc::CERTIFY
        | cc::CERTIFY_CREATION
        | codes::QUOTE
        | codes::GET_TIME
        | codes::NV_CERTIFY
        | codes::GET_SESSION_AUDIT_DIGEST => &[Attest, Signature],
        cc::SEQUENCE_COMPLETE => &[Derived, Ticket],
        cc::HASH => &[SameSized, Ticket],
        cc::GET_RANDOM => &[Random],
        cc::START_AUTH_SESSION => &[Random],
        cc::POLICY_SECRET | codes::POLICY_SIGNED => &[SameSized, Ticket],
        cc::POLICY_GET_DIGEST => &[Derived],
        cc::CONTEXT_SAVE => &[Context],
        codes::NV_READ_PUBLIC => &[SameSized, SameSized],
        codes::NV_READ => &[SameSized],
        cc::PCR_READ => &[Same(4), SameRest],
        cc::GET_CAPABILITY => &[Capability],
        _ => &[SameRest],
    }
}

/// Takes the fields of a response apart. What has a size before it is without it.
pub fn split(code: u32, parameters: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut get = Get(parameters);
    let mut fields = vec![];
    for field in of(code) {
        let whole = get.0;
        let size = match field {
            Same(n) => *n,
            SameRest | Context | Capability => whole.len(),
            SameSized | Derived | Random | Point | Public | CreationData | Attest => {
                fields.push(sized(&mut get).ok_or_else(|| wrong(code, parameters))?);
                continue;
            }
            Ticket => 6 + buffer(whole, 6).ok_or_else(|| wrong(code, parameters))?,
            Signature => signature(whole).ok_or_else(|| wrong(code, parameters))?,
        };
        let bytes = whole.get(..size).ok_or_else(|| wrong(code, parameters))?;
        fields.push(bytes.to_vec());
        get = Get(&whole[size..]);
    }
    if get.is_empty() {
        Ok(fields)
    } else {
        Err(wrong(code, parameters))
    }
}

fn wrong(code: u32, parameters: &[u8]) -> String {
    format!("a response to {code:#x} has parameters {parameters:02x?}")
}

/// How long the buffer at `at` is with its size.
fn buffer(bytes: &[u8], at: usize) -> Option<usize> {
    let size = bytes.get(at..at + 2)?;
    Some(2 + usize::from(u16::from_be_bytes([size[0], size[1]])))
}

fn sized(get: &mut Get<'_>) -> Option<Vec<u8>> {
    let size = buffer(get.0, 0)?;
    let bytes = get.0.get(2..size)?.to_vec();
    get.0 = &get.0[size..];
    Some(bytes)
}

fn signature(bytes: &[u8]) -> Option<usize> {
    let scheme = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    match scheme {
        codes::alg::ECDSA => {
            let r = buffer(bytes, 4)?;
            Some(4 + r + buffer(bytes, 4 + r)?)
        }
        codes::alg::RSASSA | codes::alg::RSAPSS => Some(4 + buffer(bytes, 4)?),
        codes::alg::HMAC => Some(4 + 32),
        codes::alg::NULL => Some(2),
        _ => None,
    }
}

/// Where the parts of a public area are: type, nameAlg and attributes; the policy; what describes the key;
/// the key itself.
pub fn public(bytes: &[u8]) -> Option<[&[u8]; 4]> {
    let policy = 8 + buffer(bytes, 8)?;
    let kind = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let symmetric = |at: usize| Some(at + if word(at)? == codes::alg::NULL { 2 } else { 6 });
    let scheme = |at: usize| Some(at + if word(at)? == codes::alg::NULL { 2 } else { 4 });
    let unique = match kind {
        codes::alg::RSA => scheme(symmetric(policy)?)? + 6,
        codes::alg::ECC => {
            let curve = scheme(symmetric(policy)?)?;
            scheme(curve + 2)?
        }
        codes::alg::KEYEDHASH => scheme(policy)?,
        codes::alg::SYMCIPHER => symmetric(policy)?,
        _ => return None,
    };
    Some([
        bytes.get(..8)?,
        bytes.get(10..policy)?,
        bytes.get(policy..unique)?,
        bytes.get(unique..)?,
    ])
}
