#include "server/pages.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/writer.h"
#include "http/router.h"
#include "server/metrics.h"
#include "server/server.h"

static void get_health(void *owner, struct http_request *request)
{
    (void)owner;
    http_respond_text(request, 200, "text/plain; charset=utf-8", "ok\n");
}

static void get_ready(void *owner, struct http_request *request)
{
    struct worker *worker = owner;

    if (worker->is_draining)
        http_respond_problem(request, 503, "draining", "The server is shutting down.", 10);
    else
        http_respond_text(request, 200, "text/plain; charset=utf-8", "ready\n");
}

/* Figures are for the machine's own monitoring: another address needs to ask by the API. */
static void get_metrics(void *owner, struct http_request *request)
{
    struct worker *worker = owner;
    struct writer text;
    struct buf *body = NULL;
    static const struct http_header headers[] = {
        {"content-type", "text/plain; version=0.0.4; charset=utf-8"},
        {"cache-control", "no-store"},
        {NULL, NULL}};

    if (!addr_is_private(http_peer(request))) {
        http_respond_problem(request, 403, "network",
                             "Metrics are shown to private addresses only.", 0);
        return;
    }
    writer_init(&text, 256 * 1024);
    metrics_write(worker->server, &text);
    if (writer_to_buf(&text, &body) < 0)
        http_respond_problem(request, 503, "memory", "The server is out of memory.", 1);
    else
        http_respond(request, 200, headers, body);
    buf_unref(body);
    writer_fini(&text);
}

static void redirect(void *owner, struct http_request *request)
{
    struct worker *worker = owner;
    char target[2048];
    const struct http_header headers[] = {{"location", target}, {NULL, NULL}};
    int len = snprintf(target, sizeof(target), "https://%s%s", worker->server->public_authority,
                       http_path(request));

    /* The query stays behind: it may hold a token, and this answer is not encrypted. */
    if (len < 0 || (size_t)len >= sizeof(target))
        http_respond_problem(request, 414, "target", "The address is too long.", 0);
    else
        http_respond(request, 308, headers, NULL);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/healthz", get_health, 0},
    {HTTP_GET, "/readyz", get_ready, 0},
    {HTTP_GET, "/metrics", get_metrics, 0},
    {.pattern = NULL},
};

static const struct http_route plain_routes[] = {
    {HTTP_GET, "/healthz", get_health, 0},
    {HTTP_GET, "/{path...}", redirect, 0},
    {.pattern = NULL},
};

int pages_add(struct worker *worker)
{
    int err = http_router_add(worker->router, routes, worker);

    return err < 0 ? err : http_router_add(worker->plain_router, plain_routes, worker);
}
