/* agent/dial.h: a connection by name: looked up on a thread, then each address in turn.
 */
#pragma once

#include "base/loop.h"

struct allow;
struct conn;
struct conn_limits;
struct dial;
struct tls_client;

struct dial_target {
    struct loop *loop;      /* borrowed */
    struct tls_client *tls; /* borrowed for as long as the connection; NULL: plain */
    const char *host;       /* copied: a name or an address, without brackets */
    uint16_t port;
    const char *device;        /* an interface or a local address, or NULL; outlives the dial */
    const struct allow *allow; /* which addresses may be dialled; NULL: any. Outlives the dial */
    const struct conn_limits *limits; /* outlives the dial */
};

struct dial_handler {
    /* One of the two, once; never from inside dial_open. The dial is over then. on_open gives the
     * connection away. err: -ERR_PIN, -ERR_TIMEOUT, -ECONNREFUSED, -ERR_NOT_FOUND (no such name) …
     */
    void (*on_open)(void *owner, struct conn *conn);
    void (*on_failed)(void *owner, int err);
};

int dial_open(struct dial **out, const struct dial_target *target,
              const struct dial_handler *handler, void *owner) MUST_CHECK;

/* What TLS should ask for by SNI: the name, or NULL where host is an address. */
const char *dial_server_name(const char *host);

/* No more callbacks. NULL is fine. */
void dial_close(struct dial *dial);
