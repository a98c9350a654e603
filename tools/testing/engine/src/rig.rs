// SPDX-License-Identifier: GPL-2.0

//! One engine over one TPM, with clients: spaces of the engine, and users of the TPM beside it.

use crate::bell::{Heard, News, Record, Recorder};
use crate::chip::{Aim, Chip, Device, Fault, Sent};
use crate::client::{Client, Failure, Outcome};
use crate::clock::CLOCK;
use crate::engine::{
    Barrier, Counters, Engine, Limits, Message, Progress, SpaceId, Span, UserId, View,
};
use crate::libtpms::Libtpms;
use crate::tpm::rh;
use crate::wire::su;
use kernel::alloc::flags::GFP_KERNEL;
use kernel::fault;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

/// Users who have nothing to do with each other.
pub const ALICE: u32 = 1000;
pub const BOB: u32 = 1001;
pub const CAROL: u32 = 1002;

/// An engine and its TPM.
pub struct Rig<D = Libtpms> {
    pub chip: RefCell<Chip<D>>,
    engine: RefCell<Engine>,
    /// What every response is checked against: nothing of the engine's may stay in the TPM.
    pub check_empty: Cell<bool>,
    /// Whether the engine is told before somebody talks to the TPM directly.
    announces: Cell<bool>,
    /// The next call's allocation to fail, and whether all later ones fail too.
    starve: Cell<Option<(usize, bool)>>,
    starved: Cell<bool>,
    /// How many allocations the engine has asked for.
    allocations: Cell<usize>,
    /// The allocation to fail, counted over all calls from now on.
    famine: Cell<Option<(usize, bool)>>,
    /// What all bells were told.
    record: Arc<Record>,
    opened: Cell<usize>,
}

/// A space of the engine, as a client sees it.
pub struct Space<'r> {
    id: SpaceId,
    user: u32,
    bell: Arc<Recorder>,
    client: Client<'r>,
}

impl Space<'_> {
    /// How often it paid for memory when another used the TPM, or nobody.
    pub fn paid(&self) -> usize {
        self.bell.paid()
    }

    /// What the engine knows it by.
    pub fn id(&self) -> SpaceId {
        self.id
    }

    /// Whose it is.
    pub fn user(&self) -> u32 {
        self.user
    }

    /// Its place in the order in which the rig's spaces were opened, from 0: what [`Rig::heard`] calls it.
    pub fn ordinal(&self) -> usize {
        self.bell.ordinal()
    }

    /// What its bell was told since this was asked last.
    pub fn news(&self) -> Vec<News> {
        self.bell.news()
    }

    /// Whether it was called, and has not tried again since then.
    pub fn is_called(&self) -> bool {
        self.bell.is_called()
    }

    /// Its bell.
    pub fn bell(&self) -> Arc<Recorder> {
        self.bell.clone()
    }
}

impl<'r> std::ops::Deref for Space<'r> {
    type Target = Client<'r>;

    fn deref(&self) -> &Client<'r> {
        &self.client
    }
}

impl Rig<Libtpms> {
    /// A new TPM, started, with the default limits.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A new TPM, started, with these limits.
    pub fn with_limits(limits: Limits) -> Self {
        let mut tpm = Libtpms::new();
        let startup = crate::client::startup(0);
        assert_eq!(crate::wire::response_code(&tpm.process(&startup)), 0);
        Self::over(tpm, limits)
    }

    /// Cuts the TPM's power, and starts it with TPM2_Startup of this type; `shutdown` before, if any.
    pub fn power_cycle(&self, shutdown: Option<u16>, startup: u16) {
        let raw = self.raw();
        if let Some(kind) = shutdown {
            raw.send(&crate::client::shutdown(kind)).expect("shutdown");
        }
        self.chip.borrow_mut().device.power_cycle();
        raw.send(&crate::client::startup(startup)).expect("startup");
    }
}

impl Default for Rig<Libtpms> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Device> Rig<D> {
    /// An engine over `device`.
    pub fn over(device: D, limits: Limits) -> Self {
        let mut chip = Chip::new(device);
        let engine = Engine::probe(&mut chip, &CLOCK, limits).expect("probe");
        Self {
            chip: RefCell::new(chip),
            engine: RefCell::new(engine),
            check_empty: Cell::new(false),
            announces: Cell::new(false),
            starve: Cell::new(None),
            starved: Cell::new(false),
            allocations: Cell::new(0),
            famine: Cell::new(None),
            record: Arc::default(),
            opened: Cell::new(0),
        }
    }

