#include "egress/webrtc/capacity.h"

#include <string.h>

enum {
    MS = 1000,
    SECOND = 1000 * MS,
    PART_US = 250 * MS,      /* two of them are measured over */
    WINDOW_US = 5 * SECOND,  /* two of them remember the least trip: a path may become longer */
    JUMP_US = 3 * SECOND,    /* no queue is so long: a clock was set */
    FORGET_US = 10 * SECOND, /* without a packet: the path may be another */
    COUNT_MIN = 5,           /* fewer packets tell nothing */
    MOST_BPS = 1000 * 1000 * 1000
};

static int64_t least(const struct capacity *capacity)
{
    return capacity->least_us[0] < capacity->least_us[1] ? capacity->least_us[0]
                                                         : capacity->least_us[1];
}

static void begin(struct capacity *capacity, int64_t sent_us, int64_t arrival_us)
{
    *capacity = (struct capacity){.part_end_us = arrival_us + PART_US,
                                  .sent_us = sent_us,
                                  .arrival_us = arrival_us,
                                  .window_end_us = arrival_us + WINDOW_US,
                                  .has_begun = true};
    capacity->least_us[0] = capacity->least_us[1] = arrival_us - sent_us;
}

static void turn_parts(struct capacity *capacity, int64_t arrival_us)
{
    if (arrival_us < capacity->part_end_us)
        return;
    capacity->part[1] = capacity->part[0];
    capacity->part[0] = (struct capacity_part){0};
    if (arrival_us >= capacity->part_end_us + PART_US)
        capacity->part[1] = (struct capacity_part){0};
    capacity->part_end_us = arrival_us + PART_US;
}

static void note_trip(struct capacity *capacity, int64_t trip_us, int64_t arrival_us)
{
    if (arrival_us >= capacity->window_end_us) {
        capacity->least_us[1] = capacity->least_us[0];
        capacity->least_us[0] = trip_us;
        capacity->window_end_us = arrival_us + WINDOW_US;
    }
    if (trip_us < capacity->least_us[0])
        capacity->least_us[0] = trip_us;
    if (!capacity->has_low || trip_us < capacity->low_us)
        capacity->low_us = trip_us;
    capacity->has_low = true;
}

/* The one before was still there when this one came to the narrow place. */
static bool has_followed(const struct capacity *capacity, int64_t sent_us)
{
    int64_t waited_us = capacity->arrival_us - capacity->sent_us - least(capacity);

    return sent_us - capacity->sent_us <= waited_us;
}

void capacity_arrival(struct capacity *capacity, int64_t sent_us, int64_t arrival_us,
                      uint32_t bytes)
{
    int64_t trip_us = arrival_us - sent_us, gap_us = arrival_us - capacity->arrival_us;

    if (!capacity->has_begun || gap_us > FORGET_US || gap_us < -JUMP_US ||
        trip_us - least(capacity) > JUMP_US || trip_us - least(capacity) < -JUMP_US) {
        begin(capacity, sent_us, arrival_us);
        return;
    }
    if (gap_us < 0 || sent_us < capacity->sent_us) /* overtaken on its way */
        return;
    turn_parts(capacity, arrival_us);
    if (has_followed(capacity, sent_us)) {
        capacity->part[0].bits += (uint64_t)bytes * 8;
        capacity->part[0].busy_us += gap_us;
        capacity->part[0].count++;
    }
    note_trip(capacity, trip_us, arrival_us);
    capacity->sent_us = sent_us;
    capacity->arrival_us = arrival_us;
}

void capacity_update(struct capacity *capacity)
{
    const struct capacity_part *part = capacity->part;
    int64_t busy_us = part[0].busy_us + part[1].busy_us;
    uint64_t bits = part[0].bits + part[1].bits;

    if (capacity->has_low)
        capacity->standing_us = capacity->low_us - least(capacity);
    capacity->has_low = false;
    if (part[0].count + part[1].count < COUNT_MIN)
        return;
    capacity->bps = busy_us == 0 || bits * SECOND / (uint64_t)busy_us > MOST_BPS
                        ? MOST_BPS
                        : (uint32_t)(bits * SECOND / (uint64_t)busy_us);
}
