// SPDX-License-Identifier: GPL-2.0
/*
 * refused-handle - what a program gets for a handle that is not its own
 *
 * A descriptor can name only what it holds. What others hold is refused by the
 * resource manager, before the TPM sees it, in the TPM's own format: a header
 * and a response code. Libraries print such a code as they print any other. The
 * code has two parts:
 *
 *	0x000b0000	layer 11: the resource manager says so, not the TPM
 *	0x00000910	TPM_RC_REFERENCE_H0: the first handle stands for nothing
 *	0x00000918	TPM_RC_REFERENCE_S0: the same of the first session that
 *			authorizes the command
 *
 * To a descriptor, a session that somebody else holds looks like one that does
 * not exist. The handle of an object that this descriptor never had is another
 * matter: write() fails with EINVAL, as it always did. In any case, nothing
 * else in the descriptor changes.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tpm2.h"

#define UNKNOWN_OBJECT	0x80abcdef
/* A PCR that anybody may reset; the authorization is looked at first. */
#define DEBUG_PCR	16

static int failed;

static void expect(const char *what, long wanted, long result)
{
	printf("%s: %s\n", what, tpm2_says(result));
	if (result != wanted) {
		failed = 1;
		printf("  that should have been %s\n", tpm2_says(wanted));
	}
}

static long reset_pcr(int fd, uint32_t session)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_PCR_RESET, true);
	tpm2_put_u32(&buf, DEBUG_PCR);
	tpm2_put_authorization(&buf, session);
	return tpm2_call(fd, &buf);
}

static long read_public(int fd, uint32_t handle)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_READ_PUBLIC, false);
	tpm2_put_u32(&buf, handle);
	return tpm2_call(fd, &buf);
}

int main(int argc, char **argv)
{
	uint8_t digest[TPM2_SHA256_SIZE];
	uint32_t session;
	int mine, other;
	long result;

	if (argc != 1) {
		fprintf(stderr, "usage: %s\n", argv[0]);
		return 2;
	}
	mine = tpm2_open(0);
	other = tpm2_open(0);
	result = tpm2_start_policy_session(mine, &session);
	if (result) {
		printf("no session can be started: %s\n", tpm2_says(result));
		return 1;
	}
	printf("one descriptor has session 0x%x, the other has nothing\n", session);

	expect("the other uses the session",
	       TPM2_RC_MANAGER(TPM2_RC_REFERENCE_H0), tpm2_policy_digest(other, session, digest));
	expect("the other authorizes a command by it",
	       TPM2_RC_MANAGER(TPM2_RC_REFERENCE_S0), reset_pcr(other, session));
	expect("the other flushes it",
	       TPM2_RC_MANAGER(TPM2_RC_REFERENCE_H0), tpm2_flush(other, session));
	expect("the one that has it uses it", 0, tpm2_policy_digest(mine, session, digest));
	expect("it names an object that it never had", -EINVAL, read_public(mine, UNKNOWN_OBJECT));
	expect("its session is still there", 0, tpm2_policy_digest(mine, session, digest));

	close(other);
	close(mine);
	return failed;
}
