/* agent/reach.h: a connection to the server, by whichever way gets through (agent/ways.h).
 *
 * Each way in turn: dialled, through the proxy's CONNECT, TLS with the server's pin, and the
 * upgrade to a WebSocket, as it needs. What comes out is a conn that speaks to the server, whatever
 * is in between.
 */
#pragma once

#include "agent/dial.h"

struct reach;
struct way;
struct ways;

struct reach_target {
    struct loop *loop;       /* borrowed */
    const struct ways *ways; /* borrowed for as long as the connection */
    const char *host;        /* copied: the server's, without brackets */
    uint16_t port;
    const char *device;               /* as in struct dial_target */
    const struct conn_limits *limits; /* of the connection that comes out; outlives the reach */
};

struct reach_handler {
    /* One of the two, once; never from inside reach_open. The reach is over then. on_open gives the
     * connection away; way is how it got there. */
    void (*on_open)(void *owner, struct conn *conn, const struct way *way);

    /* err: -ERR_PIN if any way led to a wrong key, else the last way's. words, for people, say what
     * each way met; borrowed for the call. */
    void (*on_failed)(void *owner, int err, const char *words);
};

int reach_open(struct reach **out, const struct reach_target *target,
               const struct reach_handler *handler, void *owner) MUST_CHECK;

/* No more callbacks. NULL is fine. */
void reach_close(struct reach *reach);
