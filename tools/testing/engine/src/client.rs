// SPDX-License-Identifier: GPL-2.0

//! What a program does with a TPM: the commands, one function each, with the least to say.

use crate::command::{hmac, name_of, Auth, Command, Kind, Reply, Session, EMPTY};
use crate::tpm::{alg, attr, cap, cc, rh, ST_HASHCHECK};
use crate::wire::{Get, Put};
use std::cell::Cell;

/// Why a command had no success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The write or read failed with this (positive) errno.
    Errno(i32),
    /// The response has this response code.
    Rc(u32),
    /// There is no answer yet: the command waits for a session number.
    Waits,
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Errno(e) => write!(f, "errno {e}"),
            Failure::Rc(rc) => write!(f, "rc {rc:#x}"),
            Failure::Waits => write!(f, "waits"),
        }
    }
}

/// What a command comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A loaded object, or a persistent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub handle: u32,
    pub name: Vec<u8>,
    pub auth: Vec<u8>,
}

/// A created key that is not loaded.
#[derive(Clone, Debug)]
pub struct Created {
    pub private: Vec<u8>,
    pub public: Vec<u8>,
    pub auth: Vec<u8>,
}

/// How a command reaches what executes it.
pub type Call<'r> = Box<dyn Fn(&[u8]) -> Outcome<Vec<u8>> + 'r>;

/// One client.
pub struct Client<'r> {
    call: Call<'r>,
    nonces: Cell<u32>,
}

/// The bytes of TPM2_Startup.
pub fn startup(kind: u16) -> Vec<u8> {
    Command::new(cc::STARTUP).params(vec![].u16(kind)).bytes()
}

/// The bytes of TPM2_Shutdown.
pub fn shutdown(kind: u16) -> Vec<u8> {
    Command::new(cc::SHUTDOWN).params(vec![].u16(kind)).bytes()
}

/// Startup or Shutdown types.
pub const SU_CLEAR: u16 = 0;
pub const SU_STATE: u16 = 1;

/// The public area of a restricted P-256 key that can be a parent.
pub fn storage_template() -> Vec<u8> {
    let attributes = attr::FIXED_TPM
        | attr::FIXED_PARENT
        | attr::SENSITIVE_DATA_ORIGIN
        | attr::USER_WITH_AUTH
        | attr::NO_DA
        | attr::RESTRICTED
        | attr::DECRYPT;
    vec![]
        .u16(alg::ECC)
        .u16(alg::SHA256)
        .u32(attributes)
        .sized(b"")
        .u16(alg::AES)
        .u16(128)
        .u16(alg::CFB)
        .u16(alg::NULL)
        .u16(alg::NIST_P256)
        .u16(alg::NULL)
        .sized(b"")
        .sized(b"")
}

/// The public area of a P-256 signing key; with a policy, only the policy authorizes it.
pub fn signing_template(policy: &[u8]) -> Vec<u8> {
    let mut attributes = attr::FIXED_TPM
        | attr::FIXED_PARENT
        | attr::SENSITIVE_DATA_ORIGIN
        | attr::NO_DA
        | attr::SIGN;
    if policy.is_empty() {
        attributes |= attr::USER_WITH_AUTH;
    }
    vec![]
        .u16(alg::ECC)
        .u16(alg::SHA256)
        .u32(attributes)
        .sized(policy)
        .u16(alg::NULL)
        .u16(alg::NULL)
        .u16(alg::NIST_P256)
        .u16(alg::NULL)
        .sized(b"")
        .sized(b"")
}

fn sensitive(auth: &[u8]) -> Vec<u8> {
    vec![].sized(&vec![].sized(auth).sized(b""))
}

/// A session in the making: the same bytes, as often as they have to be sent.
pub struct Start<'a> {
    kind: Kind,
    nonce: Vec<u8>,
    command: Command<'a>,
    bytes: Vec<u8>,
}

impl Start<'_> {
    /// Sends it, again or for the first time.
    pub fn send(&mut self, client: &Client<'_>) -> Outcome<Session> {
        let response = client.bytes(&self.bytes)?;
        let reply = self.command.parse(&response).map_err(Failure::Rc)?;
        let handle = reply.handle.expect("a handle");
        let nonce_tpm = Get(&reply.params).sized();
        Ok(Session::new(handle, self.kind, &self.nonce, nonce_tpm))
    }
}

impl<'r> Client<'r> {
    pub fn new(call: Call<'r>) -> Self {
        Self {
            call,
            nonces: Cell::new(0),
        }
    }

