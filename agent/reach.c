#include "agent/reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dial_http.h"
#include "agent/ways.h"
#include "base/list.h"
#include "crypto/digest.h"
#include "net/conn.h"
#include "net/websocket.h"

enum { HOST_MAX = 256, WORDS = 512, REQUEST_MAX = 2048, ANSWER_US = 10 * 1000000 };

enum step {
    STEP_DIAL,
    STEP_CONNECT, /* the proxy's answer is awaited */
    STEP_TLS,     /* through the proxy */
    STEP_UPGRADE  /* the server's answer is awaited */
};

struct reach {
    struct reach_target target;
    struct dial *dial; /* owned; one of the two, or neither between two ways */
    struct conn *conn; /* owned */
    const struct reach_handler *handler;
    void *owner;
    const struct way *order[WAYS];
    const struct way *way; /* the one that is being tried */
    unsigned count, tried, told;
    enum step step;
    bool is_route_down[2]; /* [via_proxy]: whatever is spoken there, nobody is reached */
    int err;
    struct loop_task gone;
    char key[WEBSOCKET_KEY];
    char host[HOST_MAX];
    char words[WORDS];
};

static const struct conn_limits reach_limits = {
    .input_bytes = REPLY_HEAD_MAX,
    .backlog_bytes = 16 * 1024,
    .low_water_bytes = 1024,
    .handshake_us = 10 * 1000000,
};

static void free_reach(struct loop_task *task)
{
    free(list_entry(task, struct reach, gone));
}

static void end(struct reach *reach)
{
    reach->dial = NULL;
    reach->conn = NULL;
    reach->gone.run = free_reach;
    loop_defer(reach->target.loop, &reach->gone);
}

void reach_close(struct reach *reach)
{
    if (!reach)
        return;
    dial_close(reach->dial);
    conn_close(reach->conn);
    end(reach);
}

/* ---- what went wrong ---------------------------------------------------------------------------
 */

/* The way that was tried leads nowhere, and why. */
static void note(struct reach *reach, int err, const char *words)
{
    size_t len = strlen(reach->words);

    if (reach->err != -ERR_PIN)
        reach->err = err;
    (void)snprintf(reach->words + len, sizeof(reach->words) - len, "%s%s: %s",
                   reach->told++ ? "; " : "", reach->way->name, words ? words : err_text(err));
}

static void try_next(struct reach *reach);

/* This way doesn't lead there: on to the next. */
static void give_up(struct reach *reach, int err, const char *words)
{
    note(reach, err, words);
    conn_close(reach->conn);
    reach->conn = NULL;
    try_next(reach);
}

static void fail(struct reach *reach)
{
    const struct reach_handler *handler = reach->handler;
    void *owner = reach->owner;

    end(reach);
    handler->on_failed(owner, reach->err ? reach->err : -ERR_NOT_FOUND, reach->words);
}

/* TCP itself found no way: a WebSocket would not either. */
static bool is_unreachable(int err)
{
    return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ENETUNREACH ||
           err == -ERR_NOT_FOUND;
}

/* ---- the steps ---------------------------------------------------------------------------------
 */

static void deliver(struct reach *reach)
{
    const struct reach_handler *handler = reach->handler;
    const struct way *way = reach->way;
    struct conn *conn = reach->conn;
    void *owner = reach->owner;

    conn_set_deadline(conn, 0);
    conn_set_limits(conn, reach->target.limits);
    end(reach);
    handler->on_open(owner, conn, way);
}

/* Sends what the writer holds, and wipes it: there may be a password in it. */
static int send_request(struct reach *reach, struct writer *request)
{
    int err = request->err;

    if (err == 0)
        err = conn_write_copy(reach->conn, request->bytes, request->len);
    if (request->bytes)
        secret_wipe(request->bytes, request->len);
    writer_fini(request);
    conn_set_deadline(reach->conn, ANSWER_US);
    return err;
}

static struct http_authority server_of(const struct reach *reach)
{
    return (struct http_authority){reach->host, reach->target.port};
}

static int ask_proxy(struct reach *reach)
{
    struct writer request;

    reach->step = STEP_CONNECT;
    writer_init(&request, REQUEST_MAX);
    connect_request(&request, server_of(reach), &reach->target.ways->proxy);
    return send_request(reach, &request);
}

static int ask_upgrade(struct reach *reach)
{
    struct writer request;

    reach->step = STEP_UPGRADE;
    websocket_make_key(reach->key);
    writer_init(&request, REQUEST_MAX);
    upgrade_request(&request, server_of(reach), reach->key);
    return send_request(reach, &request);
}

/* The server is at the other end, and has shown its key. */
static void secured(struct reach *reach)
{
    int err;

    if (!reach->way->is_websocket) {
        deliver(reach);
        return;
    }
    err = ask_upgrade(reach);
    if (err < 0)
        give_up(reach, err, NULL);
}

