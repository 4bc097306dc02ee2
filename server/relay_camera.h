/* server/relay_camera.h: one source's pull (a camera's main stream, or its sub): wanted, asked for,
 * lingering; private to the relay.
 *
 *     idle ──wanted──▶ asked ──lane, live──▶ flowing ──last user left, 15 s──▶ stopped = idle
 *
 * While a camera is wanted and its agent is here, it is asked for; when its lane is lost it is
 * asked for again.
 */
#pragma once

#include "base/map.h"
#include "server/relay.h"
#include "server/ticket.h"

enum { CAMERA_TEXT = 192 };

struct agent_entry {
    struct map_node node;
    struct relay_agent *agent; /* borrowed from its connection */
};

struct relay {
    struct loop *loop;
    struct relay_env env;
    struct ticket_key tickets;
    struct map agents;  /* by id: connected now */
    struct map cameras; /* by id: all */
    size_t state_counts[CAMERA_STATES];
};

struct relay_camera {
    struct map_node node;
    struct relay *relay; /* borrowed */
    char id[STORE_ID], agent_id[STORE_ID], slug[SLUG_MAX];
    bool is_always_on;
    bool is_sub;    /* a camera's smaller stream: id and slug are the source's and the stream's */
    uint64_t users; /* bit per loop that has some */
    unsigned lane_count; /* more than one while a new one replaces an old one */
    bool is_asked;       /* Start was sent on the agent's present connection */
    enum camera_state state;
    char text[CAMERA_TEXT];
    struct loop_timer linger; /* to Stop, after the last user */
    struct loop_timer retry;  /* to Start again, after a lost lane or an unheard Start */
    struct loop_task gone;
};

struct relay_agent *relay_agent_find(const struct relay *relay, const char *id);
struct relay_camera *relay_camera_find(const struct relay *relay, const char *id);

/* Brings what is asked of the agent in line with what is wanted. */
void relay_camera_review(struct relay_camera *camera);
void relay_camera_set_users(struct relay_camera *camera, unsigned hub_index, bool has_users);
void relay_camera_set_state(struct relay_camera *camera, enum camera_state state, const char *text);
void relay_camera_lane_gone(struct relay_camera *camera);
void relay_camera_free(struct relay_camera *camera);
