/* server/local_api.h: the API on a Unix socket in the data directory, for this machine's
 * administrator: the peer's uid (ours or root) is the credential. First loop.
 */
#pragma once

#include "base/err.h"

struct local_api;
struct server;

/* The socket is DATA-DIR/api.sock. The error is logged. */
int local_api_open(struct local_api **out, struct server *server) MUST_CHECK;
void local_api_close(struct local_api *api);
