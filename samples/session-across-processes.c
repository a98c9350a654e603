// SPDX-License-Identifier: GPL-2.0
/*
 * session-across-processes FILE - a session that outlives its process
 *
 * What a descriptor holds is flushed when it is closed, with one exception: a
 * session that the program itself saved by TPM2_ContextSave is in the program's
 * hands. Its context can be kept in a file, and whoever has the file can load
 * it, once: loading makes it a session of the descriptor that loaded it, and
 * the old context is of no more use. This is how tpm2-tools keep a session from
 * one command to the next.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tpm2.h"

static int complain(const char *what, long result)
{
	printf("%s: %s\n", what, tpm2_says(result));
	return 1;
}

/* From now on the session authorizes TPM2_Unseal only; that changes its digest. */
static long limit_to_unseal(int fd, uint32_t session)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_POLICY_COMMAND_CODE, false);
	tpm2_put_u32(&buf, session);
	tpm2_put_u32(&buf, TPM2_UNSEAL);
	return tpm2_call(fd, &buf);
}

/* The process that has the session first. */
static int start_and_save(const char *path)
{
	struct tpm2_buf buf;
	uint32_t session;
	FILE *file;
	long result;
	int fd = tpm2_open(0);

	result = tpm2_start_policy_session(fd, &session);
	if (result)
		return complain("no session can be started", result);
	result = limit_to_unseal(fd, session);
	if (result)
		return complain("the session cannot be used", result);

	tpm2_begin(&buf, TPM2_CONTEXT_SAVE, false);
	tpm2_put_u32(&buf, session);
	result = tpm2_call(fd, &buf);
	if (result)
		return complain("the session cannot be saved", result);
	/* The response is the context, and nothing else: take it as it is. */
	file = fopen(path, "wb");
	if (!file || fwrite(buf.bytes + buf.at, buf.size - buf.at, 1, file) != 1 || fclose(file))
		return complain(path, -errno);
	printf("process %d saved session 0x%x and ends\n", getpid(), session);
	return 0;
}

static long load(int fd, const char *path, uint32_t *session)
{
	uint8_t context[TPM2_LARGEST];
	struct tpm2_buf buf;
	FILE *file = fopen(path, "rb");
	size_t size;
	long result;

	if (!file)
		return -errno;
	size = fread(context, 1, sizeof(context), file);
	fclose(file);
	tpm2_begin(&buf, TPM2_CONTEXT_LOAD, false);
	tpm2_put_bytes(&buf, context, size);
	result = tpm2_call(fd, &buf);
	if (!result)
		*session = tpm2_get_u32(&buf);
	return result;
}

/* The process that has it next. */
static int load_and_use(const char *path)
{
	static const uint8_t nothing[TPM2_SHA256_SIZE];
	uint8_t digest[TPM2_SHA256_SIZE];
	uint32_t session;
	long result;
	int fd = tpm2_open(0);

	result = load(fd, path, &session);
	if (result)
		return complain("the session cannot be loaded", result);
	printf("process %d loaded session 0x%x\n", getpid(), session);

	result = tpm2_policy_digest(fd, session, digest);
	if (result)
		return complain("the session cannot be used", result);
	if (!memcmp(digest, nothing, sizeof(digest))) {
		printf("the session has forgotten its policy\n");
		return 1;
	}
	result = tpm2_flush(fd, session);
	if (result)
		return complain("the session cannot be flushed", result);
	if (!load(fd, path, &session)) {
		printf("a session that was flushed can be loaded again\n");
		return 1;
	}
	printf("it still knew its policy; after a flush the file is worth nothing\n");
	return 0;
}

int main(int argc, char **argv)
{
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	if (fork() == 0) {
		status = start_and_save(argv[1]);
		fflush(stdout);
		_exit(status);
	}
	if (wait(&status) < 0 || status != 0)
		return 1;
	status = load_and_use(argv[1]);
	remove(argv[1]);
	return status;
}
