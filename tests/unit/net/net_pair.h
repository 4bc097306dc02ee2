/* tests/unit/net/net_pair.h: two ends of a connection over loopback, on one loop. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/writer.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/tls.h"

enum { GOT_BYTES = 64 << 20, TURN_US = 500, PATIENCE_US = 20 * 1000 * 1000 };

enum seen { SEEN_OPEN, SEEN_INPUT, SEEN_DRAINED, SEEN_CLOSED };

/* One end, and what it has seen. Zeroed but for what a test sets. */
struct end {
    struct conn *conn;
    struct writer got;
    size_t use_at_most; /* 0: all of each offer */
    size_t needs;       /* use nothing before so many bytes are offered */
    ssize_t refuse;     /* what on_input returns, when not 0 */
    size_t largest_offer;
    unsigned opened, inputs, drained, closed;
    int closed_err;
    void (*hook)(struct end *end, enum seen what);
    struct end *other; /* for the hook */
    int step;          /* for the hook */
};

struct world {
    struct loop *loop;
    struct loop_timer tick;
    struct listener *listener;
    struct tls_server *tls_server;
    struct tls_client *tls_client;
    const struct conn_limits *server_limits, *client_limits;
    struct end server, client;
};

static void end_tell(struct end *end, enum seen what)
{
    if (end->hook)
        end->hook(end, what);
}

static void end_on_open(void *owner, struct conn *conn)
{
    struct end *end = owner;

    assert_ptr_equal(conn, end->conn);
    end->opened++;
    end_tell(end, SEEN_OPEN);
}

static ssize_t end_on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct end *end = owner;

    (void)conn;
    end->inputs++;
    if (len > end->largest_offer)
        end->largest_offer = len;
    if (end->refuse)
        return end->refuse;
    if (len < end->needs) {
        end_tell(end, SEEN_INPUT);
        return 0;
    }
    if (end->use_at_most && len > end->use_at_most)
        len = end->use_at_most;
    writer_put(&end->got, bytes, len);
    end_tell(end, SEEN_INPUT);
    return (ssize_t)len;
}

static void end_on_drained(void *owner, struct conn *conn)
{
    struct end *end = owner;

    (void)conn;
    end->drained++;
    end_tell(end, SEEN_DRAINED);
}

static void end_on_closed(void *owner, struct conn *conn, int err)
{
    struct end *end = owner;

    assert_ptr_equal(conn, end->conn);
    end->conn = NULL;
    end->closed++;
    end->closed_err = err;
    end_tell(end, SEEN_CLOSED);
}

static const struct conn_handler end_handler = {end_on_open, end_on_input, end_on_drained,
                                                end_on_closed};

static void world_on_accept(void *owner, int fd, const struct addr *peer)
{
    struct world *world = owner;

    assert_true(addr_is_loopback(peer));
    assert_null(world->server.conn);
    assert_int_equal(
        conn_accept(&world->server.conn, world->loop, fd, world->tls_server, world->server_limits),
        0);
    conn_set_handler(world->server.conn, &end_handler, &world->server);
}

static const struct listener_handler world_listener = {world_on_accept};

static void world_on_tick(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

/* Runs the loop for a moment. */
static inline void world_turn(struct world *world)
{
    loop_timer_start(&world->tick, TURN_US);
    loop_run(world->loop);
}

/* Runs the loop until the expression is true, and fails when it never is. */
#define UNTIL(world, expression)                                                                   \
    do {                                                                                           \
        int64_t give_up_us = clock_mono_us() + PATIENCE_US;                                        \
        while (!(expression)) {                                                                    \
            assert_true(clock_mono_us() < give_up_us);                                             \
            world_turn(world);                                                                     \
        }                                                                                          \
    } while (0)

static inline void world_init(struct world *world)
{
    struct addr addr;

    memset(world, 0, sizeof(*world));
    assert_int_equal(loop_new(&world->loop, 0), 0);
    loop_timer_init(&world->tick, world->loop, world_on_tick);
    writer_init(&world->server.got, GOT_BYTES);
    writer_init(&world->client.got, GOT_BYTES);
    world->server.other = &world->client;
    world->client.other = &world->server;
    assert_int_equal(addr_parse(&addr, "127.0.0.1:0"), 0);
    assert_int_equal(listener_open(&world->listener, world->loop, &addr, &world_listener, world),
                     0);
}

static inline void world_connect(struct world *world)
{
    struct conn_target target = {.addr = *listener_addr(world->listener), .tls = world->tls_client};

    assert_int_equal(conn_connect(&world->client.conn, world->loop, &target, world->client_limits),
                     0);
    conn_set_handler(world->client.conn, &end_handler, &world->client);
}

/* Both ends open. */
static inline void world_open(struct world *world)
{
    world_connect(world);
    UNTIL(world, world->client.opened && world->server.opened);
}

static inline void world_fini(struct world *world)
{
    conn_close(world->client.conn);
    conn_close(world->server.conn);
    listener_close(world->listener);
    world_turn(world);
    loop_timer_stop(&world->tick);
    loop_free(world->loop);
    writer_fini(&world->server.got);
    writer_fini(&world->client.got);
    tls_server_free(world->tls_server);
    tls_client_free(world->tls_client);
}

/* Bytes that tell their place. */
static inline struct buf *pattern_new(size_t len, size_t from)
{
    struct buf *buf = buf_new(len);

    assert_non_null(buf);
    for (size_t i = 0; i < len; i++)
        buf->bytes[i] = (uint8_t)((from + i) * 2654435761u >> 24);
    return buf;
}

static inline void assert_pattern(const struct writer *got, size_t len)
{
    assert_int_equal(got->len, len);
    for (size_t i = 0; i < len; i++)
        if (got->bytes[i] != (uint8_t)(i * 2654435761u >> 24))
            fail_msg("byte %zu is wrong", i);
}

static inline void say(struct end *end, const char *text)
{
    assert_int_equal(conn_write_copy(end->conn, text, strlen(text)), 0);
}

static inline bool has_got(const struct end *end, const char *text)
{
    return end->got.len == strlen(text) && !memcmp(end->got.bytes, text, end->got.len);
}

/* A directory of the test's own, with a fresh pair of files in it. */
struct pair_files {
    char folder[64], cert[96], key[96];
};

static inline void pair_make(struct pair_files *files)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};

    snprintf(files->folder, sizeof(files->folder), "/tmp/culvert-net-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->cert, sizeof(files->cert), "%s/cert.pem", files->folder);
    snprintf(files->key, sizeof(files->key), "%s/key.pem", files->folder);
    assert_int_equal(tls_make_pair(files->cert, files->key, hosts, 3), 0);
}

static inline void pair_remove(const struct pair_files *files)
{
    unlink(files->cert);
    unlink(files->key);
    rmdir(files->folder);
}

/* Both ends speak TLS, the client by the server's pin. */
static inline void world_use_tls(struct world *world, const char *const *names, const char *name)
{
    struct tls_client_options options = {.alpn = name};
    uint8_t pin[TLS_PIN_BYTES];
    struct pair_files files;

    pair_make(&files);
    assert_int_equal(tls_server_new(&world->tls_server, files.cert, files.key, names), 0);
    pair_remove(&files);
    tls_server_pin(world->tls_server, pin);
    options.pin = pin;
    assert_int_equal(tls_client_new(&world->tls_client, &options), 0);
}
