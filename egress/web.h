/* egress/web.h: what the protocols that begin with an HTTP request have in common. */
#pragma once

#include "egress/egress.h"

struct http_request;

/* CORS by a token's origins ("" any). The page's own origin is named or none, never all: what was
 * answered to one page must not serve another from a cache. */
void web_allow_origin(struct http_request *request, const char *origins);

/* "Authorization: Bearer TOKEN", or ?token=; "" without one. The caller wipes it. */
void web_find_token(struct http_request *request, char token[TOKEN_TEXT]);

/* The stream that the path's {slug} and ?profile= name, in out. False: there is no such profile, or
 * the name is too long, and the request was answered so. */
bool web_find_stream(struct http_request *request, char out[SLUG_MAX]);

/* The problem answer that goes with a refusal. */
void web_refuse(struct http_request *request, const struct admission *admission,
                enum verdict verdict);

/* "https://host:port" under which viewers reach this server. -ERR_TOO_LONG. */
int web_base(const struct egress_env *env, char *out, size_t room) MUST_CHECK;
