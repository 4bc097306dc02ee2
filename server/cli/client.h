/* server/cli/client.h: one blocking HTTP/1.1 exchange with the server's API over its Unix socket.
 *
 * A peer that is slow (30 s), talks too much (16 MiB) or not HTTP is an error, not a wait.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct json_t;

struct reply {
    unsigned status;
    struct json_t *json; /* owned; NULL without a body */
    char error[256];     /* why client_ask failed: a sentence that says what to do */
};

/* body may be NULL. 0 when an answer came, whatever its status. */
int client_ask(const char *socket_path, const char *method, const char *target,
               const struct json_t *body, struct reply *reply) MUST_CHECK;
void reply_fini(struct reply *reply);

/* The answer to bytes that were read until the end of the connection: pure. */
int reply_parse(struct reply *reply, const char *bytes, size_t len) MUST_CHECK;
