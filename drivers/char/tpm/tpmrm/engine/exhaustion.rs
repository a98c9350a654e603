// SPDX-License-Identifier: GPL-2.0

//! Global session exhaustion: what is done when the TPM has no session number left.
//!
//! All other sessions are in use, or may be claimed by who has their context; only the kernel's own
//! can be made anew. `CONFIG_TCG_TPM_RM_EXHAUSTION` is about all of this file.

use crate::engine::tpm::Tpm;

/// How often a command that found no session number is sent again. There is one thing that can be
/// done about it, and that helps or it does not.
pub(crate) const REPETITIONS: usize = if cfg!(CONFIG_TCG_TPM_RM_EXHAUSTION) {
    1
} else {
    0
};

/// Has the kernel give up the number of its session.
pub(crate) fn free_session_number(tpm: &mut dyn Tpm) {
    tpm.end_kernel_session();
}
