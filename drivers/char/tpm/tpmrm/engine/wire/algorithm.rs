// SPDX-License-Identifier: GPL-2.0

//! TPM_ALG_ID and TPM_SE, as far as the driver starts sessions itself (Part 2, 6.3 and 6.11).

/// TPM_ALG_SHA256.
pub(crate) const SHA256: u16 = 0x000b;
/// TPM_ALG_NULL.
pub(crate) const NULL: u16 = 0x0010;
/// TPM_SE_HMAC: a session that is not one of a policy.
pub(crate) const SESSION_HMAC: u8 = 0x00;
