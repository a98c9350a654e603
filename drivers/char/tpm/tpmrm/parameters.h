/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's parameters, as they are now: an administrator can change them at
 * any time.
 */
#ifndef TPMRM_PARAMETERS_H
#define TPMRM_PARAMETERS_H

unsigned int tpmrm_parameter_max_objects(void);
unsigned int tpmrm_parameter_idle_ms(void);

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION

/* The values of session_policy. */
enum {
	TPMRM_PARAMETER_FAIL,
	TPMRM_PARAMETER_CLOSE,
	TPMRM_PARAMETER_NEVER,
};

unsigned int tpmrm_parameter_session_lease_ms(void);
unsigned int tpmrm_parameter_session_wait_ms(void);
unsigned int tpmrm_parameter_kernel_reserve(void);
unsigned int tpmrm_parameter_max_sessions_per_user(void);
unsigned int tpmrm_parameter_session_policy(void);

#endif

#endif
