// SPDX-License-Identifier: GPL-2.0

//! TPMs that nobody else uses: each a process of its own, because libtpms holds one TPM per process.

use crate::chip::Device;
use crate::wire::su;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The largest message that one side takes from the other.
const LARGEST: u32 = 1 << 16;

/// Writes a message with its size before it.
pub fn write(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    to.write_all(&su(message.len()).to_be_bytes())?;
    to.write_all(message)?;
    to.flush()
}

/// Reads a message; `None` when the other side has gone.
pub fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut size = [0; 4];
    match from.read_exact(&mut size) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let size = u32::from_be_bytes(size);
    assert!(size <= LARGEST, "a message of {size} bytes");
    let mut message = vec![0; size as usize];
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

/// A TPM in a process of its own, started.
pub struct Private {
    process: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
}

impl Private {
    /// A new TPM. `program` is what `src/bin/private-tpm.rs` became.
    pub fn start(program: &Path) -> Self {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process for a TPM");
        let to = process.stdin.take();
        let from = process.stdout.take().expect("a pipe from the TPM");
        Self { process, to, from }
    }
}

impl Device for Private {
    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let to = self.to.as_mut().expect("open until the end");
        write(to, command).expect("the TPM listens");
        read(&mut self.from)
            .expect("the TPM answers")
            .expect("the TPM lives")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        drop(self.to.take());
        let _ = self.process.wait();
    }
}
