// SPDX-License-Identifier: GPL-2.0

//! One TPM as a process: commands on standard input, responses on standard output, a size before each.

use harness::libtpms::Libtpms;
use harness::private::{read, write};
use harness::wire::response_code;
use std::io::{stdin, stdout};

fn main() {
    let mut tpm = Libtpms::new();
    let startup = harness::client::startup(harness::client::SU_CLEAR);
    assert_eq!(response_code(&tpm.process(&startup)), 0, "TPM2_Startup");
    let (mut from, mut to) = (stdin().lock(), stdout().lock());
    while let Some(command) = read(&mut from).expect("a command") {
        write(&mut to, &tpm.process(&command)).expect("somebody who reads it");
    }
}
