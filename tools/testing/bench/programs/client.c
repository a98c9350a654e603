// SPDX-License-Identifier: GPL-2.0
/*
 * The client of the benchmark. Measures workloads on ways to the TPM:
 *
 *	client time BLOCKS WORKLOAD:SAMPLES:WAY=TARGET...
 *	client count WORKLOAD:SAMPLES:WAY=TARGET...
 *	client marks TARGET
 *
 * A target is the path of a node, or a name for the TCTI loader. What is found
 * is printed as JSON, an object a line.
 *
 * `time` makes blocks of each workload after the other, in turn and back, so
 * that what changes with time changes them all. Before a block everything is
 * made anew, and a few commands go before those that are measured.
 *
 * `count` marks the commands in the TPM's log, and says what the driver itself
 * has counted between the marks. `marks` makes a mark of each line that it reads,
 * and answers when it is made.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "workloads.h"

#define COUNTERS	"/sys/kernel/debug/tpmrm/tpmrm0/counters"
#define NAME		"tpmrm"

/* One workload on one way. */
struct job {
	const struct workload *workload;
	unsigned int samples;
	const char *way, *target;
};

static struct scene scene;

static unsigned int parse(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || !value || value > 1000000)
		die("%s is no number of anything", text);
	return value;
}

/* Takes WORKLOAD:SAMPLES:WAY=TARGET apart, in its place. */
static struct job job_of(char *text)
{
	struct job job = { .workload = NULL };
	char *samples = strchr(text, ':');
	char *way = samples ? strchr(samples + 1, ':') : NULL;
	char *target = way ? strchr(way + 1, '=') : NULL;

	if (!target)
		die("%s is not WORKLOAD:SAMPLES:WAY=TARGET", text);
	*samples++ = *way++ = *target++ = '\0';
	job.workload = workload_find(text);
	job.samples = parse(samples);
	job.way = way;
	job.target = target;
	return job;
}

static void time_block(const struct job *job, unsigned int block)
{
	scene_open(&scene, job->workload, job->target);
	job->workload->make(&scene);
	job->workload->settle(&scene);
	printf("{\"workload\": \"%s\", \"way\": \"%s\", \"block\": %u, \"ns\": [", job->workload->name, job->way, block);
	for (unsigned int i = 0; i < job->samples; i++)
		printf("%s%" PRIu64, i ? ", " : "", scene_step(&scene, i));
	printf("]}\n");
	scene_close(&scene);
}

static bool is_command(const char *name)
{
	static const char *const names[] = { "sent", "loads", "saves", "flushes", "questions", NULL };

	for (size_t i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* How many commands the driver says that it has sent so far, its own and those of clients. */
static unsigned long sent(void)
{
	FILE *file = fopen(COUNTERS, "r");
	unsigned long value, sum = 0;
	char name[32];

	if (!file)
		die("cannot open " COUNTERS);
	while (fscanf(file, "%31s %lu", name, &value) == 2)
		if (is_command(name))
			sum += value;
	fclose(file);
	return sum;
}

/* Work between two marks: what was sent by clients, and by the driver. */
struct count {
	const char *mark;
	bool ours;
	unsigned long by_client, by_driver;
	unsigned long client_before, driver_before;
};

static void count_begin(struct count *count, struct line *line)
{
	line_mark(line, "begin", count->mark);
	count->client_before = line_commands;
	if (count->ours)
		count->driver_before = sent();
}

static void count_end(struct count *count, struct line *line)
{
	if (count->ours)
		count->by_driver += sent() - count->driver_before;
	count->by_client += line_commands - count->client_before;
	line_mark(line, "end", count->mark);
}

static void count_steps(const struct job *job, struct count *count, struct line *line)
{
	struct tpm2_buf buf;

	for (unsigned int i = 0; i < job->samples; i++) {
		if (!job->workload->before) {
			scene_step(&scene, i);
			continue;
		}
		/* Only the command itself is between the marks, and everything else before. */
		job->workload->before(&scene);
		count_begin(count, line);
		line_call(job->workload->compose(&scene, i, &buf), &buf);
		count_end(count, line);
		job->workload->check(&scene, i, &buf);
	}
}

static void count_job(const struct job *job)
{
	struct count count = { .ours = !strcmp(job->way, NAME) };
	struct line own = { .fd = -1 }, *line = &own;
	char mark[64];

	snprintf(mark, sizeof(mark), "%s_%s", job->way, job->workload->name);
	count.mark = mark;
	scene_open(&scene, job->workload, job->target);
	/* Marks come from somebody who holds nothing, or some would take whole spaces along. */
	if (line_is_exclusive(job->target))
		line = &scene.lines[0];
	else
		own = line_open(job->target);
	if (job->workload->whole) {
		count_begin(&count, line);
		job->workload->make(&scene);
	} else {
		job->workload->make(&scene);
		job->workload->settle(&scene);
		if (!job->workload->before)
			count_begin(&count, line);
	}
	count_steps(job, &count, line);
	if (!job->workload->before)
		count_end(&count, line);
	printf("{\"counted\": \"%s\", \"way\": \"%s\", \"client\": %lu, \"driver\": %ld}\n",
	       job->workload->name, job->way, count.by_client, count.ours ? (long)count.by_driver : -1);
	line_close(&own);
	scene_close(&scene);
}

static int make_marks(const char *target)
{
	char verb[16], name[64];
	bool exclusive = line_is_exclusive(target);
	struct line line = { .fd = -1 };

	while (scanf("%15s %63s", verb, name) == 2) {
		/* On a node that can be open once, others have it between the marks. */
		if (exclusive || (line.fd < 0 && !line.tcti))
			line = line_open(target);
		line_mark(&line, verb, name);
		if (exclusive)
			line_close(&line);
		printf("%s %s\n", verb, name);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = { .rlim_cur = 2 * IDLE, .rlim_max = 2 * IDLE };
	bool timed = argc > 3 && !strcmp(argv[1], "time");
	bool counted = argc > 2 && !strcmp(argv[1], "count");
	int first = timed ? 3 : 2;
	unsigned int blocks;

	if (argc == 3 && !strcmp(argv[1], "marks"))
		return make_marks(argv[2]);
	if (!timed && !counted)
		die("say what to do: see the first lines of client.c");
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("cannot open as many files as are needed");

	struct job jobs[argc];

	for (int i = first; i < argc; i++)
		jobs[i] = job_of(argv[i]);
	if (counted) {
		for (int i = first; i < argc; i++)
			count_job(&jobs[i]);
		return 0;
	}
	blocks = parse(argv[2]);
	for (unsigned int block = 0; block < blocks; block++)
		for (int i = first; i < argc; i++)
			time_block(&jobs[block % 2 ? argc - 1 - (i - first) : i], block);
	return 0;
}
