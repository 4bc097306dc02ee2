/* agent/ways.h: the ways to the server, and which one worked last.
 *
 * Direct, then through the proxy, then in a WebSocket, which looks like any HTTPS; a table, in the
 * order in which they are tried.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/proxy.h"
#include "base/option.h"

struct tls_client;

struct way {
    const char *name; /* Hello.transport, and what people see */
    bool via_proxy, is_websocket;
};

enum { WAYS = 4 };
extern const struct way way_table[WAYS];

struct ways {
    struct tls_client *tls[2]; /* owned: with ALPN culvert/1, and as HTTPS ([is_websocket]) */
    struct proxy proxy;
    const struct way *preferred; /* tried first; NULL: in the table's order */
};

/* The proxy of --proxy or the environment, and TLS for the server with this pin. The options
 * outlive ways. Says on standard error what is wrong with the proxy: -ERR_PROTOCOL then. */
int ways_init(struct ways *ways, const struct options *options, const uint8_t *pin) MUST_CHECK;
void ways_fini(struct ways *ways);

/* By name; an unknown one changes nothing. */
void ways_prefer(struct ways *ways, const char *name);

/* The ways that there are to a host, in the order to try them: how many. */
unsigned ways_order(const struct ways *ways, const char *host, const struct way *out[WAYS]);
