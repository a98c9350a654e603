// SPDX-License-Identifier: GPL-2.0

//! What a program writes, and where it reads to.

/// What is written.
pub struct IovIterSource<'a>(pub &'a [u8]);

impl IovIterSource<'_> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes were copied.
    pub fn copy_from_iter(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.0.len());
        let (head, tail) = self.0.split_at(n);
        out[..n].copy_from_slice(head);
        self.0 = tail;
        n
    }
}

/// What is read, and how much more of it there may be.
pub struct IovIterDest<'a> {
    pub into: &'a mut Vec<u8>,
    pub room: usize,
}

impl IovIterDest<'_> {
    pub fn is_empty(&self) -> bool {
        self.room == 0
    }

    /// How many bytes were copied.
    pub fn copy_to_iter(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.room);
        self.into.extend_from_slice(&bytes[..n]);
        self.room -= n;
        n
    }
}
