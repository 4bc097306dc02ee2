/* egress/webrtc/capacity.h: what the narrowest place of a viewer's path lets through, and what
 * stands before it, by the arrivals of packets. Pure.
 *
 * A packet that reached the place before the one ahead of it had left shows the place's rate by
 * how much later it came: so every picture that goes in more than one packet measures the path,
 * also when less is sent than it takes. Fixed memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What came within one part of the window. */
struct capacity_part {
    uint64_t bits;   /* of packets that followed another through the place, */
    int64_t busy_us; /* and the time that it took for them */
    uint32_t count;
};

struct capacity {
    uint32_t bps;        /* 0: unknown */
    int64_t standing_us; /* the least that a packet waited lately: what was there before us */
    /* Its own; see capacity.c. */
    struct capacity_part part[2]; /* the one that fills and the one before */
    int64_t part_end_us;
    int64_t sent_us, arrival_us;                /* the newest packet's */
    int64_t least_us[2], window_end_us, low_us; /* least trips: of this window, the one before */
    bool has_begun, has_low;
};

/* A packet came: in the order of sending; sent_us and arrival_us are of two clocks. */
void capacity_arrival(struct capacity *capacity, int64_t sent_us, int64_t arrival_us,
                      uint32_t bytes);

/* All of a report was told. */
void capacity_update(struct capacity *capacity);
