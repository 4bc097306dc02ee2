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
    CAMERA_IDLE,       /* nobody watches */
    CAMERA_STARTING,   /* asked for, no lane yet */
    CAMERA_CONNECTING, /* the agent is connecting to it */
    CAMERA_LIVE,
    CAMERA_UNREACHABLE,
    CAMERA_UNAUTHORISED,
    CAMERA_UNSUPPORTED,
    CAMERA_STALLED,
    CAMERA_AGENT_AWAY,
    CAMERA_STATES
};
const char *camera_state_name(enum camera_state state);

/* What the relay tells, on its own loop. */
struct relay_env {
    struct loop *loop; /* the first; borrowed */
    void *owner;
    /* A camera's state changed: every loop's directory wants to know. */
    void (*on_state)(void *owner, const char *slug, enum camera_state state, const char *text);
};

int relay_new(struct relay **out, const struct relay_env *env) MUST_CHECK;
void relay_free(struct relay *relay);

/* A camera was made or changed, or removed. */
void relay_camera_put(struct relay *relay, const struct store_camera *camera);
void relay_camera_remove(struct relay *relay, const char *camera_id);

/* False when there is no such camera. */
bool relay_camera_slug(const struct relay *relay, const char *camera_id, char out[SLUG_MAX]);

/* From any loop: a view's users came (or the last one left) on that loop. */
void relay_view_users(struct relay *relay, unsigned hub_index, const char *slug, bool has_users);

bool relay_agent_is_online(const struct relay *relay, const char *agent_id);
size_t relay_agents_online(const struct relay *relay);
void relay_agent_drop(struct relay *relay, const char *agent_id, const char *reason);

/* How many cameras are in that state now. */
size_t relay_cameras_in(const struct relay *relay, enum camera_state state);

/* The camera's state, and its sentence for people (borrowed until the next change). */
enum camera_state relay_camera_state_of(const struct relay *relay, const char *camera_id,
                                        const char **text);

/* The relay's side of one agent's control connection; implemented by server/tunnel/.
 * Calls are posted to the connection's loop by the implementer. */
struct relay_agent {
    char id[STORE_ID];
    uint64_t epoch;
    void (*start)(struct relay_agent *agent, const char *camera_id,
                  const uint8_t ticket[RELAY_TICKET]);
    void (*stop)(struct relay_agent *agent, const char *camera_id);
    void (*cameras_changed)(struct relay_agent *agent);          /* send Cameras again */
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
 * ticket is its own proof (expiry, nonce, MAC), so there is nothing to look up. 0 or -ERR_DENIED.
 */
int relay_check_ticket(const struct relay *relay, const char *camera_id,
                       const uint8_t ticket[RELAY_TICKET]) MUST_CHECK;

/* From any loop: its lane came (its stream is open), its lane ended. */
void relay_lane_here(struct relay *relay, const char *camera_id);
void relay_lane_gone(struct relay *relay, const char *camera_id);
