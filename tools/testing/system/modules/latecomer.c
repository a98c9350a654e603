// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody in the kernel who has the last reference to open descriptors, and
 * closes them while the machine falls asleep, sleeps or wakes up, when no
 * program runs. A ring of io_uring that comes to its end does so too.
 *
 * A program writes the number of each of its descriptors to "hold", and the
 * stage to "stage".
 */
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/suspend.h>

#define MOST 16

/* In the order in which they come. */
enum stage {
	/* Everybody is told; programs are running. */
	STAGE_TOLD,
	/* The TPM sleeps. */
	STAGE_ASLEEP,
	/* The TPM still sleeps, the processor is awake. */
	STAGE_WAKING,
	/* Programs are running; nobody is told. */
	STAGE_AWAKE,
};

static DEFINE_MUTEX(lock);
static struct file *files[MOST];
static unsigned int held;

static unsigned int stage;
module_param(stage, uint, 0644);
MODULE_PARM_DESC(stage, "When to close them");

static unsigned int closed;
module_param(closed, uint, 0444);
MODULE_PARM_DESC(closed, "How many were closed");

static int hold_set(const char *text, const struct kernel_param *param)
{
	int fd, rc = kstrtoint(text, 0, &fd);

	if (rc)
		return rc;
	guard(mutex)(&lock);
	if (held == MOST)
		return -ENOSPC;
	files[held] = fget(fd);
	if (!files[held])
		return -EBADF;
	held++;
	return 0;
}

static const struct kernel_param_ops hold_ops = {
	.set = hold_set,
};

module_param_cb(hold, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(hold, "A descriptor to hold");

static void close_all(void)
{
	guard(mutex)(&lock);
	while (held) {
		__fput_sync(files[--held]);
		closed++;
	}
}

static void reached(enum stage now)
{
	if (now == stage)
		close_all();
}

static int asleep(struct device *dev)
{
	reached(STAGE_ASLEEP);
	return 0;
}

static int waking(struct device *dev)
{
	reached(STAGE_WAKING);
	return 0;
}

static const struct dev_pm_ops phases = {
	.suspend_late = asleep,
	.resume_early = waking,
};

static struct platform_driver driver = {
	.driver = {
		.name = KBUILD_MODNAME,
		.pm = &phases,
	},
};

static struct platform_device *device;

static int told(struct notifier_block *block, unsigned long event, void *data)
{
	if (event == PM_SUSPEND_PREPARE)
		reached(STAGE_TOLD);
	return NOTIFY_DONE;
}

static int awake(struct notifier_block *block, unsigned long event, void *data)
{
	if (event == PM_POST_SUSPEND)
		reached(STAGE_AWAKE);
	return NOTIFY_DONE;
}

/* Called after all others, and before. */
static struct notifier_block last = { .notifier_call = told, .priority = INT_MIN };
static struct notifier_block first = { .notifier_call = awake, .priority = INT_MAX };

static int __init latecomer_init(void)
{
	int rc = platform_driver_register(&driver);

	if (rc)
		return rc;
	device = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(device);
	}
	register_pm_notifier(&last);
	register_pm_notifier(&first);
	return 0;
}

static void __exit latecomer_exit(void)
{
	unregister_pm_notifier(&first);
	unregister_pm_notifier(&last);
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
	close_all();
}

module_init(latecomer_init);
module_exit(latecomer_exit);

MODULE_DESCRIPTION("Closes descriptors while the machine sleeps, for tests of tpmrm");
MODULE_LICENSE("GPL");
