// SPDX-License-Identifier: GPL-2.0

//! Numbers of the TPM 2.0 specification that the tests use.

/// Command codes.
pub mod cc {
    pub const EVICT_CONTROL: u32 = 0x120;
    pub const HIERARCHY_CONTROL: u32 = 0x121;
    pub const CHANGE_EPS: u32 = 0x124;
    pub const CHANGE_PPS: u32 = 0x125;
    pub const CLEAR: u32 = 0x126;
    pub const HIERARCHY_CHANGE_AUTH: u32 = 0x129;
    pub const CREATE_PRIMARY: u32 = 0x131;
    pub const SEQUENCE_COMPLETE: u32 = 0x13e;
    pub const STARTUP: u32 = 0x144;
    pub const SHUTDOWN: u32 = 0x145;
    pub const STIR_RANDOM: u32 = 0x146;
    pub const CERTIFY: u32 = 0x148;
    pub const CERTIFY_CREATION: u32 = 0x14a;
    pub const POLICY_SECRET: u32 = 0x151;
    pub const CREATE: u32 = 0x153;
    pub const HMAC: u32 = 0x155;
    pub const LOAD: u32 = 0x157;
    pub const SEQUENCE_UPDATE: u32 = 0x15c;
    pub const SIGN: u32 = 0x15d;
    pub const UNSEAL: u32 = 0x15e;
    pub const CONTEXT_LOAD: u32 = 0x161;
    pub const CONTEXT_SAVE: u32 = 0x162;
    pub const FLUSH_CONTEXT: u32 = 0x165;
    pub const LOAD_EXTERNAL: u32 = 0x167;
    pub const POLICY_AUTH_VALUE: u32 = 0x16b;
    pub const POLICY_COMMAND_CODE: u32 = 0x16c;
    pub const READ_PUBLIC: u32 = 0x173;
    pub const START_AUTH_SESSION: u32 = 0x176;
    pub const GET_CAPABILITY: u32 = 0x17a;
    pub const GET_RANDOM: u32 = 0x17b;
    pub const HASH: u32 = 0x17d;
    pub const PCR_READ: u32 = 0x17e;
    pub const POLICY_RESTART: u32 = 0x180;
    pub const READ_CLOCK: u32 = 0x181;
    pub const HASH_SEQUENCE_START: u32 = 0x186;
    pub const POLICY_GET_DIGEST: u32 = 0x189;
    pub const TEST_PARMS: u32 = 0x18a;
    /// Vendor bit without a command: no TPM here implements it.
    pub const NOBODYS: u32 = 0x2000_0fff;
}

/// Response codes.
pub mod rc {
    pub const SUCCESS: u32 = 0;
    pub const BAD_TAG: u32 = 0x1e;
    pub const INITIALIZE: u32 = 0x100;
    pub const FAILURE: u32 = 0x101;
    pub const AUTH_MISSING: u32 = 0x125;
    pub const COMMAND_SIZE: u32 = 0x142;
    pub const COMMAND_CODE: u32 = 0x143;
    pub const AUTHSIZE: u32 = 0x144;
    pub const AUTH_CONTEXT: u32 = 0x145;
    pub const VALUE: u32 = 0x84;
    pub const HANDLE: u32 = 0x8b;
    pub const AUTH_FAIL: u32 = 0x8e;
    pub const INTEGRITY: u32 = 0x9f;
    pub const POLICY_FAIL: u32 = 0x9d;
    pub const BAD_AUTH: u32 = 0xa2;
    pub const CONTEXT_GAP: u32 = 0x901;
    pub const OBJECT_MEMORY: u32 = 0x902;
    pub const SESSION_MEMORY: u32 = 0x903;
    pub const MEMORY: u32 = 0x904;
    pub const SESSION_HANDLES: u32 = 0x905;
    pub const OBJECT_HANDLES: u32 = 0x906;
    pub const LOCALITY: u32 = 0x907;
    pub const YIELDED: u32 = 0x908;
    pub const CANCELED: u32 = 0x909;
    pub const TESTING: u32 = 0x90a;
    pub const REFERENCE_H0: u32 = 0x910;
    pub const REFERENCE_S0: u32 = 0x918;
    pub const NV_RATE: u32 = 0x920;
    pub const LOCKOUT: u32 = 0x921;
    pub const RETRY: u32 = 0x922;
    pub const NV_UNAVAILABLE: u32 = 0x923;
    /// Added to a code: the first parameter, handle or session, in that order.
    pub const P1: u32 = 0x140;
    pub const H1: u32 = 0x100;
    pub const S1: u32 = 0x900;

