// SPDX-License-Identifier: GPL-2.0

//! What an administrator can see of a chip, in debugfs: `tpmrm/tpmrm0/chip` and the files beside
//! it.
//!
//! C counterpart: `debugfs.c`. The kernel crate's own files have no owner: the module could be
//! unloaded while one is open.

mod print;

use crate::{
    bindings,
    engine::View,
    manager::Manager,
    node::OWNER, //
};
use core::ptr;
use kernel::{
    bindings::{
        dentry,
        file,
        file_operations,
        inode,
        seq_file,
        seq_lseek,
        seq_read,
        single_open,
        single_release, //
    },
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};

kernel::sync::global_lock! {
    // SAFETY: `Folder::new` initialises it before anybody can use it.
    unsafe(uninit) static FOLDER: Mutex<Option<Entry>> = None;
}

/// What a file says.
type Print = fn(&Manager, &View, &mut fmt::Formatter<'_>) -> fmt::Result;

/// The files of a chip.
const FILES: [(&CStr, Print); 4] = [
    (c"chip", print::chip),
    (c"spaces", print::spaces),
    (c"sessions", print::sessions),
    (c"counters", print::counters),
];

/// The folder of the module. There is one, in the module.
pub(crate) struct Folder(());

impl Folder {
    /// # Safety
    ///
    /// To be called once, and before any [`ChipFolder`] is made.
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: By the caller's promise this is the only call, and the first use.
        unsafe { FOLDER.init() };
        *FOLDER.lock() = Some(Entry::folder(c"tpmrm", None));
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

/// The folder of one chip. It is there as long as this lives. Its fields are dropped in the order
/// in which they are declared.
pub(crate) struct ChipFolder {
    _folder: Entry,
    /// Then nobody reads any more.
    _files: [KBox<Content>; FILES.len()],
}

impl ChipFolder {
    /// A folder for the chip that `manager` manages. Without debugfs there is none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(manager: &Arc<Manager>) -> Result<Self> {
        let content = |(_, print)| {
            let manager = manager.clone();

            KBox::new(Content { manager, print }, GFP_KERNEL)
        };
        let [chip, spaces, sessions, counters] = FILES;
        let files = [
            content(chip)?,
            content(spaces)?,
            content(sessions)?,
            content(counters)?,
        ];
        let all = FOLDER.lock();
        let folder = Entry::folder(manager.chip().name(), all.as_ref());

        for ((name, _), content) in FILES.iter().zip(&files) {
            // SAFETY: The contents do not move, and are freed after the folder is removed, which
            // removes what is in it.
            unsafe { folder.add_file(name, content) };
        }
        Ok(Self {
            _folder: folder,
            _files: files,
        })
    }
}

/// What is behind a file.
struct Content {
    manager: Arc<Manager>,
    print: Print,
}

impl Content {
    /// Writes what there is to be seen into `to`.
    ///
    /// # Errors
    ///
    /// Those of [`Window::look`](crate::window::Window::look).
    fn show(&self, to: &SeqFile) -> Result {
        self.manager.window().look(&self.manager, |view| {
            seq_print!(
                to,
                "{}",
                Page {
                    content: self,
                    view
                }
            );
        })
    }
}

/// A file as it is at the moment.
struct Page<'a> {
    content: &'a Content,
    view: &'a View,
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.content.print)(&self.content.manager, self.view, to)
    }
}

/// Something in debugfs, or an error pointer: what is not there cannot be read, and nobody minds.
///
/// # Invariants
///
/// It was made by debugfs for us, and not removed yet.
struct Entry(*mut dentry);

// SAFETY: Any thread may use and remove what is in debugfs.
unsafe impl Send for Entry {}

impl Entry {
    fn folder(name: &CStr, parent: Option<&Self>) -> Self {
        let parent = parent.map_or(ptr::null_mut(), |parent| parent.0);

        // INVARIANT: It was just made.
        // SAFETY: The name is valid for the call, and by the type invariant so is the parent, if
        // there is one.
        Self(unsafe { bindings::tpmrm_debugfs_folder(name.as_char_ptr(), parent) })
    }

    /// Adds a file to a folder; it is removed with it.
    ///
    /// # Safety
    ///
    /// `content` must not be moved or freed before the folder is removed.
    unsafe fn add_file(&self, name: &CStr, content: &Content) {
        // SAFETY: The name is valid for the call, the folder by the type invariant. The table is
        // constant and keeps the module; its operations need a `Content`, which by the caller's
        // promise is there as long as the file.
        unsafe {
            bindings::tpmrm_debugfs_file(
                name.as_char_ptr(),
                self.0,
                ptr::from_ref(content).cast_mut().cast(),
                &OPERATIONS.0,
            );
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is ours to be removed.
        unsafe { bindings::tpmrm_debugfs_remove(self.0) };
    }
}

/// A table of operations, which is constant and so can be shared.
#[repr(transparent)]
struct Operations(file_operations);

// SAFETY: The table is never written.
unsafe impl Sync for Operations {}

static OPERATIONS: Operations = Operations(file_operations {
    owner: OWNER,
    open: Some(open),
    read: Some(seq_read),
    llseek: Some(seq_lseek),
    release: Some(single_release),
    ..pin_init::zeroed()
});

/// # Safety
///
/// To be called by debugfs only, as `open` of a file of [`Entry::add_file`].
unsafe extern "C" fn open(inode: *mut inode, file: *mut file) -> c_int {
    // SAFETY: Debugfs hands over a valid inode.
    let content = unsafe { (*inode).i_private };

    // SAFETY: Debugfs hands over a valid file that is being opened, and `show` gets what it needs.
    unsafe { single_open(file, Some(show), content) }
}

/// # Safety
///
/// To be called by `seq_read` only, for a file that `open` opened.
unsafe extern "C" fn show(seq: *mut seq_file, _: *mut c_void) -> c_int {
    // SAFETY: The file is valid, and `open` gave it a `Content`. That is there: debugfs lets nobody
    // read what was removed, and waits for who is reading.
    let content = unsafe { &*(*seq).private.cast::<Content>() };
    // SAFETY: The file is valid, and ours during the call.
    let to = unsafe { SeqFile::from_raw(seq) };

    match content.show(to) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}
