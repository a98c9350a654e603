// SPDX-License-Identifier: GPL-2.0

//! A real TPM 2.0 inside this process: libtpms, with its NV memory in ours.
//!
//! The library holds one TPM per process, in globals. [`Libtpms`] is the right to use it: there is
//! one at a time, and each starts as a newly manufactured TPM that has been powered on.

use crate::wire::su;
use std::collections::HashMap;
use std::ffi::{c_char, c_int, CStr};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod ffi {
    //! The functions of `libtpms/tpm_library.h` and `tpm_memory.h` that are used here.

    use std::ffi::{c_char, c_int, c_uint};

    pub type TpmResult = u32;
    pub const TPM_SUCCESS: TpmResult = 0;
    /// "No such file", for the NV call-backs.
    pub const TPM_RETRY: TpmResult = 0x800;
    pub const TPM_FAIL: TpmResult = 9;
    pub const TPMLIB_TPM_VERSION_2: c_uint = 1;

    #[repr(C)]
    pub struct Callbacks {
        pub size_of_struct: c_int,
        pub nvram_init: Option<extern "C" fn() -> TpmResult>,
        pub nvram_loaddata:
            Option<unsafe extern "C" fn(*mut *mut u8, *mut u32, u32, *const c_char) -> TpmResult>,
        pub nvram_storedata:
            Option<unsafe extern "C" fn(*const u8, u32, u32, *const c_char) -> TpmResult>,
        pub nvram_deletename: Option<unsafe extern "C" fn(u32, *const c_char, u8) -> TpmResult>,
        pub io_init: Option<extern "C" fn() -> TpmResult>,
        pub io_getlocality: Option<unsafe extern "C" fn(*mut u32, u32) -> TpmResult>,
        pub io_getphysicalpresence: Option<unsafe extern "C" fn(*mut u8, u32) -> TpmResult>,
    }

    #[link(name = "tpms")]
    extern "C" {
        pub fn TPMLIB_ChooseTPMVersion(version: c_uint) -> TpmResult;
        pub fn TPMLIB_RegisterCallbacks(callbacks: *mut Callbacks) -> TpmResult;
        pub fn TPMLIB_MainInit() -> TpmResult;
        pub fn TPMLIB_Terminate();
        pub fn TPMLIB_Process(
            response: *mut *mut u8,
            response_size: *mut u32,
            response_room: *mut u32,
            command: *mut u8,
            command_size: u32,
        ) -> TpmResult;
        pub fn TPM_Malloc(buffer: *mut *mut u8, size: u32) -> TpmResult;
        pub fn TPM_Free(buffer: *mut u8);
    }
}

/// Who may call the library.
static LIBRARY: Mutex<()> = Mutex::new(());

/// The NV memory: named blobs.
static NVRAM: Mutex<Option<HashMap<Vec<u8>, Vec<u8>>>> = Mutex::new(None);

fn nvram<T>(f: impl FnOnce(&mut HashMap<Vec<u8>, Vec<u8>>) -> T) -> T {
    let mut guard = NVRAM.lock().unwrap_or_else(PoisonError::into_inner);
    f(guard.get_or_insert_with(HashMap::new))
}

/// The key of a blob.
///
/// # Safety
///
/// `name` must be a C string.
unsafe fn key(number: u32, name: *const c_char) -> Vec<u8> {
    // SAFETY: The caller passes a C string, which lives during this call.
    let name = unsafe { CStr::from_ptr(name) };
    let mut key = number.to_be_bytes().to_vec();
    key.extend_from_slice(name.to_bytes());
    key
}

extern "C" fn ready() -> ffi::TpmResult {
    ffi::TPM_SUCCESS
}

/// The call-back of libtpms that reads a blob.
///
/// # Safety
///
/// To be called by libtpms only, with the arguments that its interface promises.
unsafe extern "C" fn load(
    data: *mut *mut u8,
    length: *mut u32,
    number: u32,
    name: *const c_char,
) -> ffi::TpmResult {
    // SAFETY: libtpms passes the name of a blob as a C string.
    let key = unsafe { key(number, name) };
    let Some(blob) = nvram(|nv| nv.get(&key).cloned()) else {
        return ffi::TPM_RETRY;
    };
    let mut copy = ptr::null_mut();
    // SAFETY: `copy` is a valid place for a pointer; TPM_Malloc has no other requirement.
    if unsafe { ffi::TPM_Malloc(&mut copy, su(blob.len())) } != ffi::TPM_SUCCESS {
        return ffi::TPM_FAIL;
    }
    // SAFETY: `copy` is a new allocation of `blob.len()` bytes. libtpms passes places for the
    // pointer, which it will free with TPM_Free, and for the length.
    unsafe {
        ptr::copy_nonoverlapping(blob.as_ptr(), copy, blob.len());
        *data = copy;
        *length = su(blob.len());
    }
    ffi::TPM_SUCCESS
}

