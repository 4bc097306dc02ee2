/* egress/page.h: which website's page asks over HTTP: what a token's origins are held against.
 *
 * A page of another origin says so in Origin. Our own frame on another website (/embed/SLUG) asks
 * with our own origin, or with none, and names the page around it in Culvert-Embedder. No other
 * page can send that row: no preflight allows it.
 */
#pragma once

struct http_request;

/* The origin to admit, borrowed from the request; NULL where no other's page asks. */
const char *page_origin(const struct http_request *request);

/* The same of the rows themselves, each NULL where it is missing (pure). */
const char *page_choose(const char *origin, const char *embedder, const char *authority);
