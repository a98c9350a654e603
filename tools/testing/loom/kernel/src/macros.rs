// SPDX-License-Identifier: GPL-2.0

//! The kernel's macros, as far as the driver uses them.

/// Something that becomes a `T` where it is put; here values stay where they are made.
pub trait PinInit<T> {
    fn init(self) -> T;
}

impl<T> PinInit<T> for T {
    fn init(self) -> T {
        self
    }
}

/// A structure whose fields are values, or are to be initialised (`<-`).
#[macro_export]
macro_rules! pin_init {
    (Self { $($fields:tt)* }) => { $crate::pin_init!(@fields [] $($fields)*) };
    (@fields [$($done:tt)*]) => { Self { $($done)* } };
    (@fields [$($done:tt)*] $name:ident <- $value:expr, $($rest:tt)*) => {
        $crate::pin_init!(@fields [$($done)* $name: $crate::macros::PinInit::init($value),] $($rest)*)
    };
    (@fields [$($done:tt)*] $name:ident : $value:expr, $($rest:tt)*) => {
        $crate::pin_init!(@fields [$($done)* $name: $value,] $($rest)*)
    };
    (@fields [$($done:tt)*] $name:ident, $($rest:tt)*) => {
        $crate::pin_init!(@fields [$($done)* $name,] $($rest)*)
    };
}

/// A key for lockdep, of which there is none here.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        $crate::sync::LockClassKey
    };
}

/// A mutex with a name.
#[macro_export]
macro_rules! new_mutex {
    ($value:expr, $name:literal) => {
        $crate::sync::Mutex::new($value)
    };
}

/// A condition variable with a name.
#[macro_export]
macro_rules! new_condvar {
    ($name:literal) => {
        $crate::sync::CondVar::new()
    };
}

/// Work with a name.
#[macro_export]
macro_rules! new_work {
    ($name:literal) => {
        $crate::workqueue::Work::new()
    };
}

/// Where in a structure its work is.
#[macro_export]
macro_rules! impl_has_work {
    (impl HasWork<Self> for $type:ty { self.$field:ident }) => {
        impl $crate::workqueue::HasWork for $type {
            fn work(&self) -> &$crate::workqueue::Work<Self> {
                &self.$field
            }
        }
    };
}

/// Where in a structure its timer is.
#[macro_export]
macro_rules! impl_has_hr_timer {
    (impl HasHrTimer<Self> for $type:ty { mode: $mode:ty, field: self.$field:ident }) => {
        impl $crate::time::hrtimer::HasHrTimer for $type {
            fn timer(&self) -> &$crate::time::hrtimer::HrTimer<Self> {
                &self.$field
            }
        }
    };
}
