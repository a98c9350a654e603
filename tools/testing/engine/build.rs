// SPDX-License-Identifier: GPL-2.0

//! Finds the engine's files in the driver's folder, and makes features what Kconfig's options are there.

use std::path::Path;

fn main() {
    let engine = "../../../drivers/char/tpm/tpmrm/engine";
    println!("cargo::rustc-check-cfg=cfg(engine)");
    println!("cargo::rerun-if-changed={engine}");
    println!("cargo::rustc-check-cfg=cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)");
    println!("cargo::rustc-check-cfg=cfg(CONFIG_TCG_TPM_RM_KUNIT_TEST)");
    if std::env::var_os("CARGO_FEATURE_EXHAUSTION").is_some() {
        println!("cargo::rustc-cfg=CONFIG_TCG_TPM_RM_EXHAUSTION");
    }
    if Path::new(engine).join("mod.rs").exists() {
        println!("cargo::rustc-cfg=engine");
    }
}