    /// Sends bytes, whatever they are; the response as it is.
    pub fn bytes(&self, command: &[u8]) -> Outcome<Vec<u8>> {
        (self.call)(command)
    }

    /// Sends bytes; a response code is a failure.
    pub fn send(&self, command: &[u8]) -> Outcome<Vec<u8>> {
        let response = self.bytes(command)?;
        match crate::wire::response_code(&response) {
            0 => Ok(response),
            rc => Err(Failure::Rc(rc)),
        }
    }

    /// Sends a command; checks the response.
    pub fn run(&self, mut command: Command<'_>) -> Outcome<Reply> {
        let bytes = command.bytes();
        let response = self.bytes(&bytes)?;
        command.parse(&response).map_err(Failure::Rc)
    }

    fn nonce(&self) -> Vec<u8> {
        self.nonces.set(self.nonces.get() + 1);
        crate::command::sha256(&[b"nonce", &self.nonces.get().to_be_bytes()])
    }

    // Objects.

    /// A primary storage key.
    pub fn primary(&self, hierarchy: u32) -> Outcome<Object> {
        self.primary_with(hierarchy, &storage_template(), b"")
    }

    /// A primary key from this template, with this authorization value.
    pub fn primary_with(&self, hierarchy: u32, public: &[u8], auth: &[u8]) -> Outcome<Object> {
        let reply = self.run(
            Command::new(cc::CREATE_PRIMARY)
                .handle(hierarchy)
                .auth(EMPTY)
                .params(sensitive(auth).sized(public).sized(b"").u32(0)),
        )?;
        Ok(Object {
            handle: reply.handle.expect("a handle"),
            name: name_of(Get(&reply.params).sized()),
            auth: auth.to_vec(),
        })
    }

    /// Creates a key under `parent`.
    pub fn create(&self, parent: &Object, public: &[u8], auth: &[u8]) -> Outcome<Created> {
        self.create_with(parent, Auth::Password(&parent.auth), public, auth)
    }

    /// Creates a key under `parent`, authorized so.
    pub fn create_with(
        &self,
        parent: &Object,
        how: Auth<'_>,
        public: &[u8],
        auth: &[u8],
    ) -> Outcome<Created> {
        let reply = self.run(
            Command::new(cc::CREATE)
                .named(parent.handle, &parent.name)
                .auth(how)
                .params(sensitive(auth).sized(public).sized(b"").u32(0)),
        )?;
        let mut get = Get(&reply.params);
        Ok(Created {
            private: get.sized().to_vec(),
            public: get.sized().to_vec(),
            auth: auth.to_vec(),
        })
    }

    /// Loads a key under `parent`.
    pub fn load(&self, parent: &Object, key: &Created) -> Outcome<Object> {
        self.load_with(parent, Auth::Password(&parent.auth), key)
    }

    /// Loads a key under `parent`, authorized so.
    pub fn load_with(&self, parent: &Object, how: Auth<'_>, key: &Created) -> Outcome<Object> {
        let reply = self.run(
            Command::new(cc::LOAD)
                .named(parent.handle, &parent.name)
                .auth(how)
                .params(vec![].sized(&key.private).sized(&key.public)),
        )?;
        Ok(Object {
            handle: reply.handle.expect("a handle"),
            name: name_of(&key.public),
            auth: key.auth.clone(),
        })
    }

    /// A new signing key with this authorization value, loaded under `parent`.
    pub fn signing_key(&self, parent: &Object, auth: &[u8]) -> Outcome<Object> {
        let key = self.create(parent, &signing_template(b""), auth)?;
        self.load(parent, &key)
    }

    /// An object of the null hierarchy that holds this key for [`Client::mac`].
    pub fn mac_key(&self, key: &[u8]) -> Outcome<Object> {
        let seed = crate::command::sha256(&[b"seed", key]);
        let unique = crate::command::sha256(&[&seed, key]);
        let public = vec![]
            .u16(alg::KEYEDHASH)
            .u16(alg::SHA256)
            .u32(attr::USER_WITH_AUTH | attr::SIGN | attr::NO_DA)
            .sized(b"")
            .u16(alg::HMAC)
            .u16(alg::SHA256)
            .sized(&unique);
        let private = vec![]
            .u16(alg::KEYEDHASH)
            .sized(b"")
            .sized(&seed)
            .sized(key);
        let reply = self.run(
            Command::new(cc::LOAD_EXTERNAL)
                .params(vec![].sized(&private).sized(&public).u32(rh::NULL)),
        )?;
        Ok(Object {
            handle: reply.handle.expect("a handle"),
            name: name_of(&public),
            auth: vec![],
        })
    }

