#include "server/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/relay_camera.h"
#include "server/ticket.h"

/* A message to the relay's loop; each of the public functions that any loop may call posts one. */
struct relay_post {
    struct loop_task task;
    struct relay *relay;
    void (*run)(struct relay *relay, struct relay_post *post);
    struct relay_agent *agent;
    void (*released)(struct relay_agent *agent);
    struct loop *from;
    enum camera_state state;
    unsigned hub_index;
    bool has_users;
    char agent_id[STORE_ID], camera_id[STORE_ID], text[CAMERA_TEXT];
};

static const char *const state_names[CAMERA_STATES] = {
    [CAMERA_IDLE] = "idle",
    [CAMERA_STARTING] = "starting",
    [CAMERA_CONNECTING] = "connecting",
    [CAMERA_LIVE] = "live",
    [CAMERA_UNREACHABLE] = "unreachable",
    [CAMERA_UNAUTHORISED] = "unauthorised",
    [CAMERA_UNSUPPORTED] = "unsupported",
    [CAMERA_STALLED] = "stalled",
    [CAMERA_AGENT_AWAY] = "agent-away",
};

const char *camera_state_name(enum camera_state state)
{
    return state_names[state];
}

static void post_run(struct loop_task *task)
{
    struct relay_post *post = list_entry(task, struct relay_post, task);

    post->run(post->relay, post);
    free(post);
}

static struct relay_post *post_new(struct relay *relay,
                                   void (*run)(struct relay *relay, struct relay_post *post))
{
    struct relay_post *post = calloc(1, sizeof(*post));

    if (!post) {
        LOG(LOG_ERROR, "relay", NULL, "message-lost", KV_ERR(ENOMEM));
        return NULL;
    }
    post->relay = relay;
    post->run = run;
    post->task.run = post_run;
    return post;
}

static void text_copy(char *to, const char *from, size_t room)
{
    size_t len = from ? strnlen(from, room - 1) : 0;

    if (len)
        memcpy(to, from, len);
    to[len] = '\0';
}

static struct relay_agent *agent_find(const struct relay *relay, const char *id)
{
    struct map_node *node = map_find(&relay->agents, id);

    return node ? map_entry(node, struct agent_entry, node)->agent : NULL;
}

struct relay_agent *relay_agent_find(const struct relay *relay, const char *id)
{
    return agent_find(relay, id);
}

static void agent_cameras_review(struct relay *relay, const char *agent_id)
{
    for (struct map_node *node = map_next(&relay->cameras, NULL); node;
         node = map_next(&relay->cameras, node)) {
        struct relay_camera *camera = map_entry(node, struct relay_camera, node);

        if (strcmp(camera->agent_id, agent_id) == 0) {
            camera->is_asked = false; /* a new connection knows nothing of what was asked */
            relay_camera_review(camera);
        }
    }
}

static void run_agent_here(struct relay *relay, struct relay_post *post)
{
    struct relay_agent *agent = post->agent;
    struct map_node *node = map_find(&relay->agents, agent->id);
    struct agent_entry *entry;

    if (node) {
        entry = map_entry(node, struct agent_entry, node);
        if (entry->agent->epoch > agent->epoch) {
            agent->drop(agent, "a newer connection of this agent is here");
            return;
        }
        entry->agent->drop(entry->agent, "replaced by a newer connection of this agent");
        map_remove(&relay->agents, node);
    } else {
        entry = calloc(1, sizeof(*entry));
        if (!entry) {
            agent->drop(agent, "the server is out of memory");
            return;
        }
    }
    entry->agent = agent;
    map_insert(&relay->agents, &entry->node, agent->id);
    LOG(LOG_INFO, "agent", agent->id, "online", KV_I("epoch", agent->epoch));
    agent_cameras_review(relay, agent->id);
}

void relay_agent_here(struct relay *relay, struct relay_agent *agent)
{
    struct relay_post *post = post_new(relay, run_agent_here);

    if (!post) {
        agent->drop(agent, "the server is out of memory");
        return;
    }
    post->agent = agent;
    loop_post(relay->loop, &post->task);
}

struct release {
    struct loop_task task;
    struct relay_agent *agent;
    void (*released)(struct relay_agent *agent);
};

static void run_release(struct loop_task *task)
{
    struct release *release = list_entry(task, struct release, task);

    release->released(release->agent);
    free(release);
}

static void run_agent_gone(struct relay *relay, struct relay_post *post)
{
    struct map_node *node = map_find(&relay->agents, post->agent->id);
    struct agent_entry *entry = node ? map_entry(node, struct agent_entry, node) : NULL;
    struct release *release = calloc(1, sizeof(*release));

    if (entry && entry->agent == post->agent) {
        LOG(LOG_INFO, "agent", post->agent->id, "offline");
        text_copy(post->agent_id, post->agent->id, sizeof(post->agent_id));
        map_remove(&relay->agents, node);
        free(entry);
        agent_cameras_review(relay, post->agent_id);
    }
    if (!release)
        return; /* without memory the agent's few bytes stay */
    release->agent = post->agent;
    release->released = post->released;
    release->task.run = run_release;
    loop_post(post->from, &release->task);
}

void relay_agent_gone(struct relay *relay, struct relay_agent *agent,
                      void (*released)(struct relay_agent *agent))
{
    struct relay_post *post = post_new(relay, run_agent_gone);

    if (!post)
        return;
    post->agent = agent;
    post->released = released;
    post->from = loop_current();
    loop_post(relay->loop, &post->task);
}

