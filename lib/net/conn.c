/* The life of a connection: deadlines, events, ends. conn_open.c begins it, conn_read.c and
 * conn_write.c carry its bytes. */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_internal.h"

enum { DRAINED_BYTES = 256 * 1024, LINGER_US = 1000 * 1000 };

const struct conn_limits conn_limits_default = {
    .input_bytes = 64 * 1024,
    .backlog_bytes = 4 * 1024 * 1024,
    .low_water_bytes = 64 * 1024,
    .handshake_us = 10 * 1000 * 1000,
    .first_byte_us = 5 * 1000 * 1000,
};

#define CONN_OF(pointer, member)                                                                   \
    ((struct conn *)(void *)((char *)(pointer)-offsetof(struct conn, member)))

/* Connections that only their flushing keeps, of all loops. */
static pthread_mutex_t ownerless_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list ownerless = {&ownerless, &ownerless};

static void on_timer(struct loop_timer *timer);
static void on_read_again(struct loop_timer *timer);
static void on_turn_end(struct loop_task *task);

static void conn_free(struct loop_task *task)
{
    struct conn *conn = CONN_OF(task, free_task);

    tls_session_free(conn->tls);
    if (conn->layer)
        conn->layer->ops->free(conn->layer);
    free(conn->kept);
    out_queue_fini(&conn->out);
    free(conn);
}

int conn_new(struct conn **out, struct loop *loop, const struct conn_limits *limits)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return -ENOMEM;
    list_init(&conn->ownerless);
    conn->loop = loop;
    conn->fd = -1;
    conn->limits = limits ? *limits : conn_limits_default;
    conn->turn_task.run = on_turn_end;
    conn->free_task.run = conn_free;
    loop_timer_init(&conn->timer, loop, on_timer);
    loop_timer_init(&conn->read_timer, loop, on_read_again);
    *out = conn;
    return 0;
}

