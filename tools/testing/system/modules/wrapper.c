// SPDX-License-Identifier: GPL-2.0
/*
 * A stranger that does what tpmrm does: puts its own operations in the place of
 * those of the first chip, whosever they are.
 *
 * With synchronous=1 the chip becomes one whose driver returns the response from
 * send(), as those of tpm_ftpm_tee and tpm_svsm do. When "mute" is set, the chip
 * has no send() after so many commands; until that is set to 0 again, nobody may
 * use it.
 */
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/tpm.h>

/* Longer than any command takes. */
#define PATIENCE (120 * HZ)

static bool synchronous;
module_param(synchronous, bool, 0444);
MODULE_PARM_DESC(synchronous, "Make the chip a synchronous one");

static unsigned int sent;
module_param(sent, uint, 0444);
MODULE_PARM_DESC(sent, "How many commands came");

static unsigned int mute;

static struct tpm_chip *chip;
static const struct tpm_class_ops *original;
static struct tpm_class_ops ours;

/* Called with the chip locked, as send() is. */
static void count(void)
{
	if (++sent == READ_ONCE(mute))
		WRITE_ONCE(ours.send, NULL);
}

static int pass_on(struct tpm_chip *chip, u8 *buf, size_t bufsiz, size_t len)
{
	count();
	return original->send(chip, buf, bufsiz, len);
}

/* What the TPM core does with other chips after send(). */
static int send_and_receive(struct tpm_chip *chip, u8 *buf, size_t bufsiz,
			    size_t len)
{
	unsigned long stop = jiffies + PATIENCE;
	int rc;

	count();
	rc = original->send(chip, buf, bufsiz, len);
	if (rc < 0)
		return rc;

	while ((original->status(chip) & original->req_complete_mask) !=
	       original->req_complete_val) {
		if (time_after(jiffies, stop))
			return -ETIME;
		usleep_range(100, 500);
	}
	return original->recv(chip, buf, bufsiz);
}

static int mute_set(const char *text, const struct kernel_param *param)
{
	int rc = param_set_uint(text, param);

	if (!rc && !mute)
		WRITE_ONCE(ours.send, synchronous ? send_and_receive : pass_on);
	return rc;
}

static const struct kernel_param_ops mute_ops = {
	.set = mute_set,
	.get = param_get_uint,
};

module_param_cb(mute, &mute_ops, &mute, 0644);
MODULE_PARM_DESC(mute, "After how many commands the chip has no send(); 0: never");

static int __init wrapper_init(void)
{
	chip = tpm_default_chip();
	if (!chip)
		return -ENODEV;

	guard(rwsem_write)(&chip->ops_sem);
	original = chip->ops;
	if (!original) {
		put_device(&chip->dev);
		return -ENODEV;
	}

	memcpy(&ours, original, sizeof(ours));
	ours.send = synchronous ? send_and_receive : pass_on;
	if (synchronous)
		chip->flags |= TPM_CHIP_FLAG_SYNC;
	WRITE_ONCE(chip->ops, &ours);
	return 0;
}

static void __exit wrapper_exit(void)
{
	scoped_guard(rwsem_write, &chip->ops_sem) {
		if (synchronous)
			chip->flags &= ~TPM_CHIP_FLAG_SYNC;
		if (chip->ops)
			WRITE_ONCE(chip->ops, original);
	}
	put_device(&chip->dev);
}

module_init(wrapper_init);
module_exit(wrapper_exit);

MODULE_DESCRIPTION("Wraps the operations of a TPM chip, for tests of tpmrm");
MODULE_LICENSE("GPL");
