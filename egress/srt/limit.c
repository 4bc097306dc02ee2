#include "egress/srt/limit.h"

#include <netinet/in.h>

enum { PREFIX_V4 = 4, PREFIX_V6 = 8, INTERVAL_US = 1000000 / LIMIT_PER_S };

static uint64_t hash_of(uint64_t seed, const struct addr *peer)
{
    struct addr plain = addr_canonical(peer);
    const struct sockaddr_in *v4 = (const void *)&plain.storage;
    const struct sockaddr_in6 *v6 = (const void *)&plain.storage;
    bool is_v6 = plain.storage.ss_family == AF_INET6;
    const uint8_t *at = is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr;
    uint64_t hash = seed;

    for (unsigned i = 0; i < (is_v6 ? PREFIX_V6 : PREFIX_V4); i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= seed | 1;
    return hash ^ hash >> 29;
}

bool limit_take(struct limit *limit, const struct addr *peer, int64_t now_us)
{
    int64_t *free_at_us = &limit->free_at_us[hash_of(limit->seed, peer) % LIMIT_PLACES];
    int64_t begin_us = *free_at_us > now_us ? *free_at_us : now_us;

    if (begin_us - now_us > (int64_t)(LIMIT_BURST - 1) * INTERVAL_US)
        return false;
    *free_at_us = begin_us + INTERVAL_US;
    return true;
}
