#include "server/relay_camera.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

enum {
    LINGER_US = 15 * 1000000,     /* the pull goes on for so long after the last viewer */
    RETRY_US = 500 * 1000,        /* a lost lane is asked for again after so long */
    START_HEARD_US = 15 * 1000000 /* a Start that nothing came of is sent again */
};

static const char *const state_texts[CAMERA_STATES] = {
    [CAMERA_IDLE] = "Nobody is watching.",
    [CAMERA_STARTING] = "The agent was asked to start the camera.",
    [CAMERA_CONNECTING] = "The agent is connecting to the camera.",
    [CAMERA_LIVE] = "Pictures are flowing.",
    [CAMERA_UNREACHABLE] = "The agent can't reach the camera.",
    [CAMERA_UNAUTHORISED] = "The camera refused the user name or the password.",
    [CAMERA_UNSUPPORTED] = "The camera sends nothing that can be relayed.",
    [CAMERA_STALLED] = "The camera is connected but sends nothing.",
    [CAMERA_AGENT_AWAY] = "The agent on the camera's network is not connected.",
};

static bool is_wanted(const struct relay_camera *camera)
{
    return camera->users || camera->is_always_on || loop_timer_is_active(&camera->linger);
}

void relay_camera_set_state(struct relay_camera *camera, enum camera_state state, const char *text)
{
    size_t len;

    if (!text || !*text)
        text = state_texts[state];
    if (state == camera->state && strcmp(text, camera->text) == 0)
        return;
    len = strnlen(text, sizeof(camera->text) - 1);
    memcpy(camera->text, text, len);
    camera->text[len] = '\0';
    camera->relay->state_counts[camera->state]--;
    camera->relay->state_counts[state]++;
    camera->state = state;
    LOG(LOG_INFO, "camera", camera->slug, camera_state_name(state), KV_S("text", camera->text));
    camera->relay->env.on_state(camera->relay->env.owner, camera->slug, state, camera->text);
}

static void camera_start(struct relay_camera *camera, struct relay_agent *agent)
{
    uint8_t ticket[RELAY_TICKET];

    ticket_make(&camera->relay->tickets, camera->id, clock_mono_us(), ticket);
    camera->is_asked = true;
    agent->start(agent, camera->id, ticket);
    relay_camera_set_state(camera, CAMERA_STARTING, NULL);
    loop_timer_start(&camera->retry, START_HEARD_US);
}

static void camera_stop(struct relay_camera *camera, struct relay_agent *agent)
{
    loop_timer_stop(&camera->retry);
    if (camera->is_asked && agent)
        agent->stop(agent, camera->id);
    camera->is_asked = false;
    relay_camera_set_state(camera, agent ? CAMERA_IDLE : CAMERA_AGENT_AWAY, NULL);
}

void relay_camera_review(struct relay_camera *camera)
{
    struct relay_agent *agent = relay_agent_find(camera->relay, camera->agent_id);

    if (!agent || !is_wanted(camera))
        camera_stop(camera, agent);
    else if (!camera->is_asked)
        camera_start(camera, agent);
}

void relay_camera_set_users(struct relay_camera *camera, unsigned hub_index, bool has_users)
{
    uint64_t bit = (uint64_t)1 << hub_index;

    camera->users = has_users ? camera->users | bit : camera->users & ~bit;
    if (camera->users)
        loop_timer_stop(&camera->linger);
    else if (camera->is_asked)
        loop_timer_start(&camera->linger, LINGER_US);
    relay_camera_review(camera);
}

void relay_camera_lane_gone(struct relay_camera *camera)
{
    if (camera->lane_count)
        camera->lane_count--;
    if (!camera->lane_count && camera->is_asked)
        loop_timer_start(&camera->retry, RETRY_US);
}

static void on_linger_over(struct loop_timer *timer)
{
    relay_camera_review(list_entry(timer, struct relay_camera, linger));
}

static void on_retry(struct loop_timer *timer)
{
    struct relay_camera *camera = list_entry(timer, struct relay_camera, retry);

    if (camera->lane_count)
        return; /* it came meanwhile */
    camera->is_asked = false;
    relay_camera_review(camera);
}

static void camera_copy(struct relay_camera *camera, const struct store_camera *from)
{
    memcpy(camera->id, from->id, sizeof(camera->id));
    memcpy(camera->agent_id, from->agent_id, sizeof(camera->agent_id));
    memcpy(camera->slug, from->slug, sizeof(camera->slug));
    camera->is_always_on = from->is_always_on;
}

void relay_camera_put(struct relay *relay, const struct store_camera *from)
{
    struct relay_camera *camera = relay_camera_find(relay, from->id);
    struct relay_agent *agent = relay_agent_find(relay, from->agent_id);

    if (camera) {
        camera_copy(camera, from);
    } else {
        camera = calloc(1, sizeof(*camera));
        if (!camera)
            return;
        camera->relay = relay;
        loop_timer_init(&camera->linger, relay->loop, on_linger_over);
        loop_timer_init(&camera->retry, relay->loop, on_retry);
        camera_copy(camera, from);
        map_insert(&relay->cameras, &camera->node, camera->id);
        relay->state_counts[camera->state]++;
    }
    if (agent)
        agent->cameras_changed(agent);
    relay_camera_review(camera);
}

static void camera_release(struct loop_task *task)
{
    free(list_entry(task, struct relay_camera, gone));
}

void relay_camera_free(struct relay_camera *camera)
{
    map_remove(&camera->relay->cameras, &camera->node);
    camera->relay->state_counts[camera->state]--;
    loop_timer_stop(&camera->linger);
    loop_timer_stop(&camera->retry);
    camera->gone.run = camera_release;
    loop_defer(camera->relay->loop, &camera->gone);
}

void relay_camera_remove(struct relay *relay, const char *camera_id)
{
    struct relay_camera *camera = relay_camera_find(relay, camera_id);
    struct relay_agent *agent;

    if (!camera)
        return;
    agent = relay_agent_find(relay, camera->agent_id);
    camera_stop(camera, agent);
    relay_camera_free(camera);
    if (agent)
        agent->cameras_changed(agent);
}
