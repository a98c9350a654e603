// SPDX-License-Identifier: GPL-2.0
/*
 * failnth - every allocation and copy of every call of the node fails once
 *
 * For each kind of call: it is made with the first fault, with the second and
 * so on, until it is over before such a fault comes. A call with a fault must
 * succeed, or fail for want of memory or for the address; then the same call
 * must succeed, and its result must be right. After each, what the descriptor
 * holds is counted, and a bystander checks what he has.
 *
 * Prints "KIND FAULTS FAILED" for each, where FAILED of the faults made the call
 * fail, and "done" in the end; or what is wrong. Who starts this has said where
 * faults are to come from (/sys/kernel/debug/fail*).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/tpmrm.h>

#include "tpm2.h"

#define TPM2_GET_CAPABILITY	0x17a
#define TPM2_GET_RANDOM		0x17b
#define TPM2_HASH_SEQUENCE	0x186
#define TPM2_CAP_HANDLES	1
#define FIRST_TRANSIENT		0x80000000
#define FIRST_LOADED_SESSION	0x02000000
/* userWithAuth and sign. */
#define KEY_ATTRIBUTES		0x40040
/* More faults than any call has. */
#define MOST			400
/* How often each fault comes, and how many in a row must not, until there is none. */
#define TIMES			4
#define QUIET			3

static int faults;
static const char *kind = "setup";
static unsigned int nth;
/* The one whose calls fail, and the bystander. */
static int fd, other;
static uint32_t key, session, other_key, other_session;
static uint8_t other_hmac[TPM2_SHA256_SIZE];
static struct tpm2_buf saved_key, saved_session;

static void bad(const char *format, ...)
{
	va_list list;

	printf("%s, fault %u is not as it should be: ", kind, nth);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	exit(1);
}

/* For what has to succeed. */
static void need(long result, const char *what)
{
	if (result)
		bad("%s: %s", what, tpm2_says(result));
}

/* The n-th fault of this thread is to come; none, if n is 0. */
static void arm(unsigned int n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(faults, text, size, 0) != size)
		bad("no faults can be had: %s", strerror(errno));
}

/* Whether it came. */
static bool disarm(void)
{
	char text[16] = "";

	if (pread(faults, text, sizeof(text) - 1, 0) <= 0)
		bad("nobody says whether the fault came: %s", strerror(errno));
	arm(0);
	return atoi(text) == 0;
}

static void compose_random(struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_GET_RANDOM, false);
	tpm2_put_u16(buf, 16);
}

static void compose_start(struct tpm2_buf *buf)
{
	static const uint8_t nonce[16];

	tpm2_begin(buf, TPM2_START_AUTH_SESSION, false);
	tpm2_put_u32(buf, TPM2_NULL_HIERARCHY);
	tpm2_put_u32(buf, TPM2_NULL_HIERARCHY);
	tpm2_put_sized(buf, nonce, sizeof(nonce));
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_u8(buf, 1);
	tpm2_put_u16(buf, TPM2_ALG_NULL);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
}

static void compose_public(struct tpm2_buf *buf)
{
	size_t part = tpm2_open_sized(buf);

	/* The TPM makes the secret. */
	tpm2_put_u16(buf, TPM2_ALG_KEYEDHASH);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
	tpm2_put_u32(buf, KEY_ATTRIBUTES | 0x20);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_u16(buf, TPM2_ALG_HMAC);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_close_sized(buf, part);
}

static void compose_primary(struct tpm2_buf *buf)
{
	size_t part;

	tpm2_begin(buf, TPM2_CREATE_PRIMARY, true);
	tpm2_put_u32(buf, TPM2_NULL_HIERARCHY);
	tpm2_put_authorization(buf, TPM2_PASSWORD);
	part = tpm2_open_sized(buf);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_close_sized(buf, part);
	compose_public(buf);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_u32(buf, 0);
}

static void compose_sequence(struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_HASH_SEQUENCE, false);
	tpm2_put_sized(buf, NULL, 0);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
}

static void compose_hmac_of(struct tpm2_buf *buf, uint32_t handle)
{
	tpm2_begin(buf, TPM2_HMAC, true);
	tpm2_put_u32(buf, handle);
	tpm2_put_authorization(buf, TPM2_PASSWORD);
	tpm2_put_sized(buf, "fault", 5);
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
}

