// SPDX-License-Identifier: GPL-2.0
/*
 * session-loss [fail|close] - what a program does when it loses a session
 *
 * A TPM has numbers for 64 sessions, as a rule, and all programs share them.
 * When there is none left for the next one, a session that somebody has had
 * for long enough (session_lease_ms) is taken away from who has most. Its owner
 * is told at once, and has chosen what else that means:
 *
 *	fail	poll() says POLLPRI. The session is refused by name, and nothing
 *		else has changed: flush the handle, and start another session.
 *	close	poll() says POLLHUP, and every command fails with EPIPE: open the
 *		node again, and begin anew.
 *
 * Until it is flushed, the handle of a lost session stays refused. So it never
 * comes to mean another session by chance, which a program would notice too
 * late: as a failed authorization.
 *
 * Here the loss is provoked by a child that wants more sessions than there are.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tpmrm.h>

#include "tpm2.h"

/* More than half of what there is: so the child has less, and takes from us. */
#define HELD		40
/* Leases are shorter than that. */
#define PATIENCE_MS	30000

struct program {
	int fd;
	uint32_t sessions[HELD];
};

static const char * const policies[] = {
	[TPMRM_POLICY_FAIL] = "fail",
	[TPMRM_POLICY_CLOSE] = "close",
	[TPMRM_POLICY_NEVER] = "never",
};

/* Opens the node, and chooses the policy of this descriptor. */
static int begin(struct program *program, uint32_t policy)
{
	struct tpmrm_policy wanted = { .policy = policy };
	struct tpmrm_info info;

	program->fd = tpm2_open(0);
	if (ioctl(program->fd, TPMRM_IOC_GET_INFO, &info)) {
		/* ENOTTY: another driver, or one without this part. Such a program never loses a session. */
		printf("nothing can be known of lost sessions: %s\n", tpm2_says(-errno));
		return 1;
	}
	if (ioctl(program->fd, TPMRM_IOC_SET_POLICY, &wanted)) {
		printf("the policy cannot be chosen: %s\n", tpm2_says(-errno));
		return 1;
	}
	if (policy != info.policy)
		printf("the policy was \"%s\", and is \"%s\" for this descriptor\n", policies[info.policy],
		       policies[policy]);
	return 0;
}

static int start_sessions(struct program *program)
{
	for (int i = 0; i < HELD; i++) {
		long result = tpm2_start_policy_session(program->fd, &program->sessions[i]);

		if (result) {
			printf("session %d of %d cannot be started: %s\n", i + 1, HELD, tpm2_says(result));
			return 1;
		}
	}
	printf("%d sessions are started, the first of them is 0x%x\n", HELD, program->sessions[0]);
	return 0;
}

/* Somebody else, who takes one session after the other. */
static pid_t start_neighbour(void)
{
	pid_t pid = fork();
	uint32_t session;
	int fd;

	if (pid)
		return pid;
	fd = tpm2_open(0);
	while (tpm2_start_policy_session(fd, &session) == 0)
		;
	_exit(0);
}

static void end_neighbour(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Waits for the news. A program with a main loop adds POLLPRI to what it polls for. */
static short wait_for_loss(const struct program *program)
{
	struct pollfd entry = { .fd = program->fd, .events = POLLPRI };

	poll(&entry, 1, PATIENCE_MS);
	printf("poll() says%s%s\n", entry.revents & POLLPRI ? " POLLPRI" : "",
	       entry.revents & POLLHUP ? " POLLHUP" : "");
	return entry.revents;
}

/* One session is lost: puts another one in its place. */
static int replace(struct program *program, uint32_t lost)
{
	uint8_t digest[TPM2_SHA256_SIZE];
	long result;

	result = tpm2_policy_digest(program->fd, lost, digest);
	printf("session 0x%x is lost, using it is answered %s\n", lost, tpm2_says(result));
	if (result != TPM2_RC_MANAGER(TPM2_RC_REFERENCE_H0))
		return 1;
	result = tpm2_flush(program->fd, lost);
	if (result) {
		printf("it cannot be flushed: %s\n", tpm2_says(result));
		return 1;
	}
	for (int i = 0; i < HELD; i++) {
		if (program->sessions[i] != lost)
			continue;
		result = tpm2_start_policy_session(program->fd, &program->sessions[i]);
		if (result) {
			printf("no other session can be started: %s\n", tpm2_says(result));
			return 1;
		}
		printf("session 0x%x is there instead\n", program->sessions[i]);
		return 0;
	}
	printf("that is none of ours\n");
	return 1;
}

/* Under "fail": asks which sessions are lost. That makes poll() say POLLPRI no more. */
static int recover(struct program *program)
{
	struct tpmrm_lost lost = { .first = 0 };

	if (ioctl(program->fd, TPMRM_IOC_GET_LOST, &lost)) {
		printf("the lost sessions cannot be listed: %s\n", tpm2_says(-errno));
		return 1;
	}
	printf("%u of %d sessions are lost\n", lost.total, HELD);
	for (uint32_t i = 0; i < lost.count; i++)
		if (replace(program, lost.handles[i]))
			return 1;
	return lost.count == 0;
}

/* Under "close": nothing can be done with the descriptor but to close it. */
static int begin_anew(struct program *program, uint32_t policy)
{
	uint8_t digest[TPM2_SHA256_SIZE];
	long result = tpm2_policy_digest(program->fd, program->sessions[HELD - 1], digest);

	printf("a command fails with %s\n", tpm2_says(result));
	if (result != -EPIPE)
		return 1;
	close(program->fd);
	return begin(program, policy) || start_sessions(program);
}

static int use_all(const struct program *program)
{
	uint8_t digest[TPM2_SHA256_SIZE];

	for (int i = 0; i < HELD; i++) {
		long result = tpm2_policy_digest(program->fd, program->sessions[i], digest);

		if (result) {
			printf("session 0x%x cannot be used: %s\n", program->sessions[i], tpm2_says(result));
			return 1;
		}
	}
	printf("all %d sessions are good\n", HELD);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t policy = TPMRM_POLICY_FAIL;
	struct program program;
	pid_t neighbour;
	short said;

	if (argc == 2 && !strcmp(argv[1], "close"))
		policy = TPMRM_POLICY_CLOSE;
	else if (argc > 2 || (argc == 2 && strcmp(argv[1], "fail"))) {
		fprintf(stderr, "usage: %s [fail|close]\n", argv[0]);
		return 2;
	}
	if (begin(&program, policy) || start_sessions(&program))
		return 1;
	fflush(stdout);
	neighbour = start_neighbour();
	said = wait_for_loss(&program);
	end_neighbour(neighbour);
	if (policy == TPMRM_POLICY_FAIL && said == POLLPRI && !recover(&program))
		return use_all(&program);
	if (policy == TPMRM_POLICY_CLOSE && said & POLLHUP && !begin_anew(&program, policy))
		return use_all(&program);
	return 1;
}
