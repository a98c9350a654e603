// SPDX-License-Identifier: GPL-2.0

//! What bindgen makes of poll's bits.

pub(crate) const TPMRM_EPOLLIN: u32 = 0x1;
pub(crate) const TPMRM_EPOLLPRI: u32 = 0x2;
pub(crate) const TPMRM_EPOLLOUT: u32 = 0x4;
pub(crate) const TPMRM_EPOLLERR: u32 = 0x8;
pub(crate) const TPMRM_EPOLLHUP: u32 = 0x10;
pub(crate) const TPMRM_EPOLLRDNORM: u32 = 0x40;
pub(crate) const TPMRM_EPOLLWRNORM: u32 = 0x100;
