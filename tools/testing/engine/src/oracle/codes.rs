// SPDX-License-Identifier: GPL-2.0

//! More numbers of the TPM 2.0 specification than [`crate::tpm`] has.

pub const NV_UNDEFINE_SPACE_SPECIAL: u32 = 0x11f;
pub const NV_UNDEFINE_SPACE: u32 = 0x122;
pub const CLEAR_CONTROL: u32 = 0x127;
pub const NV_DEFINE_SPACE: u32 = 0x12a;
pub const SET_PRIMARY_POLICY: u32 = 0x12e;
pub const NV_INCREMENT: u32 = 0x134;
pub const NV_WRITE: u32 = 0x137;
pub const DICTIONARY_ATTACK_LOCK_RESET: u32 = 0x139;
pub const NV_CHANGE_AUTH: u32 = 0x13b;
pub const PCR_EVENT: u32 = 0x13c;
pub const PCR_RESET: u32 = 0x13d;
pub const ACTIVATE_CREDENTIAL: u32 = 0x147;
pub const POLICY_NV: u32 = 0x149;
pub const DUPLICATE: u32 = 0x14b;
pub const GET_TIME: u32 = 0x14c;
pub const GET_SESSION_AUDIT_DIGEST: u32 = 0x14d;
pub const NV_READ: u32 = 0x14e;
pub const NV_READ_LOCK: u32 = 0x14f;
pub const OBJECT_CHANGE_AUTH: u32 = 0x150;
pub const ECDH_ZGEN: u32 = 0x154;
pub const IMPORT: u32 = 0x156;
pub const QUOTE: u32 = 0x158;
pub const RSA_DECRYPT: u32 = 0x159;
pub const HMAC_START: u32 = 0x15b;
pub const POLICY_SIGNED: u32 = 0x160;
pub const ECDH_KEYGEN: u32 = 0x163;
pub const ENCRYPT_DECRYPT: u32 = 0x164;
pub const MAKE_CREDENTIAL: u32 = 0x168;
pub const NV_READ_PUBLIC: u32 = 0x169;
pub const POLICY_CP_HASH: u32 = 0x16e;
pub const POLICY_LOCALITY: u32 = 0x16f;
pub const POLICY_NAME_HASH: u32 = 0x170;
pub const POLICY_OR: u32 = 0x171;
pub const RSA_ENCRYPT: u32 = 0x174;
pub const VERIFY_SIGNATURE: u32 = 0x177;
pub const POLICY_PCR: u32 = 0x17f;
pub const PCR_EXTEND: u32 = 0x182;
pub const NV_CERTIFY: u32 = 0x184;
pub const EVENT_SEQUENCE_COMPLETE: u32 = 0x185;
pub const POLICY_PHYSICAL_PRESENCE: u32 = 0x187;
pub const POLICY_DUPLICATION_SELECT: u32 = 0x188;
pub const POLICY_PASSWORD: u32 = 0x18c;
pub const POLICY_NV_WRITTEN: u32 = 0x18f;
pub const POLICY_TEMPLATE: u32 = 0x190;
pub const CREATE_LOADED: u32 = 0x191;
pub const ENCRYPT_DECRYPT_2: u32 = 0x193;

/// Algorithms.
pub mod alg {
    pub const RSA: u16 = 1;
    pub const HMAC: u16 = 5;
    pub const AES: u16 = 6;
    pub const KEYEDHASH: u16 = 8;
    pub const XOR: u16 = 0xa;
    pub const SHA256: u16 = 0xb;
    pub const NULL: u16 = 0x10;
    pub const RSASSA: u16 = 0x14;
    pub const RSAPSS: u16 = 0x16;
    pub const ECDSA: u16 = 0x18;
    pub const ECC: u16 = 0x23;
    pub const SYMCIPHER: u16 = 0x25;
    pub const CFB: u16 = 0x43;
    pub const P256: u16 = 3;
}

/// The name of a command, or its number.
pub fn name(code: u32) -> String {
    NAMES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| format!("{code:#x}"), |(_, name)| (*name).to_string())
}

use crate::tpm::cc;

