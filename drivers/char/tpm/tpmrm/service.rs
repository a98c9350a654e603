// SPDX-License-Identifier: GPL-2.0

//! A manager at work, held by those who need it: when the last lets go, its alarm ends.

use crate::{
    alarm::{
        self,
        Alarm, //
    },
    chip::Chip,
    engine::Engine,
    manager::Manager, //
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A manager and its alarm. Held by the list of chips, and by each open descriptor; the alarm
/// holds the manager alone.
pub(crate) struct Service(Arc<Manager>);

impl Service {
    /// The manager, for those who do not need its alarm.
    pub(crate) fn manager(&self) -> &Arc<Manager> {
        &self.0
    }

    /// Has a chip managed, by the engine that was made for it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(chip: Chip, engine: Engine) -> Result<Arc<Self>> {
        let this = Self(Manager::new(chip, engine)?);

        // Dropping `this` makes it undone.
        this.0.attach(Alarm::new(this.0.clone())?);
        Ok(Arc::new(this, GFP_KERNEL)?)
    }
}

impl Deref for Service {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A descriptor's work holds the descriptor, and so this: it is not the queue's worker that
        // we are, and which we wait for.
        if let Some(alarm) = self.0.end() {
            alarm::retire(alarm);
        }
    }
}
