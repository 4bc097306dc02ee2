/* How a handler's answer reaches the carrier. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http/answer.h"
#include "http/range.h"
#include "http/server_private.h"
#include "http/token.h"

bool http_is_h2(const struct http_request *request)
{
    return request->carrier->is_h2;
}

bool http_accepts_gzip(const struct http_request *request)
{
    return range_accepts_gzip(http_header(request, "accept-encoding"));
}

/* Whether the request can still be answered; then it counts as answered. */
static bool take_turn(struct http_request *request)
{
    switch (request->state) {
    case REQUEST_READING:
        break;
    case REQUEST_WAITING:
        request->server->request_count--;
        break;
    case REQUEST_LOST:
        /* Its handler knows now, and lets go. */
        request->state = REQUEST_DEAD;
        loop_defer(request->loop, &request->release);
        return false;
    case REQUEST_ANSWERED:
    case REQUEST_DEAD:
        return false;
    }
    request->state = REQUEST_ANSWERED;
    return true;
}

void http_respond(struct http_request *request, unsigned status, const struct http_header *headers,
                  struct buf *body)
{
    struct answer answer;

    if (!take_turn(request))
        return;
    answer_init(&answer, request, status, headers, body);
    request->carrier->send(request, &answer);
    answer_fini(&answer);
}

static void respond_bytes(struct http_request *request, unsigned status,
                          const struct http_header *headers, const char *text)
{
    struct buf *body = buf_copy(text, strlen(text));

    /* Without memory the status alone still says what matters. */
    http_respond(request, status, headers, body);
    buf_unref(body);
}

void http_respond_text(struct http_request *request, unsigned status, const char *type,
                       const char *text)
{
    struct http_header headers[] = {{"content-type", type}, {NULL, NULL}};

    respond_bytes(request, status, headers, text);
}

static char *problem_text(unsigned status, const char *rule, const char *detail)
{
    json_t *problem = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title",
                                answer_reason(status), "status", (int)status);
    char *text;

    if (!problem)
        return NULL;
    /* A detail that is no UTF-8 is left out. */
    if (detail)
        (void)json_object_set_new(problem, "detail", json_string(detail));
    if (rule)
        (void)json_object_set_new(problem, "rule", json_string(rule));
    text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return text;
}

static void respond_problem(struct http_request *request, unsigned status,
                            const struct http_header *headers, const char *rule, const char *detail)
{
    char *text = problem_text(status, rule, detail);

    respond_bytes(request, status, headers, text ? text : "{}");
    free(text);
}

void http_respond_problem(struct http_request *request, unsigned status, const char *rule,
                          const char *detail, unsigned retry_after_s)
{
    char seconds[16];
    struct http_header headers[] = {{"content-type", "application/problem+json"},
                                    {"cache-control", "no-store"},
                                    {retry_after_s ? "retry-after" : NULL, seconds},
                                    {NULL, NULL}};

    snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    respond_problem(request, status, headers, rule, detail);
}

void request_refuse(struct http_request *request, unsigned status, const char *allow)
{
    bool has_allow = allow && *allow;
    struct http_header headers[] = {
        {has_allow ? "allow" : "cache-control", has_allow ? allow : "no-store"},
        {"content-type", "application/problem+json"},
        {NULL, NULL}};

    if (status == 204) {
        headers[1].name = NULL;
        http_respond(request, status, headers, NULL);
        return;
    }
    respond_problem(request, status, headers, NULL, NULL);
}

int http_upgrade(struct http_request *request, const struct http_header *headers, struct conn **out)
{
    struct answer answer;
    int err;

    if (request->carrier->is_h2 || !request->carrier->upgrade)
        return -ERR_UNSUPPORTED;
    if (request->state != REQUEST_WAITING)
        return -ERR_CLOSED;
    if (!token_in(http_header(request, "connection"), "upgrade") || request->body)
        return -ERR_PROTOCOL;
    request->server->request_count--;
    request->state = REQUEST_ANSWERED;
    answer_init(&answer, request, 101, headers, NULL);
    err = request->carrier->upgrade(request, &answer, out);
    answer_fini(&answer);
    return err;
}