/// What the table of what was done calls the commands.
pub const NAMES: &[(u32, &str)] = &[
    (NV_UNDEFINE_SPACE, "NV_UndefineSpace"),
    (cc::EVICT_CONTROL, "EvictControl"),
    (cc::HIERARCHY_CONTROL, "HierarchyControl"),
    (cc::CHANGE_EPS, "ChangeEPS"),
    (cc::CHANGE_PPS, "ChangePPS"),
    (cc::CLEAR, "Clear"),
    (CLEAR_CONTROL, "ClearControl"),
    (cc::HIERARCHY_CHANGE_AUTH, "HierarchyChangeAuth"),
    (NV_DEFINE_SPACE, "NV_DefineSpace"),
    (SET_PRIMARY_POLICY, "SetPrimaryPolicy"),
    (cc::CREATE_PRIMARY, "CreatePrimary"),
    (NV_INCREMENT, "NV_Increment"),
    (NV_WRITE, "NV_Write"),
    (DICTIONARY_ATTACK_LOCK_RESET, "DictionaryAttackLockReset"),
    (PCR_EVENT, "PCR_Event"),
    (PCR_RESET, "PCR_Reset"),
    (cc::SEQUENCE_COMPLETE, "SequenceComplete"),
    (cc::STIR_RANDOM, "StirRandom"),
    (ACTIVATE_CREDENTIAL, "ActivateCredential"),
    (cc::CERTIFY, "Certify"),
    (POLICY_NV, "PolicyNV"),
    (cc::CERTIFY_CREATION, "CertifyCreation"),
    (DUPLICATE, "Duplicate"),
    (GET_TIME, "GetTime"),
    (GET_SESSION_AUDIT_DIGEST, "GetSessionAuditDigest"),
    (NV_READ, "NV_Read"),
    (OBJECT_CHANGE_AUTH, "ObjectChangeAuth"),
    (cc::POLICY_SECRET, "PolicySecret"),
    (cc::CREATE, "Create"),
    (ECDH_ZGEN, "ECDH_ZGen"),
    (cc::HMAC, "HMAC"),
    (IMPORT, "Import"),
    (cc::LOAD, "Load"),
    (QUOTE, "Quote"),
    (RSA_DECRYPT, "RSA_Decrypt"),
    (HMAC_START, "HMAC_Start"),
    (cc::SEQUENCE_UPDATE, "SequenceUpdate"),
    (cc::SIGN, "Sign"),
    (cc::UNSEAL, "Unseal"),
    (POLICY_SIGNED, "PolicySigned"),
    (cc::CONTEXT_LOAD, "ContextLoad"),
    (cc::CONTEXT_SAVE, "ContextSave"),
    (ECDH_KEYGEN, "ECDH_KeyGen"),
    (ENCRYPT_DECRYPT, "EncryptDecrypt"),
    (cc::FLUSH_CONTEXT, "FlushContext"),
    (cc::LOAD_EXTERNAL, "LoadExternal"),
    (MAKE_CREDENTIAL, "MakeCredential"),
    (NV_READ_PUBLIC, "NV_ReadPublic"),
    (cc::POLICY_AUTH_VALUE, "PolicyAuthValue"),
    (cc::POLICY_COMMAND_CODE, "PolicyCommandCode"),
    (POLICY_CP_HASH, "PolicyCpHash"),
    (POLICY_LOCALITY, "PolicyLocality"),
    (POLICY_NAME_HASH, "PolicyNameHash"),
    (POLICY_OR, "PolicyOR"),
    (POLICY_PCR, "PolicyPCR"),
    (cc::READ_PUBLIC, "ReadPublic"),
    (RSA_ENCRYPT, "RSA_Encrypt"),
    (cc::START_AUTH_SESSION, "StartAuthSession"),
    (VERIFY_SIGNATURE, "VerifySignature"),
    (cc::GET_CAPABILITY, "GetCapability"),
    (cc::GET_RANDOM, "GetRandom"),
    (cc::HASH, "Hash"),
    (cc::PCR_READ, "PCR_Read"),
    (cc::POLICY_RESTART, "PolicyRestart"),
    (PCR_EXTEND, "PCR_Extend"),
    (NV_CERTIFY, "NV_Certify"),
    (EVENT_SEQUENCE_COMPLETE, "EventSequenceComplete"),
    (cc::HASH_SEQUENCE_START, "HashSequenceStart"),
    (POLICY_DUPLICATION_SELECT, "PolicyDuplicationSelect"),
    (cc::POLICY_GET_DIGEST, "PolicyGetDigest"),
    (cc::TEST_PARMS, "TestParms"),
    (POLICY_PASSWORD, "PolicyPassword"),
    (POLICY_NV_WRITTEN, "PolicyNvWritten"),
    (CREATE_LOADED, "CreateLoaded"),
    (ENCRYPT_DECRYPT_2, "EncryptDecrypt2"),
];
