/* agent/camera.h: one source of this agent (a camera's main stream, or its sub): its URL, its RTSP
 * client while it is wanted, its lanes.
 *
 *     Start ──▶ source and lane open ──Stop──▶ both closed
 *     Start again ──▶ a second lane; the first ends when a key frame can begin on the second
 *     lane lost ──▶ the source waits for the next Start, for a minute
 */
#pragma once

#include "agent-proto/culvert.pb-c.h"
#include "agent/agent.h"
#include "agent/source.h"

struct camera;

/* All cameras that there are; others are closed. Borrowed. */
void cameras_take(struct agent *agent, Culvert__Camera *const *rows, size_t count);

/* Borrowed; those that don't concern a camera of ours are told to the log. */
void cameras_start(struct agent *agent, const Culvert__Start *start);
void cameras_stop(struct agent *agent, const char *camera_id);
void cameras_close(struct agent *agent);

/* Tells the server how each wanted camera is: on a new connection. */
void cameras_tell_states(struct agent *agent);

struct camera_report {
    const char *id, *name, *state, *text;
    uint64_t frames, bytes, dropped;
    uint32_t queue_ms;
    bool is_wanted;
};

/* Calls each for every camera. */
void cameras_report(const struct agent *agent,
                    void (*each)(void *owner, const struct camera_report *report), void *owner);
