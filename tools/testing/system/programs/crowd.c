// SPDX-License-Identifier: GPL-2.0
/*
 * crowd - many descriptors that want sessions, a thread for each
 *
 *	crowd hog DESCRIPTORS SESSIONS
 *	crowd spin DESCRIPTORS
 *	crowd clients DESCRIPTORS ROUNDS SECONDS
 *	crowd leak ROUNDS SECONDS
 *
 * A hog keeps so many sessions in each descriptor, and takes another one for
 * each that it loses. A spinner starts one after the other and never ends any.
 * Both go on until they are killed, and say "ready" on standard output once
 * they have as much as they get at once.
 *
 * Clients start a session each at the same moment, use it, and flush it. They
 * do so again and again, and say how long they waited for it at most. They end
 * with status 1 when one of them was refused or its session was not good.
 *
 * A leaker starts a session, saves it and closes its descriptor, so that the
 * session is nobody's, and says how often it did.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tpm2.h"

#define MOST_DESCRIPTORS	128
#define MOST_SESSIONS		8
/* After so many sessions a spinner opens another descriptor. */
#define SPINS			64
/* How often a hog looks after its sessions, if nobody tells it of a loss. */
#define LOOK_MS			1000
/* A hog that has waited so long for a session has what there is at once. */
#define FULL_MS			1000

static long descriptors, sessions, rounds, seconds;
static atomic_long started, refused, moved;
static pthread_barrier_t barrier;
static atomic_bool stop;
/* How long the clients waited, in milliseconds. */
static int *waits;
static atomic_int made;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void nap(long ms)
{
	poll(NULL, 0, ms);
}

static long start(int fd, uint32_t *session)
{
	long result = tpm2_start_policy_session(fd, session);

	atomic_fetch_add(result ? &refused : &started, 1);
	atomic_store(&moved, now_ms());
	return result;
}

/* Whether the session is still there. */
static bool is_good(int fd, uint32_t session)
{
	uint8_t digest[TPM2_SHA256_SIZE];

	return tpm2_policy_digest(fd, session, digest) == 0;
}

/* One descriptor of the hog. What is wrong with a session does not matter: it takes another one. */
static void *hog(void *unused)
{
	struct pollfd entry = { .fd = tpm2_open(0), .events = POLLPRI };
	uint32_t held[MOST_SESSIONS];
	bool has[MOST_SESSIONS] = { false };

	(void)unused;
	for (long turn = 0;; turn++) {
		for (long i = 0; i < sessions; i++) {
			/* One of them, or all when there is news. */
			if (has[i] && (entry.revents || turn % sessions == i) && !is_good(entry.fd, held[i])) {
				tpm2_flush(entry.fd, held[i]);
				has[i] = false;
			}
			if (!has[i])
				has[i] = start(entry.fd, &held[i]) == 0;
		}
		entry.revents = 0;
		poll(&entry, 1, LOOK_MS);
	}
	return NULL;
}

static void *spinner(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = tpm2_open(0);

		for (int i = 0; i < SPINS; i++) {
			uint32_t session;

			if (start(fd, &session) < 0)
				break;
		}
		close(fd);
	}
	return NULL;
}

static void threads(long count, void *(*function)(void *), pthread_t *ids)
{
	for (long i = 0; i < count; i++) {
		int error = pthread_create(&ids[i], NULL, function, (void *)i);

		if (error) {
			fprintf(stderr, "no thread: %s\n", strerror(error));
			exit(1);
		}
	}
}

static int go_on(void *(*function)(void *))
{
	pthread_t ids[MOST_DESCRIPTORS];

	atomic_store(&moved, now_ms());
	threads(descriptors, function, ids);
	/* Nothing has come for a while, neither a session nor a refusal; or enough has. */
	while (now_ms() - atomic_load(&moved) < FULL_MS &&
	       atomic_load(&started) + atomic_load(&refused) < 2 * descriptors * sessions)
		nap(10);
	printf("ready %ld %ld\n", atomic_load(&started), atomic_load(&refused));
	fflush(stdout);
	for (;;)
		pause();
	return 0;
}

static void complain(long client, long round, const char *what, long result)
{
	printf("client %ld of round %ld: %s: %s\n", client, round, what, tpm2_says(result));
	atomic_fetch_add(&refused, 1);
}