    /// The HMAC of `data` by the object's key.
    pub fn mac(&self, object: &Object, data: &[u8]) -> Outcome<Vec<u8>> {
        self.mac_with(object, EMPTY, data)
    }

    /// The HMAC of `data` by the object's key, authorized so.
    pub fn mac_with(&self, object: &Object, how: Auth<'_>, data: &[u8]) -> Outcome<Vec<u8>> {
        let reply = self.run(
            Command::new(cc::HMAC)
                .named(object.handle, &object.name)
                .auth(how)
                .params(vec![].sized(data).u16(alg::SHA256)),
        )?;
        Ok(Get(&reply.params).sized().to_vec())
    }

    /// Asserts that `object` is the one made of `key`.
    #[track_caller]
    pub fn assert_mac_key(&self, object: &Object, key: &[u8]) {
        assert_eq!(
            self.mac(object, b"data"),
            Ok(hmac(key, &[b"data"])),
            "object {:#x}",
            object.handle
        );
    }

    /// Signs a digest; the signature is not looked at.
    pub fn sign(&self, object: &Object, how: Auth<'_>) -> Outcome {
        self.run(
            Command::new(cc::SIGN)
                .named(object.handle, &object.name)
                .auth(how)
                .params(
                    vec![]
                        .sized(&[7; 32])
                        .u16(alg::ECDSA)
                        .u16(alg::SHA256)
                        .u16(ST_HASHCHECK)
                        .u32(rh::NULL)
                        .sized(b""),
                ),
        )
        .map(drop)
    }

    /// The Name of the object with this handle.
    pub fn read_public(&self, handle: u32) -> Outcome<Vec<u8>> {
        let reply = self.run(Command::new(cc::READ_PUBLIC).handle(handle))?;
        Ok(name_of(Get(&reply.params).sized()))
    }

    /// Asserts that the handle means this object.
    #[track_caller]
    pub fn assert_object(&self, object: &Object) {
        assert_eq!(
            self.read_public(object.handle),
            Ok(object.name.clone()),
            "object {:#x}",
            object.handle
        );
    }

    /// Asserts that the handle means nothing: a lost object's, or one that never was.
    #[track_caller]
    pub fn assert_gone(&self, handle: u32) {
        let outcome = self.read_public(handle);
        assert!(
            matches!(
                outcome,
                Err(Failure::Rc(crate::tpm::rc::LOST_H0) | Failure::Errno(22))
            ),
            "object {handle:#x}: {outcome:?}"
        );
    }

    /// Makes the object persistent, or removes the persistent one.
    pub fn evict_control(&self, object: &Object, persistent: u32) -> Outcome {
        self.run(
            Command::new(cc::EVICT_CONTROL)
                .handle(rh::OWNER)
                .named(object.handle, &object.name)
                .auth(EMPTY)
                .params(vec![].u32(persistent)),
        )
        .map(drop)
    }

    // Sequences.

    /// Starts a hash sequence.
    pub fn hash_start(&self) -> Outcome<Object> {
        let reply = self.run(
            Command::new(cc::HASH_SEQUENCE_START).params(vec![].sized(b"").u16(alg::SHA256)),
        )?;
        Ok(Object {
            handle: reply.handle.expect("a handle"),
            name: vec![],
            auth: vec![],
        })
    }

    /// Adds data to a sequence.
    pub fn hash_update(&self, sequence: &Object, data: &[u8]) -> Outcome {
        self.run(
            Command::new(cc::SEQUENCE_UPDATE)
                .named(sequence.handle, b"")
                .auth(EMPTY)
                .params(vec![].sized(data)),
        )
        .map(drop)
    }

    /// Ends a sequence: the digest. The sequence is gone.
    pub fn hash_complete(&self, sequence: &Object, data: &[u8]) -> Outcome<Vec<u8>> {
        let reply = self.run(
            Command::new(cc::SEQUENCE_COMPLETE)
                .named(sequence.handle, b"")
                .auth(EMPTY)
                .params(vec![].sized(data).u32(rh::NULL)),
        )?;
        Ok(Get(&reply.params).sized().to_vec())
    }

    // Sessions.

    /// Starts a session.
    pub fn start(&self, kind: Kind) -> Outcome<Session> {
        self.starting(kind).send(self)
    }

