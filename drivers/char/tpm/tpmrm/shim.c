// SPDX-License-Identifier: GPL-2.0
/*
 * Thin helpers over the TPM core's exported interface. Each one hides a
 * structure whose layout must not be known elsewhere, a macro or an inline
 * function.
 */
#include <linux/capability.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/tpm.h>
#include <linux/unaligned.h>
#include <linux/workqueue.h>

#include "barrier.h"
#include "shim.h"

MODULE_VERSION("0.1.0");

static_assert(TPMRM_EPOLLIN == (__force u32)EPOLLIN);
static_assert(TPMRM_EPOLLPRI == (__force u32)EPOLLPRI);
static_assert(TPMRM_EPOLLOUT == (__force u32)EPOLLOUT);
static_assert(TPMRM_EPOLLERR == (__force u32)EPOLLERR);
static_assert(TPMRM_EPOLLHUP == (__force u32)EPOLLHUP);
static_assert(TPMRM_EPOLLRDNORM == (__force u32)EPOLLRDNORM);
static_assert(TPMRM_EPOLLWRNORM == (__force u32)EPOLLWRNORM);

/* A command and its response have the same header: tag, length, code. */
enum { HEADER_SIZE = 10, HEADER_LENGTH_AT = 2 };

#if __has_include(<linux/tpm_buf.h>)
struct tpmrm_buffer {
	struct tpm_buf buf;
};

struct tpmrm_buffer *tpmrm_buffer_new(void)
{
	return kzalloc(struct_size_t(struct tpm_buf, data, TPMRM_BUFFER_SIZE),
		       GFP_KERNEL);
}

void tpmrm_buffer_free(struct tpmrm_buffer *buffer)
{
	kfree_sensitive(buffer);
}

static struct tpm_buf *buffer_begin(struct tpmrm_buffer *buffer, u16 length)
{
	buffer->buf.flags = 0;
	buffer->buf.handles = 0;
	buffer->buf.length = length;
	buffer->buf.capacity = TPMRM_BUFFER_SIZE;
	return &buffer->buf;
}
#else
/*
 * Before 7.3 a tpm_buf did not carry its data and its capacity: it pointed to a
 * page, all of which was taken for the capacity.
 */
struct tpmrm_buffer {
	struct tpm_buf buf;
	u8 page[PAGE_SIZE];
};

static_assert(PAGE_SIZE >= TPMRM_BUFFER_SIZE);

struct tpmrm_buffer *tpmrm_buffer_new(void)
{
	return kvzalloc(sizeof(struct tpmrm_buffer), GFP_KERNEL);
}

void tpmrm_buffer_free(struct tpmrm_buffer *buffer)
{
	kvfree_sensitive(buffer, sizeof(*buffer));
}

static struct tpm_buf *buffer_begin(struct tpmrm_buffer *buffer, u16 length)
{
	memset(&buffer->buf, 0, sizeof(buffer->buf));
	buffer->buf.data = buffer->page;
	buffer->buf.length = length;
	return &buffer->buf;
}
#endif

/* Takes a reference, to be given back by tpmrm_chip_put(). */
struct tpm_chip *tpmrm_chip_of_node(struct device *node)
{
	struct tpm_chip *chip = container_of(node, struct tpm_chip, devs);

	get_device(&chip->dev);
	return chip;
}

void tpmrm_chip_put(struct tpm_chip *chip)
{
	put_device(&chip->dev);
}

const char *tpmrm_chip_node_name(const struct tpm_chip *chip)
{
	return dev_name(&chip->devs);
}

/*
 * Waits, with signals, until nobody holds the chip. This promises nothing for
 * afterwards, but tpmrm_chip_lock(), which cannot be interrupted, will then
 * hardly ever wait for another's command.
 */
int tpmrm_chip_wait(struct tpm_chip *chip)
{
	int rc = mutex_lock_interruptible(&chip->tpm_mutex);

	if (!rc)
		mutex_unlock(&chip->tpm_mutex);
	return rc;
}

/*
 * tpm_try_get_ops() answers EIO for a chip that is gone, that must not be used
 * any more, and that is only asleep. Programs have to tell them apart.
 */
int tpmrm_chip_lock(struct tpm_chip *chip)
{
	int rc = tpm_try_get_ops(chip);

	if (!rc)
		return 0;
	if (!READ_ONCE(chip->ops) ||
	    (READ_ONCE(chip->flags) & TPM_CHIP_FLAG_DISABLE))
		return -EPIPE;
	if (READ_ONCE(chip->flags) & TPM_CHIP_FLAG_SUSPENDED)
		return -EAGAIN;
	return rc < 0 ? rc : -EIO;
}

void tpmrm_chip_unlock(struct tpm_chip *chip)
{
	tpm_put_ops(chip);
}

/*
 * Sends the command of @length bytes in @message, and puts the response there,
 * whatever its response code; @message has room for TPMRM_BUFFER_SIZE bytes.
 * Returns the length of the response, or an error when there is none.
 */
