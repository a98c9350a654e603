// SPDX-License-Identifier: GPL-2.0
/* An open way to the TPM. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "line.h"

#define RAW_NODE	"/dev/tpm0"
#define SIZE_AT		2
#define RC_AT		6
#define CODE_AT		8	/* the half that tells */
#define RC_RETRY	0x922

unsigned long line_commands;

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "client: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

bool line_is_exclusive(const char *target)
{
	return !strcmp(target, RAW_NODE);
}

struct line line_open(const char *target)
{
	struct line line = { .fd = -1 };

	if (target[0] == '/') {
		line.fd = open(target, O_RDWR | O_CLOEXEC);
		if (line.fd < 0)
			die("cannot open %s: %s", target, strerror(errno));
		return line;
	}
	line.tcti = tcti_open(target);
	if (!line.tcti)
		die("cannot open %s", target);
	return line;
}

void line_close(struct line *line)
{
	if (line->tcti)
		tcti_close(line->tcti);
	line->tcti = NULL;
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

/* Sends a command to a node, and puts the response in its place; false when either fails. */
static bool by_node(struct line *line, struct tpm2_buf *buf)
{
	ssize_t size;

	if (write(line->fd, buf->bytes, buf->size) < 0)
		return false;
	size = read(line->fd, buf->bytes, sizeof(buf->bytes));
	if (size < 0)
		return false;
	buf->size = size;
	return true;
}

/* Sends a command once; returns the response code. */
static uint32_t send_once(struct line *line, struct tpm2_buf *buf)
{
	bool good = line->tcti ? tcti_call(line->tcti, buf->bytes, &buf->size, sizeof(buf->bytes)) :
				 by_node(line, buf);

	line_commands++;
	if (!good || buf->size < TPM2_HEADER)
		die("a command got no response: %s", strerror(errno));
	buf->at = RC_AT;
	return tpm2_get_u32(buf);
}

uint64_t line_call(struct line *line, struct tpm2_buf *buf)
{
	struct tpm2_buf command;
	uint64_t began;
	uint32_t rc;

	if (buf->bad)
		die("a command is too long");
	for (int i = 0; i < 4; i++)
		buf->bytes[SIZE_AT + i] = buf->size >> (24 - 8 * i);
	command = *buf;
	began = now();
	rc = send_once(line, buf);
	/* The TPM core repeats what is refused so; a TCTI does not. */
	while (rc == RC_RETRY) {
		*buf = command;
		rc = send_once(line, buf);
	}
	began = now() - began;
	if (rc)
		die("command 0x%02x%02x was answered 0x%x", command.bytes[CODE_AT], command.bytes[CODE_AT + 1], rc);
	return began;
}

void line_mark(struct line *line, const char *verb, const char *name)
{
	unsigned long commands = line_commands;
	struct tpm2_buf buf;
	char text[128];
	int size = snprintf(text, sizeof(text), "%s %s", verb, name);

	tpm2_begin(&buf, TPM2_HASH, false);
	tpm2_put_sized(&buf, text, size);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	line_call(line, &buf);
	/* It is no part of the work. */
	line_commands = commands;
}
