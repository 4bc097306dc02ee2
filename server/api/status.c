/* server/api/status.c: how the running server is. */
#include <jansson.h>

#include "base/clock.h"
#include "server/api/call.h"

struct count {
    struct api_env *env;
    json_t *by_state; /* owned */
    json_int_t total, online;
};

static bool count_agent(void *owner, const struct store_agent *agent)
{
    struct count *count = owner;

    if (agent->revoked_s)
        return true;
    count->total++;
    count->online += count->env->agent_online(count->env->owner, agent->id);
    return true;
}

static bool count_camera(void *owner, const struct store_camera *camera)
{
    struct count *count = owner;
    struct api_camera_state state = {.state = "unknown"};
    json_int_t before;

    count->total++;
    if (count->env->camera_state(count->env->owner, camera->id, &state))
        state.state = "unknown";
    before = json_integer_value(json_object_get(count->by_state, state.state));
    json_object_set_new(count->by_state, state.state, json_integer(before + 1));
    return true;
}

static json_t *viewers_json(struct api_env *env)
{
    json_t *by_protocol = json_object();

    for (size_t i = 0; env->egresses[i]; i++) {
        const char *name = env->egresses[i]->name;

        json_object_set_new(by_protocol, name,
                            json_integer((json_int_t)env->viewers(env->owner, name)));
    }
    return json_pack("{s:I, s:o}", "total", (json_int_t)env->viewers(env->owner, NULL),
                     "by_protocol", by_protocol);
}

void status_get(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct count agents = {.env = env}, cameras = {.env = env, .by_state = json_object()};
    int err = store_agent_list(env->reader, "", SIZE_MAX, count_agent, &agents);

    if (!err)
        err = store_camera_list(env->reader, "", SIZE_MAX, count_camera, &cameras);
    if (err) {
        json_decref(cameras.by_state);
        api_respond_error(request, "status", err);
        return;
    }
    api_respond(request, 200,
                json_pack("{s:s, s:I, s:I, s:{s:I, s:I}, s:{s:I, s:o}, s:o}", "version",
                          CULVERT_VERSION, "uptime",
                          (json_int_t)((clock_mono_us() - env->started_us) / 1000000), "loops",
                          (json_int_t)env->loops, "agents", "total", agents.total, "online",
                          agents.online, "cameras", "total", cameras.total, "by_state",
                          cameras.by_state, "viewers", viewers_json(env)));
}
