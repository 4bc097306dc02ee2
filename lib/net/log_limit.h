/* net/log_limit.h: how much of the log strangers can fill.
 *
 *     LOG_STRANGER(&peer, LOG_WARN, "agent", id, "refused", KV_S("reason", reason));
 *
 * After five lines of an event from one address (of IPv6: one /64) the next is written once none
 * was for 30 s, and says how many were held back. One table for the process, of fixed size and
 * without a lock: when many addresses are busy at once, they share what is left of it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/log.h"
#include "net/addr.h"

enum { LOG_LIMIT_SLOTS = 256, LOG_LIMIT_LINES = 5, LOG_LIMIT_QUIET_S = 30 };

/* Eight bytes, so that it can be exchanged at once. */
struct log_limit_slot {
    uint32_t tag;    /* of event and address */
    uint16_t second; /* of the last line written, modulo 2^16 */
    uint16_t count;  /* written and held back since it was quiet; 0: free */
};

/* Zero it to begin. */
struct log_limit {
    _Atomic uint64_t seed; /* nobody outside can choose whom to share with */
    _Atomic struct log_limit_slot slots[LOG_LIMIT_SLOTS];
};

/* How many lines were held back before this one, which may be written; or -1: hold it back too.
 * peer may be NULL. Thread-safe. */
int log_limit_take(struct log_limit *limit, const char *event, const struct addr *peer,
                   int64_t now_us);

/* The same for the process's log, now. */
int log_limit_ask(const char *event, const struct addr *peer);

/* LOG for what anybody outside can cause; kind and event are literals, peer as in
 * log_limit_take. */
#define LOG_STRANGER(peer, level, kind, id, event, ...)                                            \
    do {                                                                                           \
        int held_back_ = log_limit_ask(kind " " event, peer);                                      \
        if (held_back_ >= 0)                                                                       \
            LOG(level, kind, id, event,                                                            \
                __VA_ARGS__ __VA_OPT__(, )(struct log_kv){held_back_ ? LOG_INT : LOG_END,          \
                                                          "held_back", NULL, held_back_});         \
    } while (0)
