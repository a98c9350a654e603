// SPDX-License-Identifier: GPL-2.0

//! The queue of a manager; a thread of the test works on it.

use kernel::{
    error::Result,
    prelude::CStr,
    sync::Arc,
    workqueue::{HasWork, Queue}, //
};
use std::ops::Deref;

pub(crate) struct OrderedQueue(Queue);

impl OrderedQueue {
    pub(crate) fn new(_: &CStr) -> Result<Self> {
        Ok(Self(Queue::new()))
    }
}

impl Deref for OrderedQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.0
    }
}

pub(crate) fn cancel<T: HasWork>(_: &OrderedQueue, item: &Arc<T>) {
    kernel::workqueue::cancel(item);
}
