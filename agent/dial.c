#include "agent/dial.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/allow.h"
#include "base/list.h"
#include "net/conn.h"

enum { ADDRESSES_MAX = 8, HOST_MAX = 256 };

/* A look-up on a thread of its own; posts itself back. Outlives a closed dial. */
struct lookup {
    struct loop_task task;
    struct loop *loop;
    struct dial *dial; /* NULL once nobody waits; the loop's thread only */
    char host[HOST_MAX];
    struct addr found[ADDRESSES_MAX];
    unsigned count;
};

struct dial {
    struct dial_target target;
    struct lookup *lookup; /* shared with its thread; NULL when it is done */
    struct conn *conn;
    const struct dial_handler *handler;
    void *owner;
    struct addr addrs[ADDRESSES_MAX];
    unsigned count, tried;
    int err; /* why the last address failed */
    struct loop_task gone;
    char host[HOST_MAX];
};

static void free_dial(struct loop_task *task)
{
    free(list_entry(task, struct dial, gone));
}

static void end(struct dial *dial)
{
    if (dial->lookup)
        dial->lookup->dial = NULL;
    dial->lookup = NULL;
    dial->conn = NULL;
    dial->gone.run = free_dial;
    loop_defer(dial->target.loop, &dial->gone);
}

void dial_close(struct dial *dial)
{
    if (!dial)
        return;
    conn_close(dial->conn);
    end(dial);
}

static void fail(struct dial *dial, int err)
{
    const struct dial_handler *handler = dial->handler;
    void *owner = dial->owner;

    end(dial);
    handler->on_failed(owner, err);
}

static void try_next(struct dial *dial);

static void on_open(void *owner, struct conn *conn)
{
    struct dial *dial = owner;
    const struct dial_handler *handler = dial->handler;
    void *dial_owner = dial->owner;

    end(dial);
    handler->on_open(dial_owner, conn);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)owner;
    (void)conn;
    (void)bytes;
    (void)len;
    return 0; /* for whoever takes the connection over */
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    struct dial *dial = owner;

    (void)conn;
    dial->conn = NULL;
    /* A wrong key stays the answer, whatever the other addresses say. */
    if (dial->err != -ERR_PIN)
        dial->err = err;
    try_next(dial);
}

static const struct conn_handler conn_handler = {
    .on_open = on_open,
    .on_input = on_input,
    .on_closed = on_closed,
};

const char *dial_server_name(const char *host)
{
    struct addr numeric;

    return addr_parse(&numeric, host) == 0 || strchr(host, ':') ? NULL : host;
}

static void try_next(struct dial *dial)
{
    while (dial->tried < dial->count) {
        struct conn_target target = {.addr = dial->addrs[dial->tried++],
                                     .device = dial->target.device,
                                     .tls = dial->target.tls,
                                     .server_name = dial_server_name(dial->host)};
        int err;

        if (dial->target.allow && !allow_has(dial->target.allow, &target.addr)) {
            dial->err = -ERR_DENIED;
            continue;
        }
        err = conn_connect(&dial->conn, dial->target.loop, &target, dial->target.limits);
        if (err == 0) {
            conn_set_handler(dial->conn, &conn_handler, dial);
            return;
        }
        dial->err = err;
    }
    fail(dial, dial->err ? dial->err : -ERR_NOT_FOUND);
}

static void on_found(struct loop_task *task)
{
    struct lookup *lookup = list_entry(task, struct lookup, task);
    struct dial *dial = lookup->dial;

    if (dial) {
        dial->lookup = NULL;
        dial->count = lookup->count;
        memcpy(dial->addrs, lookup->found, sizeof(dial->addrs));
        for (unsigned i = 0; i < dial->count; i++)
            addr_set_port(&dial->addrs[i], dial->target.port);
    }
    free(lookup);
    if (dial)
        try_next(dial);
}

static void *look_up(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;

    if (getaddrinfo(lookup->host, NULL, &hints, &list) != 0)
        list = NULL;
    for (struct addrinfo *at = list; at && lookup->count < ADDRESSES_MAX; at = at->ai_next) {
        struct addr *addr = &lookup->found[lookup->count++];

        memcpy(&addr->storage, at->ai_addr, at->ai_addrlen);
        addr->len = at->ai_addrlen;
    }
    if (list)
        freeaddrinfo(list);
    loop_post(lookup->loop, &lookup->task);
    return NULL;
}

static int start_lookup(struct dial *dial)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    pthread_t thread;
    int err;

    if (!lookup)
        return -ENOMEM;
    lookup->loop = dial->target.loop;
    lookup->dial = dial;
    lookup->task.run = on_found;
    memcpy(lookup->host, dial->host, sizeof(lookup->host));
    err = -pthread_create(&thread, NULL, look_up, lookup);
    if (err < 0) {
        free(lookup);
        return err;
    }
    pthread_detach(thread);
    dial->lookup = lookup;
    return 0;
}

static void on_numeric(struct loop_task *task)
{
    on_found(task);
}

/* An address needs no look-up, but its answer comes after this turn as well. */
static int skip_lookup(struct dial *dial, const struct addr *addr)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (!lookup)
        return -ENOMEM;
    lookup->dial = dial;
    lookup->found[0] = *addr;
    lookup->count = 1;
    lookup->task.run = on_numeric;
    dial->lookup = lookup;
    loop_post(dial->target.loop, &lookup->task);
    return 0;
}

int dial_open(struct dial **out, const struct dial_target *target,
              const struct dial_handler *handler, void *owner)
{
    char bracketed[HOST_MAX + 2];
    struct dial *dial;
    struct addr addr;
    int err;

    if (strlen(target->host) >= HOST_MAX)
        return -ERR_TOO_LONG;
    dial = calloc(1, sizeof(*dial));
    if (!dial)
        return -ENOMEM;
    dial->target = *target;
    dial->handler = handler;
    dial->owner = owner;
    memcpy(dial->host, target->host, strlen(target->host) + 1);
    (void)snprintf(bracketed, sizeof(bracketed), "[%s]", dial->host);
    if (addr_parse(&addr, dial->host) == 0 || addr_parse(&addr, bracketed) == 0)
        err = skip_lookup(dial, &addr);
    else
        err = start_lookup(dial);
    if (err < 0) {
        free(dial);
        return err;
    }
    *out = dial;
    return 0;
}
