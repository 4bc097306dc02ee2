#include "http/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/router_private.h"
#include "http/server_private.h"
#include "http/target.h"
#include "net/conn.h"

enum { FIRST_ARENA = 1536, NEXT_ARENA = 2048, BODY_LIMIT = 64 << 20 };

struct arena_block {
    struct arena_block *next;
    _Alignas(max_align_t) char bytes[];
};

static void free_request(struct http_request *request)
{
    struct arena_block *block = request->blocks;

    writer_fini(&request->body_writer);
    buf_unref(request->body);
    while (block) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
}

static void release_now(struct loop_task *task)
{
    free_request(list_entry(task, struct http_request, release));
}

static void die(struct http_request *request)
{
    request->state = REQUEST_DEAD;
    request->on_gone = NULL;
    request->server = NULL;
    request->conn = NULL;
    loop_defer(request->loop, &request->release);
}

struct http_request *request_new(struct http_server *server, struct conn *conn,
                                 const struct carrier *carrier, void *carried)
{
    struct arena_block *block = malloc(sizeof(*block) + sizeof(struct http_request) + FIRST_ARENA);
    struct http_request *request;

    if (!block)
        return NULL;
    block->next = NULL;
    request = (struct http_request *)(void *)block->bytes;
    *request = (struct http_request){
        .blocks = block,
        .server = server,
        .carrier = carrier,
        .carried = carried,
        .conn = conn,
        .loop = server->loop,
        .peer = conn_peer(conn),
        .method = HTTP_OTHER,
        .path = "",
        .query = "",
        .authority = "",
        .release = {.run = release_now},
        .arena = (char *)(request + 1),
        .arena_left = FIRST_ARENA,
    };
    writer_init(&request->body_writer, BODY_LIMIT);
    return request;
}

void *request_alloc(struct http_request *request, size_t len)
{
    size_t size = (len + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    struct arena_block *block;
    void *at;

    if (size > request->arena_left) {
        size_t room = size > NEXT_ARENA ? size : NEXT_ARENA;

        block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        /* Behind the first, which holds the request itself. */
        block->next = request->blocks->next;
        request->blocks->next = block;
        request->arena = block->bytes;
        request->arena_left = room;
    }
    at = request->arena;
    request->arena += size;
    request->arena_left -= size;
    return at;
}

char *request_text(struct http_request *request, const char *text, size_t len)
{
    char *copy = request_alloc(request, len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* Appends a row to one of the growing arrays in the arena. */
static int add_row(struct http_request *request, struct http_header **rows, size_t *count,
                   size_t *room, struct http_header row)
{
    if (*count == *room) {
        size_t grown = *room ? *room * 2 : 16;
        struct http_header *more = request_alloc(request, grown * sizeof(*more));

        if (!more)
            return -ENOMEM;
        if (*count)
            memcpy(more, *rows, *count * sizeof(*more));
        *rows = more;
        *room = grown;
    }
    (*rows)[(*count)++] = row;
    return 0;
}

int request_add_header(struct http_request *request, const char *name, const char *value)
{
    return add_row(request, &request->headers, &request->header_count, &request->header_room,
                   (struct http_header){name, value});
}

enum http_method request_method_of(const char *text)
{
    static const char *const names[HTTP_OTHER] = {"GET",   "HEAD",   "POST",   "PUT",
                                                  "PATCH", "DELETE", "OPTIONS"};

    for (unsigned i = 0; i < HTTP_OTHER; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

unsigned request_route(struct http_request *request, char *allow)
{
    return router_match(request->server->router, request, allow);
}

int request_add_body(struct http_request *request, const void *bytes, size_t len)
{
    size_t limit = request->route ? request->route->body_limit : 0;

    if (len > limit || request->body_writer.len > limit - len)
        return -ERR_TOO_LONG;
    writer_put(&request->body_writer, bytes, len);
    return request->body_writer.err;
}

void request_dispatch(struct http_request *request)
{
    request->state = REQUEST_WAITING;
    request->server->request_count++;
    if (request->body_writer.len) {
        if (writer_to_buf(&request->body_writer, &request->body) < 0) {
            request_refuse(request, 503, NULL);
            return;
        }
        writer_fini(&request->body_writer);
    }
    request->route->handle(request->route_owner, request);
}

void request_release(struct http_request *request)
{
    void (*on_gone)(void *owner) = request->on_gone;

    switch (request->state) {
    case REQUEST_READING:
    case REQUEST_ANSWERED:
        die(request);
        return;
    case REQUEST_WAITING:
        break;
    case REQUEST_LOST:
    case REQUEST_DEAD:
        return;
    }
    request->server->request_count--;
    request->lost_peer = *request->peer;
    request->peer = &request->lost_peer;
    request->conn = NULL;
    request->server = NULL;
    request->state = REQUEST_LOST;
    if (!on_gone)
        return; /* its handler still holds it, and answers one day */
    die(request);
    on_gone(request->on_gone_owner);
}

/* ---- what handlers ask ------------------------------------------------------------------------
 */

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_query(const struct http_request *request)
{
    return request->query;
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

const char *http_authority(const struct http_request *request)
{
    return request->authority;
}

struct buf *http_body(const struct http_request *request)
{
    return request->body;
}

const struct addr *http_peer(const struct http_request *request)
{
    return request->peer;
}

struct conn *http_conn(const struct http_request *request)
{
    return request->conn;
}

struct loop *http_loop(const struct http_request *request)
{
    return request->loop;
}

bool http_query_value(const struct http_request *request, const char *name, char *out, size_t room)
{
    return target_query_value(request->query, name, out, room);
}

const char *http_path_value(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->param_count; i++)
        if (strcmp(request->params[i].name, name) == 0)
            return request->params[i].value;
    return NULL;
}

void http_on_gone(struct http_request *request, void (*on_gone)(void *owner), void *owner)
{
    if (request->state != REQUEST_WAITING)
        return;
    request->on_gone = on_gone;
    request->on_gone_owner = owner;
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    char *name_copy = request_text(request, name, strlen(name));
    char *value_copy = request_text(request, value, strlen(value));
    int err = -ENOMEM;

    if (name_copy && value_copy)
        err = add_row(request, &request->extra, &request->extra_count, &request->extra_room,
                      (struct http_header){name_copy, value_copy});
    (void)err; /* without memory the answer goes without it */
}
