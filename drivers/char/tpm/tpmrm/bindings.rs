// SPDX-License-Identifier: GPL-2.0

//! The declarations of the helpers in `shim.c`, made by bindgen from `shim.h`.
//!
//! Kernel structures that the header only names are those of the kernel crate; `struct tpm_chip`
//! and the other structures of the TPM core are opaque to Rust.

#![allow(
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    clippy::all,
    reason = "generated code; kernel structures have empty members in some configurations"
)]

use kernel::bindings::{
    class,
    dentry,
    device,
    file_operations,
    inode,
    mutex,
    workqueue_struct, //
};

include!(concat!(env!("TPMRM_OBJ"), "/bindings_generated.rs"));
