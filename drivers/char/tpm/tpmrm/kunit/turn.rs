// SPDX-License-Identifier: GPL-2.0

//! Turns: one has his, and the next comes when he is done.

use crate::{
    queue::OrderedQueue,
    turn::Turn, //
};
use kernel::{
    impl_has_work,
    macros::kunit_tests,
    new_work,
    prelude::*,
    static_lock_class,
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

/// A worker that wants its turn.
#[pin_data]
struct Waiter {
    #[pin]
    turn: Turn,
    had: Atomic<i32>,
    #[pin]
    work: Work<Waiter>,
}

impl_has_work! {
    impl HasWork<Self> for Waiter { self.work }
}

impl WorkItem for Waiter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let _turn = this.turn.take_uninterruptible();

        // ORDERING: Whoever looks has the turn, or has waited for the end of the queue.
        this.had.store(1, Relaxed);
    }
}

#[kunit_tests(tpmrm_turn)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_has_his_turn_afterwards_and_not_before() -> Result {
        let waiter = Arc::pin_init(
            pin_init!(Waiter {
                turn <- Turn::new(c"tpmrm_kunit_turn", static_lock_class!()),
                had: Atomic::new(0),
                work <- new_work!("tpmrm_kunit"),
            }),
            GFP_KERNEL,
        )?;
        let queue = OrderedQueue::new(c"tpmrm_kunit")?;
        let turn = waiter.turn.take()?;

        let _ = queue.enqueue(waiter.clone());
        // Time in which a worker that did not wait would be done.
        kernel::time::delay::fsleep(kernel::time::Delta::from_millis(20));
        assert_eq!(waiter.had.load(Relaxed), 0);
        drop(turn);
        drop(queue);
        assert_eq!(waiter.had.load(Relaxed), 1);
        // It was given back.
        drop(waiter.turn.take()?);
        Ok(())
    }
}
