/* http/http.h: requests and responses, the same over HTTP/1.1 and HTTP/2.
 *
 * A request lives on the loop of its connection. Its handler answers now or later with one
 * http_respond; if the peer goes away first, on_gone is called and the request is dead.
 * Bodies are shared buffers, by reference.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "net/addr.h"

struct conn;
struct http_request; /* http/request.h for those that make them: h1.c, h2.c */
struct http_server;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER
};

struct http_header {
    const char *name; /* lower case */
    const char *value;
};

/* What a handler may ask; all borrowed for as long as the request lives. */
enum http_method http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);  /* decoded, normalised, no query */
const char *http_query(const struct http_request *request); /* raw, "" without one */
const char *http_header(const struct http_request *request, const char *name); /* or NULL */
const char *http_authority(const struct http_request *request); /* Host, or :authority */
struct buf *http_body(const struct http_request *request);      /* whole; NULL without one */
const struct addr *http_peer(const struct http_request *request);
struct conn *http_conn(const struct http_request *request);
bool http_is_h2(const struct http_request *request);
struct loop *http_loop(const struct http_request *request);

/* The value of a parameter in the query, percent-decoded into out ("" and false if absent or
 * longer than room). */
bool http_query_value(const struct http_request *request, const char *name, char *out, size_t room);

/* The part of the path that matched "{name}" in the route's pattern; NULL when no such. */
const char *http_path_value(const struct http_request *request, const char *name);

/* Whether the peer takes gzip: then a body may be sent compressed already, with a row
 * {"content-encoding", "gzip"}. A row {"content-encoding", "identity"} forbids compressing. */
bool http_accepts_gzip(const struct http_request *request);

/* Called at most once, instead of an answer, when the peer went away. */
void http_on_gone(struct http_request *request, void (*on_gone)(void *owner), void *owner);

/* Answers, and ends the request's life after the turn. body may be NULL; a reference is
 * taken. headers end with a row without a name; content-length, date, and for bodies of text
 * types gzip, are added. HEAD, If-None-Match (with an "etag" row) and Range are handled. */
void http_respond(struct http_request *request, unsigned status, const struct http_header *headers,
                  struct buf *body);

/* The same with a text, which is copied. type: "text/plain; charset=utf-8" … */
void http_respond_text(struct http_request *request, unsigned status, const char *type,
                       const char *text);

/* An RFC 9457 problem: {"type":"about:blank","title":…,"status":…,"detail":…}. rule is a short
 * fixed word ("expired") or NULL. retry_after_s > 0 adds Retry-After. */
void http_respond_problem(struct http_request *request, unsigned status, const char *rule,
                          const char *detail, unsigned retry_after_s);

/* Headers that http_respond adds to every answer of this request (CORS and the like). */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Takes over an HTTP/1.1 connection after a 101 (WebSocket): the conn is the caller's from now
 * on, the request is dead. -ERR_UNSUPPORTED over HTTP/2. headers as in http_respond. */
int http_upgrade(struct http_request *request, const struct http_header *headers,
                 struct conn **out) MUST_CHECK;