static int take_connect(struct reach *reach, const struct http_reply *reply)
{
    const struct ways *ways = reach->target.ways;
    const char *refusal = connect_refusal(reply, &ways->proxy);
    int err;

    if (refusal) {
        reach->is_route_down[true] = true;
        give_up(reach, -ERR_DENIED, refusal);
        return 0;
    }
    reach->step = STEP_TLS;
    conn_set_deadline(reach->conn, 0); /* TLS has its own */
    err = conn_start_tls(reach->conn, ways->tls[reach->way->is_websocket],
                         dial_server_name(reach->host));
    if (err < 0)
        give_up(reach, err, NULL);
    return err;
}

static void take_upgrade(struct reach *reach, const struct http_reply *reply)
{
    const char *refusal = upgrade_refusal(reply, reach->key);
    int err = refusal ? -ERR_DENIED : websocket_attach(reach->conn, WEBSOCKET_CLIENT);

    if (err < 0)
        give_up(reach, err, refusal);
    else
        deliver(reach);
}

/* ---- the connection ----------------------------------------------------------------------------
 */

static void on_open(void *owner, struct conn *conn)
{
    struct reach *reach = owner;

    (void)conn;
    if (reach->step == STEP_TLS)
        secured(reach);
}

static bool is_interim(unsigned status)
{
    return status >= 100 && status < 200 && status != 101;
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct reach *reach = owner;
    struct http_reply reply;
    ssize_t used = 0, head;

    (void)conn;
    if (reach->step != STEP_CONNECT && reach->step != STEP_UPGRADE)
        return -ERR_PROTOCOL;
    do {
        head = http_reply_parse(&reply, bytes + used, len - (size_t)used);
        used += head > 0 ? head : 0;
    } while (head > 0 && is_interim(reply.status) && (size_t)used < len);
    if (head < 0)
        give_up(reach, (int)head, "what answers speaks no HTTP");
    else if (head == 0 || is_interim(reply.status))
        return used;
    else if (reach->step == STEP_CONNECT)
        (void)take_connect(reach, &reply);
    else
        take_upgrade(reach, &reply);
    return used;
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct reach *reach = owner;

    (void)conn;
    reach->conn = NULL;
    give_up(reach, err, NULL);
}

static const struct conn_handler conn_handler = {
    .on_open = on_open,
    .on_input = on_input,
    .on_closed = on_closed,
};

static void on_dialled(void *owner, struct conn *conn)
{
    struct reach *reach = owner;
    int err;

    reach->dial = NULL;
    reach->conn = conn;
    if (reach->way->via_proxy || reach->way->is_websocket)
        conn_set_handler(conn, &conn_handler, reach);
    if (!reach->way->via_proxy) {
        secured(reach);
        return;
    }
    err = ask_proxy(reach);
    if (err < 0)
        give_up(reach, err, NULL);
}

static void on_dial_failed(void *owner, int err)
{
    struct reach *reach = owner;

    reach->dial = NULL;
    reach->is_route_down[reach->way->via_proxy] = is_unreachable(err);
    give_up(reach, err,
            reach->way->via_proxy && is_unreachable(err) ? "the proxy is not there" : NULL);
}

static const struct dial_handler dial_handler = {on_dialled, on_dial_failed};

static int try_way(struct reach *reach)
{
    const struct ways *ways = reach->target.ways;
    bool via_proxy = reach->way->via_proxy;
    struct dial_target target = {.loop = reach->target.loop,
                                 .tls = via_proxy ? NULL : ways->tls[reach->way->is_websocket],
                                 .host = via_proxy ? ways->proxy.host : reach->host,
                                 .port = via_proxy ? ways->proxy.port : reach->target.port,
                                 .device = reach->target.device,
                                 .limits = &reach_limits};

    reach->step = STEP_DIAL;
    return dial_open(&reach->dial, &target, &dial_handler, reach);
}

static void try_next(struct reach *reach)
{
    while (reach->tried < reach->count) {
        int err;

        reach->way = reach->order[reach->tried++];
        if (reach->is_route_down[reach->way->via_proxy])
            continue;
        err = try_way(reach);
        if (err == 0)
            return;
        note(reach, err, NULL);
    }
    fail(reach);
}

int reach_open(struct reach **out, const struct reach_target *target,
               const struct reach_handler *handler, void *owner)
{
    struct reach *reach;
    int err;

    if (strlen(target->host) >= HOST_MAX)
        return -ERR_TOO_LONG;
    reach = calloc(1, sizeof(*reach));
    if (!reach)
        return -ENOMEM;
    reach->target = *target;
    reach->handler = handler;
    reach->owner = owner;
    memcpy(reach->host, target->host, strlen(target->host) + 1);
    reach->count = ways_order(target->ways, reach->host, reach->order);
    reach->way = reach->order[reach->tried++];
    err = try_way(reach);
    if (err < 0) {
        free(reach);
        return err;
    }
    *out = reach;
    return 0;
}
