// SPDX-License-Identifier: GPL-2.0

//! Finding the class of the nodes, which is not exported, and listening to it.
//!
//! Every TPM 2.0 chip points to the class. When there is none yet, we listen to the class of all
//! chips, which tells of the first one. It does so before the chip has its node, so that what is
//! left to do is left to a worker, which looks again until the node is there.

use crate::{
    bindings,
    class::{
        Class,
        ClassInterface, //
    },
    queue::OrderedQueue,
    registry, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        new_mutex,
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};

/// How often, and how many times, the worker looks for the node of a chip that arrived.
const INTERVAL: Delta = Delta::from_millis(20);
const ATTEMPTS: usize = 500;

/// Arrivals are reported here; `None` when nobody listens.
type Arrivals = Option<(Arc<Nodes>, Arc<OrderedQueue>)>;

kernel::sync::global_lock! {
    // SAFETY: `Discovery::new` initialises it before anybody can use it.
    unsafe(uninit) static ARRIVALS: Mutex<Arrivals> = None;
}

/// Serves every TPM 2.0 chip that is there, or comes, as long as it lives.
///
/// Dropping it ends the parts in this order: first no arrival is reported any more, then the
/// worker ends, then the nodes are given back.
pub(crate) struct Discovery {
    arrivals: Option<Pin<KBox<ClassInterface>>>,
    nodes: Arc<Nodes>,
}

impl Discovery {
    /// # Errors
    ///
    /// `ENOMEM`, and what the driver core says when it does not take a registration.
    ///
    /// # Safety
    ///
    /// To be called once.
    pub(crate) unsafe fn new() -> Result<Self> {
        // SAFETY: By the caller's promise this is the only call, and the first use.
        unsafe { ARRIVALS.init() };

        // SAFETY: The module is being loaded, and may sleep.
        let chips = from_err_ptr(unsafe { bindings::tpmrm_chip_class() }.cast_mut())?;
        // SAFETY: This is where all chips of the TPM core are.
        let chips = unsafe { Class::from_raw(chips) };
        let nodes = Nodes::new(chips)?;
        let mut this = Self {
            arrivals: None,
            nodes,
        };

        if !this.nodes.listen()? {
            pr_info!("there is no TPM 2.0 yet, waiting for one\n");
            this.wait(chips)?;
        }
        Ok(this)
    }

    /// Listens to the class of all chips.
    fn wait(&mut self, chips: Class) -> Result {
        let queue = Arc::new(OrderedQueue::new(c"tpmrm_arrivals")?, GFP_KERNEL)?;

        *ARRIVALS.lock() = Some((self.nodes.clone(), queue));

        // SAFETY: `chip_added` may be called with any device.
        let interface = unsafe { ClassInterface::new(chips, chip_added, None) };

        self.arrivals = Some(KBox::pin_init(interface, GFP_KERNEL)?);
        Ok(())
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        drop(self.arrivals.take());

        self.nodes.stop.store(true, Relaxed);
        let arrivals = ARRIVALS.lock().take();

        // Not under the lock: dropping the queue waits for the worker.
        drop(arrivals);

        let listening = self.nodes.listening.lock().take();

        drop(listening);
    }
}

/// The nodes of all chips.
#[pin_data]
struct Nodes {
    chips: Class,
    /// Set when the worker is to give up.
    stop: Atomic<bool>,
    /// Our registration with the class of the nodes, once that is known.
    #[pin]
    listening: Mutex<Option<Pin<KBox<ClassInterface>>>>,
    #[pin]
    work: Work<Nodes>,
}

impl_has_work! {
    impl HasWork<Self> for Nodes { self.work }
}

impl Nodes {
    fn new(chips: Class) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                chips,
                stop: Atomic::new(false),
                listening <- new_mutex!(None, "tpmrm_nodes"),
                work <- new_work!("tpmrm_arrivals"),
            }),
            GFP_KERNEL,
        )
    }

    /// Listens to the class of the nodes if it is known by now, and returns whether it is. When
    /// it is, all chips that are there are served afterwards.
    fn listen(&self) -> Result<bool> {
        let mut listening = self.listening.lock();

        if listening.is_some() {
            return Ok(true);
        }

        // SAFETY: By the invariant of `Class` the class is valid.
        let class = unsafe { bindings::tpmrm_node_class(self.chips.as_ptr()) };

        if class.is_null() {
            return Ok(false);
        }

        // SAFETY: The TPM core gives this class, and no other, to the nodes of its chips.
        let class = unsafe { Class::from_raw(class) };
        // SAFETY: The functions may be called with the devices of this class.
        let interface = unsafe {
            ClassInterface::new(class, registry::node_added, Some(registry::node_removed))
        };

        *listening = Some(KBox::pin_init(interface, GFP_KERNEL)?);
        Ok(true)
    }
}

impl WorkItem for Nodes {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        for _ in 0..ATTEMPTS {
            // ORDERING: The flag alone is of interest.
            if this.stop.load(Relaxed) {
                return;
            }
            match this.listen() {
                Ok(true) => return,
                Ok(false) => fsleep(INTERVAL),
                Err(error) => {
                    pr_err!("cannot listen for TPM nodes: {error:?}\n");
                    return;
                }
            }
        }
    }
}

/// Has the worker look for the node of a chip that has arrived.
///
/// # Safety
///
/// To be called by the driver core only.
unsafe extern "C" fn chip_added(_chip: *mut kernel::bindings::device) -> c_int {
    if let Some((nodes, queue)) = &*ARRIVALS.lock() {
        // When it is queued already, it will look for this chip too.
        let _ = queue.enqueue(nodes.clone());
    }
    0
}
