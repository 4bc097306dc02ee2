#include "egress/hls/window.h"

#include <string.h>

enum { PART_TARGET_US = 200 * 1000, SEGMENT_TARGET_US = 2 * 1000000, ROUND_US = 10 * 1000 };

void window_init(struct window *window)
{
    *window =
        (struct window){.part_target_us = PART_TARGET_US, .segment_target_us = SEGMENT_TARGET_US};
}

static void segment_fini(struct window_segment *segment)
{
    for (unsigned i = 0; i < segment->part_count; i++)
        packet_unref(segment->parts[i]);
    buf_unref(segment->whole);
    *segment = (struct window_segment){.number = 0};
}

void window_fini(struct window *window)
{
    for (unsigned i = 0; i < window->count; i++)
        segment_fini(&window->segments[i]);
    for (unsigned i = 0; i < WINDOW_INITS; i++)
        packet_unref(window->inits[i].packet);
    *window = (struct window){.count = 0};
}

struct window_segment *window_newest(struct window *window)
{
    return window->count ? &window->segments[window->count - 1] : NULL;
}

struct window_segment *window_find(struct window *window, uint64_t number)
{
    for (unsigned i = 0; i < window->count; i++)
        if (window->segments[i].number == number)
            return &window->segments[i];
    return NULL;
}

struct packet *window_find_init(const struct window *window, uint32_t generation)
{
    for (unsigned i = 0; i < WINDOW_INITS; i++)
        if (window->inits[i].packet && window->inits[i].generation == generation)
            return window->inits[i].packet;
    return NULL;
}

static void push_init(struct window *window, struct packet *packet)
{
    struct window_init *place = &window->inits[window->init_next];

    if (window_find_init(window, packet->tracks->generation))
        return;
    packet_unref(place->packet);
    place->packet = packet_ref(packet);
    place->generation = packet->tracks->generation;
    window->init_next = (window->init_next + 1) % WINDOW_INITS;
}

static void drop_oldest(struct window *window)
{
    window->discontinuities += window->segments[0].is_discontinuous;
    segment_fini(&window->segments[0]);
    memmove(&window->segments[0], &window->segments[1],
            (WINDOW_SLOTS - 1) * sizeof(window->segments[0]));
    window->count--;
    window->segments[window->count] = (struct window_segment){.number = 0};
}

/* A segment whose end was lost is no use to anybody. */
static void drop_incomplete(struct window *window)
{
    struct window_segment *newest = window_newest(window);

    if (!newest || newest->is_complete)
        return;
    segment_fini(newest);
    window->count--;
}

static struct window_segment *begin_segment(struct window *window, const struct packet *packet)
{
    struct window_segment *before, *segment;

    drop_incomplete(window);
    before = window_newest(window);
    if (window->count == WINDOW_SLOTS)
        drop_oldest(window);
    before = window_newest(window);
    segment = &window->segments[window->count++];
    *segment = (struct window_segment){.number = packet->cmaf.segment,
                                       .start_us = packet->dts_us,
                                       .wall_us = packet->wall_us,
                                       .generation = packet->tracks->generation};
    segment->is_discontinuous = before && (before->number + 1 != segment->number ||
                                           before->generation != segment->generation);
    return segment;
}

static int64_t round_up(int64_t us)
{
    return (us + ROUND_US - 1) / ROUND_US * ROUND_US;
}

static void end_segment(struct window *window, struct window_segment *segment)
{
    uint64_t bytes = 0;

    segment->is_complete = true;
    for (unsigned i = 0; i < segment->part_count; i++)
        bytes += segment->parts[i]->buf->len;
    window->bytes += bytes;
    window->bytes_us += segment->duration_us;
    if (segment->duration_us > 0 &&
        bytes * 8000000 / (uint64_t)segment->duration_us > window->peak_bps)
        window->peak_bps = bytes * 8000000 / (uint64_t)segment->duration_us;
    if (segment->duration_us > window->segment_target_us)
        window->segment_target_us = segment->duration_us;
}

/* Parts that go on where the newest segment stands are its own; a first part begins one; anything
 * else lost its beginning. */
static struct window_segment *segment_for(struct window *window, const struct packet *packet)
{
    struct window_segment *newest = window_newest(window);

    if (packet->cmaf.part == 0) {
        if (newest && packet->cmaf.segment <= newest->number)
            return NULL; /* primed again with what is here already */
        return begin_segment(window, packet);
    }
    if (!newest || newest->is_complete || newest->number != packet->cmaf.segment ||
        newest->part_count != packet->cmaf.part || newest->part_count == WINDOW_PARTS)
        return NULL;
    return newest;
}

void window_push(struct window *window, struct packet *packet)
{
    struct window_segment *segment;

    if (packet->is_init) {
        push_init(window, packet);
        return;
    }
    segment = segment_for(window, packet);
    if (!segment)
        return;
    segment->parts[segment->part_count++] = packet_ref(packet);
    segment->duration_us += packet->cmaf.duration_us;
    if (round_up(packet->cmaf.duration_us) > window->part_target_us)
        window->part_target_us = round_up(packet->cmaf.duration_us);
    if (packet->cmaf.ends_segment)
        end_segment(window, segment);
    window->version++;
}

bool window_has(struct window *window, uint64_t number, bool has_part, uint32_t part)
{
    struct window_segment *newest = window_newest(window);
    struct window_segment *segment = window_find(window, number);

    if (!newest || number > newest->number)
        return false;
    if (!segment || (segment->is_complete && (!has_part || part < segment->part_count)))
        return true;
    if (segment->is_complete) /* past its end: the next one's first */
        return newest->number > number;
    return has_part && part < segment->part_count;
}

struct buf *window_whole(struct window_segment *segment)
{
    size_t len = 0;

    if (segment->whole)
        return segment->whole;
    for (unsigned i = 0; i < segment->part_count; i++)
        len += segment->parts[i]->buf->len;
    segment->whole = buf_new(len);
    if (!segment->whole)
        return NULL;
    len = 0;
    for (unsigned i = 0; i < segment->part_count; i++) {
        const struct buf *part = segment->parts[i]->buf;

        memcpy(segment->whole->bytes + len, part->bytes, part->len);
        len += part->len;
    }
    return segment->whole;
}

bool window_has_complete(const struct window *window)
{
    return window->count && window->segments[0].is_complete;
}
