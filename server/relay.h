/* server/relay.h: which cameras are pulled, by which agent; lives on the first loop.
 *
 * Viewers (views with users, on any loop) want cameras; agents (control connections, on any
 * loop) are asked to start and stop them; lanes arrive and feed streams. All functions but
 * those marked are for the first loop; others post to it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "db/store.h"
#include "media/view.h"

struct relay;

enum { RELAY_TICKET = 32 };

enum camera_state {
    CAMERA_IDLE,        /* nobody watches */
    CAMERA_STARTING,    /* asked for, no lane yet */
    CAMERA_CONNECTING,  /* the agent is connecting to it */
    CAMERA_LIVE,
    CAMERA_UNREACHABLE,
    CAMERA_UNAUTHORISED,
    CAMERA_UNSUPPORTED,
    CAMERA_STALLED,
    CAMERA_AGENT_AWAY,
    CAMERA_STATES
};
const char *camera_state_name(enum camera_state state);

/* The relay's side of one agent's control connection; implemented by server/tunnel/.
 * Calls are posted to the connection's loop by the implementer. */
struct relay_agent {
    char id[STORE_ID];
    uint64_t epoch;
    void (*start)(struct relay_agent *agent, const char *camera_id,
                  const uint8_t ticket[RELAY_TICKET]);
    void (*stop)(struct relay_agent *agent, const char *camera_id);
    void (*cameras_changed)(struct relay_agent *agent); /* send Cameras again */
    void (*drop)(struct relay_agent *agent, const char *reason); /* Goodbye and close */
};

/* From any loop; the relay keeps agent until relay_agent_gone was run, then calls released
 * on the posting loop. A higher epoch replaces (and drops) a lower one of the same id. */
void relay_agent_here(struct relay *relay, struct relay_agent *agent);
void relay_agent_gone(struct relay *relay, struct relay_agent *agent,
                      void (*released)(struct relay_agent *agent));

/* From any loop: what an agent says of a camera. text is a sentence for people; copied. */
void relay_camera_state(struct relay *relay, const char *agent_id, const char *camera_id,
                        enum camera_state state, const char *text);

/* From any loop, at once: is this ticket, made by this process, good for that camera now? A
 * ticket is its own proof (expiry, nonce, MAC), so there is nothing to look up. 0 or -ERR_DENIED. */
int relay_check_ticket(const struct relay *relay, const char *camera_id,
                       const uint8_t ticket[RELAY_TICKET]) MUST_CHECK;

/* From any loop: its lane came (its stream is open), its lane ended. */
void relay_lane_here(struct relay *relay, const char *camera_id);
void relay_lane_gone(struct relay *relay, const char *camera_id);
