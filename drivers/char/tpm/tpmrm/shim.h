/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Rust part of tpmrm needs of the kernel and cannot reach through the
 * kernel crate. Only names are declared here: the layout of struct tpm_chip,
 * which depends on the configuration, stays in shim.c, and bindgen needs none
 * of the kernel's own headers to read this file.
 */
#ifndef TPMRM_SHIM_H
#define TPMRM_SHIM_H

struct class;
struct device;
struct file_operations;
struct inode;
struct mem_cgroup;
struct mutex;
struct tpm_chip;
struct tpmrm_barrier;
struct tpmrm_buffer;
struct workqueue_struct;

/* The largest command and the largest response. */
enum { TPMRM_BUFFER_SIZE = 4096 };

/* What poll() answers with; shim.c checks them against the kernel's. */
enum {
	TPMRM_EPOLLIN = 0x1,
	TPMRM_EPOLLPRI = 0x2,
	TPMRM_EPOLLOUT = 0x4,
	TPMRM_EPOLLERR = 0x8,
	TPMRM_EPOLLHUP = 0x10,
	TPMRM_EPOLLRDNORM = 0x40,
	TPMRM_EPOLLWRNORM = 0x100,
};

/* Chips and their reference counts. */
struct tpm_chip *tpmrm_chip_of_node(struct device *node);
void tpmrm_chip_put(struct tpm_chip *chip);
const char *tpmrm_chip_node_name(const struct tpm_chip *chip);

/* The chip's lock, and what may be done under it. */
int tpmrm_chip_wait(struct tpm_chip *chip);
int tpmrm_chip_lock(struct tpm_chip *chip);
void tpmrm_chip_unlock(struct tpm_chip *chip);
int tpmrm_chip_transmit(struct tpm_chip *chip, struct tpmrm_barrier *barrier,
			struct tpmrm_buffer *buffer, unsigned char *message,
			unsigned long length);
void tpmrm_chip_end_kernel_session(struct tpm_chip *chip,
				   struct tpmrm_barrier *barrier);
#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
_Bool tpmrm_chip_holds_kernel_session(const struct tpm_chip *chip);
#endif
_Bool tpmrm_chip_is_open(const struct tpm_chip *chip);

/* The buffer that tpm_transmit_cmd() works in. */
struct tpmrm_buffer *tpmrm_buffer_new(void);
void tpmrm_buffer_free(struct tpmrm_buffer *buffer);

/* The device node of a chip. */
const void *tpmrm_node_of_chip(const struct tpm_chip *chip);
const void *tpmrm_node_of_device(const struct device *node);
const char *tpmrm_node_name(const struct device *node);
const void *tpmrm_node_of_inode(const struct inode *inode);
const struct file_operations *
tpmrm_node_swap(struct tpm_chip *chip, const struct file_operations *ops);
void tpmrm_node_settle(void);

/* The device classes of the TPM core. */
const struct class *tpmrm_chip_class(void);
const struct class *tpmrm_node_class(const struct class *chips);

/* An ordered workqueue that stands still while the system sleeps. */
struct workqueue_struct *tpmrm_queue_new(const char *name);
void tpmrm_queue_free(struct workqueue_struct *queue);

/* Calls @changed before the system sleeps, and when it is awake. */
int tpmrm_sleep_watch(void (*changed)(_Bool near));
void tpmrm_sleep_unwatch(void);

/* Charging memory to the task that asked for the work. */
struct mem_cgroup *tpmrm_charge_get(void);
void tpmrm_charge_put(struct mem_cgroup *memcg);
struct mem_cgroup *tpmrm_charge_switch(struct mem_cgroup *memcg);

/* The one lock operation that the kernel crate does not have. */
int tpmrm_mutex_lock_interruptible(struct mutex *lock);

/* What the calling task may do. */
_Bool tpmrm_may_administer(void);

#endif
