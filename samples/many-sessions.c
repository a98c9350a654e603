// SPDX-License-Identifier: GPL-2.0
/*
 * many-sessions [N] - more sessions in one descriptor than a TPM has room for
 *
 * A TPM loads three sessions or so, and keeps track of 64 that are saved. The
 * resource manager saves and loads them as commands name them.
 *
 * Unlike those of objects, the handles of sessions are the TPM's own: they are
 * part of what is signed with an HMAC, so nobody in between may change them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tpm2.h"

#define MOST		64
/* A command can come from any of these, besides the five usual ones. */
#define FIRST_LOCALITY	32

struct session {
	uint32_t handle;
	uint8_t digest[TPM2_SHA256_SIZE];
};

/* Limits the session to commands from one locality; that changes its digest. */
static long limit_to(int fd, uint32_t session, uint8_t locality)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_POLICY_LOCALITY, false);
	tpm2_put_u32(&buf, session);
	tpm2_put_u8(&buf, locality);
	return tpm2_call(fd, &buf);
}

/* Each session has another policy, to tell one from the other. */
static long start(int fd, uint8_t locality, struct session *session)
{
	long result = tpm2_start_policy_session(fd, &session->handle);

	if (!result)
		result = limit_to(fd, session->handle, locality);
	if (!result)
		result = tpm2_policy_digest(fd, session->handle, session->digest);
	return result;
}

static int use_all(int fd, const struct session *sessions, long count)
{
	uint8_t digest[TPM2_SHA256_SIZE];
	long result;

	for (long i = 0; i < count; i++) {
		result = tpm2_policy_digest(fd, sessions[i].handle, digest);
		if (result) {
			printf("session 0x%x of %ld sessions cannot be used: %s\n",
			       sessions[i].handle, count, tpm2_says(result));
			return 1;
		}
		if (memcmp(digest, sessions[i].digest, sizeof(digest))) {
			printf("handle 0x%x stands for another session now\n", sessions[i].handle);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
	struct session sessions[MOST];
	long held, result = 0;
	int fd, status;

	if (argc > 2 || wanted < 1 || wanted > MOST) {
		fprintf(stderr, "usage: %s [NUMBER OF SESSIONS, UP TO %d]\n", argv[0], MOST);
		return 2;
	}
	fd = tpm2_open(0);
	for (held = 0; held < wanted; held++) {
		result = start(fd, FIRST_LOCALITY + held, &sessions[held]);
		if (result)
			break;
	}
	if (result)
		printf("session %ld cannot be started: %s\n", held + 1, tpm2_says(result));
	status = use_all(fd, sessions, held);
	printf("held %ld of %ld sessions at once\n", held, wanted);
	/* Sessions that are still there are flushed when the descriptor is closed. */
	close(fd);
	return status || held < wanted;
}
