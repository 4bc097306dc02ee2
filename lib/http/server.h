/* http/server.h: speaks HTTP on connections that were accepted elsewhere; one a loop. */
#pragma once

#include "base/err.h"
#include "http/router.h"

struct conn;
struct http_server;

struct http_limits {
    size_t header_bytes;     /* all of a request's headers; 431 */
    size_t header_count;     /* 431 */
    size_t target_bytes;     /* 414 */
    unsigned streams;        /* at once on an HTTP/2 connection */
    unsigned resets_per_10s; /* more RST_STREAM or bad frames: GOAWAY (CVE-2023-44487) */
    int64_t request_us;      /* from its first byte to its last; 408 */
    int64_t idle_us;         /* between requests */
    int64_t write_stall_us;  /* no progress with output waiting */
};
extern const struct http_limits
    http_limits_default; /* 16 KiB, 64, 8 KiB, 100, 200, 10 s, 60 s, 10 s */

/* router is borrowed and outlives the server. headers are added to every answer that has none of
 * the name (security headers), may be NULL, end with a row without a name. */
int http_server_new(struct http_server **out, struct loop *loop, struct http_router *router,
                    const struct http_limits *limits, const struct http_header *headers) MUST_CHECK;

/* Closes its connections. */
void http_server_free(struct http_server *server);

/* Takes an open connection: HTTP/2 if its ALPN is h2, else HTTP/1.1. */
void http_server_accept(struct http_server *server, struct conn *conn);

/* No new requests: GOAWAY, Connection: close. Idle connections close at once. */
void http_server_drain(struct http_server *server);

/* Open connections, and requests that are not answered yet. */
size_t http_server_connections(const struct http_server *server);
size_t http_server_requests(const struct http_server *server);
