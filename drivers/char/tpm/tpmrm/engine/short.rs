// SPDX-License-Identifier: GPL-2.0

//! A list of a few elements that lives on the stack.

/// There is no place left in a [`Short`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Up to `N` elements, in the order in which they came.
pub(crate) struct Short<T: Copy, const N: usize> {
    items: [Option<T>; N],
}

impl<T: Copy, const N: usize> Short<T, N> {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self { items: [None; N] }
    }

    /// Adds `item` at the end.
    ///
    /// # Errors
    ///
    /// [`Full`] when there are `N` elements already.
    pub(crate) fn push(&mut self, item: T) -> Result<(), Full> {
        let free = self.items.iter_mut().find(|i| i.is_none()).ok_or(Full)?;
        *free = Some(item);
        Ok(())
    }

    /// The elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().flatten().copied()
    }

    /// The elements with their positions.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (u8, T)> + '_ {
        (0..u8::MAX).zip(self.iter())
    }
}
