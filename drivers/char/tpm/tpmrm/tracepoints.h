/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Rust part of tpmrm tells the tracepoints. It costs a jump when
 * nobody watches.
 */
#ifndef TPMRM_TRACEPOINTS_H
#define TPMRM_TRACEPOINTS_H

enum tpmrm_errand {
	TPMRM_LOAD,
	TPMRM_SAVE,
	TPMRM_FLUSH,
	TPMRM_QUESTION,
};

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
enum tpmrm_wait {
	TPMRM_WAIT_BEGINS,
	TPMRM_WAIT_GRANTED,
	TPMRM_WAIT_EXPIRED,
	TPMRM_WAIT_LEFT,
};

/* The user of a session that nobody has. */
enum { TPMRM_NOBODY = 0xFFFFFFFF };
#endif

/* @rc is a TPM_RC, or a negative errno. */
void tpmrm_trace_command(const char *chip, unsigned long long space,
			 unsigned int code, int rc);
void tpmrm_trace_errand(const char *chip, enum tpmrm_errand errand,
			unsigned int handle, int rc);
void tpmrm_trace_regap(const char *chip, unsigned int session);
void tpmrm_trace_barrier(const char *chip);
void tpmrm_trace_lost(const char *chip, unsigned long long space,
		      unsigned int handle);
#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
void tpmrm_trace_evict(const char *chip, unsigned int session,
		       unsigned int from, unsigned int to);
void tpmrm_trace_wait(const char *chip, unsigned long long space,
		      enum tpmrm_wait wait);
#endif

#endif
