/* SPDX-License-Identifier: GPL-2.0 */
/* What is measured: who is there, what they hold, and which command comes next. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include "things.h"

/* Clients who do something, and slots that the TPM has for objects and for sessions. */
#define CLIENTS		5
#define SLOTS		3
/* Descriptors that do nothing. */
#define IDLE		1000

/* A workload that is set up. */
struct scene {
	const struct workload *workload;
	/* One for each client, or for all of them. */
	struct line lines[CLIENTS + IDLE];
	unsigned int open;
	struct key keys[CLIENTS];
	uint32_t sessions[SLOTS];
	struct signer signer;
	unsigned int made_keys, made_sessions, made_signers;
};

struct workload {
	const char *name;
	unsigned int clients, idle;
	void (*make)(struct scene *scene);
	/* What comes before each command and is not measured, or nothing. */
	void (*before)(struct scene *scene);
	/* What goes before the first command, so that it is like all others. */
	void (*settle)(struct scene *scene);
	/* Composes a command; returns whose it is. */
	struct line *(*compose)(struct scene *scene, unsigned int number, struct tpm2_buf *buf);
	void (*check)(struct scene *scene, unsigned int number, struct tpm2_buf *buf);
	/* Whether the commands are counted from the making of the things on. */
	bool whole;
};

/* Ends the program if there is none of the name. */
const struct workload *workload_find(const char *name);

void scene_open(struct scene *scene, const struct workload *workload, const char *target);
void scene_close(struct scene *scene);

/* Makes a command of the scene; returns how long it took. */
uint64_t scene_step(struct scene *scene, unsigned int number);

#endif
