// SPDX-License-Identifier: GPL-2.0
/*
 * The module's parameters. In C, because those that the kernel crate can
 * declare are neither bounded nor seen in /sys/module/tpmrm/parameters.
 */
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "parameters.h"

/* A number, and what an administrator may make it. */
struct bounded {
	unsigned int value;
	unsigned int least;
	unsigned int most;
};

static int bounded_set(const char *text, const struct kernel_param *param)
{
	struct bounded *bounded = param->arg;
	unsigned int value;

	/* One error for all that is wrong, also for what is no u32. */
	if (kstrtouint(text, 0, &value))
		return -EINVAL;
	if (value < bounded->least || value > bounded->most)
		return -EINVAL;

	WRITE_ONCE(bounded->value, value);
	return 0;
}

static int bounded_get(char *text, const struct kernel_param *param)
{
	const struct bounded *bounded = param->arg;

	return sysfs_emit(text, "%u\n", READ_ONCE(bounded->value));
}

static const struct kernel_param_ops bounded_ops = {
	.set = bounded_set,
	.get = bounded_get,
};

#define BOUNDED_PARAMETER(name, preset, min, max, text)			\
	static struct bounded name = {					\
		.value = (preset),					\
		.least = (min),						\
		.most = (max),						\
	};								\
	module_param_cb(name, &bounded_ops, &name, 0644);		\
	MODULE_PARM_DESC(name, text " (" #min " to " #max ", default "	\
			 #preset ")");					\
									\
	unsigned int tpmrm_parameter_##name(void)			\
	{								\
		return READ_ONCE(name.value);				\
	}

BOUNDED_PARAMETER(max_objects, 256, 1, 65535,
		  "How many transient objects one open descriptor can have, for chips found later")
BOUNDED_PARAMETER(idle_ms, 1000, 0, 3600000,
		  "How long what a command used stays in the TPM, in ms; 0: not at all")

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION

BOUNDED_PARAMETER(session_lease_ms, 2000, 100, 600000,
		  "For how long after its creation a session is not taken away, in ms")
BOUNDED_PARAMETER(session_wait_ms, 5000, 0, 3600000,
		  "For how long a command waits for a session before it is refused, in ms")
BOUNDED_PARAMETER(kernel_reserve, 2, 0, 16,
		  "How many sessions of the TPM are left to the kernel")
BOUNDED_PARAMETER(max_sessions_per_user, 64, 1, 65535,
		  "How many sessions one user can have, saved ones included")

static const char * const policies[] = {
	[TPMRM_PARAMETER_FAIL] = "fail",
	[TPMRM_PARAMETER_CLOSE] = "close",
	[TPMRM_PARAMETER_NEVER] = "never",
};

static unsigned int session_policy = TPMRM_PARAMETER_FAIL;

static int policy_set(const char *text, const struct kernel_param *param)
{
	int policy = sysfs_match_string(policies, text);

	if (policy < 0)
		return policy;

	WRITE_ONCE(session_policy, policy);
	return 0;
}

static int policy_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%s\n", policies[READ_ONCE(session_policy)]);
}

static const struct kernel_param_ops policy_ops = {
	.set = policy_set,
	.get = policy_get,
};

module_param_cb(session_policy, &policy_ops, NULL, 0644);
MODULE_PARM_DESC(session_policy,
		 "What becomes of a descriptor whose session is needed: fail, close or never (default fail)");

unsigned int tpmrm_parameter_session_policy(void)
{
	return READ_ONCE(session_policy);
}

#endif
