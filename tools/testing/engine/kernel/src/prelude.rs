// SPDX-License-Identifier: GPL-2.0

//! The names that a kernel module imports by default.

pub use crate::alloc::{flags::*, Box, KBox, KVBox, KVVec, KVec, VBox, VVec, Vec};
pub use crate::error::{code::*, Error, Result};
