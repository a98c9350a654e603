// SPDX-License-Identifier: GPL-2.0

//! Who pays for memory: the task that asked for a command, also when a worker executes it.
//!
//! C counterpart: `set_active_memcg()`.

use crate::bindings;
use kernel::types::NotThreadSafe;

/// A reference to the memory control group of the task that made it.
///
/// # Invariants
///
/// We own a reference to the group, or the pointer is null because there are no groups.
pub(crate) struct Charge(*mut bindings::mem_cgroup);

// SAFETY: Any thread may charge memory to a group and give a reference to it back.
unsafe impl Send for Charge {}

// SAFETY: What `&Charge` offers is charging to the group, which any thread may do.
unsafe impl Sync for Charge {}

impl Charge {
    /// The group of the calling task.
    pub(crate) fn current() -> Self {
        // INVARIANT: The helper takes the reference.
        // SAFETY: This looks only at the calling task.
        Self(unsafe { bindings::tpmrm_charge_get() })
    }

    /// Calls `f`, and has its accounted allocations charged to this group.
    pub(crate) fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = Scope::enter(self);

        f()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // SAFETY: By the type invariant we own this reference, or the pointer is null, which the
        // helper takes for nothing to do.
        unsafe { bindings::tpmrm_charge_put(self.0) };
    }
}

/// This task charges to another group as long as this lives.
///
/// # Invariants
///
/// `before` is what this task charged to when the scope was entered; scopes are left in the
/// reverse order, because they are entered only by [`Charge::scope`].
struct Scope {
    before: *mut bindings::mem_cgroup,
    _not_send: NotThreadSafe,
}

impl Scope {
    fn enter(charge: &Charge) -> Self {
        // INVARIANT: This is what was charged to before.
        Self {
            // SAFETY: `charge` holds a reference to the group, and the scope that was entered is
            // left before `Charge::scope`, which borrows `charge`, returns.
            before: unsafe { bindings::tpmrm_charge_switch(charge.0) },
            _not_send: NotThreadSafe,
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this is what the surrounding scope set, or null, and so
        // is valid until that scope is left.
        unsafe { bindings::tpmrm_charge_switch(self.before) };
    }
}
