/* agent/uplink.h: the agent's control connection: made, kept, made again before it ends.
 *
 * There is a current one, and a next one while it is on its way: after a Goodbye, or when the
 * current one seems dead. The next one becomes current with its Welcome.
 */
#pragma once

#include "agent-proto/culvert.pb-c.h"
#include "agent/agent.h"

struct camera_words {
    const char *camera_id;
    Culvert__CameraState__State state;
    const char *text;
};

/* Connects now, unless a connection is on its way. */
void uplink_dial(struct agent *agent);

/* The network changed: tries again at once, or finds out whether the connection still lives. */
void uplink_network_changed(struct agent *agent);

/* Says Goodbye, and closes. */
void uplink_hang_up(struct agent *agent);

/* Twice a second. */
void uplink_tick(struct agent *agent, int64_t now_us);

/* Lost while there is no connection: the next one begins with all states. */
void uplink_send_state(struct agent *agent, const struct camera_words *words);
void uplink_send_stats(struct agent *agent);
