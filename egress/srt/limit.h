/* egress/srt/limit.h: how often callers from one address may ask; pure.
 *
 * A table of fixed size: addresses that fall on one place share it, and nobody outside can choose
 * with whom. Of IPv6 one /64 is one address. Not thread-safe: each listener has its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"

enum { LIMIT_PLACES = 1024, LIMIT_BURST = 400, LIMIT_PER_S = 40 };

/* Zero it, then set the seed to something random. */
struct limit {
    uint64_t seed;
    int64_t free_at_us[LIMIT_PLACES]; /* when all that was asked so far is paid off */
};

/* False: not now, LIMIT_BURST were taken at once, or more than LIMIT_PER_S since. */
bool limit_take(struct limit *limit, const struct addr *peer, int64_t now_us);
