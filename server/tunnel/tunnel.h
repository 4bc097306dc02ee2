/* server/tunnel/tunnel.h: the server's end of agents' connections, on one loop.
 *
 * A connection is an agent's control connection or a camera's lane; its first bytes say which.
 * What agents say of their cameras goes to the relay (server/relay.h), what a lane brings into a
 * stream on this loop's hub. Owns its connections.
 */
#pragma once

#include "base/loop.h"
#include "db/store.h"
#include "media/view.h"
#include "server/relay.h"

struct conn;
struct http_router;
struct tunnel;

struct tunnel_env {
    /* borrowed, for as long as the tunnel lives */
    struct loop *loop;
    struct hub *hub;
    struct relay *relay;
    struct store *store;
    struct store_reader *reader;
    const char *node_id;
    const char *public_address; /* host:port, told to agents */
};

int tunnel_new(struct tunnel **out, const struct tunnel_env *env) MUST_CHECK;

/* Closes all that is left. The loop doesn't run any more, or is this thread's. NULL is fine. */
void tunnel_free(struct tunnel *tunnel);

/* Takes an open connection with the ALPN "culvert/1", or one in a WebSocket. */
void tunnel_accept(struct tunnel *tunnel, struct conn *conn);

/* GET /agent: such connections in a WebSocket. The tunnel outlives the router's requests. */
int tunnel_add_routes(struct tunnel *tunnel, struct http_router *router) MUST_CHECK;

/* Tells agents Goodbye: they look for another server, or wait for this one to come back. */
void tunnel_drain(struct tunnel *tunnel);

struct tunnel_counters {
    unsigned agents, lanes; /* now */
    uint64_t lane_bytes, refused;
};
struct tunnel_counters tunnel_counters(const struct tunnel *tunnel);
