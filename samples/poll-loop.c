// SPDX-License-Identifier: GPL-2.0
/*
 * poll-loop - a TPM in a program that has other things to do
 *
 * TPMs are slow: an RSA key takes many of them ten seconds and more. With
 * O_NONBLOCK, write() queues a command and returns. The program goes on with
 * its main loop, and poll() tells when the response can be read:
 *
 *	POLLOUT	a command would be taken
 *	nothing	the TPM is at work
 *	POLLIN	the response is there
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tpm2.h"

#define STEP_MS		10
#define PATIENCE_MS	300000

/* A storage key: restricted, for decryption, of the TPM's own making. */
#define STORAGE_KEY	0x00030072
#define RSA_BITS	2048

static void compose_key_generation(struct tpm2_buf *buf)
{
	uint64_t now = time(NULL);
	size_t part;

	tpm2_begin(buf, TPM2_CREATE_PRIMARY, true);
	tpm2_put_u32(buf, TPM2_OWNER);
	tpm2_put_authorization(buf, TPM2_PASSWORD);

	part = tpm2_open_sized(buf);
	tpm2_put_sized(buf, NULL, 0);		/* the key's password is empty */
	tpm2_put_sized(buf, NULL, 0);
	tpm2_close_sized(buf, part);

	part = tpm2_open_sized(buf);
	tpm2_put_u16(buf, TPM2_ALG_RSA);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
	tpm2_put_u32(buf, STORAGE_KEY);
	tpm2_put_sized(buf, NULL, 0);		/* no policy */
	tpm2_put_u16(buf, TPM2_ALG_AES);
	tpm2_put_u16(buf, 128);
	tpm2_put_u16(buf, TPM2_ALG_CFB);
	tpm2_put_u16(buf, TPM2_ALG_NULL);	/* no scheme */
	tpm2_put_u16(buf, RSA_BITS);
	tpm2_put_u32(buf, 0);			/* the usual exponent */
	/* Primary keys are derived: with another "unique" it is another key. */
	tpm2_put_sized(buf, &now, sizeof(now));
	tpm2_close_sized(buf, part);

	tpm2_put_sized(buf, NULL, 0);		/* nothing to remember */
	tpm2_put_u32(buf, 0);			/* no PCRs */
}

static const char *named(short events)
{
	switch (events & (POLLIN | POLLOUT)) {
	case 0:
		return events ? "an error" : "nothing";
	case POLLIN:
		return "POLLIN";
	case POLLOUT:
		return "POLLOUT";
	default:
		return "POLLIN and POLLOUT";
	}
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static short ask(int fd, int timeout, const char *when)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT };
	long began = now_ms();

	poll(&entry, 1, timeout);
	if (when)
		printf("%s: poll() says %s, after %ld ms\n", when, named(entry.revents), now_ms() - began);
	return entry.revents;
}

int main(int argc, char **argv)
{
	struct tpm2_buf buf, answer;
	int fd, error, waits = 0;
	short said;
	long result;

	if (argc != 1) {
		fprintf(stderr, "usage: %s\n", argv[0]);
		return 2;
	}
	fd = tpm2_open(O_NONBLOCK);
	ask(fd, 0, "before the command");

	compose_key_generation(&buf);
	error = tpm2_send(fd, &buf);
	if (error) {
		printf("the command was not taken: %s\n", tpm2_says(error));
		return 1;
	}
	said = ask(fd, 0, "right after it");
	if (said != 0) {
		/* The C driver holds poll() up until the key is there. */
		printf("poll() did not tell that the TPM is at work\n");
		return 1;
	}
	result = tpm2_receive(fd, &answer);
	if (result == -EAGAIN)
		printf("read() says %s: there is nothing yet\n", tpm2_says(result));
	error = tpm2_send(fd, &buf);
	if (error == -EBUSY)
		printf("write() says %s: one command at a time\n", tpm2_says(error));

	/* The loop: here a program would do its other work. */
	while (result == -EAGAIN && waits * STEP_MS < PATIENCE_MS) {
		said = ask(fd, STEP_MS, NULL);
		if (said & POLLIN) {
			printf("poll() says POLLIN after saying nothing for %d times %d ms\n", waits, STEP_MS);
			result = tpm2_receive(fd, &answer);
			break;
		}
		waits++;
	}
	if (result) {
		printf("there is no key: %s\n", tpm2_says(result));
		return 1;
	}
	printf("the key is 0x%x\n", tpm2_get_u32(&answer));
	said = ask(fd, 0, "after the answer was read");
	close(fd);
	return !(said & POLLOUT);
}
