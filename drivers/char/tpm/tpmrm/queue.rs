// SPDX-License-Identifier: GPL-2.0

//! A workqueue of our own, that runs one work at a time and stands still while the system sleeps.

use crate::bindings;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue::{
        impl_has_work,
        new_work,
        HasWork,
        Queue,
        Work,
        WorkItem, //
    },
};

/// Work of nobody.
///
/// A workqueue that loses all that is queued while it stands still does not notice that it may go
/// on: what is queued afterwards is not run (as of Linux 7.3, `pwq_tryinc_nr_active()` takes it for
/// one that still waits for its turn). So there is always something left.
#[pin_data]
struct Rest {
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Rest { self.work }
}

impl WorkItem for Rest {
    type Pointer = Arc<Self>;

    fn run(_this: Arc<Self>) {}
}

/// An ordered workqueue. Dropping it runs what is queued and waits for the end of it.
///
/// # Invariants
///
/// The workqueue is valid, and ours alone.
pub(crate) struct OrderedQueue {
    queue: NonNull<kernel::bindings::workqueue_struct>,
    rest: Arc<Rest>,
}

// SAFETY: A workqueue may be used and destroyed by any thread.
unsafe impl Send for OrderedQueue {}

// SAFETY: Work may be queued by any number of threads at a time.
unsafe impl Sync for OrderedQueue {}

impl OrderedQueue {
    /// A new, empty queue.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        let rest = Arc::pin_init(
            pin_init!(Rest {
                work <- new_work!("tpmrm_rest"),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: `name` is a valid string, and copied.
        let queue = unsafe { bindings::tpmrm_queue_new(name.as_char_ptr()) };

        let queue = NonNull::new(queue).ok_or(ENOMEM)?;

        // INVARIANT: The workqueue was just made for us.
        Ok(Self { queue, rest })
    }
}

impl Deref for OrderedQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        // SAFETY: By the type invariant the workqueue is valid, and it is as long as `self`.
        unsafe { Queue::from_raw(self.queue.as_ptr()) }
    }
}

impl Drop for OrderedQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the workqueue is ours, and nobody else can queue to it.
        unsafe { bindings::tpmrm_queue_free(self.queue.as_ptr()) };
    }
}

/// Makes sure that the work of `item` is not queued, in `queue`, and not running.
///
/// Work that is only queued will not run any more; for the end of work that runs this waits.
/// The caller must not let others queue `item` in the meantime, or this says nothing.
pub(crate) fn cancel<T>(queue: &OrderedQueue, item: &Arc<T>)
where
    T: WorkItem<Pointer = Arc<T>> + HasWork<T>,
{
    let this = Arc::as_ptr(item);

    // SAFETY: `this` points to a valid `T`, since `item` keeps it alive.
    let work = unsafe { T::raw_get_work(this.cast_mut()) };
    // SAFETY: So `work` is valid as well.
    let work = unsafe { Work::raw_get(work) };

    // SAFETY: The work was initialised when the item was, and we may sleep: an `Arc` of a work
    // item is only cancelled from the context of a task.
    if unsafe { kernel::bindings::cancel_work_sync(work) } {
        // SAFETY: The work was queued and will not run. Queueing it turned an `Arc` of the item
        // into a pointer, which `run` would have turned back: that is now for us to do.
        drop(unsafe { Arc::from_raw(this) });

        // When it is queued already, that will do.
        let _ = queue.enqueue(queue.rest.clone());
    }
}
