/* A conn that is memory: bytes go in by fake_input, come out in a writer. Defines every function
 * of net/conn.h, so that the real one is not linked. Include it in one file of a program.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "net/conn.h"

#ifndef FAKE_MALLOC
#define FAKE_MALLOC malloc /* a test that lets malloc fail spares these */
#endif

struct conn {
    const struct conn_handler *handler;
    void *owner;
    struct loop *loop;
    struct writer in, out;
    struct addr peer, local;
    struct conn_limits limits;
    const char *alpn;
    size_t room;    /* what the peer's window takes before backlog grows */
    size_t backlog; /* bytes of out that are not taken yet */
    size_t most_backlog;
    int64_t deadline_us; /* the last delay that was set; 0: never */
    bool is_paused, is_closed, is_flushed, is_above_mark, is_tls;
};

const struct conn_limits conn_limits_default = {
    .input_bytes = 64 * 1024,
    .backlog_bytes = 4 << 20,
    .low_water_bytes = 64 * 1024,
};

static inline struct conn *fake_conn_new(struct loop *loop, const char *alpn)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        abort();
    conn->loop = loop;
    conn->alpn = alpn;
    conn->room = SIZE_MAX;
    conn->limits = conn_limits_default;
    writer_init(&conn->in, SIZE_MAX);
    writer_init(&conn->out, SIZE_MAX);
    if (addr_parse(&conn->peer, "192.0.2.7:1234") < 0 ||
        addr_parse(&conn->local, "192.0.2.1:8554") < 0)
        abort();
    return conn;
}

static inline void fake_conn_free(struct conn *conn)
{
    writer_fini(&conn->in);
    writer_fini(&conn->out);
    free(conn);
}

/* Offers what waits, and what is kept afterwards when the handler changed. */
static inline void fake_offer(struct conn *conn)
{
    const struct conn_handler *handler;
    ssize_t used;

    do {
        uint8_t *exact = FAKE_MALLOC(conn->in.len ? conn->in.len : 1); /* so that overruns show */

        if (!exact)
            abort();
        memcpy(exact, conn->in.bytes ? conn->in.bytes : exact, conn->in.len);
        handler = conn->handler;
        used = handler->on_input(conn->owner, conn, exact, conn->in.len);
        free(exact);
        if (used < 0 || (size_t)used > conn->in.len)
            abort();
        writer_consume(&conn->in, (size_t)used);
    } while (handler != conn->handler && conn->in.len && !conn->is_closed);
}

static inline void fake_input(struct conn *conn, const void *bytes, size_t len)
{
    if (conn->is_closed)
        return;
    writer_put(&conn->in, bytes, len);
    if (!conn->is_paused && conn->in.len)
        fake_offer(conn);
}

/* What the end of a turn brings: input that was held back. */
static inline void fake_resume(struct conn *conn)
{
    if (!conn->is_paused && !conn->is_closed && conn->in.len)
        fake_offer(conn);
}

/* The peer takes len more bytes. */
static inline void fake_take(struct conn *conn, size_t len)
{
    size_t taken = len < conn->backlog ? len : conn->backlog;

    conn->backlog -= taken;
    conn->room += len - taken;
    if (conn->is_above_mark && conn->backlog <= conn->limits.low_water_bytes) {
        conn->is_above_mark = false;
        if (!conn->is_closed && conn->handler->on_drained)
            conn->handler->on_drained(conn->owner, conn);
    }
}

static inline void fake_peer_closes(struct conn *conn)
{
    if (conn->is_closed)
        return;
    conn->is_closed = true;
    conn->handler->on_closed(conn->owner, conn, -ERR_CLOSED);
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *owner)
{
    conn->handler = handler;
    conn->owner = owner;
}

void conn_set_limits(struct conn *conn, const struct conn_limits *limits)
{
    conn->limits = *limits;
}

int conn_write_copy(struct conn *conn, const void *bytes, size_t len)
{
    size_t taken = len < conn->room ? len : conn->room;

    if (conn->is_closed)
        return -ERR_CLOSED;
    if (conn->backlog + len > conn->limits.backlog_bytes)
        return -ENOBUFS;
    writer_put(&conn->out, bytes, len);
    if (conn->room != SIZE_MAX)
        conn->room -= taken;
    conn->backlog += len - taken;
    if (conn->backlog > conn->limits.low_water_bytes)
        conn->is_above_mark = true;
    if (conn->backlog > conn->most_backlog)
        conn->most_backlog = conn->backlog;
    return 0;
}

int conn_write(struct conn *conn, struct buf *buf, size_t offset, size_t len)
{
    if (offset > buf->len || len > buf->len - offset)
        abort();
    return conn_write_copy(conn, buf->bytes + offset, len);
}

void conn_cork(struct conn *conn)
{
    (void)conn;
}

void conn_uncork(struct conn *conn)
{
    (void)conn;
}

size_t conn_backlog(const struct conn *conn)
{
    return conn->backlog;
}

void conn_pause(struct conn *conn, bool is_paused)
{
    conn->is_paused = is_paused;
}

/* Connections are the test's own. */
int conn_accept(struct conn **out, struct loop *loop, int fd, struct tls_server *tls,
                const struct conn_limits *limits)
{
    (void)out, (void)loop, (void)fd, (void)tls, (void)limits;
    abort();
}

void conn_set_deadline(struct conn *conn, int64_t delay_us)
{
    conn->deadline_us = delay_us;
}

/* There is none. */
int conn_fd(const struct conn *conn)
{
    (void)conn;
    return -1;
}

void conn_set_low_latency(struct conn *conn, size_t unsent_bytes)
{
    (void)conn, (void)unsent_bytes;
}

void conn_close(struct conn *conn)
{
    conn->is_closed = true;
}

void conn_close_flushed(struct conn *conn, int64_t wait_us)
{
    (void)wait_us;
    conn->is_closed = true;
    conn->is_flushed = true;
}

struct loop *conn_loop(const struct conn *conn)
{
    return conn->loop;
}

const struct addr *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

const struct addr *conn_local(const struct conn *conn)
{
    return &conn->local;
}

bool conn_is_tls(const struct conn *conn)
{
    return conn->is_tls;
}

const char *conn_alpn(const struct conn *conn)
{
    return conn->alpn;
}

struct conn_counters conn_counters(const struct conn *conn)
{
    return (struct conn_counters){.out_bytes = conn->out.len - conn->backlog};
}