    /// Opens a space for `user`.
    pub fn open(&self, user: u32) -> Space<'_> {
        self.try_open(user).expect("open")
    }

    /// Opens a space for `user`, or says why not.
    pub fn try_open(&self, user: u32) -> Result<Space<'_>, i32> {
        let bell = Arc::new(Recorder::new(self.opened.get(), self.record.clone()));
        let id = self
            .call(|engine, _| engine.open(UserId(user), bell.clone()))
            .map_err(|e| -e.to_errno())?;
        self.opened.set(self.opened.get() + 1);
        let heard = bell.clone();
        let client = Client::new(Box::new(move |command| {
            heard.answer();
            self.execute(id, command)
        }));
        Ok(Space {
            id,
            user,
            bell,
            client,
        })
    }

    /// Closes a space.
    pub fn close(&self, space: Space<'_>) {
        self.call(|engine, chip| engine.close(chip, space.id));
    }

    /// Closes a space whose chip is gone.
    pub fn forget(&self, space: Space<'_>) {
        self.engine.borrow_mut().forget(space.id);
    }

    /// Somebody who talks to the TPM directly, as the kernel and users of /dev/tpm0 do. Not recorded.
    pub fn raw(&self) -> Client<'_> {
        Client::new(Box::new(|command| {
            if self.announces.get() {
                self.announce();
            }
            Ok(self.chip.borrow_mut().device.process(command))
        }))
    }

    /// Tells the engine that somebody else's command comes next, which must not wait for memory.
    pub fn announce(&self) {
        let before = fault::allocations();
        self.call(|engine, chip| engine.vacate(chip));
        assert_eq!(fault::allocations(), before, "allocated for others");
    }

    /// Has the engine empty the TPM, when it is not for others.
    pub fn withdraw(&self) {
        self.call(|engine, chip| engine.withdraw(chip));
    }

    /// What is loaded stays for so many milliseconds, and the engine is told of commands of others.
    pub fn let_stay(&self, idle: u64) {
        self.call(|engine, chip| {
            engine.set_idle(Span(idle));
            engine.set_barrier(chip, Barrier::Installed);
        });
        self.announces.set(true);
    }

    /// What is loaded stays for so many milliseconds from now on, or not at all.
    pub fn set_idle(&self, idle: u64) {
        self.call(|engine, _| engine.set_idle(Span(idle)));
    }

    /// What is loaded in the TPM, looked at without its knowledge: objects, sessions.
    pub fn loaded(&self) -> [Vec<u32>; 2] {
        let peek = Client::new(Box::new(|command| {
            Ok(self.chip.borrow_mut().device.process(command))
        }));
        [rh::TRANSIENT, rh::LOADED_SESSION].map(|first| peek.handles(first, 254).expect("list").1)
    }

    /// What the engine has counted.
    pub fn counters(&self) -> Counters {
        self.engine.borrow().counters()
    }

    /// What an administrator sees who brings room for so many spaces and sessions.
    pub fn view(&self, spaces: usize, sessions: usize) -> View {
        let mut view = View::with_room(spaces, sessions).expect("there is memory");
        let before = fault::allocations();
        self.engine.borrow().show(&mut view);
        assert_eq!(fault::allocations(), before, "looking takes no memory");
        view
    }

    /// Every ring of a bell up to now, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.record.all()
    }

    /// Calls the engine; the allocation that is to fail fails here.
    pub(crate) fn call<T>(&self, f: impl FnOnce(&mut Engine, &mut Chip<D>) -> T) -> T {
        let starve = self.starve.take().or(self.famine.get());
        let before = fault::allocations();
        match starve {
            Some((n, false)) => fault::fail_nth(n),
            Some((n, true)) => fault::fail_from(n),
            None => {}
        }
        let value = f(&mut self.engine.borrow_mut(), &mut self.chip.borrow_mut());
        fault::fail_none();
        let asked = fault::allocations() - before;
        self.allocations.set(self.allocations.get() + asked);
        if let Some((n, all)) = starve {
            self.starved.set(self.starved.get() || asked >= n);
            if self.famine.get().is_some() {
                let left = n.saturating_sub(asked);
                self.famine.set(match (left, all) {
                    (0, false) => None,
                    (left, all) => Some((left.max(1), all)),
                });
            }
        }
        if self.check_empty.get() {
            self.assert_empty();
        }
        value
    }

    /// Asks the engine something that changes nothing.
    pub(crate) fn ask<T>(&self, f: impl FnOnce(&Engine) -> T) -> T {
        f(&self.engine.borrow())
    }

    fn execute(&self, space: SpaceId, command: &[u8]) -> Outcome<Vec<u8>> {
        let mut message = Message::new(GFP_KERNEL).expect("tests fail allocations only inside");
        // Stale bytes of an earlier message: the engine must judge by the length.
        message.room().fill(0xff);
        message.room()[..command.len()].copy_from_slice(command);
        message.set_len(command.len());
        match self.call(|engine, chip| engine.execute(chip, space, &mut message)) {
            #[cfg(feature = "exhaustion")]
            Ok(Progress::Waits) => {
                assert_eq!(message.as_slice(), command, "what waits is as it was");
                Err(Failure::Waits)
            }
            Ok(Progress::Answered) => Ok(message.as_slice().to_vec()),
            Err(e) => Err(Failure::Errno(-e.to_errno())),
        }
    }

    /// The commands that the engine sent while `f` ran.
    pub fn sent<T>(&self, f: impl FnOnce() -> T) -> (T, Vec<Sent>) {
        let before = self.chip.borrow().log.len();
        let value = f();
        (value, self.chip.borrow().log[before..].to_vec())
    }

    /// Runs `f` with a fault at the `n`-th transmission, from 0; says whether the fault was reached.
    pub fn faulty<T>(&self, n: usize, fault: Fault, f: impl FnOnce() -> T) -> (T, bool) {
        let (value, hits) = self.under(&[(Aim::Nth(n), fault)], f);
        (value, hits > 0)
    }

    /// Runs `f` with faults, of which the first hits where more than one could; says how often one did.
    pub fn under<T>(&self, faults: &[(Aim, Fault)], f: impl FnOnce() -> T) -> (T, usize) {
        for (aim, fault) in faults {
            self.chip.borrow_mut().fail(*aim, *fault);
        }
        let value = f();
        (value, self.chip.borrow_mut().fail_none())
    }

    /// Everybody goes, and leaves nothing.
    pub fn assert_leave<const N: usize>(&self, spaces: [Space<'_>; N]) {
        for space in spaces {
            self.close(space);
        }
        self.assert_nothing();
    }

    /// Runs `f` with the `n`-th allocation of its first call failing, from 1, or also all later ones of that
    /// call; says whether it was reached.
    pub fn without_memory<T>(&self, n: usize, all: bool, f: impl FnOnce() -> T) -> (T, bool) {
        self.starve.set(Some((n, all)));
        self.starved.set(false);
        let value = f();
        (value, self.starved.get())
    }

    /// Lets the `n`-th allocation of all calls from now on fail, from 1, or also all later ones.
    pub fn starve(&self, n: usize, all: bool) {
        self.famine.set(Some((n, all)));
        self.starved.set(false);
    }

    /// Whether an allocation has failed.
    pub fn is_starved(&self) -> bool {
        self.starved.get()
    }

    /// How many allocations the engine has asked for.
    pub fn allocations(&self) -> usize {
        self.allocations.get()
    }

    /// There is memory again.
    pub fn feed(&self) {
        self.famine.set(None);
    }

    /// What the TPM itself lists from `first` on.
    pub fn listed(&self, first: u32) -> Vec<u32> {
        self.raw().handles(first, 254).expect("capability").1
    }

    /// All that is loaded or saved in the TPM: transient objects, loaded sessions, saved sessions.
    pub fn contents(&self) -> [Vec<u32>; 3] {
        [
            self.listed(rh::TRANSIENT),
            self.listed(rh::LOADED_SESSION),
            self.listed(rh::SAVED_SESSION),
        ]
    }

    /// Asserts that no object and no session is loaded in the TPM.
    pub fn assert_empty(&self) {
        let [objects, loaded, _] = self.contents();
        assert_eq!(
            (objects, loaded),
            (vec![], vec![]),
            "left loaded in the TPM"
        );
    }

    /// Asserts that the TPM knows of no object and no session at all.
    pub fn assert_nothing(&self) {
        assert_eq!(self.contents(), [vec![], vec![], vec![]]);
    }
}

/// Runs `sweep` with growing numbers until it says that its fault was not reached any more; panics if
/// it never was, or for ever is.
pub fn until_unreached(bound: Range<usize>, mut sweep: impl FnMut(usize) -> bool) -> usize {
    let start = bound.start;
    for n in bound {
        if !sweep(n) {
            assert!(n > start, "the fault was never reached");
            return n - start;
        }
    }
    panic!("the sweep does not end");
}

/// The response code or errno of a failure.
pub fn rc<T: std::fmt::Debug>(result: Result<T, Failure>) -> u32 {
    match result {
        Err(Failure::Rc(rc)) => rc,
        other => panic!("not a response code: {other:?}"),
    }
}

/// The positive errno of a failure.
pub fn errno<T: std::fmt::Debug>(result: Result<T, Failure>) -> i32 {
    match result {
        Err(Failure::Errno(errno)) => errno,
        other => panic!("not an errno: {other:?}"),
    }
}

/// A number for a key or a nonce that differs from all others.
pub fn label(text: &str, n: usize) -> Vec<u8> {
    let mut label = text.as_bytes().to_vec();
    label.extend_from_slice(&su(n).to_be_bytes());
    label
}
