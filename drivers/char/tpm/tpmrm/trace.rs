// SPDX-License-Identifier: GPL-2.0

//! What happens to a chip, as tracepoints.
//!
//! C counterpart: `trace.h`, which has the events.

use crate::{
    bindings::{
        self,
        tpmrm_errand, //
    },
    engine::{
        End,
        Errand,
        Event,
        Observer, //
    },
};
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
use crate::{
    bindings::tpmrm_wait,
    engine::Wait, //
};

/// Tells of one chip.
struct Tracer {
    chip: CString,
}

/// The one who tells of the chip with this name.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn tracer(chip: &CStr) -> Result<Arc<dyn Observer>> {
    let chip = CString::try_from_fmt(fmt!("{chip}"))?;
    let tracer: Arc<dyn Observer> = Arc::new(Tracer { chip }, GFP_KERNEL)?;

    Ok(tracer)
}

impl Observer for Tracer {
    fn note(&self, event: Event) {
        let chip = self.chip.as_char_ptr();

        match event {
            Event::Command { space, code, end } => {
                // SAFETY: The name is valid for the call, as in all of these.
                unsafe { bindings::tpmrm_trace_command(chip, space.number(), code, rc(end)) }
            }
            Event::Errand {
                errand,
                handle,
                end,
            } => {
                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_errand(chip, of_errand(errand), handle, rc(end)) }
            }
            Event::Regap { session } => {
                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_regap(chip, session) }
            }
            Event::Barrier => {
                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_barrier(chip) }
            }
            Event::Lost { space, handle } => {
                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_lost(chip, space.number(), handle) }
            }
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Event::Evicted { session, from, to } => {
                let [from, to] =
                    [from, to].map(|user| user.map_or(bindings::TPMRM_NOBODY, |user| user.0));

                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_evict(chip, session, from, to) }
            }
            #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
            Event::Wait { space, wait } => {
                // SAFETY: See above.
                unsafe { bindings::tpmrm_trace_wait(chip, space.number(), of_wait(wait)) }
            }
        }
    }
}

/// A response code, all of which are positive as a C int, or an errno.
fn rc(end: End) -> c_int {
    match end {
        End::Response(code) => c_int::try_from(code).unwrap_or(c_int::MAX),
        End::Errno(errno) => errno,
        #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
        End::Waits => EAGAIN.to_errno(),
    }
}

fn of_errand(errand: Errand) -> tpmrm_errand {
    match errand {
        Errand::Load => bindings::TPMRM_LOAD,
        Errand::Save => bindings::TPMRM_SAVE,
        Errand::Flush => bindings::TPMRM_FLUSH,
        Errand::Question => bindings::TPMRM_QUESTION,
    }
}

#[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
fn of_wait(wait: Wait) -> tpmrm_wait {
    match wait {
        Wait::Begins => bindings::TPMRM_WAIT_BEGINS,
        Wait::Granted => bindings::TPMRM_WAIT_GRANTED,
        Wait::Expired => bindings::TPMRM_WAIT_EXPIRED,
        Wait::Left => bindings::TPMRM_WAIT_LEFT,
    }
}
