// SPDX-License-Identifier: GPL-2.0
/*
 * Just enough of TPM 2.0 for the samples.
 *
 * On the wire everything is big-endian. A command is
 *
 *	tag (2 bytes)	whether an authorization area follows
 *	size (4)	of all of it, with these ten bytes
 *	code (4)	of the command
 *	handles		4 bytes each, as many as the command has
 *	authorizations	only with the tag that says so
 *	parameters	which differ from command to command
 *
 * and a response is the same with a response code, 0 for success. One write()
 * is one command, and one read() takes its response.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tpm2.h"

#define NO_SESSIONS		0x8001
#define SESSIONS		0x8002
#define CONTINUE_SESSION	1
#define POLICY_SESSION		1
#define NONCE_SIZE		16

int tpm2_open(int flags)
{
	const char *node = getenv("TPM_NODE");
	int fd;

	if (!node)
		node = "/dev/tpmrm0";
	fd = open(node, O_RDWR | O_CLOEXEC | flags);
	if (fd < 0) {
		fprintf(stderr, "cannot open %s: %s\n", node, strerror(errno));
		exit(1);
	}
	return fd;
}

void tpm2_put_bytes(struct tpm2_buf *buf, const void *bytes, size_t size)
{
	if (size > sizeof(buf->bytes) - buf->size) {
		buf->bad = true;
		return;
	}
	if (size)
		memcpy(buf->bytes + buf->size, bytes, size);
	buf->size += size;
}

void tpm2_put_u8(struct tpm2_buf *buf, uint8_t value)
{
	tpm2_put_bytes(buf, &value, 1);
}

void tpm2_put_u16(struct tpm2_buf *buf, uint16_t value)
{
	uint8_t bytes[] = { value >> 8, value };

	tpm2_put_bytes(buf, bytes, sizeof(bytes));
}

void tpm2_put_u32(struct tpm2_buf *buf, uint32_t value)
{
	tpm2_put_u16(buf, value >> 16);
	tpm2_put_u16(buf, value);
}

void tpm2_put_sized(struct tpm2_buf *buf, const void *bytes, size_t size)
{
	tpm2_put_u16(buf, size);
	tpm2_put_bytes(buf, bytes, size);
}

void tpm2_begin(struct tpm2_buf *buf, uint32_t code, bool authorized)
{
	buf->size = 0;
	buf->at = 0;
	buf->bad = false;
	tpm2_put_u16(buf, authorized ? SESSIONS : NO_SESSIONS);
	tpm2_put_u32(buf, 0);	/* the size: tpm2_send() knows it */
	tpm2_put_u32(buf, code);
}

/*
 * The whole authorization area, with one session in it: no nonce, nothing
 * secret. For TPM2_PASSWORD the last part is a password, which is empty.
 */
void tpm2_put_authorization(struct tpm2_buf *buf, uint32_t session)
{
	tpm2_put_u32(buf, 9);
	tpm2_put_u32(buf, session);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_u8(buf, CONTINUE_SESSION);
	tpm2_put_sized(buf, NULL, 0);
}

size_t tpm2_open_sized(struct tpm2_buf *buf)
{
	tpm2_put_u16(buf, 0);
	return buf->size;
}

void tpm2_close_sized(struct tpm2_buf *buf, size_t start)
{
	size_t size = buf->size - start;

	if (buf->bad)
		return;
	buf->bytes[start - 2] = size >> 8;
	buf->bytes[start - 1] = size;
}

int tpm2_send(int fd, struct tpm2_buf *buf)
{
	if (buf->bad)
		return -EMSGSIZE;
	buf->bytes[2] = 0;
	buf->bytes[3] = 0;
	buf->bytes[4] = buf->size >> 8;
	buf->bytes[5] = buf->size;
	/* The node takes all of a command, or nothing. */
	return write(fd, buf->bytes, buf->size) < 0 ? -errno : 0;
}

long tpm2_receive(int fd, struct tpm2_buf *buf)
{
	ssize_t size = read(fd, buf->bytes, sizeof(buf->bytes));

	if (size < 0)
		return -errno;
	if (size < TPM2_HEADER)
		return -EBADMSG;
	buf->size = size;
	buf->bad = false;
	buf->at = 6;
	return tpm2_get_u32(buf);
}

