#include "agent-proto/lane_queue.h"

#include <errno.h>
#include <stdlib.h>

int lane_queue_init(struct lane_queue *queue, int64_t budget_us)
{
    *queue = (struct lane_queue){.budget_us = budget_us};
    queue->slots = calloc(LANE_QUEUE_MAX, sizeof(queue->slots[0]));
    return queue->slots ? 0 : -ENOMEM;
}

static struct lane_queue_slot *slot_at(const struct lane_queue *queue, unsigned index)
{
    return &queue->slots[(queue->first + index) % LANE_QUEUE_MAX];
}

static bool is_video(const struct lane_queue *queue, const struct frame *frame)
{
    return queue->video_tracks >> frame->track & 1;
}

static void count_drop(struct lane_queue *queue, const struct frame *frame)
{
    queue->dropped_frames++;
    queue->dropped_bytes += frame->buf->len;
}

/* Drops the frames that the rule says are to go, keeps the others in order. */
static void drop_where(struct lane_queue *queue,
                       bool (*is_to_go)(const struct lane_queue *queue, unsigned index,
                                        int64_t bound),
                       int64_t bound)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < queue->count; i++) {
        struct lane_queue_slot *slot = slot_at(queue, i);

        if (!is_to_go(queue, i, bound)) {
            *slot_at(queue, kept++) = *slot;
            continue;
        }
        count_drop(queue, slot->frame);
        queue->bytes -= slot->frame->buf->len;
        frame_unref(slot->frame);
    }
    queue->count = kept;
}

static bool is_any(const struct lane_queue *queue, unsigned index, int64_t bound)
{
    (void)queue;
    (void)index;
    (void)bound;
    return true;
}

static bool is_discardable(const struct lane_queue *queue, unsigned index, int64_t bound)
{
    (void)bound;
    return slot_at(queue, index)->frame->is_discardable;
}

/* bound: an index; the video in front of it goes. */
static bool is_video_before(const struct lane_queue *queue, unsigned index, int64_t bound)
{
    return index < bound && is_video(queue, slot_at(queue, index)->frame);
}

/* bound: a time; audio from before it goes. */
static bool is_old_audio(const struct lane_queue *queue, unsigned index, int64_t bound)
{
    const struct lane_queue_slot *slot = slot_at(queue, index);

    return !is_video(queue, slot->frame) && slot->since_us < bound;
}

void lane_queue_clear(struct lane_queue *queue)
{
    drop_where(queue, is_any, 0);
    queue->needs_key = true;
}

void lane_queue_fini(struct lane_queue *queue)
{
    if (queue->slots)
        lane_queue_clear(queue);
    free(queue->slots);
    queue->slots = NULL;
}

void lane_queue_set_tracks(struct lane_queue *queue, const struct tracks *tracks)
{
    lane_queue_clear(queue);
    queue->video_tracks = 0;
    for (unsigned i = 0; i < tracks->count; i++)
        if (codec_is_video(tracks->track[i].codec))
            queue->video_tracks |= 1U << i;
}

int64_t lane_queue_age_us(const struct lane_queue *queue, int64_t now_us)
{
    return queue->count ? now_us - slot_at(queue, 0)->since_us : 0;
}

/* The newest key frame's place, or count: all the video goes, and none comes before a key. */
static unsigned newest_key(const struct lane_queue *queue)
{
    for (unsigned i = queue->count; i-- > 0;) {
        const struct frame *frame = slot_at(queue, i)->frame;

        if (is_video(queue, frame) && frame->is_key)
            return i;
    }
    return queue->count;
}

/* A key frame that is itself too old makes way for the next one. */
static void drop_to_key(struct lane_queue *queue, int64_t bound)
{
    unsigned key = newest_key(queue);

    if (key < queue->count && slot_at(queue, key)->since_us < bound)
        key = queue->count;
    if (key == queue->count)
        queue->needs_key = true;
    drop_where(queue, is_video_before, key);
}

void lane_queue_hold(struct lane_queue *queue)
{
    queue->is_held = true;
}

void lane_queue_release(struct lane_queue *queue, int64_t now_us)
{
    queue->is_held = false;
    for (unsigned i = 0; i < queue->count; i++)
        slot_at(queue, i)->since_us = now_us;
}

static bool is_over(const struct lane_queue *queue, int64_t now_us)
{
    return (!queue->is_held && lane_queue_age_us(queue, now_us) > queue->budget_us) ||
           queue->bytes > LANE_QUEUE_MAX_BYTES || queue->count >= LANE_QUEUE_MAX;
}

void lane_queue_trim(struct lane_queue *queue, int64_t now_us)
{
    int64_t bound = now_us - queue->budget_us;

    if (is_over(queue, now_us))
        drop_where(queue, is_old_audio, bound);
    if (is_over(queue, now_us))
        drop_where(queue, is_discardable, 0);
    if (is_over(queue, now_us))
        drop_to_key(queue, bound);
    if (is_over(queue, now_us))
        lane_queue_clear(queue);
}

void lane_queue_push(struct lane_queue *queue, struct frame *frame, int64_t now_us)
{
    struct lane_queue_slot *slot;

    if (queue->is_held && frame->segment != SEGMENT_NONE)
        drop_where(queue, is_any, 0);
    if (is_video(queue, frame) && queue->needs_key) {
        if (!frame->is_key) {
            count_drop(queue, frame);
            return;
        }
        queue->needs_key = false;
    }
    slot = slot_at(queue, queue->count++);
    slot->frame = frame_ref(frame);
    slot->since_us = now_us;
    queue->bytes += frame->buf->len;
    lane_queue_trim(queue, now_us);
}

struct frame *lane_queue_take(struct lane_queue *queue)
{
    struct frame *frame;

    if (!queue->count)
        return NULL;
    frame = slot_at(queue, 0)->frame;
    queue->first = (queue->first + 1) % LANE_QUEUE_MAX;
    queue->count--;
    queue->bytes -= frame->buf->len;
    return frame;
}
