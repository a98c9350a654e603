// SPDX-License-Identifier: GPL-2.0

//! Queued work: once, in order, and not at all when it was cancelled.

use crate::queue::{
    self,
    OrderedQueue, //
};
use kernel::{
    impl_has_work,
    macros::kunit_tests,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    workqueue::{
        Work,
        WorkItem, //
    },
};

/// What is done by work: how often, when the last time, and how many of its items are gone.
struct Book {
    time: Atomic<i32>,
    gone: Atomic<i32>,
}

/// Work that notes when it ran.
#[pin_data(PinnedDrop)]
struct Item {
    book: Arc<Book>,
    ran: Atomic<i32>,
    #[pin]
    work: Work<Item>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // ORDERING: Whoever looks has waited for the end of the queue.
        let time = this.book.time.load(Relaxed).wrapping_add(1);

        this.book.time.store(time, Relaxed);
        this.ran.store(time, Relaxed);
    }
}

#[pinned_drop]
impl PinnedDrop for Item {
    fn drop(self: Pin<&mut Self>) {
        // ORDERING: As above.
        let gone = self.book.gone.load(Relaxed).wrapping_add(1);

        self.book.gone.store(gone, Relaxed);
    }
}

fn book() -> Result<Arc<Book>> {
    Ok(Arc::new(
        Book {
            time: Atomic::new(0),
            gone: Atomic::new(0),
        },
        GFP_KERNEL,
    )?)
}

fn item(book: &Arc<Book>) -> Result<Arc<Item>> {
    Arc::pin_init(
        pin_init!(Item {
            book: book.clone(),
            ran: Atomic::new(0),
            work <- new_work!("tpmrm_kunit"),
        }),
        GFP_KERNEL,
    )
}

#[kunit_tests(tpmrm_queue)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_in_order_and_before_the_queue_is_gone() -> Result {
        let book = book()?;
        let items = [item(&book)?, item(&book)?, item(&book)?];
        let queue = OrderedQueue::new(c"tpmrm_kunit")?;

        for item in &items {
            assert!(queue.enqueue(item.clone()).is_ok());
        }
        drop(queue);
        for (item, time) in items.iter().zip(1..) {
            assert_eq!(item.ran.load(Relaxed), time);
        }
        drop(items);
        assert_eq!(book.gone.load(Relaxed), 3);
        Ok(())
    }

    #[test]
    fn what_was_cancelled_does_not_run_and_is_not_kept() -> Result {
        let book = book()?;
        let item = item(&book)?;
        let queue = OrderedQueue::new(c"tpmrm_kunit")?;

        // Whether it has begun to run is a matter of chance: afterwards it has, or never will.
        let _ = queue.enqueue(item.clone());
        queue::cancel(&queue, &item);
        let ran = item.ran.load(Relaxed);

        // What is not queued can be cancelled too.
        queue::cancel(&queue, &item);
        drop(queue);
        assert_eq!(item.ran.load(Relaxed), ran);
        drop(item);
        assert_eq!(book.gone.load(Relaxed), 1);
        Ok(())
    }
}
