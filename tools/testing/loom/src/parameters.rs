// SPDX-License-Identifier: GPL-2.0

//! The module's parameters: nothing stays, and the waits are the usual ones.

use crate::engine::{Span, Terms};

pub(crate) fn idle() -> Span {
    Span(0)
}

pub(crate) fn terms() -> Terms {
    Terms {
        kernel_reserve: 0,
        ..Terms::DEFAULT
    }
}
