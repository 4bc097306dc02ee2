/* http/request.h: a request's inside, for those that make one (h1.c, h2.c) and those that
 * answer it (respond.c, router.c). Handlers see http.h only.
 *
 * One allocation holds the request and its arena; everything that has its lifetime (header
 * text, path, parameters, the HTTP/2 stream) lives in the arena.
 */
#pragma once

#include "base/writer.h"
#include "http/http.h"
#include "http/router.h"

struct answer;

/* How an answer travels: over HTTP/1.1 or HTTP/2. */
struct carrier {
    bool is_h2;

    /* Sends the answer, which is borrowed; the request is released by the carrier when the
     * last byte has gone, not before. */
    void (*send)(struct http_request *request, const struct answer *answer);
    int (*upgrade)(struct http_request *request, const struct answer *answer, struct conn **out);
};

enum request_state {
    REQUEST_READING,  /* its bytes still come in */
    REQUEST_WAITING,  /* the handler has it */
    REQUEST_ANSWERED, /* the carrier has it */
    REQUEST_LOST,     /* the peer is gone, the handler does not know it yet */
    REQUEST_DEAD      /* freed after the turn */
};

enum { REQUEST_PARAMS_MAX = 8 };

struct arena_block;

struct http_request {
    struct arena_block *blocks; /* owned; the first is this very allocation's */
    struct writer body_writer;
    struct buf *body; /* owned */

    struct http_server *server; /* borrowed; NULL once lost */
    const struct carrier *carrier;
    void *carried; /* the carrier's own: a connection, a stream */
    struct conn *conn;
    struct loop *loop;
    const struct addr *peer;
    const struct http_route *route;
    void *route_owner;
    void (*on_gone)(void *owner);
    void *on_gone_owner;

    enum request_state state;
    enum http_method method;
    const char *path, *query, *authority;
    struct http_header *headers, *extra, *params; /* in the arena */
    size_t header_count, header_room, extra_count, extra_room, param_count;
    struct addr lost_peer; /* what peer points at once the conn is gone */
    struct loop_task release;
    char *arena;
    size_t arena_left;
};

/* NULL without memory. Counted with the server's requests from request_dispatch on. */
struct http_request *request_new(struct http_server *server, struct conn *conn,
                                 const struct carrier *carrier, void *carried);

/* Memory that lives as long as the request, aligned for anything; NULL without memory. */
void *request_alloc(struct http_request *request, size_t len);

/* A copy with a NUL after it; NULL without memory. */
char *request_text(struct http_request *request, const char *text, size_t len);

/* Both texts must live as long as the request. -ENOMEM. */
int request_add_header(struct http_request *request, const char *name,
                       const char *value) MUST_CHECK;

enum http_method request_method_of(const char *text);

/* Finds the route, which decides what body is allowed: 0, or the status to refuse with; for
 * 405 and OPTIONS, *allow (room of ROUTER_ALLOW_MAX) gets the methods. */
unsigned request_route(struct http_request *request, char *allow) MUST_CHECK;

/* 0, -ERR_TOO_LONG past the route's limit, -ENOMEM. */
int request_add_body(struct http_request *request, const void *bytes, size_t len) MUST_CHECK;

/* The request is whole: calls its handler. */
void request_dispatch(struct http_request *request);

/* An answer of our own, before or without a handler. detail may be NULL. */
void request_refuse(struct http_request *request, unsigned status, const char *allow);

/* By the carrier: the answer has gone, or never will. Tells a handler that still waits;
 * frees after the turn, or when the handler that was not told answers. */
void request_release(struct http_request *request);
