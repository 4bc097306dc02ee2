/* GET /agent: the same connections in a WebSocket, where only HTTPS gets through (RFC 6455
 * section 4.2). Agents come here; a browser has no business here and is refused. */
#include <string.h>

#include "http/router.h"
#include "http/token.h"
#include "net/conn.h"
#include "net/websocket.h"
#include "server/tunnel/internal.h"

static const char subprotocol[] = "culvert.1";

/* What is wrong with the request, in the order in which it is looked at. */
struct objection {
    unsigned status;
    const char *rule, *detail;
};

static const struct objection not_websocket = {
    426, "upgrade", "This is where agents connect: a WebSocket over HTTP/1.1 is asked for."};
static const struct objection wrong_version = {426, "version",
                                               "Only version 13 of the WebSocket is spoken."};
static const struct objection in_http2 = {400, "http2",
                                          "This is where agents connect, and they speak HTTP/1.1."};
static const struct objection has_origin = {403, "origin",
                                            "This is where agents connect: pages may not."};
static const struct objection bad_key = {400, "key", "Sec-WebSocket-Key must be 16 bytes, base64."};
static const struct objection bad_protocol = {400, "subprotocol",
                                              "Sec-WebSocket-Protocol must offer culvert.1."};
static const struct objection is_full = {503, "busy", "The server takes no more agents now."};

static bool is_text(const char *value, const char *wanted)
{
    return value && strcmp(value, wanted) == 0;
}

static const struct objection *object(const struct tunnel *tunnel,
                                      const struct http_request *request)
{
    if (http_header(request, "origin"))
        return &has_origin;
    if (http_is_h2(request))
        return &in_http2;
    if (!token_in(http_header(request, "upgrade"), "websocket") ||
        !token_in(http_header(request, "connection"), "upgrade"))
        return &not_websocket;
    if (!is_text(http_header(request, "sec-websocket-version"), "13"))
        return &wrong_version;
    if (!websocket_is_key(http_header(request, "sec-websocket-key")))
        return &bad_key;
    if (!token_in(http_header(request, "sec-websocket-protocol"), subprotocol))
        return &bad_protocol;
    return tunnel->is_draining || tunnel->unproved >= TUNNEL_STRANGERS_MAX ? &is_full : NULL;
}

static void refuse(struct http_request *request, const struct objection *objection)
{
    if (objection->status == 426) {
        http_add_header(request, "upgrade", "websocket");
        http_add_header(request, "sec-websocket-version", "13");
    }
    http_respond_problem(request, objection->status, objection->rule, objection->detail,
                         objection->status == 503 ? 10 : 0);
}

static void get_agent(void *owner, struct http_request *request)
{
    struct tunnel *tunnel = owner;
    const struct objection *objection = object(tunnel, request);
    char answer[WEBSOCKET_ACCEPT];
    const struct http_header headers[] = {{"upgrade", "websocket"},
                                          {"sec-websocket-accept", answer},
                                          {"sec-websocket-protocol", subprotocol},
                                          {NULL, NULL}};
    struct conn *conn;

    if (objection) {
        tunnel->counters.refused++;
        refuse(request, objection);
        return;
    }
    if (websocket_answer_key(http_header(request, "sec-websocket-key"), answer) < 0) {
        http_respond_problem(request, 503, "library", "The server can't compute the answer.", 0);
        return;
    }
    if (http_upgrade(request, headers, &conn) < 0) {
        http_respond_problem(request, 400, "upgrade", "This can't become a WebSocket.", 0);
        return;
    }
    conn_set_limits(conn, &conn_limits_default);
    if (websocket_attach(conn, WEBSOCKET_SERVER) < 0)
        conn_close(conn);
    else
        tunnel_accept(tunnel, conn);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/agent", get_agent, 0},
    {.pattern = NULL},
};

int tunnel_add_routes(struct tunnel *tunnel, struct http_router *router)
{
    return http_router_add(router, routes, tunnel);
}
