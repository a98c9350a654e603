/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Being told of every command that somebody else sends to a chip, before the
 * chip gets it.
 */
#ifndef TPMRM_BARRIER_H
#define TPMRM_BARRIER_H

struct tpm_chip;
struct tpmrm_barrier;

/* One for each chip; it is installed at most once at a time. */
struct tpmrm_barrier *tpmrm_barrier_new(void);
void tpmrm_barrier_free(struct tpmrm_barrier *barrier);
int tpmrm_barrier_install(struct tpmrm_barrier *barrier, struct tpm_chip *chip,
			  void (*announce)(void *context), void *context);
int tpmrm_barrier_remove(struct tpmrm_barrier *barrier);

/* What the caller sends in between is not foreign. Under the chip's lock. */
void tpmrm_barrier_own_begin(struct tpmrm_barrier *barrier);
void tpmrm_barrier_own_end(struct tpmrm_barrier *barrier);

/* Waits until no barrier that was freed is needed any more. */
void tpmrm_barrier_settle(void);

#endif