static struct relay_camera *camera_find(const struct relay *relay, const char *id)
{
    struct map_node *node = map_find(&relay->cameras, id);

    return node ? map_entry(node, struct relay_camera, node) : NULL;
}

struct relay_camera *relay_camera_find(const struct relay *relay, const char *id)
{
    return camera_find(relay, id);
}

static void run_camera_state(struct relay *relay, struct relay_post *post)
{
    struct relay_camera *camera = camera_find(relay, post->camera_id);

    /* An agent speaks for its own cameras only (hostile.md A2). */
    if (camera && strcmp(camera->agent_id, post->agent_id) == 0)
        relay_camera_set_state(camera, post->state, post->text);
}

void relay_camera_state(struct relay *relay, const char *agent_id, const char *camera_id,
                        enum camera_state state, const char *text)
{
    struct relay_post *post = post_new(relay, run_camera_state);

    if (!post)
        return;
    text_copy(post->agent_id, agent_id, sizeof(post->agent_id));
    text_copy(post->camera_id, camera_id, sizeof(post->camera_id));
    text_copy(post->text, text, sizeof(post->text));
    post->state = state;
    loop_post(relay->loop, &post->task);
}

static void run_lane_here(struct relay *relay, struct relay_post *post)
{
    struct relay_camera *camera = camera_find(relay, post->camera_id);

    if (camera)
        camera->lane_count++;
}

static void run_lane_gone(struct relay *relay, struct relay_post *post)
{
    struct relay_camera *camera = camera_find(relay, post->camera_id);

    if (camera)
        relay_camera_lane_gone(camera);
}

static void post_lane(struct relay *relay, const char *camera_id,
                      void (*run)(struct relay *relay, struct relay_post *post))
{
    struct relay_post *post = post_new(relay, run);

    if (!post)
        return;
    text_copy(post->camera_id, camera_id, sizeof(post->camera_id));
    loop_post(relay->loop, &post->task);
}

void relay_lane_here(struct relay *relay, const char *camera_id)
{
    post_lane(relay, camera_id, run_lane_here);
}

void relay_lane_gone(struct relay *relay, const char *camera_id)
{
    post_lane(relay, camera_id, run_lane_gone);
}

static void run_users(struct relay *relay, struct relay_post *post)
{
    for (struct map_node *node = map_next(&relay->cameras, NULL); node;
         node = map_next(&relay->cameras, node)) {
        struct relay_camera *camera = map_entry(node, struct relay_camera, node);

        if (strcmp(camera->slug, post->text) == 0)
            relay_camera_set_users(camera, post->hub_index, post->has_users);
    }
}

void relay_view_users(struct relay *relay, unsigned hub_index, const char *slug, bool has_users)
{
    struct relay_post *post = post_new(relay, run_users);

    if (!post)
        return;
    text_copy(post->text, slug, sizeof(post->text));
    post->hub_index = hub_index;
    post->has_users = has_users;
    loop_post(relay->loop, &post->task);
}

int relay_check_ticket(const struct relay *relay, const char *camera_id,
                       const uint8_t ticket[RELAY_TICKET])
{
    return ticket_check(&relay->tickets, camera_id, ticket, clock_mono_us());
}

int relay_new(struct relay **out, const struct relay_env *env)
{
    struct relay *relay = calloc(1, sizeof(*relay));

    if (!relay)
        return -ENOMEM;
    relay->loop = env->loop;
    relay->env = *env;
    ticket_key_init(&relay->tickets);
    if (map_init(&relay->agents) < 0 || map_init(&relay->cameras) < 0) {
        relay_free(relay);
        return -ENOMEM;
    }
    *out = relay;
    return 0;
}

void relay_free(struct relay *relay)
{
    struct map_node *node;

    if (!relay)
        return;
    while (relay->cameras.count && (node = map_next(&relay->cameras, NULL)))
        relay_camera_free(map_entry(node, struct relay_camera, node));
    while (relay->agents.count && (node = map_next(&relay->agents, NULL))) {
        map_remove(&relay->agents, node);
        free(map_entry(node, struct agent_entry, node));
    }
    map_fini(&relay->cameras);
    map_fini(&relay->agents);
    free(relay);
}

bool relay_agent_is_online(const struct relay *relay, const char *agent_id)
{
    return agent_find(relay, agent_id) != NULL;
}

size_t relay_agents_online(const struct relay *relay)
{
    return relay->agents.count;
}

void relay_agent_drop(struct relay *relay, const char *agent_id, const char *reason)
{
    struct relay_agent *agent = agent_find(relay, agent_id);

    if (agent)
        agent->drop(agent, reason);
}

size_t relay_cameras_in(const struct relay *relay, enum camera_state state)
{
    return relay->state_counts[state];
}

enum camera_state relay_camera_state_of(const struct relay *relay, const char *camera_id,
                                        const char **text)
{
    struct relay_camera *camera = camera_find(relay, camera_id);

    *text = camera ? camera->text : "";
    return camera ? camera->state : CAMERA_IDLE;
}

bool relay_camera_slug(const struct relay *relay, const char *camera_id, char out[SLUG_MAX])
{
    struct relay_camera *camera = camera_find(relay, camera_id);

    if (!camera)
        return false;
    memcpy(out, camera->slug, SLUG_MAX);
    return true;
}
