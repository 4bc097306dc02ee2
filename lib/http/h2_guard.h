/* http/h2_guard.h: counts the frames that cost us more than the peer; pure.
 *
 * Bad: RST_STREAM from either end and frames that break the rules (CVE-2023-44487,
 * CVE-2025-8671). Cheap: frames that ask for nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
 * GOAWAY, next to empty DATA). An honest peer sends these in proportion to what it is
 * served, so that work done earns more of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_guard {
    int64_t window_start_us;
    unsigned bad_limit; /* in ten seconds */
    unsigned bad, cheap, earned;
};

void h2_guard_init(struct h2_guard *guard, unsigned bad_limit, int64_t now_us);

/* Both: false when the peer went too far. */
bool h2_guard_bad(struct h2_guard *guard, int64_t now_us);
bool h2_guard_cheap(struct h2_guard *guard, int64_t now_us);

/* A DATA frame or an answer went out, or a piece of a body of some size came in. */
void h2_guard_earn(struct h2_guard *guard);
