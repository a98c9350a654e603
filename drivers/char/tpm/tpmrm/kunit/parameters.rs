// SPDX-License-Identifier: GPL-2.0

//! Parameters are within their bounds, whatever the module was loaded with.

use crate::{
    engine::Span,
    parameters, //
};
use kernel::macros::kunit_tests;

#[kunit_tests(tpmrm_parameters)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_have_is_bounded() {
        assert!((1..=65535).contains(&parameters::limits().objects_per_space));
        assert!(parameters::idle() <= Span(3_600_000));
    }

    #[test]
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn the_terms_of_sessions_are_bounded() {
        let terms = parameters::terms();

        assert!((Span(100)..=Span(600_000)).contains(&terms.lease));
        assert!(terms.wait <= Span(3_600_000));
        assert!(terms.kernel_reserve <= 16);
        assert!((1..=65535).contains(&terms.sessions_per_user));
    }
}
