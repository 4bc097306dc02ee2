#include "net/log_limit.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

enum { WAYS = 4, PREFIX_V6 = 8 };

static struct log_limit process_limit;

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (; len; at++, len--)
        hash = (hash ^ *at) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of(uint64_t seed, const char *event, const struct addr *peer)
{
    uint64_t hash = hash_bytes(0xcbf29ce484222325u ^ seed, event, strlen(event) + 1);
    struct addr plain = {.len = 0};

    if (peer)
        plain = addr_canonical(peer);
    if (plain.storage.ss_family == AF_INET)
        hash = hash_bytes(hash, &((struct sockaddr_in *)(void *)&plain.storage)->sin_addr, 4);
    else if (plain.storage.ss_family == AF_INET6)
        hash = hash_bytes(hash, &((struct sockaddr_in6 *)(void *)&plain.storage)->sin6_addr,
                          PREFIX_V6);
    hash ^= hash >> 32;
    hash *= seed | 1;
    return hash ^ hash >> 29;
}

/* The first who logs chooses it. */
static uint64_t seed_of(struct log_limit *limit)
{
    uint64_t none = 0;

    if (atomic_load(&limit->seed) == 0)
        atomic_compare_exchange_strong(&limit->seed, &none, random_u64() | 1);
    return atomic_load(&limit->seed);
}

/* A second more than asked for: both ends of the pause are rounded down. */
static bool is_quiet(struct log_limit_slot slot, uint16_t second)
{
    return slot.count == 0 || (uint16_t)(second - slot.second) > LOG_LIMIT_QUIET_S;
}

/* The slot that has this tag, else one that nobody needs, else one to share. */
static _Atomic struct log_limit_slot *find_slot(struct log_limit *limit, uint64_t hash,
                                                uint16_t second)
{
    _Atomic struct log_limit_slot *set = &limit->slots[hash % (LOG_LIMIT_SLOTS / WAYS) * WAYS];
    _Atomic struct log_limit_slot *found = &set[WAYS - 1];
    bool is_free = false;

    for (int i = 0; i < WAYS; i++) {
        struct log_limit_slot slot = atomic_load(&set[i]);

        if (slot.count && slot.tag == (uint32_t)(hash >> 32))
            return &set[i];
        if (!is_free && is_quiet(slot, second)) {
            found = &set[i];
            is_free = true;
        }
    }
    return found;
}

/* What becomes of the slot; the result as of log_limit_take. */
static int step(struct log_limit_slot *slot, uint32_t tag, uint16_t second)
{
    int held_back = 0;

    if (is_quiet(*slot, second)) {
        if (slot->tag == tag && slot->count > LOG_LIMIT_LINES)
            held_back = slot->count - LOG_LIMIT_LINES;
        *slot = (struct log_limit_slot){.tag = tag, .second = second, .count = 1};
        return held_back;
    }
    if (slot->count < UINT16_MAX)
        slot->count++;
    if (slot->count > LOG_LIMIT_LINES)
        return -1;
    slot->second = second;
    return 0;
}

int log_limit_take(struct log_limit *limit, const char *event, const struct addr *peer,
                   int64_t now_us)
{
    uint64_t hash = hash_of(seed_of(limit), event, peer);
    uint16_t second = (uint16_t)(now_us / 1000000);
    _Atomic struct log_limit_slot *at = find_slot(limit, hash, second);
    struct log_limit_slot before = atomic_load(at), after;
    int held_back;

    do {
        after = before;
        held_back = step(&after, (uint32_t)(hash >> 32), second);
    } while (!atomic_compare_exchange_weak(at, &before, after));
    return held_back;
}

int log_limit_ask(const char *event, const struct addr *peer)
{
    return log_limit_take(&process_limit, event, peer, clock_mono_us());
}
