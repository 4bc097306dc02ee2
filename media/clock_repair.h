/* media/clock_repair.h: RTP timestamps, as cameras really send them, to a true timeline.
 *
 * Unwraps 32 bits; replaces a step outside ±2 s (or ±10 mean frame durations) by the mean;
 * keeps dts from going back; follows slow drift by RTCP sender reports and arrival times, so
 * that audio and video stay together; finds dts for B-frames from display order. Pure: the
 * arrival time comes as a parameter. Field notes 8.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct clock_repair; /* one a camera session */

enum clock_event { CLOCK_OK, CLOCK_JUMPED, CLOCK_BACKWARDS, CLOCK_STALLED, CLOCK_DRIFTING };

struct clock_unit {
    unsigned track;
    uint32_t timestamp; /* RTP */
    int64_t arrival_us; /* monotonic */
    bool is_key;
    bool has_poc;
    int32_t poc_delta; /* see media/format/depacketiser.h */
    uint8_t reorder;   /* see media/format/depacketiser.h */
    uint32_t duration; /* ticks, 0 unknown */
};

struct clock_times {
    int64_t dts_us, pts_us; /* 0 is base_us given at open */
    int64_t wall_us;        /* capture time; 0 while unknown */
    enum clock_event event; /* what was wrong with this unit's clock, for the camera's report */
};

/* base_us: where on the stream's clock the first unit is placed (so that a timeline survives
 * reconnects). wall_us: the wall clock now, 0 unknown; the camera's own, from its reports, is
 * used for wall_us where it is within a minute of it. */
int clock_repair_open(struct clock_repair **out, int64_t base_us, int64_t wall_us) MUST_CHECK;
void clock_repair_close(struct clock_repair *repair);
void clock_repair_set_rate(struct clock_repair *repair, unsigned track, uint32_t clock_rate);

/* A sender report: this RTP time was that wall-clock time (microseconds since 1970). */
void clock_repair_report(struct clock_repair *repair, unsigned track, uint32_t timestamp,
                         int64_t wall_us, int64_t arrival_us);

/* The times of the next unit of its track, in decoding order. */
struct clock_times clock_repair_unit(struct clock_repair *repair, const struct clock_unit *unit);