/* Moving a deadline costs nothing: the timer finds out when it expires. */
static int64_t conn_deadline(const struct conn *conn)
{
    int64_t a = conn->phase_deadline_us, b = conn->owner_deadline_us;

    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

void conn_arm(struct conn *conn)
{
    int64_t deadline_us = conn_deadline(conn);

    if (!deadline_us || (conn->armed_us && conn->armed_us <= deadline_us))
        return;
    conn->armed_us = deadline_us;
    loop_timer_start(&conn->timer, deadline_us - loop_now_us(conn->loop));
}

void conn_set_phase_deadline(struct conn *conn, int64_t delay_us)
{
    conn->phase_deadline_us = delay_us > 0 ? loop_now_us(conn->loop) + delay_us : 0;
    conn_arm(conn);
}

void conn_set_deadline(struct conn *conn, int64_t delay_us)
{
    if (conn->state > CONN_OPEN)
        return;
    conn->owner_deadline_us = delay_us > 0 ? loop_now_us(conn->loop) + delay_us : 0;
    conn_arm(conn);
}

static void ownerless_move(struct conn *conn, bool is_ownerless)
{
    pthread_mutex_lock(&ownerless_mutex);
    list_remove(&conn->ownerless);
    if (is_ownerless)
        list_append(&ownerless, &conn->ownerless);
    pthread_mutex_unlock(&ownerless_mutex);
}

static struct conn *ownerless_find(const struct loop *loop)
{
    struct conn *found = NULL;

    pthread_mutex_lock(&ownerless_mutex);
    list_for_each (link, after, &ownerless) {
        struct conn *conn = list_entry(link, struct conn, ownerless);

        if (conn->loop == loop)
            found = conn;
    }
    pthread_mutex_unlock(&ownerless_mutex);
    return found;
}

void conn_close_ownerless(struct loop *loop)
{
    struct conn *conn;

    while ((conn = ownerless_find(loop)))
        conn_shut(conn);
}

void conn_shut(struct conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    if (conn->state >= CONN_FLUSHING)
        ownerless_move(conn, false);
    conn->state = CONN_CLOSED;
    loop_io_watch(&conn->io, 0);
    loop_timer_stop(&conn->timer);
    loop_timer_stop(&conn->read_timer);
    if (conn->tls && conn_waiting(conn) == 0)
        tls_session_shutdown(conn->tls);
    close(conn->fd);
    loop_defer(conn->loop, &conn->free_task);
}

/* The owner's last callback, unless it has let go already. */
void conn_fail(struct conn *conn, int err)
{
    bool has_owner = conn->state < CONN_FLUSHING && conn->handler;

    /* The layer has told the peer why: it may read that first. */
    if (conn->layer && conn->layer->err == err)
        conn_close_flushed(conn, LINGER_US);
    else
        conn_shut(conn);
    if (has_owner)
        conn->handler->on_closed(conn->owner, conn, err);
}

void conn_close(struct conn *conn)
{
    if (conn)
        conn_shut(conn);
}

/* Written: lets the peer read it, since closing with unread input would cut it off. */
static void conn_linger(struct conn *conn)
{
    conn->state = CONN_LINGERING;
    if (conn->tls)
        tls_session_shutdown(conn->tls);
    if (shutdown(conn->fd, SHUT_WR) < 0) {
        conn_shut(conn);
        return;
    }
    if (conn->phase_deadline_us > loop_now_us(conn->loop) + LINGER_US)
        conn_set_phase_deadline(conn, LINGER_US);
    conn_watch(conn);
}

static void conn_flush_on(struct conn *conn)
{
    if (conn_flush(conn) < 0)
        conn_shut(conn);
    else if (conn_waiting(conn) == 0)
        conn_linger(conn);
    else
        conn_watch(conn);
}

void conn_close_flushed(struct conn *conn, int64_t wait_us)
{
    if (!conn || conn->state > CONN_OPEN)
        return;
    if (conn->state != CONN_OPEN || conn->pending_err || wait_us <= 0) {
        conn_shut(conn);
        return;
    }
    if (conn->layer)
        conn->layer->ops->finish(conn->layer, conn);
    conn->state = CONN_FLUSHING;
    ownerless_move(conn, true);
    conn->owner_deadline_us = 0;
    loop_timer_stop(&conn->read_timer);
    conn_set_phase_deadline(conn, wait_us);
    conn_flush_on(conn);
}

/* Throws away what the peer still sends, but not for ever. */
static void conn_drain(struct conn *conn)
{
    uint8_t waste[16 * 1024];

    for (size_t left = DRAINED_BYTES; left > 0;) {
        ssize_t got = recv(conn->fd, waste, sizeof(waste), 0);

        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            break;
        left -= (size_t)got < left ? (size_t)got : left;
    }
    conn_shut(conn);
}

static void on_timer(struct loop_timer *timer)
{
    struct conn *conn = CONN_OF(timer, timer);
    int64_t deadline_us = conn_deadline(conn);

    conn->armed_us = 0;
    if (!conn->handler)
        return; /* nobody to tell yet: conn_set_handler arms it again */
    if (deadline_us && deadline_us <= loop_now_us(conn->loop))
        conn_fail(conn, -ERR_TIMEOUT);
    else
        conn_arm(conn);
}

static void on_read_again(struct loop_timer *timer)
{
    conn_read(CONN_OF(timer, read_timer));
}

static unsigned wanted_events(const struct conn *conn)
{
    unsigned events = conn_can_read(conn) ? LOOP_READ : 0;

    switch (conn->state) {
    case CONN_CONNECTING:
        return LOOP_WRITE;
    case CONN_HANDSHAKE:
        return conn->tls && tls_session_wants_write(conn->tls) ? LOOP_WRITE : LOOP_READ;
    case CONN_OPEN:
        if ((conn_waiting(conn) > 0 && conn->cork_count == 0) || conn->read_wants_write)
            events |= LOOP_WRITE;
        return events;
    case CONN_FLUSHING:
        return LOOP_WRITE;
    case CONN_LINGERING:
        return LOOP_READ;
    case CONN_CLOSED:
        return 0;
    }
    return 0;
}

void conn_watch(struct conn *conn)
{
    loop_io_watch(&conn->io, conn->handler ? wanted_events(conn) : 0);
}

static void conn_io_open(struct conn *conn, unsigned events)
{
    int err = 0;

    if (events & LOOP_WRITE)
        err = conn_flush(conn);
    if (err < 0)
        conn_fail(conn, err);
    else if (events & LOOP_READ || conn->read_wants_write)
        conn_read(conn);
    else
        conn_watch(conn);
}

void conn_on_io(struct loop_io *io, unsigned events)
{
    struct conn *conn = CONN_OF(io, io);
    int err = 0;

    switch (conn->state) {
    case CONN_CONNECTING:
        err = conn_connected(conn);
        break;
    case CONN_HANDSHAKE:
        err = conn_handshake(conn);
        break;
    case CONN_OPEN:
        conn_io_open(conn, events);
        return;
    case CONN_FLUSHING:
        conn_flush_on(conn);
        return;
    case CONN_LINGERING:
        conn_drain(conn);
        return;
    case CONN_CLOSED:
        return;
    }
    if (err < 0)
        conn_fail(conn, err);
    else
        conn_watch(conn);
}

void conn_tell_later(struct conn *conn)
{
    if (conn->is_turn_due || conn->state == CONN_CLOSED)
        return;
    conn->is_turn_due = true;
    loop_defer(conn->loop, &conn->turn_task);
}

static bool is_due(struct conn *conn, bool *flag)
{
    bool was_due = *flag && conn->state == CONN_OPEN && conn->handler && !conn->pending_err;

    if (was_due)
        *flag = false;
    return was_due;
}

static void conn_tell_opened(struct conn *conn)
{
    if (conn->handler->on_open)
        conn->handler->on_open(conn->owner, conn);
    if (conn->state != CONN_OPEN || conn->pending_err)
        return;
    /* What was written before, and what came with the handshake's last bytes. */
    conn->pending_err = conn->cork_count == 0 ? conn_flush(conn) : 0;
    conn_read_held(conn);
}

/* A write failed. What the peer said before it went (an error, often) comes first. */
static void conn_fail_writing(struct conn *conn)
{
    int err = conn->pending_err;

    conn->pending_err = 0;
    if (conn_can_read(conn))
        (void)!conn_read_turn(conn);
    if (conn->state <= CONN_OPEN)
        conn_fail(conn, err);
}

static void on_turn_end(struct loop_task *task)
{
    struct conn *conn = CONN_OF(task, turn_task);
    int err = 0;

    conn->is_turn_due = false;
    if (is_due(conn, &conn->is_opened_due))
        conn_tell_opened(conn);
    if (is_due(conn, &conn->is_drained_due) && conn->handler->on_drained)
        conn->handler->on_drained(conn->owner, conn);
    if (!conn->is_paused && is_due(conn, &conn->is_offer_due) && conn->kept_len > 0)
        err = conn_offer_kept(conn);
    if (conn->state > CONN_OPEN)
        return;
    if (!conn->handler)
        return;
    if (err < 0)
        conn_fail(conn, err);
    else if (conn->pending_err)
        conn_fail_writing(conn);
    else
        conn_watch(conn);
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *owner)
{
    if (conn->state > CONN_OPEN)
        return;
    conn->handler = handler;
    conn->owner = owner;
    conn->is_offer_due = conn->kept_len > 0 && !conn->is_offering;
    conn_arm(conn);
    conn_tell_later(conn);
    conn_watch(conn);
}

void conn_set_layer(struct conn *conn, struct conn_layer *layer)
{
    conn->layer = layer;
    conn->is_kept_framed = conn->is_offering || conn->kept_len > 0;
}

void conn_set_limits(struct conn *conn, const struct conn_limits *limits)
{
    conn->limits = *limits;
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
    return conn->tls || conn->tls_server;
}

int conn_fd(const struct conn *conn)
{
    return conn->fd;
}

const char *conn_alpn(const struct conn *conn)
{
    return conn->alpn;
}

int conn_exporter(const struct conn *conn, const char *label, uint8_t *out, size_t len)
{
    return conn->tls ? tls_session_exporter(conn->tls, label, out, len) : -ERR_TLS;
}

void conn_set_low_latency(struct conn *conn, size_t unsent_bytes)
{
    int unsent = unsent_bytes > INT32_MAX ? INT32_MAX : (int)unsent_bytes;

    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
}

struct conn_counters conn_counters(const struct conn *conn)
{
    return conn->counters;
}
