// SPDX-License-Identifier: GPL-2.0

//! Which change of the engine is switched on in this process. In the tree that is made by `switched.py` all
//! changes are built at once.

use std::sync::LazyLock;

static ON: LazyLock<u32> = LazyLock::new(|| match std::env::var("TPMRM_MUTANT") {
    Ok(number) => number.parse().expect("a number"),
    Err(_) => 0,
});

/// The number of the change, or 0 for none.
pub fn on() -> u32 {
    *ON
}

/// What a changed function returns where its caller only knows that it is an iterator.
pub enum Either<A, B> {
    Changed(A),
    AsItWas(B),
}

impl<A: Iterator, B: Iterator<Item = A::Item>> Iterator for Either<A, B> {
    type Item = A::Item;

    fn next(&mut self) -> Option<A::Item> {
        match self {
            Self::Changed(iterator) => iterator.next(),
            Self::AsItWas(iterator) => iterator.next(),
        }
    }
}
