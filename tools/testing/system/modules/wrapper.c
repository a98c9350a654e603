// SPDX-License-Identifier: GPL-2.0
/*
 * A stranger that does what tpmrm does: puts its own operations in the place of
 * those of the first chip, whosever they are.
 *
 * With synchronous=1 the chip becomes one whose driver returns the response from
 * send(), as those of tpm_ftpm_tee and tpm_svsm do.
 */
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/tpm.h>

/* Longer than any command takes. */
#define PATIENCE (120 * HZ)

static bool synchronous;
module_param(synchronous, bool, 0444);
MODULE_PARM_DESC(synchronous, "Make the chip a synchronous one");

static struct tpm_chip *chip;
static const struct tpm_class_ops *original;
static struct tpm_class_ops ours;

static int pass_on(struct tpm_chip *chip, u8 *buf, size_t bufsiz, size_t len)
{
	return original->send(chip, buf, bufsiz, len);
}

/* What the TPM core does with other chips after send(). */
static int send_and_receive(struct tpm_chip *chip, u8 *buf, size_t bufsiz,
			    size_t len)
{
	unsigned long stop = jiffies + PATIENCE;
	int rc = original->send(chip, buf, bufsiz, len);

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
