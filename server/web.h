/* server/web.h: the files that browsers get: the player, its pages, hls.js.
 *
 * They are in the binary (web/embed.sh) and made into shared bodies once, with a gzip beside each.
 * After web_new nothing changes: workers use one web together.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct http_router;
struct web;

enum { WEB_ORIGIN = 256, WEB_POLICY = 768 };

/* 0 and an owned web in *out, or -ENOMEM. */
int web_new(struct web **out) MUST_CHECK;

/* NULL is fine. After the routers that web_add was told of. */
void web_free(struct web *web);

/* GET /s/{slug}, /embed/{slug}, /player.js and, where the build had it, /hls.js. */
int web_add(struct web *web, struct http_router *router) MUST_CHECK;

/* The Content-Security-Policy of a page into out. ancestors: who may show it in a frame: "'none'",
 * or an origin that web_is_origin takes. */
void web_write_policy(char out[WEB_POLICY], const char *ancestors);

/* Whether the text is a web origin as a policy may name it: https://example.org,
 * http://example.org:8080, with * for any subdomain. Nothing else may get into a header. */
bool web_is_origin(const char *text);
