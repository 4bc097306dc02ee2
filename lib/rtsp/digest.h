/* rtsp/digest.h: Digest and Basic authentication (RFC 7616, 7617), both ends; pure.
 *
 * Algorithms MD5 and SHA-256, with qop=auth or without (RFC 2069, as most cameras do).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DIGEST_FIELD_MAX = 256, DIGEST_URI_MAX = 2048, DIGEST_HEX = 65, DIGEST_NONCE = 64 };

enum auth_scheme { AUTH_SCHEME_NONE, AUTH_SCHEME_BASIC, AUTH_SCHEME_MD5, AUTH_SCHEME_SHA256 };

/* One WWW-Authenticate header. */
struct digest_challenge {
    enum auth_scheme scheme; /* the higher, the stronger */
    char realm[DIGEST_FIELD_MAX], nonce[DIGEST_FIELD_MAX], opaque[DIGEST_FIELD_MAX];
    bool has_qop; /* auth is among what it offers */
    bool is_stale;
};

/* The strongest challenge of a header, which may hold several. 0; -ERR_UNSUPPORTED for a scheme,
 * algorithm or qop that we don't know; -ERR_PROTOCOL. */
int digest_challenge_parse(struct digest_challenge *out, const char *value) MUST_CHECK;

struct digest_request {
    const char *method, *uri, *user, *password;
    uint32_t count; /* of requests answered with this nonce, from 1 */
    const char *cnonce;
};

/* The value of an Authorization header that answers the challenge. It is a secret.
 * -ERR_TOO_LONG, or -ERR_UNSUPPORTED: there is nothing to answer. */
int digest_answer(const struct digest_challenge *challenge, const struct digest_request *request,
                  char *out, size_t room) MUST_CHECK;

/* One Authorization header, as a server reads it. */
struct digest_credential {
    enum auth_scheme scheme;
    char user[DIGEST_FIELD_MAX];
    char password[DIGEST_FIELD_MAX]; /* Basic */
    char realm[DIGEST_FIELD_MAX], nonce[DIGEST_FIELD_MAX], cnonce[DIGEST_FIELD_MAX];
    char uri[DIGEST_URI_MAX], response[DIGEST_HEX], count[16];
    bool has_qop;
};
int digest_credential_parse(struct digest_credential *out, const char *value) MUST_CHECK;

/* 0, or -ERR_AUTH: is the response that of this password? In constant time. */
int digest_verify(const struct digest_credential *credential, const char *method,
                  const char *password) MUST_CHECK;

/* A nonce is its own proof: time and a MAC under key; nothing is kept. */
int nonce_make(const uint8_t key[32], int64_t now_us, char out[DIGEST_NONCE]) MUST_CHECK;

/* 0; -ERR_TIMEOUT: ours, but older than five minutes (stale); -ERR_AUTH. */
int nonce_check(const uint8_t key[32], int64_t now_us, const char *nonce) MUST_CHECK;
