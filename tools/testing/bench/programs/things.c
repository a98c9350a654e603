// SPDX-License-Identifier: GPL-2.0
/* What a client holds. */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "things.h"

/* Commands that the samples do not need. */
#define SIGN		0x15d
#define GET_RANDOM	0x17b

#define ALG_ECDSA	0x0018
#define ALG_ECC		0x0023
#define ECC_NIST_P256	0x0003
#define ST_HASHCHECK	0x8024
#define SESSION_HMAC	0x00
#define SESSION_POLICY	0x01
#define CONTINUE	0x01

/* Attributes of keys: userWithAuth, sign; and for one that the TPM makes. */
#define USE_AND_SIGN	0x40040
#define MADE_BY_TPM	0x00032

#define RANDOM_BYTES	16
#define MESSAGE		"tpmrm"

static const char secret[] = "known to the signer";
#define SECRET_SIZE	(sizeof(secret) - 1)

/* Bytes that are hashed, or are the message of an HMAC. */
struct bytes {
	uint8_t bytes[2 * TPM2_LARGEST];
	size_t size;
};

static void put(struct bytes *to, const void *bytes, size_t size)
{
	if (size > sizeof(to->bytes) - to->size)
		die("too much to hash");
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void put_u32(struct bytes *to, uint32_t value)
{
	uint8_t bytes[] = { value >> 24, value >> 16, value >> 8, value };

	put(to, bytes, sizeof(bytes));
}

static void mac(const void *key, size_t size, const struct bytes *message, uint8_t result[HASH_SIZE])
{
	if (!HMAC(EVP_sha256(), key, size, message->bytes, message->size, result, NULL))
		die("libcrypto makes no HMAC");
}

struct key key_make(struct line *line, unsigned int number)
{
	static const uint8_t seed[HASH_SIZE];
	struct bytes of_key = { .size = 0 };
	struct bytes message = { .size = 0 };
	struct key key;
	struct tpm2_buf buf;
	uint8_t unique[HASH_SIZE];
	char own[16];
	size_t sensitive, public;
	int size = snprintf(own, sizeof(own), "key %u", number);

	put(&of_key, seed, sizeof(seed));
	put(&of_key, own, size);
	SHA256(of_key.bytes, of_key.size, unique);
	put(&message, MESSAGE, strlen(MESSAGE));
	mac(own, size, &message, key.wanted);

	tpm2_begin(&buf, TPM2_LOAD_EXTERNAL, false);
	sensitive = tpm2_open_sized(&buf);
	tpm2_put_u16(&buf, TPM2_ALG_KEYEDHASH);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_put_sized(&buf, seed, sizeof(seed));
	tpm2_put_sized(&buf, own, size);
	tpm2_close_sized(&buf, sensitive);
	public = tpm2_open_sized(&buf);
	tpm2_put_u16(&buf, TPM2_ALG_KEYEDHASH);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_u32(&buf, USE_AND_SIGN);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_put_u16(&buf, TPM2_ALG_HMAC);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_sized(&buf, unique, sizeof(unique));
	tpm2_close_sized(&buf, public);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	line_call(line, &buf);
	key.handle = tpm2_get_u32(&buf);
	return key;
}

void key_compose(const struct key *key, struct tpm2_buf *buf)
{
	tpm2_begin(buf, TPM2_HMAC, true);
	tpm2_put_u32(buf, key->handle);
	tpm2_put_authorization(buf, TPM2_PASSWORD);
	tpm2_put_sized(buf, MESSAGE, strlen(MESSAGE));
	tpm2_put_u16(buf, TPM2_ALG_SHA256);
}

void key_check(const struct key *key, struct tpm2_buf *buf)
{
	uint8_t found[HASH_SIZE];

	tpm2_get_u32(buf);	/* the size of what follows */
	if (tpm2_get_sized(buf, found, sizeof(found)) != sizeof(found) ||
	    memcmp(found, key->wanted, sizeof(found)))
		die("0x%x is another key", key->handle);
}

void key_use(const struct key *key, struct line *line)
{
	struct tpm2_buf buf;

	key_compose(key, &buf);
	line_call(line, &buf);
	key_check(key, &buf);
}

/* Starts a session that is bound to nothing; takes the TPM's nonce. */
static uint32_t start(struct line *line, uint8_t kind, const uint8_t of_caller[HASH_SIZE],
		      uint8_t of_tpm[HASH_SIZE])
{
	struct tpm2_buf buf;
	uint32_t session;

	tpm2_begin(&buf, TPM2_START_AUTH_SESSION, false);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	tpm2_put_sized(&buf, of_caller, HASH_SIZE);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_put_u8(&buf, kind);
	tpm2_put_u16(&buf, TPM2_ALG_NULL);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	line_call(line, &buf);
	session = tpm2_get_u32(&buf);
	if (tpm2_get_sized(&buf, of_tpm, HASH_SIZE) != HASH_SIZE)
		die("the TPM's nonce has another size than the caller's");
	return session;
}

uint32_t session_make(struct line *line)
{
	static const uint8_t of_caller[HASH_SIZE];
	uint8_t of_tpm[HASH_SIZE];

	return start(line, SESSION_POLICY, of_caller, of_tpm);
}

void session_use(struct line *line, uint32_t session)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_POLICY_GET_DIGEST, false);
	tpm2_put_u32(&buf, session);
	line_call(line, &buf);
}

struct signer signer_make(struct line *line)
{
	struct signer signer = { .of_caller = { 0 } };
	struct tpm2_buf buf;
	uint8_t public[512];
	size_t part, size;

