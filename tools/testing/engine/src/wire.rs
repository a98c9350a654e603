// SPDX-License-Identifier: GPL-2.0

//! Writing and reading TPM structures, for the tests: independent of the engine's own code.

/// A size as the TPM writes it in four bytes.
pub fn su(n: usize) -> u32 {
    u32::try_from(n).expect("sizes in tests are small")
}

/// How much an empty message gets room for: it is filled value by value.
const ROOM: usize = 128;

/// Appends big-endian values and sized buffers.
pub trait Put {
    fn u8(self, v: u8) -> Self;
    fn u16(self, v: u16) -> Self;
    fn u32(self, v: u32) -> Self;
    fn u64(self, v: u64) -> Self;
    fn bytes(self, v: &[u8]) -> Self;
    /// A buffer with its size in two bytes before it.
    fn sized(self, v: &[u8]) -> Self;
}

impl Put for Vec<u8> {
    fn u8(self, v: u8) -> Self {
        self.bytes(&[v])
    }

    fn u16(self, v: u16) -> Self {
        self.bytes(&v.to_be_bytes())
    }

    fn u32(self, v: u32) -> Self {
        self.bytes(&v.to_be_bytes())
    }

    fn u64(self, v: u64) -> Self {
        self.bytes(&v.to_be_bytes())
    }

    fn bytes(mut self, v: &[u8]) -> Self {
        if self.capacity() == 0 {
            self.reserve(ROOM);
        }
        self.extend_from_slice(v);
        self
    }

    fn sized(self, v: &[u8]) -> Self {
        self.u16(u16::try_from(v.len()).expect("sizes in tests are small"))
            .bytes(v)
    }
}

/// Takes values from the front of a response; panics when it is too short.
pub struct Get<'a>(pub &'a [u8]);

impl<'a> Get<'a> {
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }

    pub fn u8(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes(2).try_into().expect("two bytes"))
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes(4).try_into().expect("four bytes"))
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes(8).try_into().expect("eight bytes"))
    }

    /// A buffer with its size in two bytes before it.
    pub fn sized(&mut self) -> &'a [u8] {
        let n = self.u16();
        self.bytes(n.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The command code of a command, zero if it is too short for one.
pub fn command_code(command: &[u8]) -> u32 {
    command.get(6..10).map_or(0, |b| Get(b).u32())
}

/// The response code of a response.
pub fn response_code(response: &[u8]) -> u32 {
    Get(&response[6..10]).u32()
}

/// A response that is only a response code.
pub fn answer(rc: u32) -> Vec<u8> {
    vec![].u16(0x8001).u32(10).u32(rc)
}
