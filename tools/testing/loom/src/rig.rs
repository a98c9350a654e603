// SPDX-License-Identifier: GPL-2.0

//! What a test has: a chip with its service, descriptors, a worker, an interrupt.

use crate::chip::{Board, Chip};
use crate::client::{Client, Mode};
use crate::clock::SystemClock;
use crate::engine::{Engine, Limits, UserId};
use crate::model::Model;
use crate::service::Service;
use kernel::iov::{IovIterDest, IovIterSource};
use kernel::sync::{Arc, Mutex};
use kernel::time::hrtimer;
use kernel::workqueue::Queue;
use loom::thread::{self, JoinHandle};

/// What a call comes to; an error is a positive errno.
pub type Outcome<T> = Result<T, i32>;

static CLOCK: SystemClock = SystemClock;

/// A service of a chip, with its worker.
pub struct Rig {
    board: Arc<Mutex<Board>>,
    service: Arc<Service>,
    queue: Queue,
    worker: JoinHandle<()>,
}

impl Rig {
    /// A chip with so many session numbers.
    pub fn new(numbers: usize) -> Self {
        let board = Board {
            model: Model::new(numbers),
            gone: false,
        };
        let flags = kernel::alloc::flags::GFP_KERNEL;
        let board = Arc::new(Mutex::new(board), flags).unwrap();
        let chip = Chip(board.clone());
        let engine = {
            let mut tpm = chip.lock().unwrap();
            Engine::probe(&mut tpm, &CLOCK, Limits::default()).unwrap()
        };
        let service = Service::new(chip, engine).unwrap();
        let queue = Queue::clone(service.queue());
        let own = queue.clone();
        let worker = thread::spawn(move || own.work());
        Self {
            board,
            service,
            queue,
            worker,
        }
    }

    /// Opens a descriptor of a user.
    pub fn open(&self, user: u32) -> Descriptor {
        Descriptor(Client::new(self.service.clone(), UserId(user), 0).unwrap())
    }

    /// How many sessions the TPM has.
    pub fn active(&self) -> usize {
        self.board.lock().model.active()
    }

    /// How many commands the TPM has executed.
    pub fn executed(&self) -> usize {
        self.board.lock().model.executed
    }

    /// What unplugs the chip.
    pub fn unplugger(&self) -> impl FnOnce() + 'static {
        let (board, service) = (self.board.clone(), self.service.clone());
        move || {
            board.lock().gone = true;
            service.retire();
        }
    }

    /// Ends all of it. Nobody may have a descriptor open.
    pub fn end(self) {
        let last = Arc::count(&self.service);
        assert_eq!(last, 1, "G8: somebody still holds the service");
        let manager = self.service.manager().clone();
        drop(self.service);
        assert_eq!(
            Arc::count(&manager),
            1,
            "G8: somebody still holds the manager"
        );
        drop(manager);
        hrtimer::end();
        self.queue.end();
        self.worker.join().unwrap();
    }
}

/// An open descriptor, for any number of threads.
#[derive(Clone)]
pub struct Descriptor(Arc<Client>);

fn command(code: u32, body: &[u8]) -> Vec<u8> {
    let mut command = 0x8001u16.to_be_bytes().to_vec();
    command.extend((10 + body.len() as u32).to_be_bytes());
    command.extend(code.to_be_bytes());
    command.extend(body);
    command
}

/// TPM2_StartAuthSession.
pub fn start() -> Vec<u8> {
    let mut body = vec![];
    body.extend(0x4000_0007u32.to_be_bytes());
    body.extend(0x4000_0007u32.to_be_bytes());
    body.extend([0, 16]);
    body.extend([0; 16]);
    body.extend([0, 0, 0, 0, 0x10, 0, 0xb]);
    command(0x176, &body)
}

/// TPM2_FlushContext.
pub fn flush(handle: u32) -> Vec<u8> {
    command(0x165, &handle.to_be_bytes())
}

/// TPM2_GetRandom.
pub fn random() -> Vec<u8> {
    command(0x17b, &[0, 1])
}

/// The response code of a response.
pub fn code(response: &[u8]) -> u32 {
    u32::from_be_bytes(response[6..10].try_into().expect("four bytes"))
}

/// The handle in a response.
pub fn handle(response: &[u8]) -> u32 {
    u32::from_be_bytes(response[10..14].try_into().expect("four bytes"))
}

impl Descriptor {
    fn write(&self, bytes: &[u8], mode: Mode) -> Outcome<usize> {
        let mut source = IovIterSource(bytes);
        Client::write(self.0.as_arc_borrow(), &mut source, mode).map_err(|e| -e.to_errno())
    }

    fn read_with(&self, mode: Mode) -> Outcome<Vec<u8>> {
        let mut into = vec![];
        let mut dest = IovIterDest {
            into: &mut into,
            room: 4096,
        };
        self.0.read(&mut dest, mode).map_err(|e| -e.to_errno())?;
        Ok(into)
    }

    /// A command that waits until it is executed, and its response.
    pub fn ask(&self, bytes: &[u8]) -> Outcome<Vec<u8>> {
        self.write(bytes, Mode::Blocking)?;
        self.read()
    }

    /// A command that is only queued.
    pub fn queue(&self, bytes: &[u8]) -> Outcome<usize> {
        self.write(bytes, Mode::Nonblocking)
    }

    /// Waits for the response.
    pub fn read(&self) -> Outcome<Vec<u8>> {
        self.read_with(Mode::Blocking)
    }

    /// Reads the response, if it is there.
    pub fn poll(&self) -> Outcome<Vec<u8>> {
        self.read_with(Mode::Nonblocking)
    }

    /// Closes the last descriptor of the file.
    pub fn close(self) {
        Client::release(self.0);
    }
}
