/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A way to the TPM by the TSS's loader. Apart from everything else, since its
 * headers have names for numbers that the samples have names for too.
 */
#ifndef TCTI_H
#define TCTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct TSS2_TCTI_OPAQUE_CONTEXT_BLOB;

/* Returns NULL when it cannot be opened. */
struct TSS2_TCTI_OPAQUE_CONTEXT_BLOB *tcti_open(const char *name);
void tcti_close(struct TSS2_TCTI_OPAQUE_CONTEXT_BLOB *tcti);

/* Sends a command, and puts the response in its place; false when either fails. */
bool tcti_call(struct TSS2_TCTI_OPAQUE_CONTEXT_BLOB *tcti, uint8_t *bytes, size_t *size, size_t room);

#endif
