/* agent/lane.h: one camera's media connection to the server.
 *
 * Frames wait in a queue of the lane's own, bounded by the camera's latency budget; the kernel's
 * unsent backlog is kept small, so that what is dropped is ours to choose.
 */
#pragma once

#include "agent-proto/culvert.pb-c.h"
#include "agent/reach.h"
#include "media/frame.h"
#include "media/track.h"

struct lane;

struct lane_open {
    struct reach_target target;
    const char *camera_id, *agent_id; /* copied */
    const uint8_t *ticket;            /* copied: LANE_TICKET bytes */
    int64_t budget_us;
};

struct lane_events {
    void (*on_accepted)(void *owner, struct lane *lane);
    /* It is over, and about to be freed. text is for people; may be NULL. */
    void (*on_lost)(void *owner, struct lane *lane, int err, const char *text);
};

int lane_open(struct lane **out, const struct lane_open *how, const struct lane_events *events,
              void *owner) MUST_CHECK;

/* Says the end if there is someone to hear it. No more callbacks. NULL is fine. */
void lane_close(struct lane *lane);

/* Keep references of their own. */
void lane_set_tracks(struct lane *lane, struct tracks *tracks);
void lane_push(struct lane *lane, struct frame *frame);

bool lane_is_accepted(const struct lane *lane);

struct lane_numbers {
    uint64_t frames, bytes, dropped;
    uint32_t queue_ms;
};
struct lane_numbers lane_numbers(const struct lane *lane);
