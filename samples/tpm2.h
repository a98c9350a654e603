/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of TPM 2.0 for the samples: compose a command, send it on an
 * open descriptor of /dev/tpmrm0, and take the response apart.
 */
#ifndef TPM2_H
#define TPM2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The node takes no longer commands, and no TPM has longer responses. */
#define TPM2_LARGEST		4096
#define TPM2_HEADER		10

/* Commands. */
#define TPM2_CREATE_PRIMARY	0x131
#define TPM2_PCR_RESET		0x13d
#define TPM2_HMAC		0x155
#define TPM2_UNSEAL		0x15e
#define TPM2_CONTEXT_LOAD	0x161
#define TPM2_CONTEXT_SAVE	0x162
#define TPM2_FLUSH_CONTEXT	0x165
#define TPM2_LOAD_EXTERNAL	0x167
#define TPM2_POLICY_COMMAND_CODE 0x16c
#define TPM2_POLICY_LOCALITY	0x16f
#define TPM2_READ_PUBLIC	0x173
#define TPM2_START_AUTH_SESSION	0x176
#define TPM2_HASH		0x17d
#define TPM2_POLICY_GET_DIGEST	0x189

/* Handles that every TPM has. */
#define TPM2_OWNER		0x40000001
#define TPM2_NULL_HIERARCHY	0x40000007
#define TPM2_PASSWORD		0x40000009

/* Algorithms. */
#define TPM2_ALG_RSA		0x0001
#define TPM2_ALG_HMAC		0x0005
#define TPM2_ALG_AES		0x0006
#define TPM2_ALG_KEYEDHASH	0x0008
#define TPM2_ALG_SHA256		0x000b
#define TPM2_ALG_NULL		0x0010
#define TPM2_ALG_CFB		0x0043
#define TPM2_SHA256_SIZE	32

/* Response codes; the layer says who answered: 0 is the TPM, 11 its manager. */
#define TPM2_LAYER(code)	((code) >> 16)
#define TPM2_LAYER_MANAGER	11
#define TPM2_RC_REFERENCE_H0	0x910
#define TPM2_RC_REFERENCE_S0	0x918
#define TPM2_RC_MANAGER(code)	(TPM2_LAYER_MANAGER << 16 | (code))

/* A command while it is composed, the response to it after tpm2_call(). */
struct tpm2_buf {
	uint8_t bytes[TPM2_LARGEST];
	size_t size;	/* how many bytes there are */
	size_t at;	/* how far the response was read */
	bool bad;	/* more was put or read than there is room for */
};

/* Opens $TPM_NODE, or /dev/tpmrm0; ends the program when that fails. */
int tpm2_open(int flags);

/* Composing. A command with authorizations has another tag. */
void tpm2_begin(struct tpm2_buf *buf, uint32_t code, bool authorized);
void tpm2_put_u8(struct tpm2_buf *buf, uint8_t value);
void tpm2_put_u16(struct tpm2_buf *buf, uint16_t value);
void tpm2_put_u32(struct tpm2_buf *buf, uint32_t value);
void tpm2_put_bytes(struct tpm2_buf *buf, const void *bytes, size_t size);
void tpm2_put_sized(struct tpm2_buf *buf, const void *bytes, size_t size);
void tpm2_put_authorization(struct tpm2_buf *buf, uint32_t session);

/* A structure whose size comes first and is known last. */
size_t tpm2_open_sized(struct tpm2_buf *buf);
void tpm2_close_sized(struct tpm2_buf *buf, size_t start);

/* The two halves of a call, for those who do not want to wait in between. */
int tpm2_send(int fd, struct tpm2_buf *buf);
long tpm2_receive(int fd, struct tpm2_buf *buf);

/*
 * Sends the command, and puts the response in its place. 0 is success; a
 * positive value is a response code, and a negative one is an errno.
 */
long tpm2_call(int fd, struct tpm2_buf *buf);

/* Taking a response apart. */
uint16_t tpm2_get_u16(struct tpm2_buf *buf);
uint32_t tpm2_get_u32(struct tpm2_buf *buf);
size_t tpm2_get_sized(struct tpm2_buf *buf, void *bytes, size_t room);

/* What more than one of the samples does. */
long tpm2_start_policy_session(int fd, uint32_t *session);
long tpm2_policy_digest(int fd, uint32_t session, uint8_t digest[TPM2_SHA256_SIZE]);
long tpm2_flush(int fd, uint32_t handle);

/* The result of a call in words; good until the next one. */
const char *tpm2_says(long result);

#endif
