// SPDX-License-Identifier: GPL-2.0

//! Time, as the engine sees it: milliseconds of a clock that never goes back.

/// A point in time: milliseconds since some beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// A length of time: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Moment {
    /// The moment that comes `span` later.
    pub fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long it is from this moment to `later`: nothing, if that was before.
    pub fn until(self, later: Self) -> Span {
        Span(later.0.saturating_sub(self.0))
    }
}

/// Tells the time.
pub trait Clock: Sync {
    /// What time it is. Never less than what it was.
    fn now(&self) -> Moment;
}
