// SPDX-License-Identifier: GPL-2.0
/* What is measured. */
#include <string.h>

#include "workloads.h"

/* Commands before a measurement, so that nothing is done for the first time. */
#define WARM_UP		5

/* The line of a client; there is only one on a node that can be open once. */
static struct line *line_of(struct scene *scene, unsigned int client)
{
	return &scene->lines[client < scene->open ? client : 0];
}

static void make_nothing(struct scene *scene)
{
	scene->made_keys = 0;
}

static void make_a_key_each(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->workload->clients; i++)
		scene->keys[i] = key_make(line_of(scene, i), scene->made_keys++);
}

/* The first client has everything that fits into the TPM. */
static void make_full(struct scene *scene)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		scene->keys[i] = key_make(line_of(scene, 0), scene->made_keys++);
		scene->sessions[i] = session_make(line_of(scene, 0));
		scene->made_sessions++;
	}
}

static void make_signer(struct scene *scene)
{
	scene->signer = signer_make(line_of(scene, scene->workload->clients - 1));
	scene->made_signers = 1;
}

static void make_full_and_signer(struct scene *scene)
{
	make_full(scene);
	make_signer(scene);
}

/* The first client uses all that it has. */
static void use_all(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->made_keys; i++)
		key_use(&scene->keys[i], line_of(scene, 0));
	for (unsigned int i = 0; i < scene->made_sessions; i++)
		session_use(line_of(scene, 0), scene->sessions[i]);
}

static void settle_some(struct scene *scene)
{
	for (unsigned int i = 0; i < WARM_UP; i++)
		scene_step(scene, i);
}

static void settle_all(struct scene *scene)
{
	use_all(scene);
	settle_some(scene);
}

static void settle_round(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->workload->clients; i++)
		scene_step(scene, i);
}

static struct line *compose_random(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	(void)number;
	random_compose(buf);
	return line_of(scene, scene->workload->clients - 1);
}

static void check_random(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	(void)scene;
	(void)number;
	if (!tpm2_get_u16(buf))
		die("no random bytes came");
}

static struct line *compose_signature(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	(void)number;
	signer_compose(&scene->signer, buf);
	return line_of(scene, scene->workload->clients - 1);
}

static void check_signature(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	(void)number;
	signer_check(&scene->signer, buf);
}

static struct line *compose_turn(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	unsigned int client = number % scene->workload->clients;

	key_compose(&scene->keys[client], buf);
	return line_of(scene, client);
}

static void check_turn(struct scene *scene, unsigned int number, struct tpm2_buf *buf)
{
	key_check(&scene->keys[number % scene->workload->clients], buf);
}

#define RANDOM(text, how_many_idle) {			\
	.name = (text), .clients = 1, .idle = (how_many_idle),	\
	.make = make_nothing, .settle = settle_some,	\
	.compose = compose_random, .check = check_random }

static const struct workload workloads[] = {
	RANDOM("random", 0),
	RANDOM("idle_1", 1),
	RANDOM("idle_10", 10),
	RANDOM("idle_1000", IDLE),
	{
		.name = "random_holding", .clients = 1,
		.make = make_full, .settle = settle_all,
		.compose = compose_random, .check = check_random,
	}, {
		.name = "sign", .clients = 1,
		.make = make_signer, .settle = settle_some,
		.compose = compose_signature, .check = check_signature,
	}, {
		.name = "turn_3", .clients = SLOTS,
		.make = make_a_key_each, .settle = settle_round,
		.compose = compose_turn, .check = check_turn,
	}, {
		.name = "turn_5", .clients = CLIENTS, .whole = true,
		.make = make_a_key_each, .settle = settle_round,
		.compose = compose_turn, .check = check_turn,
	}, {
		/* All that fits is the other client's, and was used by him. */
		.name = "after_random", .clients = 2,
		.make = make_full, .before = use_all, .settle = settle_some,
		.compose = compose_random, .check = check_random,
	}, {
		.name = "after_sign", .clients = 2,
		.make = make_full_and_signer, .before = use_all, .settle = settle_some,
		.compose = compose_signature, .check = check_signature,
	},
	{ .name = NULL },
};

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; workloads[i].name; i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	die("there is no workload %s", name);
}

void scene_open(struct scene *scene, const struct workload *workload, const char *target)
{
	unsigned int wanted = line_is_exclusive(target) ? 1 : workload->clients + workload->idle;
	struct tpm2_buf buf;

	memset(scene, 0, sizeof(*scene));
	scene->workload = workload;
	while (scene->open < wanted) {
		scene->lines[scene->open] = line_open(target);
		/* Nobody is idle who has never done anything. */
		random_compose(&buf);
		line_call(&scene->lines[scene->open++], &buf);
	}
}

void scene_close(struct scene *scene)
{
	/* Of a raw node nothing goes by itself. */
	for (unsigned int i = 0; i < scene->made_keys; i++) {
		unsigned int each = scene->made_sessions ? SLOTS : 1;

		flush(line_of(scene, i / each), scene->keys[i].handle);
	}
	for (unsigned int i = 0; i < scene->made_sessions; i++)
		flush(line_of(scene, 0), scene->sessions[i]);
	if (scene->made_signers) {
		struct line *line = line_of(scene, scene->workload->clients - 1);

		flush(line, scene->signer.key);
		flush(line, scene->signer.session);
	}
	while (scene->open)
		line_close(&scene->lines[--scene->open]);
}

uint64_t scene_step(struct scene *scene, unsigned int number)
{
	struct tpm2_buf buf;
	struct line *line;
	uint64_t time;

	if (scene->workload->before)
		scene->workload->before(scene);
	line = scene->workload->compose(scene, number, &buf);
	time = line_call(line, &buf);
	scene->workload->check(scene, number, &buf);
	return time;
}
