// SPDX-License-Identifier: GPL-2.0

//! Kconfig's options.

fn main() {
    println!("cargo::rustc-cfg=CONFIG_TCG_TPM_RM_EXHAUSTION");
    println!("cargo::rerun-if-changed=../../../drivers/char/tpm/tpmrm");
}
