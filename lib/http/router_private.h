/* http/router_private.h: the look-up in the table of routes. */
#pragma once

#include "http/request.h"

enum { ROUTER_ALLOW_MAX = 64, ROUTER_DEPTH_MAX = 32 };

/* Finds the route of the request's method and path; sets route, route_owner and params.
 * 0, or a status: 404, 405, 501, 204 (OPTIONS that no route takes; *allow is filled for it
 * and for 405), 503 without memory. */
unsigned router_match(const struct http_router *router, struct http_request *request,
                      char allow[ROUTER_ALLOW_MAX]) MUST_CHECK;
