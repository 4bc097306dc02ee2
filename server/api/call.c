#include "server/api/call.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/digest.h"

enum { LIMIT_PRESET = 100, LIMIT_MAX = 1000 };

int64_t api_now_s(void)
{
    return clock_wall_us() / 1000000;
}

static void on_gone(void *owner)
{
    struct api_call *call = owner;

    call->request = NULL;
}

struct api_call *api_call_new(struct api_env *env, struct http_request *request, const char *noun,
                              void (*answer)(struct api_call *call))
{
    struct api_call *call = calloc(1, sizeof(*call));

    if (!call) {
        api_respond_error(request, noun, -ENOMEM);
        return NULL;
    }
    call->env = env;
    call->request = request;
    call->noun = noun;
    call->answer = answer;
    http_on_gone(request, on_gone, call);
    return call;
}

void api_call_free(struct api_call *call)
{
    if (!call)
        return;
    secret_wipe(call->text, sizeof(call->text));
    free(call);
}

static void on_done(void *owner, int err)
{
    struct api_call *call = owner;

    if (!err)
        LOG(LOG_INFO, call->noun, call->id[0] ? call->id : NULL, "changed-by-api");
    if (call->request && err)
        api_respond_error(call->request, call->noun, err);
    else if (call->request)
        call->answer(call);
    api_call_free(call);
}

struct store_done api_call_done(struct api_call *call)
{
    return (struct store_done){call->env->loop, on_done, call};
}

void api_answer_empty(struct api_call *call)
{
    http_respond(call->request, 204, NULL, NULL);
}

void api_respond(struct http_request *request, unsigned status, json_t *json)
{
    static const struct http_header headers[] = {
        {"content-type", "application/json"}, {"cache-control", "no-store"}, {NULL, NULL}};
    size_t len = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    struct buf *body = len ? buf_new(len + 1) : NULL;

    if (body) {
        json_dumpb(json, (char *)body->bytes, len, JSON_COMPACT);
        body->bytes[len] = '\n';
        http_respond(request, status, headers, body);
    } else {
        api_respond_error(request, "answer", -ENOMEM);
    }
    buf_unref(body);
    json_decref(json);
}

void api_respond_error(struct http_request *request, const char *noun, int err)
{
    static const struct {
        int err;
        unsigned status, retry_after_s;
        const char *rule, *detail;
    } rows[] = {
        {-ERR_NOT_FOUND, 404, 0, "not-found", "There is no such %s."},
        {-ERR_EXISTS, 409, 0, "exists", "There is another %s like this, or it changed meanwhile."},
        {-ERR_TOO_MANY, 429, 60, "too-many", "There are too many of these (%s) already."},
        {-ERR_NOT_READY, 503, 5, "busy", "The database is busy: the %s was not written."},
        {-ENOMEM, 503, 5, "memory", "There is no memory for this now (%s)."},
        {-ENOSPC, 507, 0, "disk-full", "The disk is full: the %s was not written. Make room."},
        {-EDQUOT, 507, 0, "disk-full", "The quota is used up: the %s was not written."},
        {-EROFS, 507, 0, "read-only", "The database can't be written: the %s is as it was."},
    };
    char detail[160];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].err != err)
            continue;
        const char *gap = strstr(rows[i].detail, "%s");

        snprintf(detail, sizeof(detail), "%.*s%s%s", (int)(gap - rows[i].detail), rows[i].detail,
                 noun, gap + 2);
        http_respond_problem(request, rows[i].status, rows[i].rule, detail, rows[i].retry_after_s);
        return;
    }
    LOG(LOG_ERROR, "api", noun, "failed", KV_ERR(err));
    http_respond_problem(request, 500, err_name(err), "The server failed: see its log.", 0);
}

void api_respond_wrong(struct http_request *request, const char *name, const char *wrong)
{
    char detail[256];

    snprintf(detail, sizeof(detail), "%s %s.", name, wrong);
    http_respond_problem(request, 422, "field", detail, 0);
}

static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;

    return type && !strncasecmp(type, json, len) && strchr("; \t", type[len]) != NULL;
}

bool api_fields_begin(struct fields *fields, struct http_request *request)
{
    struct buf *body = http_body(request);

    if (!is_json_type(http_header(request, "content-type"))) {
        http_respond_problem(request, 415, "content-type",
                             "The body must be sent as application/json.", 0);
        return false;
    }
    fields_init(fields, body ? body->bytes : NULL, body ? body->len : 0);
    if (body)
        secret_wipe(body->bytes, body->len); /* a camera's password may be in it */
    return true;
}

bool api_fields_end(struct fields *fields, struct http_request *request)
{
    bool is_right = fields_end(fields);

    fields_fini(fields);
    if (!is_right)
        http_respond_problem(request, fields->is_json ? 422 : 400,
                             fields->is_json ? "field" : "json", fields->detail, 0);
    return is_right;
}

bool api_page_read(struct api_page *page, struct http_request *request)
{
    char limit[8];
    char *end;

    page->limit = LIMIT_PRESET;
    if (!http_query_value(request, "after", page->after, sizeof(page->after)))
        page->after[0] = 0;
    if (!http_query_value(request, "limit", limit, sizeof(limit)))
        return true;
    page->limit = strtoul(limit, &end, 10);
    if (*end || end == limit || page->limit < 1 || page->limit > LIMIT_MAX) {
        api_respond_wrong(request, "limit", "must be a number from 1 to 1000");
        return false;
    }
    return true;
}

bool api_list_is_full(struct api_list *list)
{
    list->has_more = list->rows && json_array_size(list->rows) >= list->page->limit;
    return list->has_more;
}

bool api_list_add(struct api_list *list, const char *id, json_t *row)
{
    if (!list->rows)
        list->rows = json_array();
    if (!row || json_array_append_new(list->rows, row)) {
        list->failed = true;
        return false;
    }
    snprintf(list->last, sizeof(list->last), "%s", id);
    return true;
}

void api_list_respond(struct api_list *list, struct http_request *request, const char *name,
                      int err)
{
    json_t *rows = list->rows ? list->rows : json_array();
    json_t *all = json_object();

    if (err || list->failed) {
        json_decref(rows);
        json_decref(all);
        api_respond_error(request, name, err ? err : -ENOMEM);
        return;
    }
    json_object_set_new(all, name, rows);
    if (list->has_more)
        json_object_set_new(all, "next", json_string(list->last));
    api_respond(request, 200, all);
}

int api_find_camera(struct api_env *env, const char *text, struct store_camera *out)
{
    int err = store_camera_find(env->reader, text, out);

    return err == -ERR_NOT_FOUND ? store_camera_find_by_slug(env->reader, text, out) : err;
}

struct name_search {
    const char *name;
    struct store_agent *out;
    size_t found;
};

static bool match_name(void *owner, const struct store_agent *agent)
{
    struct name_search *search = owner;

    if (agent->revoked_s || strcmp(agent->name, search->name))
        return true;
    *search->out = *agent;
    return ++search->found < 2;
}

int api_find_agent(struct api_env *env, const char *text, struct store_agent *out)
{
    struct name_search search = {.name = text, .out = out};
    int err = store_agent_find(env->reader, text, out);

    if (err != -ERR_NOT_FOUND)
        return err;
    err = store_agent_list(env->reader, "", SIZE_MAX, match_name, &search);
    if (err)
        return err;
    if (search.found > 1)
        return -ERR_TOO_MANY;
    return search.found ? 0 : -ERR_NOT_FOUND;
}
