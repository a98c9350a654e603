// SPDX-License-Identifier: GPL-2.0

//! The smallest TPM that has sessions: as many numbers as it is given.

const SUCCESS: u32 = 0;
const COMMAND_CODE: u32 = 0x143;
const HANDLE: u32 = 0x18b;
const SESSION_HANDLES: u32 = 0x905;

const CONTEXT_LOAD: u32 = 0x161;
const CONTEXT_SAVE: u32 = 0x162;
const FLUSH_CONTEXT: u32 = 0x165;
const START_AUTH_SESSION: u32 = 0x176;
const GET_CAPABILITY: u32 = 0x17a;
const GET_RANDOM: u32 = 0x17b;

/// TPMA_CC of each.
const ATTRIBUTES: [u32; 6] = [
    CONTEXT_LOAD | 1 << 28,
    CONTEXT_SAVE | 1 << 25,
    FLUSH_CONTEXT,
    START_AUTH_SESSION | 2 << 25 | 1 << 28,
    GET_CAPABILITY,
    GET_RANDOM,
];

const HMAC_SESSION: u32 = 0x0200_0000;
const HEADER: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Free,
    Loaded,
    /// In the context with this sequence number.
    Saved(u64),
}

pub(crate) struct Model {
    numbers: Vec<Number>,
    counter: u64,
    /// How many commands of clients and of the driver were executed.
    pub(crate) executed: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    u32::from_be_bytes(field.unwrap_or_default())
}

impl Model {
    pub(crate) fn new(numbers: usize) -> Self {
        Self {
            numbers: vec![Number::Free; numbers],
            counter: 0,
            executed: 0,
        }
    }

    /// How many sessions there are.
    pub(crate) fn active(&self) -> usize {
        self.numbers.iter().filter(|n| **n != Number::Free).count()
    }

    pub(crate) fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.executed += 1;
        let (code, body) = match self.execute(command) {
            Ok(body) => (SUCCESS, body),
            Err(code) => (code, vec![]),
        };
        let size = u32::try_from(HEADER + body.len()).expect("it is small");
        let mut response = 0x8001u16.to_be_bytes().to_vec();
        response.extend(size.to_be_bytes());
        response.extend(code.to_be_bytes());
        response.extend(body);
        response
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>, u32> {
        let first = u32_at(command, HEADER);
        match u32_at(command, 6) {
            START_AUTH_SESSION => {
                let free = self.numbers.iter().position(|n| *n == Number::Free);
                let n = free.ok_or(SESSION_HANDLES)?;
                self.numbers[n] = Number::Loaded;
                let mut body = (HMAC_SESSION + n as u32).to_be_bytes().to_vec();
                body.extend([0, 0]);
                Ok(body)
            }
            CONTEXT_SAVE => {
                self.counter += 1;
                let counter = self.counter;
                let number = self.number(first)?;
                if *number != Number::Loaded {
                    return Err(HANDLE);
                }
                *number = Number::Saved(counter);
                let mut body = counter.to_be_bytes().to_vec();
                body.extend(first.to_be_bytes());
                body.extend([0x40, 0, 0, 7, 0, 0]);
                Ok(body)
            }
            CONTEXT_LOAD => {
                let sequence = u64::from(u32_at(command, HEADER + 4));
                let handle = u32_at(command, HEADER + 8);
                let number = self.number(handle)?;
                if *number != Number::Saved(sequence) {
                    return Err(HANDLE);
                }
                *number = Number::Loaded;
                Ok(handle.to_be_bytes().to_vec())
            }
            FLUSH_CONTEXT => {
                *self.number(first)? = Number::Free;
                Ok(vec![])
            }
            GET_RANDOM => Ok(vec![0, 1, 4]),
            GET_CAPABILITY => Ok(self.capability(first, u32_at(command, HEADER + 4))),
            _ => Err(COMMAND_CODE),
        }
    }

    fn number(&mut self, handle: u32) -> Result<&mut Number, u32> {
        let n = handle.wrapping_sub(HMAC_SESSION) as usize;
        let number = self.numbers.get_mut(n).ok_or(HANDLE)?;
        if *number == Number::Free {
            return Err(HANDLE);
        }
        Ok(number)
    }

    fn capability(&self, capability: u32, first: u32) -> Vec<u8> {
        let all = self.numbers.len() as u32;
        let active = self.active() as u32;
        let words: Vec<u32> = match capability {
            1 => {
                let is_listed = |n: &Number| match first >> 24 {
                    2 => *n == Number::Loaded,
                    3 => matches!(n, Number::Saved(_)),
                    _ => false,
                };
                let numbers = (HMAC_SESSION..).zip(&self.numbers);
                let listed = numbers.filter(|(_, n)| is_listed(n));
                listed.map(|(handle, _)| handle).collect()
            }
            2 => ATTRIBUTES.to_vec(),
            _ => {
                let properties = [
                    (0x10e, 3),
                    (0x110, 3),
                    (0x111, all),
                    (0x114, 0xffff),
                    (0x121, 64),
                    (0x122, 64),
                    (0x129, 6),
                    (0x203, 0),
                    (0x205, active),
                    (0x206, all - active),
                    (0x207, 3),
                ];
                let group = properties
                    .into_iter()
                    .filter(|(name, _)| *name >= first && name >> 8 == first >> 8);
                group.flat_map(|(name, value)| [name, value]).collect()
            }
        };
        let count = words.len() as u32 / if capability == 6 { 2 } else { 1 };
        let mut body = vec![0];
        for word in [capability, count].into_iter().chain(words) {
            body.extend(word.to_be_bytes());
        }
        body
    }
}
