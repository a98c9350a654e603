// SPDX-License-Identifier: GPL-2.0

//! Programs of TPM commands that do not depend on what a TPM chooses: handles, names and nonces are said by
//! the register that they came into. The same program runs on any TPM, and can be kept in a file.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where what a response brought is kept: each is written once.
pub type Register = usize;

/// Bytes, in a file as hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        to.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(from)?;
        let byte = |at| {
            digits
                .get(at..at + 2)
                .map(|two| u8::from_str_radix(two, 16))
        };
        (0..digits.len())
            .step_by(2)
            .map(|at| byte(at).and_then(Result::ok))
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("no hexadecimal digits"))
    }
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// A command on this descriptor, which is opened if it is not open.
    Call { who: usize, call: Call },
    /// The descriptor is closed.
    Close { who: usize },
    /// Somebody uses the TPM directly.
    Interrupt,
    /// Time passes, in milliseconds.
    Pass(u64),
}

/// A command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub code: u32,
    pub handles: Vec<Named>,
    pub auths: Vec<Auth>,
    pub params: Vec<Part>,
    /// Where the response goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Register>,
    /// Something that was there before is what the response has the handle of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Register>,
    /// The value that authorizes from now on what the command authorizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<Hex>,
    /// How the session comes about that this starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// All that a TPM may choose was chosen by the program: results are the same to the byte.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exact: bool,
    /// What was done to the bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub damage: Damage,
    /// CreatePrimary of the object that this makes persistent, for TPMs that do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Call>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A handle in the handle area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Named {
    Fixed(u32),
    /// The handle and the Name that are in a register.
    Of(Register),
}

/// An authorization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auth {
    pub by: By,
    pub attributes: u8,
    /// The authorization value of what it authorizes.
    pub value: Hex,
    pub proof: Proof,
    /// It is the value of what the session is bound to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bound: bool,
}

/// What authorizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum By {
    Password,
    Session(Register),
}

/// What proves that who sends a command knows a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Proof {
    /// An HMAC with the session's key alone.
    Key,
    /// An HMAC with the session's key and the value.
    Value,
    /// The value itself, in a policy session.
    Plain,
    /// A wrong HMAC.
    Wrong,
}

/// A part of the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Part {
    Bytes(Hex),
    /// The n-th field of a response.
    Field(Register, usize),
    Handle(Register),
    Name(Register),
    /// The newest nonceTPM of a session.
    Nonce(Register),
    /// These with their size in two bytes before them.
    Sized(Vec<Part>),
    /// The SHA-256 of these.
    Digest(Vec<Part>),
}

/// How a session comes about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub nonce: Hex,
    pub policy: bool,
    /// The authorization value of what it is bound to.
    pub bind: Option<Hex>,
    /// Where the response of ECDH_KeyGen is, and that of what told the key's public area.
    pub salt: Option<(Register, Register)>,
}

/// What is done to the bytes of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Damage {
    #[default]
    None,
    /// It ends after as many bytes, which is what its header says.
    Truncate(usize),
    /// So many bytes come after it, which is what its header says.
    Extend(usize),
    /// These bits of a byte of the parameters are turned over.
    Flip(usize, u8),
    /// Only so many bytes of the header are there.
    Header(usize),
}
