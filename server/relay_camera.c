#include "server/relay_camera.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "media/profile.h"

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

/* Cameras are counted by their main streams. */
static void count_state(struct relay_camera *camera, int change)
{
    if (!camera->is_sub)
        camera->relay->state_counts[camera->state] += (size_t)change;
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
    count_state(camera, -1);
    camera->state = state;
    count_state(camera, 1);
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

static void camera_release(struct loop_task *task)
{
    free(list_entry(task, struct relay_camera, gone));
}

void relay_camera_free(struct relay_camera *camera)
{
    map_remove(&camera->relay->cameras, &camera->node);
    count_state(camera, -1);
    loop_timer_stop(&camera->linger);
    loop_timer_stop(&camera->retry);
    camera->gone.run = camera_release;
    loop_defer(camera->relay->loop, &camera->gone);
}

static void source_remove(struct relay *relay, const char *camera_id, enum profile profile)
{
    struct relay_camera *camera = NULL;
    char id[STORE_ID];

    if (profile_source(id, sizeof(id), camera_id, profile) == 0)
        camera = relay_camera_find(relay, id);
    if (!camera)
        return;
    camera_stop(camera, relay_agent_find(relay, camera->agent_id));
    relay_camera_free(camera);
}

static struct relay_camera *source_new(struct relay *relay, const char *id, enum profile profile)
{
    struct relay_camera *camera = calloc(1, sizeof(*camera));

    if (!camera)
        return NULL;
    camera->relay = relay;
    camera->is_sub = profile == PROFILE_SUB;
    (void)!snprintf(camera->id, sizeof(camera->id), "%s", id);
    loop_timer_init(&camera->linger, relay->loop, on_linger_over);
    loop_timer_init(&camera->retry, relay->loop, on_retry);
    map_insert(&relay->cameras, &camera->node, camera->id);
    count_state(camera, 1);
    return camera;
}

/* The camera's source, made if there is none; or NULL without memory. */
static struct relay_camera *source_put(struct relay *relay, const struct store_camera *from,
                                       enum profile profile)
{
    struct relay_camera *camera;
    char id[STORE_ID];

    if (profile_source(id, sizeof(id), from->id, profile) < 0)
        return NULL;
    camera = relay_camera_find(relay, id);
    if (!camera)
        camera = source_new(relay, id, profile);
    if (!camera)
        return NULL;
    memcpy(camera->agent_id, from->agent_id, sizeof(camera->agent_id));
    (void)!profile_stream(camera->slug, sizeof(camera->slug), from->slug, profile); /* it fits */
    camera->is_always_on = from->is_always_on && profile == PROFILE_MAIN;
    return camera;
}

void relay_camera_put(struct relay *relay, const struct store_camera *from)
{
    struct relay_camera *main_source = source_put(relay, from, PROFILE_MAIN);
    struct relay_camera *sub = from->sealed_sub.len ? source_put(relay, from, PROFILE_SUB) : NULL;
    struct relay_agent *agent = relay_agent_find(relay, from->agent_id);

    if (!from->sealed_sub.len)
        source_remove(relay, from->id, PROFILE_SUB);
    if (agent)
        agent->cameras_changed(agent);
    if (main_source)
        relay_camera_review(main_source);
    if (sub)
        relay_camera_review(sub);
}

void relay_camera_remove(struct relay *relay, const char *camera_id)
{
    struct relay_camera *camera = relay_camera_find(relay, camera_id);
    struct relay_agent *agent = camera ? relay_agent_find(relay, camera->agent_id) : NULL;

    source_remove(relay, camera_id, PROFILE_SUB);
    source_remove(relay, camera_id, PROFILE_MAIN);
    if (agent)
        agent->cameras_changed(agent);
}