/// The call-back of libtpms that writes a blob.
///
/// # Safety
///
/// To be called by libtpms only, with the arguments that its interface promises.
unsafe extern "C" fn store(
    data: *const u8,
    length: u32,
    number: u32,
    name: *const c_char,
) -> ffi::TpmResult {
    // SAFETY: libtpms passes the name of a blob as a C string, and `length` bytes at `data`.
    let (key, blob) = unsafe {
        (
            key(number, name),
            std::slice::from_raw_parts(data, length as usize).to_vec(),
        )
    };
    nvram(|nv| nv.insert(key, blob));
    ffi::TPM_SUCCESS
}

/// The call-back of libtpms that removes a blob.
///
/// # Safety
///
/// To be called by libtpms only, with the arguments that its interface promises.
unsafe extern "C" fn delete(number: u32, name: *const c_char, must_exist: u8) -> ffi::TpmResult {
    // SAFETY: libtpms passes the name of a blob as a C string.
    let key = unsafe { key(number, name) };
    match nvram(|nv| nv.remove(&key)) {
        None if must_exist != 0 => ffi::TPM_FAIL,
        _ => ffi::TPM_SUCCESS,
    }
}

/// The call-back of libtpms that asks for the locality.
///
/// # Safety
///
/// To be called by libtpms only, with the arguments that its interface promises.
unsafe extern "C" fn locality(modifier: *mut u32, _number: u32) -> ffi::TpmResult {
    // SAFETY: libtpms passes a place for the locality.
    unsafe { *modifier = 0 };
    ffi::TPM_SUCCESS
}

/// The call-back of libtpms that asks for physical presence.
///
/// # Safety
///
/// To be called by libtpms only, with the arguments that its interface promises.
unsafe extern "C" fn presence(present: *mut u8, _number: u32) -> ffi::TpmResult {
    // SAFETY: libtpms passes a place for the flag.
    unsafe { *present = 0 };
    ffi::TPM_SUCCESS
}

/// The process's TPM, powered on.
pub struct Libtpms {
    response: *mut u8,
    room: u32,
    _library: MutexGuard<'static, ()>,
}

impl Libtpms {
    /// Manufactures a TPM and powers it on; waits until nobody else uses the library. TPM2_Startup
    /// is left to the caller.
    pub fn new() -> Self {
        let library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        nvram(HashMap::clear);
        let mut callbacks = ffi::Callbacks {
            size_of_struct: size_of::<ffi::Callbacks>() as c_int,
            nvram_init: Some(ready),
            nvram_loaddata: Some(load),
            nvram_storedata: Some(store),
            nvram_deletename: Some(delete),
            io_init: Some(ready),
            io_getlocality: Some(locality),
            io_getphysicalpresence: Some(presence),
        };
        // SAFETY: The lock is held and no TPM runs: the previous guard ended it. The library copies
        // the table, whose functions are valid for ever.
        unsafe {
            assert_eq!(ffi::TPMLIB_ChooseTPMVersion(ffi::TPMLIB_TPM_VERSION_2), 0);
            assert_eq!(ffi::TPMLIB_RegisterCallbacks(&mut callbacks), 0);
        }
        let mut tpm = Self {
            response: ptr::null_mut(),
            room: 0,
            _library: library,
        };
        tpm.power_on();
        tpm
    }

    fn power_on(&mut self) {
        // SAFETY: The lock is held, and no TPM runs.
        assert_eq!(unsafe { ffi::TPMLIB_MainInit() }, ffi::TPM_SUCCESS);
    }

    /// Cuts the power and gives it back. What the TPM keeps depends on whether TPM2_Shutdown came
    /// before, and on the TPM2_Startup that must follow.
    pub fn power_cycle(&mut self) {
        // SAFETY: The lock is held, and a TPM runs.
        unsafe { ffi::TPMLIB_Terminate() };
        self.power_on();
    }

    /// Executes one command.
    pub fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let mut command = command.to_vec();
        let mut size = 0;
        // SAFETY: The lock is held, and a TPM runs. The response buffer is null with no room, or what
        // the library left there; it reallocates the buffer when it is too small.
        let result = unsafe {
            ffi::TPMLIB_Process(
                &mut self.response,
                &mut size,
                &mut self.room,
                command.as_mut_ptr(),
                su(command.len()),
            )
        };
        assert_eq!(result, ffi::TPM_SUCCESS, "TPMLIB_Process");
        // SAFETY: The library has written `size` bytes at `response`.
        unsafe { std::slice::from_raw_parts(self.response, size as usize) }.to_vec()
    }
}

impl Default for Libtpms {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Libtpms {
    fn drop(&mut self) {
        // SAFETY: The lock is held, and a TPM runs. The buffer is null or was allocated by the library.
        unsafe {
            ffi::TPMLIB_Terminate();
            ffi::TPM_Free(self.response);
        }
    }
}
