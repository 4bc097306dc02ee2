#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "http/gzip.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/server_private.h"
#include "net/conn.h"

enum { SCRATCH_LIMIT = 512 * 1024 };

const struct http_limits http_limits_default = {
    .header_bytes = 16 * 1024,
    .header_count = 64,
    .target_bytes = 8 * 1024,
    .streams = 100,
    .resets_per_10s = 200,
    .request_us = 10 * 1000 * 1000,
    .idle_us = 60 * 1000 * 1000,
    .write_stall_us = 10 * 1000 * 1000,
};

static void on_sweep(struct loop_timer *timer)
{
    struct http_server *server = list_entry(timer, struct http_server, sweep);

    server_sweep(server, loop_now_us(server->loop));
    if (server->link_count)
        loop_timer_start(timer, SWEEP_US);
}

int http_server_new(struct http_server **out, struct loop *loop, struct http_router *router,
                    const struct http_limits *limits, const struct http_header *headers)
{
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return -ENOMEM;
    list_init(&server->links);
    writer_init(&server->scratch, SCRATCH_LIMIT);
    writer_init(&server->frames, SCRATCH_LIMIT);
    server->loop = loop;
    server->router = router;
    server->headers = headers;
    server->limits = limits ? *limits : http_limits_default;
    loop_timer_init(&server->sweep, loop, on_sweep);
    *out = server;
    return 0;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    while (!list_is_empty(&server->links)) {
        struct link *link = list_entry(server->links.next, struct link, on_server);

        link->vtable->close(link);
    }
    loop_timer_stop(&server->sweep);
    gzip_free(server->gzip);
    writer_fini(&server->scratch);
    writer_fini(&server->frames);
    free(server);
}

void http_server_accept(struct http_server *server, struct conn *conn)
{
    if (strcmp(conn_alpn(conn), "h2") == 0)
        h2_open(server, conn);
    else
        h1_open(server, conn);
}

/* Calls one of a connection's functions on every connection, any of which it may close. */
static void for_each_link(struct http_server *server,
                          void (*visit)(struct link *link, int64_t now_us), int64_t now_us)
{
    struct list left;

    list_move(&left, &server->links);
    while (!list_is_empty(&left)) {
        struct link *link = list_entry(left.next, struct link, on_server);

        list_remove(&link->on_server);
        list_append(&server->links, &link->on_server);
        visit(link, now_us);
    }
}

static void drain_link(struct link *link, int64_t now_us)
{
    (void)now_us;
    link->vtable->drain(link);
}

static void sweep_link(struct link *link, int64_t now_us)
{
    link->vtable->sweep(link, now_us);
}

void http_server_drain(struct http_server *server)
{
    server->is_draining = true;
    for_each_link(server, drain_link, 0);
}

void server_sweep(struct http_server *server, int64_t now_us)
{
    for_each_link(server, sweep_link, now_us);
}

size_t http_server_connections(const struct http_server *server)
{
    return server->link_count;
}

size_t http_server_requests(const struct http_server *server)
{
    return server->request_count;
}

void server_add(struct http_server *server, struct link *link, const struct link_vtable *vtable)
{
    link->vtable = vtable;
    list_append(&server->links, &link->on_server);
    server->link_count++;
    if (!loop_timer_is_active(&server->sweep))
        loop_timer_start(&server->sweep, SWEEP_US);
}

void server_remove(struct http_server *server, struct link *link)
{
    if (list_is_empty(&link->on_server))
        return;
    list_remove(&link->on_server);
    server->link_count--;
}

const char *server_date(struct http_server *server)
{
    int64_t second = clock_wall_us() / 1000000;
    time_t now = (time_t)second;
    struct tm parts;

    if (second == server->date_second && server->date[0])
        return server->date;
    gmtime_r(&now, &parts);
    strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    server->date_second = second;
    return server->date;
}

bool link_is_stalled(struct link *link, bool is_waiting, uint64_t sent, int64_t now_us,
                     int64_t write_stall_us)
{
    bool is_fresh = link->progress_since_us == 0;
    bool has_moved = sent - link->progress_bytes >= STALL_LEAST_BYTES;

    if (is_waiting && !is_fresh && !has_moved)
        return now_us - link->progress_since_us >= write_stall_us;
    link->progress_since_us = is_waiting ? now_us : 0;
    link->progress_bytes = sent;
    return false;
}

void server_limit_conn(struct conn *conn)
{
    struct conn_limits limits = conn_limits_default;

    limits.low_water_bytes = OUTPUT_LOW_BYTES;
    conn_set_limits(conn, &limits);
}
