// SPDX-License-Identifier: GPL-2.0

//! What the engine knows of a descriptor.

use super::Client;
use crate::engine::Bell;
use kernel::sync::Arc;

/// What the engine rings, and who pays. The space holds it, and so the client, until
/// [`Client::release`] closes the space.
pub(super) struct Doorbell(pub(super) Arc<Client>);

impl Bell for Doorbell {
    #[cfg(CONFIG_TCG_TPM_RM_EXHAUSTION)]
    fn ring(&self, news: crate::engine::News) {
        Client::hear(self.0.as_arc_borrow(), news);
    }

    fn process(&self) -> i32 {
        self.0.process
    }

    fn pay(&self, work: &mut dyn FnMut()) {
        self.0.payer.scope(work);
    }
}
