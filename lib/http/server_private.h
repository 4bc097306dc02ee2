/* http/server_private.h: what the connections of one http_server share. */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "base/writer.h"
#include "http/server.h"

struct gzip;
struct link;

/* What the server asks of a connection, be it h1 or h2. */
struct link_vtable {
    /* Checks its deadlines. May close it. */
    void (*sweep)(struct link *link, int64_t now_us);
    void (*drain)(struct link *link);
    void (*close)(struct link *link);
};

/* Embedded in each connection. */
struct link {
    struct list on_server;
    const struct link_vtable *vtable;
    int64_t progress_since_us; /* see link_is_stalled */
    uint64_t progress_bytes;
};

enum {
    SWEEP_US = 250 * 1000,
    OUTPUT_HIGH_BYTES = 256 * 1024, /* no more is produced above it */
    OUTPUT_LOW_BYTES = 64 * 1024,
    STALL_LEAST_BYTES = 4096, /* less in write_stall_us is no progress */
    LINGER_US = 1000 * 1000,  /* after a refusal, so that the peer can read it */
    SMALL_BODY_BYTES = 2048   /* cheaper to copy behind its head than to send by reference */
};

struct http_server {
    struct list links;
    struct gzip *gzip;     /* owned; made when first needed */
    struct writer scratch; /* heads of HTTP/1.1 on their way into a conn */
    struct writer frames;  /* the same of HTTP/2: handlers may run while it is in use */

    struct loop *loop;
    struct http_router *router;
    const struct http_header *headers;
    struct http_limits limits;
    struct loop_timer sweep;
    size_t link_count, request_count;
    bool is_draining;
    int64_t date_second;
    char date[32];
};

void server_add(struct http_server *server, struct link *link, const struct link_vtable *vtable);
void server_remove(struct http_server *server, struct link *link);

/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second (RFC 9110 section 5.6.7). */
const char *server_date(struct http_server *server);

/* Whether a peer with output waiting took next to nothing for write_stall_us. sent: all bytes
 * it ever took. Call it in each sweep; is_waiting false starts anew. */
bool link_is_stalled(struct link *link, bool is_waiting, uint64_t sent, int64_t now_us,
                     int64_t write_stall_us);

/* Runs every connection's sweep; the timer's work, and the tests' with a clock of their own. */
void server_sweep(struct http_server *server, int64_t now_us);

/* The conn's limits while it speaks HTTP. */
void server_limit_conn(struct conn *conn);
