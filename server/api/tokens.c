/* server/api/tokens.c: viewers' tokens. What they allow is stored; the text is made when shown. */
#include <jansson.h>
#include <string.h>

#include "crypto/digest.h"
#include "server/api/call.h"
#include "server/api/noun_fields.h"

static const int64_t seconds_max = 253402300799; /* the end of the year 9999 */

/* Calls each with every word of list; false when one call gave false. */
static bool each_word(const char *list, bool (*each)(void *owner, const char *word), void *owner)
{
    char word[STORE_LIST];

    for (;;) {
        size_t len;

        list += strspn(list, " ");
        len = strcspn(list, " ");
        if (!len)
            return true;
        snprintf(word, sizeof(word), "%.*s", (int)len, list);
        if (!each(owner, word))
            return false;
        list += len;
    }
}

static bool is_protocol(void *owner, const char *word)
{
    const struct api_env *env = owner;

    for (size_t i = 0; env->egresses[i]; i++) {
        if (!strcmp(env->egresses[i]->name, word))
            return true;
    }
    return false;
}

void token_fields_read(struct fields *fields, struct api_env *env, struct store_token *token)
{
    int64_t viewers = 0;

    fields_text(fields, "label", token->label, sizeof(token->label), &check_label);
    fields_list(fields, "cameras", token->cameras, &check_cameras);
    fields_text(fields, "agent_id", token->agent_id, sizeof(token->agent_id), &check_id);
    fields_list(fields, "protocols", token->protocols, &check_protocols);
    if (!each_word(token->protocols, is_protocol, env))
        fields_fail(fields, "protocols", "names a protocol that this server doesn't have");
    fields_list(fields, "networks", token->networks, &check_networks);
    fields_list(fields, "origins", token->origins, &check_origins);
    fields_int(fields, "not_before", &token->not_before_s, seconds_max);
    fields_int(fields, "expires", &token->expires_s, seconds_max);
    if (token->expires_s && token->expires_s <= token->not_before_s)
        fields_fail(fields, "expires", "must be later than not_before");
    if (fields_int(fields, "viewers_max", &viewers, 1000000))
        token->viewers_max = (uint32_t)viewers;
    fields_bool(fields, "srt_passphrase", &token->has_srt_passphrase);
}

struct resolve {
    struct api_env *env;
    char ids[STORE_LIST];
    size_t len;
};

static bool resolve_camera(void *owner, const char *word)
{
    struct resolve *resolve = owner;
    struct store_camera camera;
    size_t room = sizeof(resolve->ids) - resolve->len;
    int len;

    if (api_find_camera(resolve->env, word, &camera))
        return false;
    len = snprintf(resolve->ids + resolve->len, room, "%s%s", resolve->len ? " " : "", camera.id);
    resolve->len += (size_t)len;
    return (size_t)len < room;
}

/* Slugs become ids: a slug may be given to another camera one day. */
static void resolve_scope(struct fields *fields, struct api_env *env, struct store_token *token)
{
    struct resolve resolve = {.env = env};
    struct store_agent agent;

    if (fields->failed)
        return;
    if (!each_word(token->cameras, resolve_camera, &resolve))
        fields_fail(fields, "cameras", "names a camera that isn't there, or too many");
    memcpy(token->cameras, resolve.ids, sizeof(resolve.ids));
    if (token->agent_id[0] && store_agent_find(env->reader, token->agent_id, &agent))
        fields_fail(fields, "agent_id", "names no agent: see the list of agents");
}

static bool add_word(void *owner, const char *word)
{
    return !json_array_append_new(owner, json_string(word));
}

/* What sets no limit is left out, here as in what is asked for. */
static void set_words(json_t *json, const char *name, const char *list)
{
    json_t *words = json_array();

    each_word(list, add_word, words);
    if (list[0])
        json_object_set(json, name, words);
    json_decref(words);
}

static json_t *token_json(const struct store_token *token)
{
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "id", token->id, "label", token->label,
                  "not_before", (json_int_t)token->not_before_s, "expires",
                  (json_int_t)token->expires_s, "created", (json_int_t)token->created_s, "revoked",
                  (json_int_t)token->revoked_s, "viewers_max", (json_int_t)token->viewers_max);

    if (token->has_srt_passphrase)
        json_object_set_new(json, "has_srt_passphrase", json_true());
    if (token->agent_id[0])
        json_object_set_new(json, "agent_id", json_string(token->agent_id));
    set_words(json, "cameras", token->cameras);
    set_words(json, "protocols", token->protocols);
    set_words(json, "networks", token->networks);
    set_words(json, "origins", token->origins);
    return json;
}

