// SPDX-License-Identifier: GPL-2.0

//! Which loaded object or session leaves the TPM when room is needed: policies, a simulator of what
//! they cost, the cheapest that could be had, and the traces to compare them on.
//!
//! [`trace`] is what clients did. [`models`] makes traces of stated models. [`sim`] counts the TPM
//! commands that a policy of [`policies`] needs for a trace, and [`optimum`] the fewest that anybody
//! could need who knows the future.

pub mod models;
pub mod optimum;
pub mod policies;
pub mod sim;
pub mod trace;
