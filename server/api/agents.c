/* server/api/agents.c: agents: list, show, revoke. They come by codes.c and enrolment. */
#include <jansson.h>

#include "server/api/call.h"

static json_t *agent_json(struct api_env *env, const struct store_agent *agent)
{
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:s, s:s}", "id", agent->id, "name",
                     agent->name, "online", (int)env->agent_online(env->owner, agent->id),
                     "created", (json_int_t)agent->created_s, "seen", (json_int_t)agent->seen_s,
                     "revoked", (json_int_t)agent->revoked_s, "version", agent->version, "system",
                     agent->system);
}

static bool add_agent(void *owner, const struct store_agent *agent)
{
    struct api_list *list = owner;

    return !api_list_is_full(list) && api_list_add(list, agent->id, agent_json(list->env, agent));
}

void agents_list(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct api_page page;
    struct api_list list = {.env = env, .page = &page};
    int err;

    if (!api_page_read(&page, request))
        return;
    err = store_agent_list(env->reader, page.after, page.limit + 1, add_agent, &list);
    api_list_respond(&list, request, "agents", err);
}

void agents_get(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_agent agent;
    int err = api_find_agent(env, http_path_value(request, "id"), &agent);

    if (err)
        api_respond_error(request, "agent", err);
    else
        api_respond(request, 200, agent_json(env, &agent));
}

/* The record stays, so that its key stays refused. */
void agents_delete(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_agent agent;
    struct api_call *call;
    int err = api_find_agent(env, http_path_value(request, "id"), &agent);

    if (err) {
        api_respond_error(request, "agent", err);
        return;
    }
    call = api_call_new(env, request, "agent", api_answer_empty);
    if (!call)
        return;
    snprintf(call->id, sizeof(call->id), "%s", agent.id);
    store_agent_revoke(env->store, agent.id, api_call_done(call));
}
