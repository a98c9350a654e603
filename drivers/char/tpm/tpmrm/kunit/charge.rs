// SPDX-License-Identifier: GPL-2.0

//! Who pays: a scope ends where it began.

use crate::{
    bindings,
    charge::Charge, //
};
use kernel::{
    bindings as c,
    macros::kunit_tests, //
};

/// Whom this task charges to, if not to its own group.
fn active() -> *mut c::mem_cgroup {
    // SAFETY: Null is always allowed; it is there only until the next line.
    let group = unsafe { bindings::tpmrm_charge_switch(core::ptr::null_mut()) };

    // SAFETY: This is what was there a moment ago, and whoever set it still holds it.
    unsafe { bindings::tpmrm_charge_switch(group) };
    group.cast()
}

#[kunit_tests(tpmrm_charge)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_where_it_began() {
        let before = active();
        let charge = Charge::current();
        let (inner, between) = charge.scope(|| {
            let outer = active();

            Charge::current().scope(active);
            (outer, active())
        });

        assert!(inner == between);
        assert!(active() == before);
    }
}
