#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "http/server.h"
#include "net/conn.h"
#include "server/admit.h"
#include "server/directory.h"
#include "server/pages.h"
#include "server/server.h"
#include "server/tunnel/tunnel.h"
#include "server/usage.h"
#include "server/web.h"

enum { TICK_US = 500 * 1000, USAGE_TICKS = 20 };

/* How each kind of packets is kept: the current group of pictures, and this much beyond. */
static const struct feed_kind feed_kinds[] = {
    {&packager_rtp, {8 * 1024 * 1024, 2 * 1000000}, 2 * 1000000},
    {&packager_cmaf, {32 * 1024 * 1024, 20 * 1000000LL}, 0}, /* its viewers' windows linger */
    {&packager_ts, {8 * 1024 * 1024, 2 * 1000000}, 2 * 1000000},
    {&packager_ts_segment, {32 * 1024 * 1024, 20 * 1000000LL}, 0}, /* as CMAF */
    {&packager_flv, {8 * 1024 * 1024, 2 * 1000000}, 2 * 1000000},
    {&packager_opus, {512 * 1024, 2 * 1000000}, 2 * 1000000},
    {&packager_key, {8 * 1024 * 1024, 1}, 10 * 1000000},
    {.packager = NULL},
};

/* On every answer: what a browser must not do with our pages. */
static const struct http_header security_headers[] = {
    {"x-content-type-options", "nosniff"},
    {"referrer-policy", "no-referrer"},
    {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
    {"strict-transport-security", "max-age=31536000"},
    {NULL, NULL},
};

static void on_view_users(void *owner, struct view *view)
{
    struct worker *worker = owner;

    relay_view_users(worker->server->relay, worker->index, view->slug, view->user_count > 0);
}

static void on_tick(struct loop_timer *timer)
{
    struct worker *worker = list_entry(timer, struct worker, tick);
    static _Thread_local unsigned ticks;

    admit_tick(worker);
    if (++ticks % USAGE_TICKS == 0)
        usage_flush(worker);
    loop_timer_start(&worker->tick, TICK_US);
}

/* What begins in clear on the TLS port may be a viewer's ICE over TCP: mux.c looks. */
static const struct conn_limits mux_limits = {
    .input_bytes = 64 * 1024,
    .backlog_bytes = 4 * 1024 * 1024,
    .low_water_bytes = 64 * 1024,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 5 * 1000000,
    .is_tls_optional = true,
};

static void on_tls_accept(void *owner, int fd, const struct addr *peer)
{
    struct worker *worker = owner;
    struct conn *conn;

    (void)peer;
    if (conn_accept(&conn, worker->loop, fd, worker->server->tls, &mux_limits) == 0)
        mux_accept(worker, conn);
}

static void on_plain_accept(void *owner, int fd, const struct addr *peer)
{
    struct worker *worker = owner;
    struct conn *conn;

    (void)peer;
    if (conn_accept(&conn, worker->loop, fd, NULL, &conn_limits_default) == 0)
        http_server_accept(worker->http, conn);
}

static const struct listener_handler tls_listener = {on_tls_accept};
static const struct listener_handler plain_listener = {on_plain_accept};

static int open_http(struct worker *worker)
{
    int err = http_router_new(&worker->router);

    if (err == 0)
        err = http_router_new(&worker->plain_router);
    if (err == 0)
        err = pages_add(worker);
    if (err == 0)
        err = web_add(worker->server->web, worker->router);
    if (err == 0)
        err = http_server_new(&worker->https, worker->loop, worker->router, &http_limits_default,
                              security_headers);
    if (err == 0)
        err = http_server_new(&worker->http, worker->loop, worker->plain_router,
                              &http_limits_default, security_headers);
    return err;
}

static int open_tunnel(struct worker *worker)
{
    struct server *server = worker->server;
    struct tunnel_env env = {.loop = worker->loop,
                             .hub = worker->hub,
                             .relay = server->relay,
                             .store = server->store,
                             .reader = worker->reader,
                             .node_id = server->node_id,
                             .public_address = server->public_address};

    int err = tunnel_new(&worker->tunnel, &env);

    return err < 0 ? err : tunnel_add_routes(worker->tunnel, worker->router);
}

static int open_egress(struct worker *worker)
{
    struct server *server = worker->server;
    int err;

    worker->env = (struct egress_env){.loop = worker->loop,
                                      .options = server->options,
                                      .router = worker->router,
                                      .tls = server->tls,
                                      .public_host = option_text(server->options, "public-host"),
                                      .node_id = server->node_id,
                                      .owner = worker,
                                      .admit = admit,
                                      .leave = admit_leave,
                                      .view = admit_view,
                                      .token_by_id = admit_token_by_id,
                                      .describe = directory_describe};
    for (unsigned i = 0; egress_all[i]; i++) {
        err = egress_all[i]->start(&worker->egress[i], &worker->env);
        if (err < 0)
            return err;
    }
    return 0;
}

static int open_ports(struct worker *worker)
{
    const struct options *options = worker->server->options;
    int err;

    worker->listeners.loop = worker->loop;
    worker->listeners.options = options;
    worker->listeners.owner = worker;
    err = listener_list_open(&worker->listeners, (uint16_t)option_int(options, "https-port"),
                             &tls_listener);
    if (err == 0)
        err = listener_list_open(&worker->listeners, (uint16_t)option_int(options, "http-port"),
                                 &plain_listener);
    return err;
}

static int open_parts(struct worker *worker)
{
    int err = store_reader_open(&worker->reader, worker->server->store);

    if (err == 0)
        err = open_http(worker);
    if (err == 0)
        err = open_tunnel(worker);
    if (err == 0)
        err = open_egress(worker);
    if (err == 0)
        err = open_ports(worker);
    return err;
}

int worker_open(struct worker *worker, struct server *server, unsigned index)
{
    int err;

    worker->index = index;
    worker->server = server;
    list_init(&worker->grants);
    err = map_init(&worker->directory);
    if (err == 0)
        err = usage_new(&worker->usage);
    if (err == 0)
        err = loop_new(&worker->loop, index);
    if (err == 0)
        err = hub_new(&worker->hub, worker->loop, feed_kinds);
    if (err < 0)
        return err;
    hub_on_users(worker->hub, on_view_users, worker);
    loop_timer_init(&worker->tick, worker->loop, on_tick);
    return 0;
}

int worker_open_parts(struct worker *worker)
{
    int err = open_parts(worker);

    if (err == 0)
        loop_timer_start(&worker->tick, TICK_US);
    return err;
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    sigset_t all;

    sigfillset(&all); /* signals are the first loop's */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    loop_run(worker->loop);
    return NULL;
}

int worker_start(struct worker *worker)
{
    return -pthread_create(&worker->thread, NULL, worker_run, worker);
}

void worker_drain(struct worker *worker)
{
    worker->is_draining = true;
    listener_list_close(&worker->listeners);
    for (unsigned i = 0; egress_all[i]; i++)
        if (worker->egress[i])
            egress_all[i]->drain(worker->egress[i]);
    tunnel_drain(worker->tunnel);
    http_server_drain(worker->https);
    http_server_drain(worker->http);
}

void worker_close(struct worker *worker)
{
    if (!worker->loop)
        return;
    loop_timer_stop(&worker->tick);
    listener_list_close(&worker->listeners);
    for (unsigned i = 0; egress_all[i]; i++)
        if (worker->egress[i])
            egress_all[i]->stop(worker->egress[i]);
    if (worker->usage && worker->reader)
        usage_flush(worker);
    tunnel_free(worker->tunnel);
    conn_close_ownerless(worker->loop);
    http_server_free(worker->https);
    http_server_free(worker->http);
    http_router_free(worker->router);
    http_router_free(worker->plain_router);
    store_reader_close(worker->reader);
    usage_free(worker->usage);
}

void worker_free_hub(struct worker *worker)
{
    if (!worker->loop)
        return;
    hub_free(worker->hub);
    directory_fini(worker);
}
