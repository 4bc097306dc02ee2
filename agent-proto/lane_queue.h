/* agent-proto/lane_queue.h: the frames that wait for a lane's uplink, bounded in time and bytes.
 *
 * When the oldest frame has waited longer than the budget, what nothing refers to goes first,
 * then everything of the video up to the next key frame; audio goes on, as long as it isn't too
 * old itself. So latency never grows without bound, and no torn group of pictures is sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "media/frame.h"
#include "media/track.h"

enum { LANE_QUEUE_MAX = 2048, LANE_QUEUE_MAX_BYTES = 16 * 1024 * 1024 };

struct lane_queue_slot {
    struct frame *frame; /* owned reference */
    int64_t since_us;
};

struct lane_queue {
    struct lane_queue_slot *slots; /* owned: a ring of LANE_QUEUE_MAX */
    unsigned first, count;
    size_t bytes;
    int64_t budget_us;
    unsigned video_tracks; /* bit per track */
    bool needs_key;        /* the video's next frame must be a key frame */
    bool is_held;          /* nobody takes yet: keeps what came since a segment began */
    uint64_t dropped_frames, dropped_bytes;
};

/* 0 or -ENOMEM. */
int lane_queue_init(struct lane_queue *queue, int64_t budget_us) MUST_CHECK;
void lane_queue_fini(struct lane_queue *queue);

/* Which tracks are video. What waits is dropped: it belongs to the old tracks. */
void lane_queue_set_tracks(struct lane_queue *queue, const struct tracks *tracks);

/* Keeps its own reference, or drops the frame. */
void lane_queue_push(struct lane_queue *queue, struct frame *frame, int64_t now_us);

/* Drops what has waited for too long. */
void lane_queue_trim(struct lane_queue *queue, int64_t now_us);

/* The oldest frame, owned by the caller now; NULL when there is none. */
struct frame *lane_queue_take(struct lane_queue *queue);

/* While the lane isn't there yet: age doesn't count, a frame that begins a segment replaces all
 * that waits. lane_queue_release ends it: the frames' time begins now. */
void lane_queue_hold(struct lane_queue *queue);
void lane_queue_release(struct lane_queue *queue, int64_t now_us);

/* Drops all; the video goes on at a key frame. */
void lane_queue_clear(struct lane_queue *queue);

/* How long the oldest frame has waited. */
int64_t lane_queue_age_us(const struct lane_queue *queue, int64_t now_us);
