/* egress/hls/window.h: the segments and parts that a playlist shows; pure.
 *
 * Fed CMAF packets in order; keeps the newest segments, and the parts of the newest few. Nothing
 * is copied but the references.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "media/packet.h"

enum {
    WINDOW_SEGMENTS = 7, /* complete ones that the playlist shows */
    WINDOW_SPARE = 3,    /* older ones that are still served */
    WINDOW_SLOTS = WINDOW_SEGMENTS + WINDOW_SPARE + 1,
    WINDOW_PARTS = 64, /* of a segment; more are merged into none: the segment ends */
    WINDOW_INITS = 4
};

struct window_segment {
    uint64_t number;
    int64_t start_us, duration_us, wall_us;
    bool is_complete, is_discontinuous; /* something is missing before it */
    bool is_cut;                        /* its end never came: it is shown as far as it goes */
    bool is_gap;                        /* never came at all: holds its number's place */
    uint32_t generation;                /* of its tracks: which init goes with it */
    unsigned part_count;
    struct packet *parts[WINDOW_PARTS]; /* owned references */
    struct buf *whole;                  /* owned: all parts in one, made when first asked for */
};

struct window_init {
    uint32_t generation;
    struct packet *packet; /* owned reference; NULL: an empty place */
};

struct window {
    struct window_segment segments[WINDOW_SLOTS]; /* oldest first */
    unsigned count;
    struct window_init inits[WINDOW_INITS];
    unsigned init_next;
    uint64_t discontinuities;                  /* of segments that have left */
    int64_t part_target_us, segment_target_us; /* never get smaller */
    uint64_t peak_bps, bytes;                  /* of complete segments */
    int64_t bytes_us;
    uint64_t version; /* goes up with each change */
};

void window_init(struct window *window);
void window_fini(struct window *window);

/* Keeps its own reference. */
void window_push(struct window *window, struct packet *packet);

/* NULL when there is none. */
struct window_segment *window_find(struct window *window, uint64_t number);
struct packet *window_find_init(const struct window *window, uint32_t generation);

/* The newest segment, complete or not; NULL while empty. */
struct window_segment *window_newest(struct window *window);

/* Has this part of this segment come? (without a part: the whole segment). A part past the end of
 * a complete segment is the next one's first. */
bool window_has(struct window *window, uint64_t segment, bool has_part, uint32_t part);

/* All of a complete segment as one buf (borrowed), or NULL without memory. */
struct buf *window_whole(struct window_segment *segment);

bool window_has_complete(const struct window *window);
