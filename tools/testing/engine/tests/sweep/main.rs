// SPDX-License-Identifier: GPL-2.0

//! Sweeps: each thing that can go wrong, once at each place of each program, with nothing left out.
//!
//! A program ([`programs`]) is what a few clients do. It is run without trouble first; then once for each of
//! its transmissions (or allocations) and each trouble that can be there. The clients keep books of what they
//! have ([`world`], [`actions`]) and judge what they are told at once; in the end everything is looked at
//! ([`audit`]). How many runs there were is counted, and must be the product ([`run`]).

mod actions;
mod audit;
#[cfg(feature = "exhaustion")]
mod exhaustion;
mod faults;
mod odd;
mod programs;
mod reply;
mod run;
mod trouble;
mod world;
