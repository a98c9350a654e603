// SPDX-License-Identifier: GPL-2.0
/*
 * many-objects [N] - more objects in one descriptor than a TPM has room for
 *
 * A TPM has room for a few loaded objects, three as a rule. The resource
 * manager keeps the others as saved contexts, and loads those that a command
 * names. A program does not notice: it loads as many keys as it needs, and
 * each handle stays good until it is flushed or the descriptor is closed.
 *
 * The handles are virtual. They mean something in this descriptor only, so
 * that two programs can both have 0x80000000 without meaning the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tpm2.h"

#define MOST		10000
/* The owner of the secret may use the key, for signatures (an HMAC is one). */
#define USER_WITH_AUTH	0x00000040
#define SIGN		0x00040000

struct key {
	uint32_t handle;
	uint8_t first[TPM2_SHA256_SIZE];	/* the HMAC when it was new */
};

/* TPM2_Hash: the samples need no library for what a TPM can do. */
static long hash(int fd, const void *data, size_t size, uint8_t digest[TPM2_SHA256_SIZE])
{
	struct tpm2_buf buf;
	long result;

	tpm2_begin(&buf, TPM2_HASH, false);
	tpm2_put_sized(&buf, data, size);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	result = tpm2_call(fd, &buf);
	if (!result)
		tpm2_get_sized(&buf, digest, TPM2_SHA256_SIZE);
	return result;
}

/*
 * TPM2_LoadExternal takes both halves of a key from outside. They are tied
 * together by the field "unique" of the public half: a hash of the secret one.
 */
static long load(int fd, uint32_t number, struct key *key)
{
	struct {
		uint8_t seed[TPM2_SHA256_SIZE];
		uint32_t secret;
	} sensitive = { .secret = number };
	uint8_t unique[TPM2_SHA256_SIZE];
	struct tpm2_buf buf;
	size_t part;
	long result;

	result = hash(fd, &sensitive, sizeof(sensitive), unique);
	if (result)
		return result;

	tpm2_begin(&buf, TPM2_LOAD_EXTERNAL, false);

	part = tpm2_open_sized(&buf);
	tpm2_put_u16(&buf, TPM2_ALG_KEYEDHASH);
	tpm2_put_sized(&buf, NULL, 0);		/* the password is empty */
	tpm2_put_sized(&buf, sensitive.seed, sizeof(sensitive.seed));
	tpm2_put_sized(&buf, &sensitive.secret, sizeof(sensitive.secret));
	tpm2_close_sized(&buf, part);

	part = tpm2_open_sized(&buf);
	tpm2_put_u16(&buf, TPM2_ALG_KEYEDHASH);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);	/* of the key's name */
	tpm2_put_u32(&buf, USER_WITH_AUTH | SIGN);
	tpm2_put_sized(&buf, NULL, 0);		/* no policy */
	tpm2_put_u16(&buf, TPM2_ALG_HMAC);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_sized(&buf, unique, sizeof(unique));
	tpm2_close_sized(&buf, part);

	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	result = tpm2_call(fd, &buf);
	if (!result)
		key->handle = tpm2_get_u32(&buf);
	return result;
}

static long hmac(int fd, uint32_t handle, uint8_t digest[TPM2_SHA256_SIZE])
{
	static const char data[] = "many objects";
	struct tpm2_buf buf;
	long result;

	tpm2_begin(&buf, TPM2_HMAC, true);
	tpm2_put_u32(&buf, handle);
	tpm2_put_authorization(&buf, TPM2_PASSWORD);
	tpm2_put_sized(&buf, data, sizeof(data));
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	result = tpm2_call(fd, &buf);
	if (result)
		return result;
	/* A response to an authorized command has the parameters' size first. */
	tpm2_get_u32(&buf);
	if (tpm2_get_sized(&buf, digest, TPM2_SHA256_SIZE) != TPM2_SHA256_SIZE)
		return -EBADMSG;
	return 0;
}

/* Every key once more, the first of them last used the longest ago. */
static int use_all(int fd, const struct key *keys, long count)
{
	uint8_t digest[TPM2_SHA256_SIZE];
	long result;

	for (long i = 0; i < count; i++) {
		result = hmac(fd, keys[i].handle, digest);
		if (result) {
			printf("key 0x%x of %ld keys cannot be used: %s\n", keys[i].handle, count, tpm2_says(result));
			return 1;
		}
		if (memcmp(digest, keys[i].first, sizeof(digest))) {
			printf("handle 0x%x stands for another key now\n", keys[i].handle);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 16;
	struct key *keys;
	long held, result = 0;
	int fd, status;

	if (argc > 2 || wanted < 1 || wanted > MOST) {
		fprintf(stderr, "usage: %s [NUMBER OF OBJECTS, UP TO %d]\n", argv[0], MOST);
		return 2;
	}
	keys = calloc(wanted, sizeof(*keys));
	if (!keys)
		return 1;
	fd = tpm2_open(0);
	for (held = 0; held < wanted; held++) {
		result = load(fd, held, &keys[held]);
		if (!result)
			result = hmac(fd, keys[held].handle, keys[held].first);
		if (result)
			break;
	}
	if (result)
		printf("object %ld cannot be loaded: %s\n", held + 1, tpm2_says(result));
	status = use_all(fd, keys, held);
	printf("held %ld of %ld objects at once\n", held, wanted);
	free(keys);
	close(fd);
	return status || held < wanted;
}
