/* agent/proxy.h: the HTTP proxy that connections to the server may go through; pure.
 *
 * Its password is in authorization alone: that is never logged nor shown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { PROXY_HOST = 256, PROXY_AUTHORIZATION = 768 };

struct proxy {
    char host[PROXY_HOST]; /* without brackets; "" : there is no proxy */
    uint16_t port;
    char authorization[PROXY_AUTHORIZATION]; /* "Basic …", or "" */
    const char *except;                      /* borrowed: no_proxy; NULL: for every host */
};

/* "http://[USER:PASSWORD@]HOST:PORT", user and password percent-encoded; "http://" may be left out.
 * -ERR_UNSUPPORTED: another scheme; -ERR_PROTOCOL; -ERR_TOO_LONG. */
int proxy_parse(struct proxy *out, const char *url) MUST_CHECK;

/* What no_proxy says of a host ("*", names with all that ends in them, addresses, networks). */
bool proxy_is_for(const struct proxy *proxy, const char *host);
