/* server/api/cameras.c: cameras. A plain URL is sealed to its agent the moment it arrives. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "crypto/digest.h"
#include "crypto/hpke.h"
#include "server/api/call.h"
#include "server/api/noun_fields.h"
#include "server/api/url.h"

_Static_assert(URL_BYTES + HPKE_OVERHEAD <= STORE_SEALED, "a URL's sealed form has room");

static void seal_url(struct fields *fields, const char *name, const struct store_agent *agent,
                     const char *url, struct store_sealed *out)
{
    struct hpke_context context = hpke_camera_url(agent->id);
    struct hpke_bytes plain = {url, strlen(url)};

    if (hpke_seal(&context, agent->seal_key, plain, out->bytes))
        fields_fail(fields, name, "can't be sealed: the agent's key is none, enrol it again");
    else
        out->len = plain.len + HPKE_OVERHEAD;
}

void camera_fields_read(struct fields *fields, const struct store_agent *agent,
                        struct store_camera *camera)
{
    char shown[STORE_URL_SHOWN], ignored[STORE_URL_SHOWN];
    const char *url, *wrong;

    fields_text(fields, "slug", camera->slug, sizeof(camera->slug), &check_slug);
    fields_text(fields, "name", camera->name, sizeof(camera->name), &check_name);
    fields_bool(fields, "always_on", &camera->is_always_on);
    url = fields_secret(fields, "url");
    wrong = url ? url_show(url, shown) : NULL;
    if (wrong)
        fields_fail(fields, "url", wrong);
    else if (url) {
        memcpy(camera->url_shown, shown, sizeof(shown));
        seal_url(fields, "url", agent, url, &camera->sealed);
    }
    if (fields_is_null(fields, "sub_url")) {
        camera->sealed_sub.len = 0;
        return;
    }
    url = fields_secret(fields, "sub_url");
    wrong = url ? url_show(url, ignored) : NULL;
    if (wrong)
        fields_fail(fields, "sub_url", wrong);
    else if (url)
        seal_url(fields, "sub_url", agent, url, &camera->sealed_sub);
}

static void add_url(void *to, const struct egress_url *url)
{
    json_t *urls = to;
    const char *gap = strstr(url->text, "%s");
    char text[sizeof(url->text) + 8];

    snprintf(text, sizeof(text), "%.*s%s%s", gap ? (int)(gap - url->text) : (int)strlen(url->text),
             url->text, gap ? "{token}" : "", gap ? gap + 2 : "");
    json_object_set_new(urls, url->name, json_string(text));
}

static json_t *camera_json(struct api_env *env, const struct store_camera *camera)
{
    struct api_camera_state state = {.state = "unknown"};
    json_t *urls = json_object();

    if (env->camera_state(env->owner, camera->id, &state))
        state = (struct api_camera_state){.state = "unknown"};
    env->camera_urls(env->owner, camera->slug, add_url, urls);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:s, s:s, s:o}", "id",
                     camera->id, "agent_id", camera->agent_id, "slug", camera->slug, "name",
                     camera->name, "url_shown", camera->url_shown, "has_sub",
                     camera->sealed_sub.len > 0, "always_on", (int)camera->is_always_on, "revision",
                     (json_int_t)camera->revision, "created", (json_int_t)camera->created_s,
                     "state", state.state, "state_text", state.text ? state.text : "", "urls",
                     urls);
}

static bool add_camera(void *owner, const struct store_camera *camera)
{
    struct api_list *list = owner;

    return !api_list_is_full(list) &&
           api_list_add(list, camera->id, camera_json(list->env, camera));
}

void cameras_list(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct api_page page;
    struct api_list list = {.env = env, .page = &page};
    int err;

    if (!api_page_read(&page, request))
        return;
    err = store_camera_list(env->reader, page.after, page.limit + 1, add_camera, &list);
    api_list_respond(&list, request, "cameras", err);
}

static void respond_camera(struct api_env *env, struct http_request *request, const char *id,
                           unsigned status)
{
    struct store_camera camera;
    int err = api_find_camera(env, id, &camera);

    if (err)
        api_respond_error(request, "camera", err);
    else
        api_respond(request, status, camera_json(env, &camera));
}

void cameras_get(void *owner, struct http_request *request)
{
    respond_camera(owner, request, http_path_value(request, "id"), 200);
}

static void answer_created(struct api_call *call)
{
    respond_camera(call->env, call->request, call->id, 201);
}

static void answer_changed(struct api_call *call)
{
    respond_camera(call->env, call->request, call->id, 200);
}

static void put_camera(struct api_env *env, struct http_request *request,
                       const struct store_camera *camera)
{
    struct api_call *call =
        api_call_new(env, request, "camera", camera->revision ? answer_changed : answer_created);

    if (!call)
        return;
    snprintf(call->id, sizeof(call->id), "%s", camera->id);
    store_camera_put(env->store, camera, api_call_done(call));
}

/* What the agent named by the fields is; a failure sticks to the fields. */
static void find_agent(struct api_env *env, struct fields *fields, struct store_agent *agent)
{
    char text[STORE_NAME] = "";
    int err;

    fields_require(fields, "agent_id");
    if (!fields_text(fields, "agent_id", text, sizeof(text), &check_name))
        return;
    err = api_find_agent(env, text, agent);
    if (err == -ERR_TOO_MANY)
        fields_fail(fields, "agent_id", "is the name of two agents: give the id");
    else if (err)
        fields_fail(fields, "agent_id", "names no agent: see the list of agents");
    else if (agent->revoked_s)
        fields_fail(fields, "agent_id", "names an agent that was revoked");
}

void cameras_post(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_camera *camera = calloc(1, sizeof(*camera));
    struct store_agent agent = {.epoch = 0};
    struct fields fields;

    if (!camera) {
        api_respond_error(request, "camera", -ENOMEM);
        return;
    }
    if (!api_fields_begin(&fields, request)) {
        free(camera);
        return;
    }
    fields_require(&fields, "slug");
    fields_require(&fields, "url");
    find_agent(env, &fields, &agent);
    camera_fields_read(&fields, &agent, camera);
    if (api_fields_end(&fields, request)) {
        snprintf(camera->id, sizeof(camera->id), "cam_%016llx", (unsigned long long)random_u64());
        snprintf(camera->agent_id, sizeof(camera->agent_id), "%s", agent.id);
        if (!camera->name[0])
            snprintf(camera->name, sizeof(camera->name), "%s", camera->slug);
        put_camera(env, request, camera);
    }
    free(camera);
}

/* An agent can't be changed: the URL is sealed to it. */
void cameras_patch(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_camera camera;
    struct store_agent agent;
    struct fields fields;
    int err = api_find_camera(env, http_path_value(request, "id"), &camera);

    if (!err)
        err = store_agent_find(env->reader, camera.agent_id, &agent);
    if (err) {
        api_respond_error(request, "camera", err);
        return;
    }
    if (!api_fields_begin(&fields, request))
        return;
    camera_fields_read(&fields, &agent, &camera);
    if (api_fields_end(&fields, request))
        put_camera(env, request, &camera);
}

void cameras_delete(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_camera camera;
    struct api_call *call;
    int err = api_find_camera(env, http_path_value(request, "id"), &camera);

    if (err) {
        api_respond_error(request, "camera", err);
        return;
    }
    call = api_call_new(env, request, "camera", api_answer_empty);
    if (!call)
        return;
    snprintf(call->id, sizeof(call->id), "%s", camera.id);
    store_camera_delete(env->store, camera.id, api_call_done(call));
}
