// SPDX-License-Identifier: GPL-2.0
/*
 * A module that makes trouble when it is loaded, so that the tests of the rig
 * see whether the rig says so.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "nothing, warn, hang or refuse");

static int seconds = 10;
module_param(seconds, int, 0444);
MODULE_PARM_DESC(seconds, "how long to hang");

static int __init trouble_init(void)
{
	if (!strcmp(what, "refuse"))
		return -EINVAL;
	if (!strcmp(what, "hang"))
		schedule_timeout_uninterruptible(seconds * HZ);
	WARN(!strcmp(what, "warn"), "trouble was asked for\n");
	return 0;
}
module_init(trouble_init);

static void __exit trouble_exit(void)
{
}
module_exit(trouble_exit);

MODULE_DESCRIPTION("Makes trouble for the tests of the rig");
MODULE_LICENSE("GPL");
