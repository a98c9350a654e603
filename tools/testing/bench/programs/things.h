/* SPDX-License-Identifier: GPL-2.0 */
/* What a client holds: keys, sessions, and a key that it signs with under a session. */
#ifndef THINGS_H
#define THINGS_H

#include <stdint.h>

#include "line.h"

/* What a hash or HMAC of SHA-256 takes, and a name: the algorithm in front. */
#define HASH_SIZE	32
#define NAME_SIZE	(2 + HASH_SIZE)

/* An HMAC key: cheap to make, and its results can be foretold. */
struct key {
	uint32_t handle;
	uint8_t wanted[HASH_SIZE];
};

struct key key_make(struct line *line, unsigned int number);
void key_compose(const struct key *key, struct tpm2_buf *buf);
void key_check(const struct key *key, struct tpm2_buf *buf);
void key_use(const struct key *key, struct line *line);

/* A session that a client holds. */
uint32_t session_make(struct line *line);
void session_use(struct line *line, uint32_t session);

/* A key with a secret, and the session by which its user proves that he knows it. */
struct signer {
	uint32_t key;
	uint32_t session;
	uint8_t name[NAME_SIZE];
	uint8_t of_caller[HASH_SIZE];
	uint8_t of_tpm[HASH_SIZE];
};

struct signer signer_make(struct line *line);
/* A command to sign, authorized by an HMAC; the response's HMAC must be right. */
void signer_compose(struct signer *signer, struct tpm2_buf *buf);
void signer_check(struct signer *signer, struct tpm2_buf *buf);

void random_compose(struct tpm2_buf *buf);

void flush(struct line *line, uint32_t handle);

#endif
