// SPDX-License-Identifier: GPL-2.0

//! Being told of the devices of a class.
//!
//! C counterpart: `struct class_interface`.

use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// Called for a device that is in the class already, or is added to it.
pub(crate) type AddDevice = unsafe extern "C" fn(*mut bindings::device) -> c_int;

/// Called for a device that leaves the class, or stays when we stop listening.
pub(crate) type RemoveDevice = unsafe extern "C" fn(*mut bindings::device);

/// A class of devices of the TPM core.
///
/// # Invariants
///
/// The class is valid as long as the TPM core is loaded, and so as long as this module is.
#[derive(Clone, Copy)]
pub(crate) struct Class(*const bindings::class);

// SAFETY: A class may be used from any thread.
unsafe impl Send for Class {}

// SAFETY: As above.
unsafe impl Sync for Class {}

impl Class {
    /// # Safety
    ///
    /// `class` must be one of the TPM core's own.
    pub(crate) unsafe fn from_raw(class: *const bindings::class) -> Self {
        // INVARIANT: By the caller's promise. This module uses symbols of the TPM core, so the
        // core cannot go before it.
        Self(class)
    }

    pub(crate) fn as_ptr(self) -> *const bindings::class {
        self.0
    }
}

/// A registration with a class. Dropping it reports every device that is left as removed.
///
/// # Invariants
///
/// `raw` is registered.
#[pin_data(PinnedDrop)]
pub(crate) struct ClassInterface {
    #[pin]
    raw: Opaque<bindings::class_interface>,
}

// SAFETY: Registrations may be ended by any thread.
unsafe impl Send for ClassInterface {}

// SAFETY: `&ClassInterface` offers nothing.
unsafe impl Sync for ClassInterface {}

impl ClassInterface {
    /// Registers with `class`. `add` has been called for every device of it afterwards.
    ///
    /// # Errors
    ///
    /// What the driver core says when the class does not exist.
    ///
    /// # Safety
    ///
    /// `add` and `remove` must be sound to call with any device of the class.
    pub(crate) unsafe fn new(
        class: Class,
        add: AddDevice,
        remove: Option<RemoveDevice>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: The structure is registered, or initialisation fails.
            raw <- Opaque::try_ffi_init(move |slot: *mut bindings::class_interface| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(bindings::class_interface {
                        class: class.as_ptr(),
                        add_dev: Some(add),
                        remove_dev: remove,
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: The structure is initialised and pinned from now on. By the invariant of
                // `Class` the class is valid, by the caller's promise the functions may be called.
                to_result(unsafe { bindings::class_interface_register(slot) })
            }),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for ClassInterface {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::class_interface_unregister(self.raw.get()) };
    }
}
