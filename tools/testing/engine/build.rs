// SPDX-License-Identifier: GPL-2.0

//! Finds the engine's files in the driver's folder.

use std::path::Path;

fn main() {
    let engine = "../../../drivers/char/tpm/tpmrm/engine";
    println!("cargo::rustc-check-cfg=cfg(engine)");
    println!("cargo::rerun-if-changed={engine}");
    if Path::new(engine).join("mod.rs").exists() {
        println!("cargo::rustc-cfg=engine");
    }
}
