/* server/api/status.c: how the running server is. */
#include <jansson.h>

#include "base/clock.h"
#include "server/api/call.h"

/* From the relay's counts: asking costs the same however many cameras there are. */
static json_t *cameras_json(struct api_env *env)
{
    json_t *by_state = json_object();
    size_t total = 0, count;
    const char *name;

    for (unsigned i = 0; (name = env->cameras_in(env->owner, i, &count)); i++) {
        total += count;
        if (count)
            json_object_set_new(by_state, name, json_integer((json_int_t)count));
    }
    return json_pack("{s:I, s:o}", "total", (json_int_t)total, "by_state", by_state);
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
    uint64_t agents;
    int err = store_agent_count(env->reader, &agents);

    if (err) {
        api_respond_error(request, "status", err);
        return;
    }
    api_respond(request, 200,
                json_pack("{s:s, s:I, s:I, s:{s:I, s:I}, s:o, s:o}", "version", CULVERT_VERSION,
                          "uptime", (json_int_t)((clock_mono_us() - env->started_us) / 1000000),
                          "loops", (json_int_t)env->loops, "agents", "total", (json_int_t)agents,
                          "online", (json_int_t)env->agents_online(env->owner), "cameras",
                          cameras_json(env), "viewers", viewers_json(env)));
}