/* What a client does with its session: it has 32 zero bytes for a digest, and another one afterwards. */
static long use(int fd, uint32_t session, uint8_t locality)
{
	static const uint8_t nothing[TPM2_SHA256_SIZE];
	uint8_t digest[TPM2_SHA256_SIZE];
	struct tpm2_buf buf;
	long result;

	result = tpm2_policy_digest(fd, session, digest);
	if (result)
		return result;
	if (memcmp(digest, nothing, sizeof(digest)))
		return -EBADMSG;
	tpm2_begin(&buf, TPM2_POLICY_LOCALITY, false);
	tpm2_put_u32(&buf, session);
	tpm2_put_u8(&buf, locality);
	return tpm2_call(fd, &buf);
}

static void *client(void *argument)
{
	long number = (long)argument;
	int fd = tpm2_open(0);

	for (long round = 0; round < rounds; round++) {
		uint32_t session;
		long began, result;

		pthread_barrier_wait(&barrier);
		if (atomic_load(&stop))
			break;
		began = now_ms();
		result = tpm2_start_policy_session(fd, &session);
		waits[atomic_fetch_add(&made, 1)] = now_ms() - began;
		if (result) {
			complain(number, round, "no session", result);
		} else {
			result = use(fd, session, 32 + number);
			if (result)
				complain(number, round, "the session is not usable", result);
		}
		/* All of them have theirs now, at the same time. */
		pthread_barrier_wait(&barrier);
		if (!result) {
			result = tpm2_flush(fd, session);
			if (result)
				complain(number, round, "the session cannot be flushed", result);
		}
	}
	close(fd);
	return NULL;
}

static int compare(const void *one, const void *other)
{
	return *(const int *)one - *(const int *)other;
}

static int clients(void)
{
	pthread_t ids[MOST_DESCRIPTORS];
	long began = now_ms(), done = 0;
	int count;

	waits = calloc(descriptors * rounds, sizeof(*waits));
	if (!waits)
		return 2;
	/* This thread decides between the rounds whether there is another one. */
	pthread_barrier_init(&barrier, NULL, descriptors + 1);
	threads(descriptors, client, ids);
	for (; done < rounds; done++) {
		bool over = now_ms() - began > seconds * 1000 || atomic_load(&refused);

		atomic_store(&stop, over);
		pthread_barrier_wait(&barrier);
		if (over)
			break;
		pthread_barrier_wait(&barrier);
	}
	for (long i = 0; i < descriptors; i++)
		pthread_join(ids[i], NULL);
	count = atomic_load(&made);
	qsort(waits, count, sizeof(*waits), compare);
	printf("rounds %ld refused %ld median %d longest %d\n", done, atomic_load(&refused),
	       count ? waits[count / 2] : 0, count ? waits[count - 1] : 0);
	free(waits);
	return atomic_load(&refused) > 0;
}

static int leaker(void)
{
	long began = now_ms(), done, longest = 0, result = 0;

	for (done = 0; done < rounds && now_ms() - began < seconds * 1000; done++) {
		long before = now_ms();
		struct tpm2_buf buf;
		uint32_t session;
		int fd = tpm2_open(0);

		result = tpm2_start_policy_session(fd, &session);
		if (!result) {
			tpm2_begin(&buf, TPM2_CONTEXT_SAVE, false);
			tpm2_put_u32(&buf, session);
			result = tpm2_call(fd, &buf);
		}
		close(fd);
		if (result) {
			printf("session %ld: %s\n", done, tpm2_says(result));
			break;
		}
		if (now_ms() - before > longest)
			longest = now_ms() - before;
	}
	printf("rounds %ld longest %ld\n", done, longest);
	return result != 0;
}

static long checked(const char *text, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > most) {
		fprintf(stderr, "%s is not a number from 1 to %ld\n", text, most);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	sessions = 1;
	if (!strcmp(what, "hog") && argc == 4) {
		descriptors = checked(argv[2], MOST_DESCRIPTORS);
		sessions = checked(argv[3], MOST_SESSIONS);
		return go_on(hog);
	}
	if (!strcmp(what, "spin") && argc == 3) {
		descriptors = checked(argv[2], MOST_DESCRIPTORS);
		return go_on(spinner);
	}
	if (!strcmp(what, "clients") && argc == 5) {
		descriptors = checked(argv[2], MOST_DESCRIPTORS);
		rounds = checked(argv[3], 100000);
		seconds = checked(argv[4], 100000);
		return clients();
	}
	if (!strcmp(what, "leak") && argc == 4) {
		rounds = checked(argv[2], 1000000);
		seconds = checked(argv[3], 100000);
		return leaker();
	}
	fprintf(stderr, "usage: %s hog DESCRIPTORS SESSIONS | spin DESCRIPTORS |\n"
		"\tclients DESCRIPTORS ROUNDS SECONDS | leak ROUNDS SECONDS\n", argv[0]);
	return 2;
}