long tpm2_call(int fd, struct tpm2_buf *buf)
{
	int error = tpm2_send(fd, buf);

	return error ? error : tpm2_receive(fd, buf);
}

static const uint8_t *take(struct tpm2_buf *buf, size_t size)
{
	static const uint8_t nothing[4];

	if (size > buf->size - buf->at) {
		buf->bad = true;
		return nothing;
	}
	buf->at += size;
	return buf->bytes + buf->at - size;
}

uint16_t tpm2_get_u16(struct tpm2_buf *buf)
{
	const uint8_t *bytes = take(buf, 2);

	return bytes[0] << 8 | bytes[1];
}

uint32_t tpm2_get_u32(struct tpm2_buf *buf)
{
	uint32_t high = tpm2_get_u16(buf);

	return high << 16 | tpm2_get_u16(buf);
}

/* Takes a size and so many bytes; what there is no room for is bad. */
size_t tpm2_get_sized(struct tpm2_buf *buf, void *bytes, size_t room)
{
	size_t size = tpm2_get_u16(buf);
	const uint8_t *found = take(buf, size);

	if (size > room)
		buf->bad = true;
	if (buf->bad)
		return 0;
	memcpy(bytes, found, size);
	return size;
}

/* A policy session that is bound to nothing, and whose nonces do not matter. */
long tpm2_start_policy_session(int fd, uint32_t *session)
{
	static const uint8_t nonce[NONCE_SIZE];
	struct tpm2_buf buf;
	long result;

	tpm2_begin(&buf, TPM2_START_AUTH_SESSION, false);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);	/* no key for a salt */
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);	/* bound to nothing */
	tpm2_put_sized(&buf, nonce, sizeof(nonce));
	tpm2_put_sized(&buf, NULL, 0);			/* no salt */
	tpm2_put_u8(&buf, POLICY_SESSION);
	tpm2_put_u16(&buf, TPM2_ALG_NULL);		/* no encryption */
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	result = tpm2_call(fd, &buf);
	if (!result)
		*session = tpm2_get_u32(&buf);
	return result;
}

/* What the session has proved so far. */
long tpm2_policy_digest(int fd, uint32_t session, uint8_t digest[TPM2_SHA256_SIZE])
{
	struct tpm2_buf buf;
	long result;

	tpm2_begin(&buf, TPM2_POLICY_GET_DIGEST, false);
	tpm2_put_u32(&buf, session);
	result = tpm2_call(fd, &buf);
	if (!result && tpm2_get_sized(&buf, digest, TPM2_SHA256_SIZE) != TPM2_SHA256_SIZE)
		return -EBADMSG;
	return result;
}

/* Ends a session, or unloads an object: the handle is gone. */
long tpm2_flush(int fd, uint32_t handle)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_FLUSH_CONTEXT, false);
	tpm2_put_u32(&buf, handle);
	return tpm2_call(fd, &buf);
}

static const struct {
	uint32_t code;
	const char *words;
} meanings[] = {
	{ 0x901, "too long since a context was saved" },
	{ 0x902, "no room for another object" },
	{ 0x903, "no room for another session" },
	{ 0x905, "no session handle is left" },
	{ 0x910, "the first handle stands for nothing" },
	{ 0x911, "the second handle stands for nothing" },
	{ 0x918, "the first authorization is by a session that is not there" },
	{ 0, NULL },
};

const char *tpm2_says(long result)
{
	static char text[128];
	const char *who = "the TPM";
	const char *words = "see part 2 of the specification, TPM_RC";

	if (result == 0)
		return "success";
	if (result < 0) {
		snprintf(text, sizeof(text), "errno %ld (%s)", -result, strerror(-result));
		return text;
	}
	if (TPM2_LAYER(result) == TPM2_LAYER_MANAGER)
		who = "the resource manager";
	for (size_t i = 0; meanings[i].words; i++)
		if ((result & 0xffff) == meanings[i].code)
			words = meanings[i].words;
	snprintf(text, sizeof(text), "0x%lx from %s (%s)", result, who, words);
	return text;
}