int tpmrm_chip_transmit(struct tpm_chip *chip, struct tpmrm_barrier *barrier,
			struct tpmrm_buffer *buffer, unsigned char *message,
			unsigned long length)
{
	struct tpm_buf *buf;
	ssize_t rc;
	u32 answered;

	if (length < HEADER_SIZE || length > TPMRM_BUFFER_SIZE)
		return -EINVAL;

	buf = buffer_begin(buffer, length);
	memcpy(buf->data, message, length);

	tpmrm_barrier_own_begin(barrier);
	/* No description: a response code that is an error is not logged. */
	rc = tpm_transmit_cmd(chip, buf, 0, NULL);
	tpmrm_barrier_own_end(barrier);
	if (rc < 0)
		return rc >= -MAX_ERRNO ? rc : -EIO;

	/* With an error the core leaves it to us to read the length. */
	answered = get_unaligned_be32(buf->data + HEADER_LENGTH_AT);
	if (answered < HEADER_SIZE || answered > TPMRM_BUFFER_SIZE)
		return -EIO;

	memcpy(message, buf->data, answered);
	return answered;
}

void tpmrm_chip_end_kernel_session(struct tpm_chip *chip,
				   struct tpmrm_barrier *barrier)
{
	tpmrm_barrier_own_begin(barrier);
	tpm2_end_auth_session(chip);
	tpmrm_barrier_own_end(barrier);
}

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
/* Whether there is a session that the call above would end. */
bool tpmrm_chip_holds_kernel_session(const struct tpm_chip *chip)
{
#ifdef CONFIG_TCG_TPM2_HMAC
	return chip->auth;
#else
	return false;
#endif
}
#endif

/*
 * Whether somebody has /dev/tpmN open, and may have left something in the TPM.
 * In-kernel users leave nothing there but the session that the core ends.
 */
bool tpmrm_chip_is_open(const struct tpm_chip *chip)
{
	return test_bit(0, &chip->is_open);
}

/*
 * What tells one node from another. An inode loses its cdev when the chip goes
 * away between lookup and open, so the value is only ever compared.
 */
const void *tpmrm_node_of_chip(const struct tpm_chip *chip)
{
	return &chip->cdevs;
}

const void *tpmrm_node_of_device(const struct device *node)
{
	return &container_of_const(node, struct tpm_chip, devs)->cdevs;
}

const char *tpmrm_node_name(const struct device *node)
{
	return dev_name(node);
}

const void *tpmrm_node_of_inode(const struct inode *inode)
{
	return READ_ONCE(inode->i_cdev);
}

/* Opens from now on use @ops; returns what they used until now. */
const struct file_operations *
tpmrm_node_swap(struct tpm_chip *chip, const struct file_operations *ops)
{
	return xchg(&chip->cdevs.ops, ops);
}

/*
 * chrdev_open() reads the operations and then takes a reference to their
 * module, without sleeping in between and without any lock that we could take.
 * After this, whoever has read a pointer that is gone has its reference or was
 * refused.
 */
void tpmrm_node_settle(void)
{
	synchronize_rcu_tasks();
}

/* Exported to modules, but declared in a header of the TPM core's own. */
struct tpm_chip *tpm_chip_alloc(struct device *dev,
				const struct tpm_class_ops *ops);

/* Never called: the chip that it belongs to is never registered. */
static const struct tpm_class_ops no_ops;

/*
 * The class of the chips is not exported. Every chip points to it, also one
 * that is only allocated.
 */
const struct class *tpmrm_chip_class(void)
{
	struct tpm_chip *chip = tpm_default_chip();
	const struct class *class;

	if (!chip)
		chip = tpm_chip_alloc(NULL, &no_ops);
	if (IS_ERR(chip))
		return ERR_CAST(chip);

	class = chip->dev.class;
	put_device(&chip->dev);
	return class;
}

static int node_class_of(struct device *dev, void *found)
{
	const struct class **class = found;

	/* Set by the core once it adds the node of a TPM 2.0 chip. */
	*class = READ_ONCE(to_tpm_chip(dev)->devs.class);
	return !!*class;
}

/* NULL as long as no chip in the class has a node. */
const struct class *tpmrm_node_class(const struct class *chips)
{
	const struct class *class = NULL;

	class_for_each_device(chips, NULL, &class, node_class_of);
	return class;
}

struct workqueue_struct *tpmrm_queue_new(const char *name)
{
	return alloc_ordered_workqueue("%s", WQ_FREEZABLE, name);
}

/* Runs what is queued, first. */
void tpmrm_queue_free(struct workqueue_struct *queue)
{
	destroy_workqueue(queue);
}

static void (*sleep_changed)(bool near);

static int sleep_notified(struct notifier_block *notifier, unsigned long event,
			  void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		sleep_changed(true);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		sleep_changed(false);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_notifier = {
	.notifier_call = sleep_notified,
};

int tpmrm_sleep_watch(void (*changed)(bool near))
{
	sleep_changed = changed;
	return register_pm_notifier(&sleep_notifier);
}

/* Waits for a call that is under way. */
void tpmrm_sleep_unwatch(void)
{
	unregister_pm_notifier(&sleep_notifier);
}

/* The memory control group of the calling task, NULL if there are none. */
struct mem_cgroup *tpmrm_charge_get(void)
{
	return get_mem_cgroup_from_mm(current->mm);
}

void tpmrm_charge_put(struct mem_cgroup *memcg)
{
	mem_cgroup_put(memcg);
}

/* Charges this task's accounted allocations to @memcg; returns the last one. */
struct mem_cgroup *tpmrm_charge_switch(struct mem_cgroup *memcg)
{
	return set_active_memcg(memcg);
}

int tpmrm_mutex_lock_interruptible(struct mutex *lock)
{
	return mutex_lock_interruptible(lock);
}

/* Whether the calling task may do what keeps others from their sessions. */
bool tpmrm_may_administer(void)
{
	return capable(CAP_SYS_ADMIN);
}
