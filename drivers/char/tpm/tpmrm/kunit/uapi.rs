// SPDX-License-Identifier: GPL-2.0

//! The interface for programs: sizes and numbers that were once compiled into them.

use kernel::macros::kunit_tests;

#[kunit_tests(tpmrm_uapi)]
mod tests {
    use crate::bindings;

    #[test]
    fn structures_have_their_sizes() {
        assert_eq!(size_of::<bindings::tpmrm_info>(), 32);
        assert_eq!(size_of::<bindings::tpmrm_policy>(), 8);
        assert_eq!(size_of::<bindings::tpmrm_reserve>(), 8);
        assert_eq!(size_of::<bindings::tpmrm_lost>(), 256);
    }

    #[test]
    fn ioctls_have_their_numbers() {
        assert_eq!(bindings::TPMRM_GET_INFO, 0x8020_bb00);
        assert_eq!(bindings::TPMRM_SET_POLICY, 0x4008_bb01);
        assert_eq!(bindings::TPMRM_RESERVE, 0x4008_bb02);
        assert_eq!(bindings::TPMRM_GET_LOST, 0xc100_bb03);
    }
}