/* Addresses with the token in them, ready to paste, for the cameras that it names. */
struct addresses {
    struct api_env *env;
    const char *text;
    const char *passphrase; /* "" without one */
    json_t *cameras;        /* owned: slug → name → address */
    json_t *camera;         /* borrowed: the one whose addresses come */
};

static void add_address(void *to, const struct egress_url *url)
{
    struct addresses *addresses = to;
    const char *gap = strstr(url->text, "%s");
    char text[sizeof(url->text) + AUTH_TOKEN_TEXT + 2 * AUTH_PASSPHRASE_TEXT];
    bool is_encrypted = url->passphrase && addresses->passphrase[0];

    if (!gap)
        return;
    snprintf(text, sizeof(text), "%.*s%s%s%s%s", (int)(gap - url->text), url->text, addresses->text,
             gap + 2, is_encrypted ? url->passphrase : "",
             is_encrypted ? addresses->passphrase : "");
    json_object_set_new(addresses->camera, url->name, json_string(text));
    secret_wipe(text, sizeof(text));
}

static bool add_addresses(void *owner, const char *id)
{
    struct addresses *addresses = owner;
    struct store_camera camera;

    if (store_camera_find(addresses->env->reader, id, &camera))
        return true;
    addresses->camera = json_object();
    json_object_set_new(addresses->cameras, camera.slug, addresses->camera);
    addresses->env->camera_urls(addresses->env->owner, camera.slug, add_address, addresses);
    return true;
}

static void respond_token(struct api_env *env, struct http_request *request,
                          const struct store_token *token, unsigned status)
{
    char text[AUTH_TOKEN_TEXT], passphrase[AUTH_PASSPHRASE_TEXT] = "";
    struct addresses addresses = {.env = env, .text = text, .passphrase = passphrase};
    json_t *json = token_json(token);

    auth_token_text(env->auth, token->id, text);
    if (token->has_srt_passphrase) {
        auth_passphrase_text(env->auth, token->id, passphrase);
        json_object_set_new(json, "srt_passphrase", json_string(passphrase));
    }
    addresses.cameras = json_object();
    each_word(token->cameras, add_addresses, &addresses);
    json_object_set_new(json, "token", json_string(text));
    json_object_set_new(json, "urls", addresses.cameras);
    secret_wipe(text, sizeof(text));
    secret_wipe(passphrase, sizeof(passphrase));
    api_respond(request, status, json);
}

static void answer_created(struct api_call *call)
{
    struct store_token token;
    int err = store_token_find(call->env->reader, call->id, &token);

    if (err)
        api_respond_error(call->request, "token", err);
    else
        respond_token(call->env, call->request, &token, 201);
}

void tokens_post(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_token token = {.created_s = api_now_s()};
    struct fields fields;
    struct api_call *call;

    if (!api_fields_begin(&fields, request))
        return;
    token_fields_read(&fields, env, &token);
    resolve_scope(&fields, env, &token);
    if (!api_fields_end(&fields, request))
        return;
    call = api_call_new(env, request, "token", answer_created);
    if (!call)
        return;
    auth_token_id(token.id);
    snprintf(call->id, sizeof(call->id), "%s", token.id);
    store_token_put(env->store, &token, api_call_done(call));
}

static bool add_token(void *owner, const struct store_token *token)
{
    struct api_list *list = owner;

    return !api_list_is_full(list) && api_list_add(list, token->id, token_json(token));
}

void tokens_list(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct api_page page;
    struct api_list list = {.env = env, .page = &page};
    int err;

    if (!api_page_read(&page, request))
        return;
    err = store_token_list(env->reader, page.after, page.limit + 1, add_token, &list);
    api_list_respond(&list, request, "tokens", err);
}

void tokens_get(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    struct store_token token;
    char show[4];
    int err = store_token_find(env->reader, http_path_value(request, "id"), &token);

    if (err)
        api_respond_error(request, "token", err);
    else if (http_query_value(request, "show", show, sizeof(show)) && !strcmp(show, "1"))
        respond_token(env, request, &token, 200);
    else
        api_respond(request, 200, token_json(&token));
}

/* The record stays, so that "revoked" can be told from "unknown". */
void tokens_delete(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    const char *id = http_path_value(request, "id");
    struct api_call *call = api_call_new(env, request, "token", api_answer_empty);

    if (!call)
        return;
    snprintf(call->id, sizeof(call->id), "%s", id);
    store_token_revoke(env->store, id, api_call_done(call));
}
