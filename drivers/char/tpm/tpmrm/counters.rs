// SPDX-License-Identifier: GPL-2.0

//! What was done for the clients of a chip, for an administrator to read.
//!
//! In debugfs: `tpmrm/tpmrm0/counters`, a name and a number on each line.

use crate::{
    engine::Counters,
    manager::Manager, //
};
use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    fmt,
    prelude::*,
    sync::Arc, //
};

kernel::sync::global_lock! {
    // SAFETY: `Folder::new` initialises it before anybody can use it.
    unsafe(uninit) static FOLDER: Mutex<Option<Dir>> = None;
}

/// The folder of the module. There is one, in the module.
pub(crate) struct Folder(());

impl Folder {
    /// # Safety
    ///
    /// To be called once, and before any [`CountersFile`] is made.
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: By the caller's promise this is the only call, and the first use.
        unsafe { FOLDER.init() };
        *FOLDER.lock() = Some(Dir::new(c"tpmrm"));
        Self(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Statics are not dropped when a module goes.
        let folder = FOLDER.lock().take();

        drop(folder);
    }
}

/// The file of one chip. It is there as long as this lives.
pub(crate) struct CountersFile(#[expect(dead_code, reason = "held")] Pin<KBox<File<Arc<Manager>>>>);

impl CountersFile {
    /// A file for the chip that `manager` manages. Without debugfs there is none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(manager: Arc<Manager>) -> Result<Self> {
        let folder = FOLDER.lock().clone().ok_or(ENODEV)?;
        let folder = folder.subdir(manager.chip().name());
        let file = folder.read_callback_file(c"counters", manager.clone(), &write);

        Ok(Self(KBox::pin_init(file, GFP_KERNEL)?))
    }
}

fn write(manager: &Arc<Manager>, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Counters {
        client,
        sent,
        loads,
        saves,
        flushes,
        questions,
        regaps,
        barriers,
        rests,
        retries,
    } = manager.counters();

    for (name, count) in [
        ("client", client),
        ("sent", sent),
        ("loads", loads),
        ("saves", saves),
        ("flushes", flushes),
        ("questions", questions),
        ("regaps", regaps),
        ("barriers", barriers),
        ("rests", rests),
        ("retries", retries),
    ] {
        writeln!(to, "{name} {count}")?;
    }
    Ok(())
}
