// SPDX-License-Identifier: GPL-2.0

//! The engine's own tests, as suites.

use crate::engine::selftest::{
    self,
    Verdict, //
};
use kernel::{
    kunit,
    macros::kunit_tests,
    prelude::*, //
};

/// Says what was wrong, which a suite's own result does not.
fn told(verdict: Verdict) -> Result {
    verdict.map_err(|wrong| {
        kunit::err(format_args!("    # {wrong}\n"));
        EINVAL
    })
}

macro_rules! suite {
    ($name:ident, $module:ident, [$($test:ident,)*]) => {
        #[kunit_tests($name)]
        mod $module {
            use super::*;

            $(
                #[test]
                fn $test() -> Result {
                    told(selftest::$module::$test())
                }
            )*
        }
    };
}

selftest::selftests!(suite);