	tpm2_begin(&buf, TPM2_CREATE_PRIMARY, true);
	tpm2_put_u32(&buf, TPM2_NULL_HIERARCHY);
	tpm2_put_authorization(&buf, TPM2_PASSWORD);
	part = tpm2_open_sized(&buf);
	tpm2_put_sized(&buf, secret, SECRET_SIZE);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_close_sized(&buf, part);
	part = tpm2_open_sized(&buf);
	tpm2_put_u16(&buf, ALG_ECC);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_u32(&buf, USE_AND_SIGN | MADE_BY_TPM);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_put_u16(&buf, TPM2_ALG_NULL);	/* no symmetric part */
	tpm2_put_u16(&buf, ALG_ECDSA);
	tpm2_put_u16(&buf, TPM2_ALG_SHA256);
	tpm2_put_u16(&buf, ECC_NIST_P256);
	tpm2_put_u16(&buf, TPM2_ALG_NULL);	/* no key derivation */
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_put_sized(&buf, NULL, 0);
	tpm2_close_sized(&buf, part);
	tpm2_put_sized(&buf, NULL, 0);		/* nothing from outside */
	tpm2_put_u32(&buf, 0);			/* no PCRs */
	line_call(line, &buf);
	signer.key = tpm2_get_u32(&buf);
	tpm2_get_u32(&buf);
	size = tpm2_get_sized(&buf, public, sizeof(public));
	if (!size)
		die("the TPM made no key");
	signer.name[0] = TPM2_ALG_SHA256 >> 8;
	signer.name[1] = TPM2_ALG_SHA256 & 0xff;
	SHA256(public, size, signer.name + 2);
	signer.session = start(line, SESSION_HMAC, signer.of_caller, signer.of_tpm);
	return signer;
}

/* The HMAC over a hash of the parameters, by the newer nonce, the older one and the attributes. */
static void prove(const uint8_t hash[HASH_SIZE], const uint8_t *newer, const uint8_t *older,
		  uint8_t attributes, uint8_t result[HASH_SIZE])
{
	struct bytes message = { .size = 0 };

	put(&message, hash, HASH_SIZE);
	put(&message, newer, HASH_SIZE);
	put(&message, older, HASH_SIZE);
	put(&message, &attributes, 1);
	mac(secret, SECRET_SIZE, &message, result);
}

void signer_compose(struct signer *signer, struct tpm2_buf *buf)
{
	static const uint8_t digest[HASH_SIZE] = MESSAGE;
	struct bytes of_command = { .size = 0 };
	struct tpm2_buf parameters;
	uint8_t hash[HASH_SIZE], proof[HASH_SIZE];
	size_t at;

	/* Only what follows the header of this is used. */
	tpm2_begin(&parameters, SIGN, false);
	at = parameters.size;
	tpm2_put_sized(&parameters, digest, sizeof(digest));
	tpm2_put_u16(&parameters, TPM2_ALG_NULL);	/* by the key's own scheme */
	tpm2_put_u16(&parameters, ST_HASHCHECK);
	tpm2_put_u32(&parameters, TPM2_NULL_HIERARCHY);
	tpm2_put_sized(&parameters, NULL, 0);

	put_u32(&of_command, SIGN);
	put(&of_command, signer->name, NAME_SIZE);
	put(&of_command, parameters.bytes + at, parameters.size - at);
	SHA256(of_command.bytes, of_command.size, hash);
	signer->of_caller[0]++;
	prove(hash, signer->of_caller, signer->of_tpm, CONTINUE, proof);

	tpm2_begin(buf, SIGN, true);
	tpm2_put_u32(buf, signer->key);
	tpm2_put_u32(buf, 4 + 2 + HASH_SIZE + 1 + 2 + HASH_SIZE);
	tpm2_put_u32(buf, signer->session);
	tpm2_put_sized(buf, signer->of_caller, HASH_SIZE);
	tpm2_put_u8(buf, CONTINUE);
	tpm2_put_sized(buf, proof, HASH_SIZE);
	tpm2_put_bytes(buf, parameters.bytes + at, parameters.size - at);
}

void signer_check(struct signer *signer, struct tpm2_buf *buf)
{
	struct bytes of_response = { .size = 0 };
	uint8_t hash[HASH_SIZE], proof[HASH_SIZE], wanted[HASH_SIZE];
	uint32_t size = tpm2_get_u32(buf);
	uint8_t attributes;

	if (size > buf->size - buf->at)
		die("a response that ends too early");
	put_u32(&of_response, 0);	/* the response code */
	put_u32(&of_response, SIGN);
	put(&of_response, buf->bytes + buf->at, size);
	SHA256(of_response.bytes, of_response.size, hash);
	buf->at += size;
	if (tpm2_get_sized(buf, signer->of_tpm, HASH_SIZE) != HASH_SIZE || buf->at == buf->size)
		die("a response without a nonce");
	attributes = buf->bytes[buf->at++];
	prove(hash, signer->of_tpm, signer->of_caller, attributes, wanted);
	if (tpm2_get_sized(buf, proof, HASH_SIZE) != HASH_SIZE || memcmp(proof, wanted, HASH_SIZE))
		die("the HMAC of a response is wrong");
}

void random_compose(struct tpm2_buf *buf)
{
	tpm2_begin(buf, GET_RANDOM, false);
	tpm2_put_u16(buf, RANDOM_BYTES);
}

void flush(struct line *line, uint32_t handle)
{
	struct tpm2_buf buf;

	tpm2_begin(&buf, TPM2_FLUSH_CONTEXT, false);
	tpm2_put_u32(&buf, handle);
	line_call(line, &buf);
}
