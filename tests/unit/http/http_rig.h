/* A server on fake conns, with routes that the tests of http share. */
#pragma once

#include "http/server.h"
#include "http/server_private.h"
#include "unit/http/fake_conn.h"

struct rig {
    struct loop *loop;
    struct http_router *router;
    struct http_server *server;
    struct http_request *held; /* by /hold */
    unsigned calls, gone;
    char path[256], value[64];
    struct conn *upgraded;
};

static struct rig rig;

static inline void rig_turn(void)
{
    loop_stop(rig.loop);
    loop_run(rig.loop);
}

static void rig_note(struct http_request *request)
{
    const char *value = http_path_value(request, "name");

    rig.calls++;
    snprintf(rig.path, sizeof(rig.path), "%s", http_path(request));
    snprintf(rig.value, sizeof(rig.value), "%s", value ? value : "");
}

static void rig_ok(void *owner, struct http_request *request)
{
    (void)owner;
    rig_note(request);
    http_respond_text(request, 200, "text/plain", "ok");
}

static void rig_echo(void *owner, struct http_request *request)
{
    (void)owner;
    rig_note(request);
    http_respond(request, 200, NULL, http_body(request));
}

static void rig_on_gone(void *owner)
{
    (void)owner;
    rig.gone++;
    rig.held = NULL;
}

static void rig_hold(void *owner, struct http_request *request)
{
    (void)owner;
    rig_note(request);
    rig.held = request;
    http_on_gone(request, rig_on_gone, NULL);
}

/* Waits without asking to be told when the peer goes. */
static void rig_wait(void *owner, struct http_request *request)
{
    (void)owner;
    rig_note(request);
    rig.held = request;
}

static void rig_large(void *owner, struct http_request *request)
{
    struct buf *body = buf_new(3 << 20);

    (void)owner;
    rig_note(request);
    if (!body) {
        http_respond_problem(request, 503, NULL, NULL, 1);
        return;
    }
    memset(body->bytes, 'x', body->len);
    http_respond(request, 200, NULL, body);
    buf_unref(body);
}

static void rig_upgrade(void *owner, struct http_request *request)
{
    static const struct http_header headers[] = {{"upgrade", "echo"}, {NULL, NULL}};

    rig_note(request);
    if (http_upgrade(request, headers, &rig.upgraded) == 0)
        conn_set_handler(rig.upgraded, owner, NULL);
    else
        http_respond_problem(request, 426, NULL, NULL, 0);
}

static ssize_t rig_raw_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)owner;
    return conn_write_copy(conn, bytes, len) < 0 ? -ERR_CLOSED : (ssize_t)len;
}

static void rig_raw_closed(void *owner, struct conn *conn, int err)
{
    (void)owner;
    (void)conn;
    (void)err;
}

static struct conn_handler rig_raw = {.on_input = rig_raw_input, .on_closed = rig_raw_closed};

static const struct http_route rig_routes[] = {
    {HTTP_GET, "/", rig_ok, 0},
    {HTTP_GET, "/ok", rig_ok, 0},
    {HTTP_GET, "/small-body", rig_echo, 16},
    {HTTP_POST, "/echo", rig_echo, 4096},
    {HTTP_GET, "/hold", rig_hold, 0},
    {HTTP_GET, "/wait", rig_wait, 0},
    {HTTP_GET, "/large", rig_large, 0},
    {HTTP_GET, "/items/{name}", rig_ok, 0},
    {HTTP_GET, "/upgrade", rig_upgrade, 0},
    {HTTP_OTHER, NULL, NULL, 0},
};

static inline void rig_open_limits(const struct http_limits *limits)
{
    memset(&rig, 0, sizeof(rig));
    if (loop_new(&rig.loop, 0) < 0 || http_router_new(&rig.router) < 0 ||
        http_router_add(rig.router, rig_routes, &rig_raw) < 0 ||
        http_server_new(&rig.server, rig.loop, rig.router, limits, NULL) < 0)
        abort();
}

static inline void rig_open(void)
{
    rig_open_limits(NULL);
}

static inline struct conn *rig_connect(const char *alpn)
{
    struct conn *conn = fake_conn_new(rig.loop, alpn);

    http_server_accept(rig.server, conn);
    return conn;
}

static inline void rig_close(void)
{
    http_server_free(rig.server);
    http_router_free(rig.router);
    loop_free(rig.loop);
}