static void compose_hmac(struct tpm2_buf *buf)
{
	compose_hmac_of(buf, key);
}

static void compose_digest(struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_POLICY_GET_DIGEST, false);
	tpm2_put_u32(buf, session);
}

static void compose_save(struct tpm2_buf *buf, uint32_t handle)
{
	tpm2_begin(buf, TPM2_CONTEXT_SAVE, false);
	tpm2_put_u32(buf, handle);
}

static void compose_save_key(struct tpm2_buf *buf)
{
	compose_save(buf, key);
}

static void compose_save_session(struct tpm2_buf *buf)
{
	compose_save(buf, session);
}

static void compose_load(struct tpm2_buf *buf, const struct tpm2_buf *saved)
{
	tpm2_begin(buf, TPM2_CONTEXT_LOAD, false);
	tpm2_put_bytes(buf, saved->bytes + TPM2_HEADER, saved->size - TPM2_HEADER);
}

static void compose_load_key(struct tpm2_buf *buf)
{
	compose_load(buf, &saved_key);
}

static void compose_load_session(struct tpm2_buf *buf)
{
	compose_load(buf, &saved_session);
}

static void compose_list(struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_GET_CAPABILITY, false);
	tpm2_put_u32(buf, TPM2_CAP_HANDLES);
	tpm2_put_u32(buf, FIRST_TRANSIENT);
	tpm2_put_u32(buf, 100);
}

static void compose_flush(struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_FLUSH_CONTEXT, false);
	tpm2_put_u32(buf, key);
}

/* What the response is good for: nothing. */
static void forget(struct tpm2_buf *response)
{
	(void)response;
}

static void flush_it(struct tpm2_buf *response)
{
	need(tpm2_flush(fd, tpm2_get_u32(response)), "flushing what was made");
}

static void reload_session(struct tpm2_buf *response)
{
	struct tpm2_buf buf;

	saved_session = *response;
	compose_load(&buf, &saved_session);
	need(tpm2_call(fd, &buf), "loading the session again");
}

static void save_again(struct tpm2_buf *response)
{
	struct tpm2_buf buf;

	if (tpm2_get_u32(response) != session)
		bad("the session has another number");
	compose_save_session(&buf);
	need(tpm2_call(fd, &buf), "saving the session again");
	saved_session = buf;
}

static void make_key(struct tpm2_buf *response)
{
	struct tpm2_buf buf;

	(void)response;
	compose_primary(&buf);
	need(tpm2_call(fd, &buf), "a key in place of the one that was flushed");
	key = tpm2_get_u32(&buf);
}

/* Commands: how they look, and what is to be done with a response. */
static const struct command {
	const char *name;
	void (*compose)(struct tpm2_buf *buf);
	void (*settle)(struct tpm2_buf *response);
} commands[] = {
	{ "write_random", compose_random, forget },
	{ "write_start_session", compose_start, flush_it },
	{ "write_create_primary", compose_primary, flush_it },
	{ "write_sequence_start", compose_sequence, flush_it },
	{ "write_use_key", compose_hmac, forget },
	{ "write_use_session", compose_digest, forget },
	{ "write_save_key", compose_save_key, forget },
	{ "write_load_key", compose_load_key, flush_it },
	{ "write_save_session", compose_save_session, reload_session },
	{ "write_list_handles", compose_list, forget },
	{ "write_flush_key", compose_flush, make_key },
};

/* While the session is saved. */
static const struct command claiming = { "write_load_session", compose_load_session, save_again };

static void hmac_of(int from, uint32_t handle, uint8_t hmac[TPM2_SHA256_SIZE])
{
	struct tpm2_buf buf;

	compose_hmac_of(&buf, handle);
	need(tpm2_call(from, &buf), "an HMAC");
	tpm2_get_u32(&buf);
	if (tpm2_get_sized(&buf, hmac, TPM2_SHA256_SIZE) != TPM2_SHA256_SIZE)
		bad("this is no HMAC");
}

