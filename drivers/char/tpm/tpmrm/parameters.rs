// SPDX-License-Identifier: GPL-2.0

//! What the module's parameters say at the moment, in the engine's words.
//!
//! C counterpart: `parameters.c`, which declares them and knows their bounds.

use crate::{
    bindings,
    engine::{
        Limits,
        Span, //
    },
};

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::engine::{
    LossPolicy,
    Terms, //
};

/// What a client may have.
pub(crate) fn limits() -> Limits {
    Limits {
        // SAFETY: This only reads a variable of the module, in one piece.
        objects_per_space: count(unsafe { bindings::tpmrm_parameter_max_objects() }),
    }
}

/// For how long contexts stay in the TPM when no command comes.
pub(crate) fn idle() -> Span {
    // SAFETY: This only reads a variable of the module, in one piece.
    Span(unsafe { bindings::tpmrm_parameter_idle_ms() }.into())
}

/// The terms under which sessions are had.
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) fn terms() -> Terms {
    Terms {
        // SAFETY: This only reads a variable of the module, in one piece.
        lease: Span(unsafe { bindings::tpmrm_parameter_session_lease_ms() }.into()),
        // SAFETY: As above.
        wait: Span(unsafe { bindings::tpmrm_parameter_session_wait_ms() }.into()),
        // SAFETY: As above.
        kernel_reserve: count(unsafe { bindings::tpmrm_parameter_kernel_reserve() }),
        // SAFETY: As above.
        sessions_per_user: count(unsafe { bindings::tpmrm_parameter_max_sessions_per_user() }),
        policy: policy(),
    }
}

/// What descriptors that have not chosen for themselves get.
#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
pub(crate) fn policy() -> LossPolicy {
    // SAFETY: This only reads a variable of the module, in one piece.
    match unsafe { bindings::tpmrm_parameter_session_policy() } {
        bindings::TPMRM_PARAMETER_NEVER => LossPolicy::Never,
        bindings::TPMRM_PARAMETER_CLOSE => LossPolicy::Close,
        // There is no fourth.
        _ => LossPolicy::Fail,
    }
}

/// The number of a parameter as a size; no bound is larger than one.
fn count(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
