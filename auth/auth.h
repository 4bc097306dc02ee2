/* auth/auth.h: may this viewer see this stream? And the tokens that say so.
 *
 * A token is cv1_ID_MAC: 16 hex digits of a random public id, and 32 hex digits: the first
 * 128 bits of HMAC-SHA-256 of "cv1_ID" under the server's key, which is a file, not in the
 * database. Comparison is in constant time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "db/store.h"
#include "net/addr.h"

enum { AUTH_TOKEN_TEXT = 72, AUTH_TOKEN_ID = 17, AUTH_PASSPHRASE_TEXT = 33 };

struct auth;

/* The key is read from key_file (made at first start, 0600). */
int auth_open(struct auth **out, const char *key_file) MUST_CHECK;
void auth_close(struct auth *auth);

/* A fresh public id. */
void auth_token_id(char id[AUTH_TOKEN_ID]);

/* The token of an id: what the holder shows. Wipe it after use. */
void auth_token_text(const struct auth *auth, const char *id, char out[AUTH_TOKEN_TEXT]);

/* What media is encrypted with for the holder of that token, where a protocol has passphrases:
 * 32 hex digits, made of the id under the server's key, and nowhere stored. Wipe it after use. */
void auth_passphrase_text(const struct auth *auth, const char *id, char out[AUTH_PASSPHRASE_TEXT]);

/* 0 and the id if the token is whole and its MAC is ours, else -ERR_AUTH. */
int auth_token_check(const struct auth *auth, const char *token, char id[AUTH_TOKEN_ID]) MUST_CHECK;

struct auth_question {
    const char *token;
    const struct store_camera *camera; /* NULL: there is no such stream */
    const char *protocol;              /* an egress' name */
    const struct addr *peer;
    const char *origin; /* NULL: not from a web page */
    int64_t now_s;
};

enum auth_answer {
    AUTH_ALLOW,
    AUTH_NO_CREDENTIAL,
    AUTH_UNKNOWN, /* malformed, forged, or no longer there */
    AUTH_REVOKED,
    AUTH_EXPIRED,
    AUTH_NOT_YET,
    AUTH_SCOPE, /* also when the stream does not exist */
    AUTH_PROTOCOL,
    AUTH_NETWORK,
    AUTH_ORIGIN,
    AUTH_ANSWERS
};

/* Fills token when the answer is AUTH_ALLOW. The count of viewers is the caller's. */
enum auth_answer auth_ask(const struct auth *auth, struct store_reader *reader,
                          const struct auth_question *question, struct store_token *token);

/* One fixed word ("expired") and a sentence for people. */
const char *auth_answer_rule(enum auth_answer answer);
const char *auth_answer_text(enum auth_answer answer);
