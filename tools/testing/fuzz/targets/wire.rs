// SPDX-License-Identifier: GPL-2.0

//! Messages before the parsers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::wire::parse(bytes));
