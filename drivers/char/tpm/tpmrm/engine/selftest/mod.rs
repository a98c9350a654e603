// SPDX-License-Identifier: GPL-2.0

//! Tests of what needs no TPM, that run in both worlds: by cargo on a developer's machine, and as
//! KUnit suites in the kernel, where the compiler, the allocator and the checks are others.
//!
//! A test is a function that returns a [`Verdict`], and stands in the table [`selftests`]. In the
//! kernel nothing may panic, so that [`check`] is used instead of `assert!`.

pub(crate) mod codes;
pub(crate) mod commands;
pub(crate) mod handles;
pub(crate) mod messages;
pub(crate) mod rhythms;
pub(crate) mod slots;

use core::fmt;

/// What a test found wrong.
pub(crate) struct Wrong {
    /// The file with the test.
    pub(crate) file: &'static str,
    /// The line of the check.
    pub(crate) line: u32,
    /// What should have been so.
    pub(crate) what: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: not so: {}", self.file, self.line, self.what)
    }
}

/// How a test ends.
pub(crate) type Verdict = Result<(), Wrong>;

/// Ends a test that finds something not to be so.
macro_rules! check {
    ($what:expr) => {
        if !$what {
            return Err($crate::engine::selftest::Wrong {
                file: file!(),
                line: line!(),
                what: stringify!($what),
            });
        }
    };
}
use check;

/// The value of something that there should be; ends the test where there is none.
macro_rules! present {
    ($what:expr) => {
        match IntoIterator::into_iter($what).next() {
            Some(value) => value,
            None => {
                return Err($crate::engine::selftest::Wrong {
                    file: file!(),
                    line: line!(),
                    what: stringify!($what),
                })
            }
        }
    };
}
use present;

/// All tests: calls the macro `$suite` with the name of each suite, its module, and its tests.
macro_rules! selftests {
    ($suite:ident) => {
        $suite! { tpmrm_codes, codes, [
            shortages_are_told_apart,
            a_code_of_a_handle_may_name_what_is_absent,
            codes_of_the_manager_are_those_of_its_layer,
        ] }
        $suite! { tpmrm_commands, commands, [
            a_field_ends_where_the_bytes_end,
            a_sized_field_needs_all_of_its_bytes,
            a_command_names_its_handles_and_its_sessions,
            a_command_that_ends_anywhere_names_what_could_be_read,
            an_area_with_more_sessions_than_allowed_is_cut,
            context_save_has_a_handle_whatever_the_tpm_says,
        ] }
        $suite! { tpmrm_handles, handles, [
            handles_are_of_the_kind_that_their_first_byte_says,
            virtual_handles_count_on_and_begin_again_after_the_last,
            a_session_has_one_number_in_both_of_its_kinds,
            a_list_is_full_after_its_last_place,
        ] }
        $suite! { tpmrm_messages, messages, [
            a_message_has_the_size_that_its_header_says,
            a_message_takes_no_more_than_there_is_room_for,
            a_response_of_another_size_is_none,
            what_was_in_a_message_is_gone_when_it_is_cleared,
        ] }
        $suite! { tpmrm_rhythms, rhythms, [
            who_is_expected_last_leaves,
            time_that_ends_is_no_harm,
        ] }
        $suite! { tpmrm_slots, slots, [
            a_slot_is_found_until_it_is_removed,
            who_was_touched_is_the_last_to_go,
            a_handle_that_is_given_again_stands_for_the_new_one,
            what_a_space_leaves_is_nobodys,
        ] }
    };
}
pub(crate) use selftests;

#[cfg(test)]
mod on_the_host {
    macro_rules! suite {
        ($name:ident, $module:ident, [$($test:ident,)*]) => {
            mod $module {
                $(
                    #[test]
                    fn $test() {
                        if let Err(wrong) = super::super::$module::$test() {
                            panic!("{wrong}");
                        }
                    }
                )*
            }
        };
    }

    super::selftests!(suite);
}
