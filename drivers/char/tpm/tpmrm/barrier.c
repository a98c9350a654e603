// SPDX-License-Identifier: GPL-2.0
/*
 * Being told of every command that somebody else sends to a chip: chip->ops is
 * pointed to a copy of the operations of the chip's own driver, whose send()
 * is ours.
 *
 * The pointer is changed with chip->ops_sem held for writing, as the TPM core
 * does when it takes a chip out of service. Who holds it for reading, which is
 * everybody who sends a command, finds one or the other from beginning to end.
 * Only who shuts the chip down holds it for writing, and nobody else is there
 * then.
 *
 * When send() is called the chip is locked and ready for a command, and the
 * command at hand is with the caller alone. So others can be sent before it,
 * as the TPM core itself does to load the contexts of its spaces.
 */
#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/tpm.h>

#include "barrier.h"

struct tpmrm_barrier {
	/* What the chip uses while we are installed. */
	struct tpm_class_ops ops;
	/* What it used before; NULL unless we are installed. */
	const struct tpm_class_ops *original;
	struct tpm_chip *chip;
	void (*announce)(void *context);
	void *context;
	/* Not 0 while what is sent is our own. Under the lock of the chip. */
	unsigned int own;
	/* Somebody else may still point to our operations. */
	bool kept;
	struct list_head installed;
	struct rcu_head rcu;
};

/*
 * The installed barriers. One is found by its chip, and not through chip->ops:
 * if somebody does the same as we do, and comes later, that is theirs.
 */
static LIST_HEAD(barriers);
static DEFINE_SPINLOCK(barriers_lock);

/* Valid until ops_sem, which the caller holds, is given back. */
static struct tpmrm_barrier *barrier_of(const struct tpm_chip *chip)
{
	struct tpmrm_barrier *barrier;

	guard(spinlock)(&barriers_lock);
	list_for_each_entry(barrier, &barriers, installed)
		if (barrier->chip == chip)
			return barrier;
	return NULL;
}

/*
 * A chip that is to get a locality and has none is being made ready. If that
 * takes a command, as with tpm_vtpm_proxy, it is none that others could come
 * before, and it touches no context.
 */
static bool is_being_started(const struct tpmrm_barrier *barrier)
{
	return barrier->original->request_locality &&
	       barrier->chip->locality == -1;
}

static int barrier_send(struct tpm_chip *chip, u8 *buf, size_t bufsiz,
			size_t cmd_len)
{
	struct tpmrm_barrier *barrier = barrier_of(chip);

	/* Called through a pointer that was kept after we had gone. */
	if (!barrier)
		return -ENODEV;

	if (!barrier->own && !is_being_started(barrier)) {
		/* Whatever is sent for this is ours. */
		tpmrm_barrier_own_begin(barrier);
		barrier->announce(barrier->context);
		tpmrm_barrier_own_end(barrier);
	}
	return barrier->original->send(chip, buf, bufsiz, cmd_len);
}

struct tpmrm_barrier *tpmrm_barrier_new(void)
{
	struct tpmrm_barrier *barrier = kzalloc(sizeof(*barrier), GFP_KERNEL);

	if (barrier)
		INIT_LIST_HEAD(&barrier->installed);
	return barrier;
}

static void barrier_release(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct tpmrm_barrier, rcu));
}

/*
 * Drivers look at chip->ops without ops_sem while they find a chip
 * (tpm_tis_core_init()) and when it wakes up (tpm_tis_resume()). They do not
 * sleep between reading the pointer and using it.
 */
void tpmrm_barrier_free(struct tpmrm_barrier *barrier)
{
	if (!barrier->kept)
		call_rcu_tasks(&barrier->rcu, barrier_release);
}

void tpmrm_barrier_settle(void)
{
#ifdef CONFIG_TASKS_RCU
	rcu_barrier_tasks();
#else
	rcu_barrier();
#endif
}

/*
 * From now on @announce is called with @context before each command that is
 * not ours. It is called with the chip locked and ready, and may send commands.
 * Not to be called by who holds ops_sem.
 */
int tpmrm_barrier_install(struct tpmrm_barrier *barrier, struct tpm_chip *chip,
			  void (*announce)(void *context), void *context)
{
	guard(rwsem_write)(&chip->ops_sem);

	if (!chip->ops)
		return -EPIPE;
	if (!chip->ops->send)
		return -EOPNOTSUPP;
	if (barrier->original || barrier->kept)
		return -EBUSY;

	/* Some members are constant once they are set. */
	memcpy(&barrier->ops, chip->ops, sizeof(barrier->ops));
	barrier->ops.send = barrier_send;
	barrier->original = chip->ops;
	barrier->chip = chip;
	barrier->announce = announce;
	barrier->context = context;

	scoped_guard(spinlock, &barriers_lock)
		list_add(&barrier->installed, &barriers);
	WRITE_ONCE(chip->ops, &barrier->ops);
	return 0;
}

/*
 * Nothing is announced any more, and nothing is being announced. Returns EBUSY
 * if somebody else has put their own operations over ours, and so may use ours
 * for longer: what they use does the same as the chip's own from now on, and is
 * never freed. Not to be called by who holds ops_sem.
 */
int tpmrm_barrier_remove(struct tpmrm_barrier *barrier)
{
	struct tpm_chip *chip = barrier->chip;

	guard(rwsem_write)(&chip->ops_sem);

	/* A chip that was taken out of service has no operations. */
	if (chip->ops == &barrier->ops) {
		WRITE_ONCE(chip->ops, barrier->original);
	} else if (chip->ops) {
		barrier->ops.send = barrier->original->send;
		barrier->kept = true;
	}

	scoped_guard(spinlock, &barriers_lock)
		list_del_init(&barrier->installed);
	barrier->original = NULL;
	return barrier->kept ? -EBUSY : 0;
}

void tpmrm_barrier_own_begin(struct tpmrm_barrier *barrier)
{
	barrier->own++;
}

void tpmrm_barrier_own_end(struct tpmrm_barrier *barrier)
{
	barrier->own--;
}
