/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open way to the TPM: the descriptor of a node, or a connection to a
 * resource manager that has a TCTI.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "tcti.h"
#include "tpm2.h"

struct line {
	int fd;			/* -1, when there is a TCTI */
	struct TSS2_TCTI_OPAQUE_CONTEXT_BLOB *tcti;
};

/* How many commands were sent by all lines. */
extern unsigned long line_commands;

/* Says what is wrong and ends the program. */
_Noreturn void die(const char *format, ...);

/* Opens a path, or what the TCTI loader knows under a name. */
struct line line_open(const char *target);
void line_close(struct line *line);

/* Whether a target can be open only once at a time. */
bool line_is_exclusive(const char *target);

/*
 * Sends what was composed, and puts the response in its place, ready to be
 * read after its header. Returns the nanoseconds that it took, with nothing
 * of the composing in them. Ends the program unless the response is good.
 */
uint64_t line_call(struct line *line, struct tpm2_buf *buf);

/* A command that says something to whoever reads the TPM's log. */
void line_mark(struct line *line, const char *verb, const char *name);

#endif
