// SPDX-License-Identifier: GPL-2.0

//! Programs of several clients, faults and time on a whole engine.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::program::play(bytes));
