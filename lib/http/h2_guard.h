/* http/h2_guard.h: what we watch in a peer's frames beside nghttp2; pure.
 *
 * Counts the frames that cost us more than the peer.
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

/* Finds where frames begin, so that those can be judged that nghttp2 passes over in silence. */
struct h2_walk {
    uint8_t head[9];
    size_t head_len, payload_left, preface_left;
};

struct h2_frame_head {
    uint8_t type, flags;
    int32_t stream_id;
};

void h2_walk_init(struct h2_walk *walk);

/* How many of len > 0 bytes belong to the frame at hand, at least one. True in *has_head: they
 * complete its head. */
size_t h2_walk_next(struct h2_walk *walk, const uint8_t *bytes, size_t len,
                    struct h2_frame_head *head, bool *has_head);

/* Streams that we reset while the peer may still have been sending on them. */
struct h2_resets {
    int32_t ids[128];
    unsigned next;
};

void h2_resets_add(struct h2_resets *resets, int32_t stream_id);
bool h2_resets_has(const struct h2_resets *resets, int32_t stream_id);