    /// A command that starts a session, to be sent until there is an answer.
    pub fn starting(&self, kind: Kind) -> Start<'static> {
        self.starting_with(kind, vec![])
    }

    /// As [`Client::starting`], with sessions that authorize nothing and protect the command.
    pub fn starting_with<'a>(&self, kind: Kind, auths: Vec<Auth<'a>>) -> Start<'a> {
        let nonce = self.nonce();
        let mut command = Command::new(cc::START_AUTH_SESSION)
            .handle(rh::NULL)
            .handle(rh::NULL)
            .params(
                vec![]
                    .sized(&nonce)
                    .sized(b"")
                    .u8(kind as u8)
                    .u16(alg::NULL)
                    .u16(alg::SHA256),
            );
        for auth in auths {
            command = command.auth(auth);
        }
        let bytes = command.bytes();
        Start {
            kind,
            nonce,
            command,
            bytes,
        }
    }

    /// Adds TPM2_PolicyCommandCode to a policy.
    pub fn policy_command_code(&self, session: u32, code: u32) -> Outcome {
        self.run(
            Command::new(cc::POLICY_COMMAND_CODE)
                .handle(session)
                .params(vec![].u32(code)),
        )
        .map(drop)
    }

    /// Starts a policy over.
    pub fn policy_restart(&self, session: u32) -> Outcome {
        self.run(Command::new(cc::POLICY_RESTART).handle(session))
            .map(drop)
    }

    /// The digest of a policy.
    pub fn policy_digest(&self, session: u32) -> Outcome<Vec<u8>> {
        let reply = self.run(Command::new(cc::POLICY_GET_DIGEST).handle(session))?;
        Ok(Get(&reply.params).sized().to_vec())
    }

    /// Uses a session that authorizes nothing: GetRandom with an audit session.
    pub fn audited_random(&self, session: Auth<'_>) -> Outcome {
        self.run(
            Command::new(cc::GET_RANDOM)
                .auth(session)
                .params(vec![].u16(8)),
        )
        .map(drop)
    }

    // Contexts.

    /// Saves a context.
    pub fn save(&self, handle: u32) -> Outcome<Vec<u8>> {
        self.run(Command::new(cc::CONTEXT_SAVE).handle(handle))
            .map(|reply| reply.params)
    }

    /// Loads a context.
    pub fn restore(&self, context: &[u8]) -> Outcome<u32> {
        self.run(Command::new(cc::CONTEXT_LOAD).params(context.to_vec()))
            .map(|reply| reply.handle.expect("a handle"))
    }

    /// Flushes an object or a session.
    pub fn flush(&self, handle: u32) -> Outcome {
        self.run(Command::new(cc::FLUSH_CONTEXT).params(vec![].u32(handle)))
            .map(drop)
    }

    // The TPM.

    /// Random bytes.
    pub fn random(&self) -> Outcome {
        self.run(Command::new(cc::GET_RANDOM).params(vec![].u16(8)))
            .map(drop)
    }

    /// A capability: whether there is more, and the data.
    pub fn capability(
        &self,
        capability: u32,
        property: u32,
        count: u32,
    ) -> Outcome<(bool, Vec<u8>)> {
        let reply = self.run(
            Command::new(cc::GET_CAPABILITY)
                .params(vec![].u32(capability).u32(property).u32(count)),
        )?;
        let mut get = Get(&reply.params);
        let more = get.u8() != 0;
        assert_eq!(get.u32(), capability);
        Ok((more, get.0.to_vec()))
    }

    /// At most `count` handles from `first` on, and whether there are more.
    pub fn handles(&self, first: u32, count: u32) -> Outcome<(bool, Vec<u32>)> {
        let (more, data) = self.capability(cap::HANDLES, first, count)?;
        let mut get = Get(&data);
        let handles = (0..get.u32()).map(|_| get.u32()).collect();
        assert!(get.is_empty(), "nothing after the handles");
        Ok((more, handles))
    }

    /// One property.
    pub fn property(&self, property: u32) -> Outcome<u32> {
        let (_, data) = self.capability(cap::TPM_PROPERTIES, property, 1)?;
        let mut get = Get(&data);
        assert_eq!((get.u32(), get.u32()), (1, property));
        Ok(get.u32())
    }

    /// TPM2_Clear: the owner changes.
    pub fn clear(&self) -> Outcome {
        self.run(Command::new(cc::CLEAR).handle(rh::LOCKOUT).auth(EMPTY))
            .map(drop)
    }
}
