/* crypto/digest.h: SHA-256, MD5, HMAC, and comparing what is secret. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SHA256_BYTES = 32 };

/* 0 or -ERR_LIBRARY. */
int sha256_make(const void *bytes, size_t len, uint8_t out[SHA256_BYTES]) MUST_CHECK;

/* MD5, for RTSP's and HTTP's Digest alone, where old cameras know nothing else. */
enum { MD5_BYTES = 16 };
int md5_make(const void *bytes, size_t len, uint8_t out[MD5_BYTES]) MUST_CHECK;

/* HMAC-SHA-256 (RFC 2104). key_len may be 0. 0 or -ERR_LIBRARY. */
struct hmac_key {
    const void *bytes;
    size_t len;
};
int hmac_make(struct hmac_key key, const void *bytes, size_t len,
              uint8_t out[SHA256_BYTES]) MUST_CHECK;

/* HMAC-SHA-1, for STUN's MESSAGE-INTEGRITY alone, which knows nothing else (RFC 8445). */
enum { SHA1_BYTES = 20 };
int hmac_sha1_make(struct hmac_key key, const void *bytes, size_t len,
                   uint8_t out[SHA1_BYTES]) MUST_CHECK;

/* In a time that depends on len alone. */
bool secret_is_equal(const void *a, const void *b, size_t len);

/* Overwrites, in a way that the compiler doesn't leave out. */
void secret_wipe(void *bytes, size_t len);
