/* http/router.h: one table of routes: method, path, handler.
 *
 * A pattern is literal but for "{name}" (one segment) and a last "{name...}" (the rest).
 * The most literal match wins. An unknown path is 404, a known one with another method 405
 * with Allow; OPTIONS on a known path is 204 with Allow unless a route takes it.
 */
#pragma once

#include "http/http.h"

struct http_router;

struct http_route {
    enum http_method method;
    const char *pattern; /* "/hls/{slug}/index.m3u8" */
    void (*handle)(void *owner, struct http_request *request);
    size_t body_limit; /* most bytes of a request's body; 0: none is taken (413) */
};

int http_router_new(struct http_router **out) MUST_CHECK;
void http_router_free(struct http_router *router);

/* rows are borrowed for good and end with a row without a pattern. */
int http_router_add(struct http_router *router, const struct http_route *rows,
                    void *owner) MUST_CHECK;
