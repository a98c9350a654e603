/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that bindgen declares for the Rust part of tpmrm. No layout of a kernel
 * structure is in it.
 */
#ifndef TPMRM_BINDINGS_H
#define TPMRM_BINDINGS_H

#include "barrier.h"
#include "debugfs.h"
#include "parameters.h"
#include "shim.h"
#include "tracepoints.h"

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION

#include <linux/tpmrm.h>

/* bindgen evaluates these, which it does not do for macros with arguments. */
enum {
	TPMRM_GET_INFO = TPMRM_IOC_GET_INFO,
	TPMRM_SET_POLICY = TPMRM_IOC_SET_POLICY,
	TPMRM_RESERVE = TPMRM_IOC_RESERVE,
	TPMRM_GET_LOST = TPMRM_IOC_GET_LOST,
};

#endif

#endif
