// SPDX-License-Identifier: GPL-2.0

//! Shared ownership, as far as the engine uses it: it keeps what it is given, and makes none itself.

pub use std::sync::Arc;
