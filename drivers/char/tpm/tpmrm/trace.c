// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, as functions for Rust.
 */
#include "tracepoints.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void tpmrm_trace_command(const char *chip, unsigned long long space,
			 unsigned int code, int rc)
{
	trace_tpmrm_command(chip, space, code, rc);
}

void tpmrm_trace_errand(const char *chip, enum tpmrm_errand errand,
			unsigned int handle, int rc)
{
	trace_tpmrm_errand(chip, errand, handle, rc);
}

void tpmrm_trace_regap(const char *chip, unsigned int session)
{
	trace_tpmrm_regap(chip, session);
}

void tpmrm_trace_barrier(const char *chip)
{
	trace_tpmrm_barrier(chip);
}

void tpmrm_trace_lost(const char *chip, unsigned long long space,
		      unsigned int handle)
{
	trace_tpmrm_lost(chip, space, handle);
}

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
void tpmrm_trace_evict(const char *chip, unsigned int session,
		       unsigned int from, unsigned int to)
{
	trace_tpmrm_evict(chip, session, from, to);
}

void tpmrm_trace_wait(const char *chip, unsigned long long space,
		      enum tpmrm_wait wait)
{
	trace_tpmrm_wait(chip, space, wait);
}
#endif