/* How many handles of a kind a descriptor has. */
static uint32_t count(int from, uint32_t first)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_GET_CAPABILITY, false);
	tpm2_put_u32(&buf, TPM2_CAP_HANDLES);
	tpm2_put_u32(&buf, first);
	tpm2_put_u32(&buf, 100);
	need(tpm2_call(from, &buf), "listing handles");
	/* moreData, the capability, the count. */
	buf.at += 1;
	tpm2_get_u32(&buf);
	return tpm2_get_u32(&buf);
}

/* Nobody else has noticed. */
static void check_bystander(void)
{
	static const uint8_t nothing[TPM2_SHA256_SIZE];
	uint8_t found[TPM2_SHA256_SIZE];

	hmac_of(other, other_key, found);
	if (memcmp(found, other_hmac, sizeof(found)))
		bad("the bystander's key is another one");
	need(tpm2_policy_digest(other, other_session, found), "the bystander's session");
	if (memcmp(found, nothing, sizeof(found)))
		bad("the bystander's session is another one");
}

static void check_count(void)
{
	uint32_t found = count(fd, FIRST_TRANSIENT);

	if (found != 1)
		bad("the descriptor holds %u objects, not one", found);
	check_bystander();
}

/*
 * One call with the nth fault, if there is one. prepare() comes before it, call()
 * returns what it got or a negative errno, and settle() looks at what it got
 * when it succeeded, which it has to when it is repeated without a fault.
 */
static bool attempt(void (*prepare)(void), long (*call)(void), void (*settle)(long result), bool *failed)
{
	long result;
	bool came;

	prepare();
	arm(nth);
	result = call();
	came = disarm();
	if (result < 0) {
		if (!came || (result != -ENOMEM && result != -EFAULT))
			bad("%s", strerror(-result));
		*failed = true;
		result = call();
		if (result < 0)
			bad("fails without a fault: %s", strerror(-result));
	}
	settle(result);
	check_bystander();
	return came;
}

/*
 * One kind of call, with each of its faults. The kernel's own checks allocate
 * now and then too, so that a fault is not at the same place each time: each
 * comes several times, and only several in a row that do not come are the end.
 */
static void sweep(const char *name, void (*prepare)(void), long (*call)(void), void (*settle)(long result))
{
	unsigned int failures = 0, last = 0;

	kind = name;
	for (nth = 1; nth <= last + QUIET; nth++) {
		bool failed = false;

		if (nth > MOST)
			bad("there is no end to it");
		for (int i = 0; i < TIMES; i++) {
			if (attempt(prepare, call, settle, &failed))
				last = nth;
		}
		failures += failed;
	}
	printf("%s %u %u\n", kind, last, failures);
	fflush(stdout);
}

static struct tpm2_buf message;
static const struct command *current;

static long result_of(long result)
{
	return result < 0 ? -errno : result;
}

static void nothing(void)
{
}

static void compose(void)
{
	current->compose(&message);
}

static long call_write(void)
{
	return tpm2_send(fd, &message);
}

static void receive(long result)
{
	(void)result;
	need(tpm2_receive(fd, &message), "the response");
	current->settle(&message);
	check_count();
}

static long call_read(void)
{
	return result_of(read(fd, message.bytes, sizeof(message.bytes)));
}

static void send_random(void)
{
	compose_random(&message);
	need(tpm2_send(fd, &message), "a command");
}

static void is_random(long result)
{
	/* The header, a size, and 16 bytes. */
	if (result != TPM2_HEADER + 2 + 16)
		bad("a response of %ld bytes", result);
}

static long call_poll(void)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	return poll(&entry, 1, 0) < 0 ? -errno : entry.revents;
}

static void is_writable(long result)
{
	if (result != POLLOUT)
		bad("poll() says %#lx", result);
}

static void is_zero(long result)
{
	if (result)
		bad("returned %ld", result);
}

static long call_info(void)
{
	struct tpmrm_info info = { 0 };
	long result = result_of(ioctl(fd, TPMRM_IOC_GET_INFO, &info));

	if (!result && info.version != TPMRM_VERSION)
		bad("version %u", info.version);
	return result;
}

static long call_policy(void)
{
	struct tpmrm_policy policy = { .policy = TPMRM_POLICY_NEVER };

	return result_of(ioctl(fd, TPMRM_IOC_SET_POLICY, &policy));
}

