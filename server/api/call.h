/* server/api/call.h: what the handlers of api/ share: answers, and waiting for the store. */
#pragma once

#include "http/router.h"
#include "server/api/api.h"
#include "server/api/fields.h"

struct json_t;

/* A request that waits for a write; freed after its answer. */
struct api_call {
    struct api_env *env;                   /* borrowed */
    struct http_request *request;          /* NULL: the peer went away */
    const char *noun;                      /* "camera" */
    void (*answer)(struct api_call *call); /* the write was done */

    char id[STORE_ID]; /* of what was written; "" if it has none */
    char text[1024];   /* whatever answer wants; wiped */
    int64_t time_s;
};

/* NULL without memory: then it was answered. */
struct api_call *api_call_new(struct api_env *env, struct http_request *request, const char *noun,
                              void (*answer)(struct api_call *call));
void api_call_free(struct api_call *call);

/* Give this to the write; the call is the store's from then on. */
struct store_done api_call_done(struct api_call *call);

/* 204, for calls with nothing to say. */
void api_answer_empty(struct api_call *call);

/* Takes json; NULL (no memory) is answered with 503. */
void api_respond(struct http_request *request, unsigned status, struct json_t *json);

/* What a write or a look-up said. */
void api_respond_error(struct http_request *request, const char *noun, int err);

/* Reads the request's JSON; false: answered. Then read the fields, and ask api_fields_end,
 * which frees them: false: answered. Wipes the body. */
bool api_fields_begin(struct fields *fields, struct http_request *request);
bool api_fields_end(struct fields *fields, struct http_request *request);

/* 422 with "NAME WRONG." */
void api_respond_wrong(struct http_request *request, const char *name, const char *wrong);

/* ?after= and ?limit=; false: answered. */
struct api_page {
    char after[STORE_ID];
    size_t limit;
};
bool api_page_read(struct api_page *page, struct http_request *request);

/* A list of one page, made row by row: {"NOUNs": […], "next": ID}. */
struct api_list {
    struct api_env *env;
    const struct api_page *page;
    struct json_t *rows; /* owned */
    char last[STORE_ID];
    bool has_more, failed;
};

/* Takes row. False when the page is full: then stop. */
bool api_list_add(struct api_list *list, const char *id, struct json_t *row);
bool api_list_is_full(struct api_list *list);

/* Takes the rows; err is the store's. name: "cameras". */
void api_list_respond(struct api_list *list, struct http_request *request, const char *name,
                      int err);

/* By id, or by slug or unique name. 0, -ERR_NOT_FOUND, -ERR_TOO_MANY (two of that name) … */
int api_find_camera(struct api_env *env, const char *text, struct store_camera *out) MUST_CHECK;
int api_find_agent(struct api_env *env, const char *text, struct store_agent *out) MUST_CHECK;

/* Seconds since 1970. */
int64_t api_now_s(void);

/* agents.c … the handlers, for the table in api.c. */
void codes_post(void *owner, struct http_request *request);
void agents_list(void *owner, struct http_request *request);
void agents_get(void *owner, struct http_request *request);
void agents_delete(void *owner, struct http_request *request);
void cameras_post(void *owner, struct http_request *request);
void cameras_list(void *owner, struct http_request *request);
void cameras_get(void *owner, struct http_request *request);
void cameras_patch(void *owner, struct http_request *request);
void cameras_delete(void *owner, struct http_request *request);
void tokens_post(void *owner, struct http_request *request);
void tokens_list(void *owner, struct http_request *request);
void tokens_get(void *owner, struct http_request *request);
void tokens_delete(void *owner, struct http_request *request);
void status_get(void *owner, struct http_request *request);
void backup_post(void *owner, struct http_request *request);