    /// The layer of the resource manager.
    pub const LAYER: u32 = 11 << 16;
    /// A handle of the handle area is lost or somebody else's.
    pub const LOST_H0: u32 = LAYER | REFERENCE_H0;
    /// A session of the authorization area is lost or somebody else's.
    pub const LOST_S0: u32 = LAYER | REFERENCE_S0;
    /// The command does not exist.
    pub const UNIMPLEMENTED: u32 = LAYER | COMMAND_CODE;
}

/// Fixed handles, and where the ranges begin.
pub mod rh {
    pub const OWNER: u32 = 0x4000_0001;
    pub const NULL: u32 = 0x4000_0007;
    pub const PW: u32 = 0x4000_0009;
    pub const LOCKOUT: u32 = 0x4000_000a;
    pub const ENDORSEMENT: u32 = 0x4000_000b;
    pub const PLATFORM: u32 = 0x4000_000c;
    pub const HMAC_SESSION: u32 = 0x0200_0000;
    pub const POLICY_SESSION: u32 = 0x0300_0000;
    pub const TRANSIENT: u32 = 0x8000_0000;
    pub const PERSISTENT: u32 = 0x8100_0000;
    /// What GetCapability calls the ranges of loaded and of saved sessions.
    pub const LOADED_SESSION: u32 = 0x0200_0000;
    pub const SAVED_SESSION: u32 = 0x0300_0000;
}

/// Algorithms and curves.
pub mod alg {
    pub const HMAC: u16 = 5;
    pub const AES: u16 = 6;
    pub const KEYEDHASH: u16 = 8;
    pub const SHA256: u16 = 0xb;
    pub const NULL: u16 = 0x10;
    pub const ECDSA: u16 = 0x18;
    pub const ECC: u16 = 0x23;
    pub const CFB: u16 = 0x43;
    pub const NIST_P256: u16 = 3;
}

/// Capabilities and properties.
pub mod cap {
    pub const ALGS: u32 = 0;
    pub const HANDLES: u32 = 1;
    pub const COMMANDS: u32 = 2;
    pub const TPM_PROPERTIES: u32 = 6;

    pub const PT_FIXED: u32 = 0x100;
    pub const PT_VAR: u32 = 0x200;
    pub const PT_HR_TRANSIENT_MIN: u32 = 0x10e;
    pub const PT_HR_LOADED_MIN: u32 = 0x110;
    pub const PT_ACTIVE_SESSIONS_MAX: u32 = 0x111;
    pub const PT_CONTEXT_GAP_MAX: u32 = 0x114;
    pub const PT_MAX_COMMAND_SIZE: u32 = 0x11e;
    pub const PT_MAX_RESPONSE_SIZE: u32 = 0x11f;
    pub const PT_MAX_OBJECT_CONTEXT: u32 = 0x121;
    pub const PT_MAX_SESSION_CONTEXT: u32 = 0x122;
    pub const PT_TOTAL_COMMANDS: u32 = 0x129;
    pub const PT_HR_LOADED: u32 = 0x203;
    pub const PT_HR_LOADED_AVAIL: u32 = 0x204;
    pub const PT_HR_ACTIVE: u32 = 0x205;
    pub const PT_HR_ACTIVE_AVAIL: u32 = 0x206;
    pub const PT_HR_TRANSIENT_AVAIL: u32 = 0x207;
}

/// TPMA_OBJECT.
pub mod attr {
    pub const FIXED_TPM: u32 = 0x2;
    pub const FIXED_PARENT: u32 = 0x10;
    pub const SENSITIVE_DATA_ORIGIN: u32 = 0x20;
    pub const USER_WITH_AUTH: u32 = 0x40;
    pub const NO_DA: u32 = 0x400;
    pub const RESTRICTED: u32 = 0x10000;
    pub const DECRYPT: u32 = 0x20000;
    pub const SIGN: u32 = 0x40000;
}

/// Tags.
pub const NO_SESSIONS: u16 = 0x8001;
pub const SESSIONS: u16 = 0x8002;
/// Structure tags of tickets.
pub const ST_HASHCHECK: u16 = 0x8024;