static long call_reserve(void)
{
	struct tpmrm_reserve reserve = { .sessions = 3 };

	return result_of(ioctl(fd, TPMRM_IOC_RESERVE, &reserve));
}

static void give_back(long result)
{
	struct tpmrm_reserve reserve = { .sessions = 0 };

	is_zero(result);
	need(result_of(ioctl(fd, TPMRM_IOC_RESERVE, &reserve)), "giving numbers back");
}

static long call_lost(void)
{
	struct tpmrm_lost lost = { 0 };

	return result_of(ioctl(fd, TPMRM_IOC_GET_LOST, &lost));
}

static long call_open(void)
{
	return result_of(open("/dev/tpmrm0", O_RDWR | O_CLOEXEC));
}

static void close_it(long result)
{
	if (close(result))
		bad("cannot be closed: %s", strerror(errno));
}

/* For what happens to a descriptor of its own. */
static int first;

static void open_another(void)
{
	first = tpm2_open(0);
	compose_random(&message);
}

static long call_first_write(void)
{
	return tpm2_send(first, &message);
}

static void receive_first(long result)
{
	(void)result;
	need(tpm2_receive(first, &message), "the first response");
	close_it(first);
}

static long call_first_info(void)
{
	struct tpmrm_info info = { 0 };

	return result_of(ioctl(first, TPMRM_IOC_GET_INFO, &info));
}

static void close_first(long result)
{
	is_zero(result);
	close_it(first);
}

static void fill_another(void)
{
	struct tpm2_buf buf;
	uint32_t handle;

	first = tpm2_open(0);
	compose_primary(&buf);
	need(tpm2_call(first, &buf), "a key to be left");
	need(tpm2_start_policy_session(first, &handle), "a session to be left");
}

static long call_close(void)
{
	return result_of(close(first));
}

static void compose_waiting(void)
{
	compose();
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void receive_late(long result)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	if (poll(&entry, 1, -1) != 1)
		bad("poll(): %s", strerror(errno));
	fcntl(fd, F_SETFL, 0);
	receive(result);
}

static void sweep_command(const struct command *command)
{
	current = command;
	sweep(command->name, compose, call_write, receive);
}

static void sweep_claiming(void)
{
	struct tpm2_buf buf;

	compose_save_session(&buf);
	need(tpm2_call(fd, &buf), "saving the session");
	saved_session = buf;
	sweep_command(&claiming);
	compose_load(&buf, &saved_session);
	need(tpm2_call(fd, &buf), "loading the session");
}

static void prepare(void)
{
	struct tpm2_buf buf;

	fd = tpm2_open(0);
	other = tpm2_open(0);
	make_key(NULL);
	compose_primary(&buf);
	need(tpm2_call(other, &buf), "the bystander's key");
	other_key = tpm2_get_u32(&buf);
	hmac_of(other, other_key, other_hmac);
	need(tpm2_start_policy_session(fd, &session), "a session");
	need(tpm2_start_policy_session(other, &other_session), "the bystander's session");
	compose_save_key(&buf);
	need(tpm2_call(fd, &buf), "saving a key");
	saved_key = buf;
	check_count();
}

int main(void)
{
	faults = open("/proc/thread-self/fail-nth", O_RDWR);
	if (faults < 0) {
		perror("/proc/thread-self/fail-nth");
		return 2;
	}
	prepare();
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		sweep_command(&commands[i]);
	sweep_claiming();
	current = &commands[0];
	sweep("write_queued", compose_waiting, call_write, receive_late);
	sweep("read", send_random, call_read, is_random);
	sweep("poll", nothing, call_poll, is_writable);
	sweep("ioctl_info", nothing, call_info, is_zero);
	sweep("ioctl_policy", nothing, call_policy, is_zero);
	sweep("ioctl_reserve", nothing, call_reserve, give_back);
	sweep("ioctl_lost", nothing, call_lost, is_zero);
	sweep("open", nothing, call_open, close_it);
	sweep("first_write", open_another, call_first_write, receive_first);
	sweep("first_ioctl", open_another, call_first_info, close_first);
	sweep("close", fill_another, call_close, is_zero);
	printf("done\n");
	return 0;
}
