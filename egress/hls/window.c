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

/* Players have its parts already: it keeps its number, and ends where it was cut. */
static void cut_incomplete(struct window *window)
{
    struct window_segment *newest = window_newest(window);

    if (!newest || newest->is_complete)
        return;
    newest->is_cut = true;
    end_segment(window, newest);
}

static struct window_segment *append_segment(struct window *window, uint64_t number)
{
    struct window_segment *segment;

    if (window->count == WINDOW_SLOTS)
        drop_oldest(window);
    segment = &window->segments[window->count++];
    *segment = (struct window_segment){.number = number};
    return segment;
}

/* Players count segments from the first one's number, so a number that never came needs a place
 * in the list; when more are missing than a list shows, the list begins anew. */
static void fill_gap(struct window *window, const struct packet *packet)
{
    const struct window_segment *before = window_newest(window);
    uint64_t number = before->number + 1, missing = packet->cmaf.segment - number;
    int64_t from_us = before->start_us + before->duration_us, each_us;
    uint32_t generation = before->generation;

    if (missing > WINDOW_SEGMENTS) {
        while (window->count)
            drop_oldest(window);
        return;
    }
    each_us = missing ? (packet->dts_us - from_us) / (int64_t)missing : 0;
    if (each_us <= 0 || each_us > window->segment_target_us)
        each_us = window->segment_target_us;
    for (uint64_t i = 0; i < missing; i++) {
        struct window_segment *gap = append_segment(window, number + i);

        gap->is_gap = gap->is_complete = true;
        gap->start_us = from_us + (int64_t)i * each_us;
        gap->duration_us = each_us;
        gap->generation = generation;
    }
}

static struct window_segment *begin_segment(struct window *window, const struct packet *packet)
{
    const struct window_segment *before;
    struct window_segment *segment;
    bool is_first = window->count == 0, is_discontinuous = false;

    cut_incomplete(window);
    if (!is_first) {
        fill_gap(window, packet);
        before = window_newest(window);
        is_discontinuous = !before || before->is_cut || before->is_gap ||
                           before->generation != packet->tracks->generation;
    }
    segment = append_segment(window, packet->cmaf.segment);
    segment->start_us = packet->dts_us;
    segment->wall_us = packet->wall_us;
    segment->generation = packet->tracks->generation;
    segment->is_discontinuous = is_discontinuous;
    return segment;
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
    if (segment->part_count == 1) {
        segment->whole = buf_ref(segment->parts[0]->buf);
        return segment->whole;
    }
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
