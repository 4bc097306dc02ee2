/* agent/allow.h: which addresses this agent opens cameras at, whatever the server says.
 *
 * Its owner's list beats the server's wishes (hostile.md XC4, A7). Without a list every unicast
 * address but loopback and link-local (where cloud machines keep their secrets) is fine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

enum { ALLOW_NETS_MAX = 32, ALLOW_URL_MAX = 2048 };

struct allow {
    struct addr_net nets[ALLOW_NETS_MAX];
    size_t count;
    bool has_loopback;
};

/* 0 or -ERR_PROTOCOL, -ERR_TOO_MANY. */
int allow_add_net(struct allow *allow, const char *cidr) MUST_CHECK;

bool allow_has(const struct allow *allow, const struct addr *addr);

/* What is wrong with a camera's URL, in words; NULL: nothing. A host that is a name is checked by
 * allow_has when it is resolved. */
const char *allow_url_fault(const struct allow *allow, const char *url);
