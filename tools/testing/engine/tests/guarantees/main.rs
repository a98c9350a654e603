// SPDX-License-Identifier: GPL-2.0

//! The engine's guarantees (G1 to G10 of the design), a topic per file, a guarantee in each test's name.

mod harness;
