/* The life of a connection, and its input. */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_internal.h"

enum {
    SCRATCH_BYTES = 64 * 1024,
    TURN_BYTES = 256 * 1024, /* read in one turn, so that one peer can't starve the rest */
    HANDOVERS_PER_TURN = 8,
    LINGER_US = 1000 * 1000,
    FIRST_KEPT_BYTES = 512,
};

const struct conn_limits conn_limits_default = {
    .input_bytes = 64 * 1024,
    .backlog_bytes = 4 * 1024 * 1024,
    .low_water_bytes = 64 * 1024,
    .handshake_us = 10 * 1000 * 1000,
    .first_byte_us = 5 * 1000 * 1000,
};

/* Where every connection of this thread reads to: what is used at once needs no memory. */
static _Thread_local uint8_t scratch[SCRATCH_BYTES];

#define CONN_OF(pointer, member)                                                                   \
    ((struct conn *)(void *)((char *)(pointer)-offsetof(struct conn, member)))

static void on_io(struct loop_io *io, unsigned events);
static void on_timer(struct loop_timer *timer);
static void on_read_again(struct loop_timer *timer);
static void on_turn_end(struct loop_task *task);

static void conn_free(struct loop_task *task)
{
    struct conn *conn = CONN_OF(task, free_task);

    tls_session_free(conn->tls);
    free(conn->kept);
    out_queue_fini(&conn->out);
    free(conn);
}

static int conn_new(struct conn **out, struct loop *loop, const struct conn_limits *limits)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return -ENOMEM;
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

static void conn_set_fd(struct conn *conn, int fd)
{
    int one = 1, family;

    conn->fd = fd;
    loop_io_init(&conn->io, conn->loop, fd, on_io);
    conn->local.len = sizeof(conn->local.storage);
    if (getsockname(fd, (struct sockaddr *)&conn->local.storage, &conn->local.len) < 0)
        conn->local.len = 0;
    family = conn->local.storage.ss_family;
    if (family == AF_INET || family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- deadlines: moving one costs nothing, the timer finds out when it expires -------------- */

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

static void conn_set_phase_deadline(struct conn *conn, int64_t delay_us)
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

/* ---- ends ------------------------------------------------------------------------------------ */

void conn_shut(struct conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    conn->state = CONN_CLOSED;
    loop_io_watch(&conn->io, 0);
    loop_timer_stop(&conn->timer);
    loop_timer_stop(&conn->read_timer);
    if (conn->tls && conn->out.bytes == 0)
        tls_session_shutdown(conn->tls);
    close(conn->fd);
    loop_defer(conn->loop, &conn->free_task);
}

/* The owner's last callback, unless it has let go already. */
static void conn_fail(struct conn *conn, int err)
{
    bool has_owner = conn->state < CONN_FLUSHING && conn->handler;

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
    else if (conn->out.bytes == 0)
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
    conn->state = CONN_FLUSHING;
    conn->owner_deadline_us = 0;
    loop_timer_stop(&conn->read_timer);
    conn_set_phase_deadline(conn, wait_us);
    conn_flush_on(conn);
}

/* Throws away what the peer still sends, but not for ever. */
static void conn_drain(struct conn *conn)
{
    for (size_t left = TURN_BYTES; left > 0;) {
        ssize_t got = recv(conn->fd, scratch, sizeof(scratch), 0);

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
    if (deadline_us && deadline_us <= loop_now_us(conn->loop))
        conn_fail(conn, -ERR_TIMEOUT);
    else
        conn_arm(conn);
}

/* ---- input ----------------------------------------------------------------------------------- */

static int kept_append(struct conn *conn, const uint8_t *bytes, size_t len)
{
    size_t room = conn->kept_room ? conn->kept_room : FIRST_KEPT_BYTES;

    while (room < conn->kept_len + len)
        room *= 2;
    if (room > conn->kept_room) {
        uint8_t *kept = realloc(conn->kept, room);

        if (!kept)
            return -ENOMEM;
        conn->kept = kept;
        conn->kept_room = room;
    }
    memcpy(conn->kept + conn->kept_len, bytes, len);
    conn->kept_len += len;
    return 0;
}

static void kept_consume(struct conn *conn, size_t len)
{
    conn->kept_len -= len;
    if (conn->kept_len > 0) {
        memmove(conn->kept, conn->kept + len, conn->kept_len);
        return;
    }
    free(conn->kept);
    conn->kept = NULL;
    conn->kept_room = 0;
}

/* Gives bytes to the handler, and to the one it hands the connection to. How many were used,
 * or an error; the connection may be closed afterwards. */
static ssize_t conn_offer(struct conn *conn, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    for (int i = 0; i < HANDOVERS_PER_TURN && used < len; i++) {
        const struct conn_handler *handler = conn->handler;
        void *owner = conn->owner;
        ssize_t result;

        conn->is_offering = true;
        result = handler->on_input(owner, conn, bytes + used, len - used);
        conn->is_offering = false;
        if (result < 0 || conn->state != CONN_OPEN)
            return result;
        used += (size_t)result < len - used ? (size_t)result : len - used;
        if (handler == conn->handler && owner == conn->owner)
            break;
    }
    return (ssize_t)used;
}

/* What is left after an offer. 0 or the error that ends the connection. */
static int conn_settle(struct conn *conn, size_t left)
{
    if (conn->state == CONN_HANDSHAKE && left > 0)
        return -ERR_PROTOCOL; /* bytes in clear before TLS: someone in between put them there */
    return left > conn->limits.input_bytes ? -ERR_TOO_LONG : 0;
}

static int conn_offer_kept(struct conn *conn)
{
    ssize_t used = conn_offer(conn, conn->kept, conn->kept_len);

    if (conn->state > CONN_OPEN)
        return 0;
    if (used < 0)
        return (int)used;
    kept_consume(conn, (size_t)used);
    return conn_settle(conn, conn->kept_len);
}

/* New bytes, in scratch. 0 or the error that ends the connection. */
static int conn_take(struct conn *conn, size_t len)
{
    ssize_t used;
    int err;

    if (!conn->has_input) {
        conn->has_input = true;
        conn_set_phase_deadline(conn, 0);
    }
    conn->counters.in_bytes += len;
    if (conn->kept_len > 0) {
        err = kept_append(conn, scratch, len);
        return err < 0 ? err : conn_offer_kept(conn);
    }
    used = conn_offer(conn, scratch, len);
    if (conn->state > CONN_OPEN)
        return 0;
    if (used < 0)
        return (int)used;
    err = conn_settle(conn, len - (size_t)used);
    if (err == 0 && (size_t)used < len)
        err = kept_append(conn, scratch + used, len - (size_t)used);
    return err;
}

/* Fills scratch as far as there are bytes. How many; 0 at the peer's end, -EAGAIN, an error.
 * After bytes the end and the error come with the next call. */
static ssize_t read_tls(struct conn *conn)
{
    size_t len = 0;

    conn->read_wants_write = false;
    while (len < SCRATCH_BYTES) {
        ssize_t got = tls_session_read(conn->tls, scratch + len, SCRATCH_BYTES - len);

        if (got == -EAGAIN)
            conn->read_wants_write = tls_session_wants_write(conn->tls);
        if (got <= 0)
            return len > 0 ? (ssize_t)len : got;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static ssize_t read_plain(struct conn *conn)
{
    ssize_t got;

    do
        got = recv(conn->fd, scratch, SCRATCH_BYTES, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static bool can_read(const struct conn *conn)
{
    return conn->state == CONN_OPEN && conn->handler && !conn->is_paused && !conn->pending_err;
}

/* Reads and gives out. 0 or the error that ends the connection. */
static int conn_read_turn(struct conn *conn)
{
    size_t done = 0;
    int err = 0;

    while (err == 0 && can_read(conn) && done < TURN_BYTES) {
        ssize_t got = conn->tls ? read_tls(conn) : read_plain(conn);

        if (got == -EAGAIN)
            return 0;
        if (got <= 0)
            return got < 0 ? (int)got : -ERR_CLOSED;
        done += (size_t)got;
        err = conn_take(conn, (size_t)got);
        if (!conn->tls && got < SCRATCH_BYTES)
            break; /* the kernel has no more, or says so again */
    }
    /* The kernel doesn't know what OpenSSL holds. */
    if (err == 0 && can_read(conn) && conn->tls && tls_session_has_pending(conn->tls))
        loop_timer_start(&conn->read_timer, 0);
    return err;
}

static void conn_read(struct conn *conn)
{
    int err = conn_read_turn(conn);

    if (conn->state > CONN_OPEN)
        return;
    if (err < 0)
        conn_fail(conn, err);
    else
        conn_watch(conn);
}

static void on_read_again(struct loop_timer *timer)
{
    conn_read(CONN_OF(timer, read_timer));
}

void conn_pause(struct conn *conn, bool is_paused)
{
    if (conn->state > CONN_OPEN || conn->is_paused == is_paused)
        return;
    conn->is_paused = is_paused;
    conn_watch(conn);
    if (is_paused)
        return;
    if (conn->tls)
        loop_timer_start(&conn->read_timer, 0);
    if (conn->kept_len > 0 && !conn->is_offering) {
        conn->is_offer_due = true;
        conn_tell_later(conn);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static void conn_opened(struct conn *conn)
{
    conn->state = CONN_OPEN;
    conn_set_phase_deadline(conn, conn->has_input ? 0 : conn->limits.first_byte_us);
    conn->is_opened_due = true;
    conn_tell_later(conn);
}

static int conn_handshake(struct conn *conn)
{
    int err;

    if (!conn->tls) {
        err = tls_session_accept(&conn->tls, conn->tls_server, conn->fd);
        if (err < 0)
            return err;
    }
    err = tls_session_handshake(conn->tls);
    if (err == -EAGAIN)
        return 0;
    if (err < 0)
        return err;
    snprintf(conn->alpn, sizeof(conn->alpn), "%s", tls_session_alpn(conn->tls));
    conn_opened(conn);
    return 0;
}

static int conn_connected(struct conn *conn)
{
    socklen_t len = sizeof(int);
    int err = 0;

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err)
        return -err;
    conn->local.len = sizeof(conn->local.storage);
    if (getsockname(conn->fd, (struct sockaddr *)&conn->local.storage, &conn->local.len) < 0)
        return -errno;
    if (!conn->tls) {
        conn_opened(conn);
        return 0;
    }
    conn->state = CONN_HANDSHAKE;
    return conn_handshake(conn);
}

static unsigned wanted_events(const struct conn *conn)
{
    unsigned events = can_read(conn) ? LOOP_READ : 0;

    switch (conn->state) {
    case CONN_CONNECTING:
        return LOOP_WRITE;
    case CONN_HANDSHAKE:
        return conn->tls && tls_session_wants_write(conn->tls) ? LOOP_WRITE : LOOP_READ;
    case CONN_OPEN:
        if ((conn->out.bytes > 0 && conn->cork_count == 0) || conn->read_wants_write)
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

static void on_io(struct loop_io *io, unsigned events)
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

/* ---- what the owner is told outside its own calls -------------------------------------------- */

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
    if (conn->tls && !conn->is_paused)
        loop_timer_start(&conn->read_timer, 0);
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
    if (is_due(conn, &conn->is_offer_due) && conn->kept_len > 0)
        err = conn_offer_kept(conn);
    if (conn->state > CONN_OPEN)
        return;
    if (err == 0)
        err = conn->pending_err;
    if (err < 0 && conn->handler)
        conn_fail(conn, err);
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

void conn_set_limits(struct conn *conn, const struct conn_limits *limits)
{
    conn->limits = *limits;
}

/* ---- making ---------------------------------------------------------------------------------- */

int conn_accept(struct conn **out, struct loop *loop, int fd, struct tls_server *tls,
                const struct conn_limits *limits)
{
    struct conn *conn;
    int flags = fcntl(fd, F_GETFL), err;

    err = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
    if (err == 0)
        err = conn_new(&conn, loop, limits);
    if (err < 0) {
        close(fd);
        return err;
    }
    conn_set_fd(conn, fd);
    conn->peer.len = sizeof(conn->peer.storage);
    if (getpeername(fd, (struct sockaddr *)&conn->peer.storage, &conn->peer.len) < 0)
        conn->peer.len = 0; /* gone already: the first read will say so */
    conn->tls_server = tls;
    if (tls) {
        conn->state = CONN_HANDSHAKE;
        conn_set_phase_deadline(conn, conn->limits.handshake_us);
    } else {
        conn_opened(conn);
    }
    *out = conn;
    return 0;
}

/* device is an interface's name, or one of our addresses. */
static int bind_device(int fd, const char *device, const struct addr *target)
{
    struct addr local;

    if (addr_parse(&local, device) == 0) {
        if (local.storage.ss_family != target->storage.ss_family)
            return -EAFNOSUPPORT;
        return bind(fd, (const struct sockaddr *)&local.storage, local.len) < 0 ? -errno : 0;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0)
        return -errno;
    return 0;
}

/* 0 and an owned descriptor that connects, or has connected, in *out. */
static int connect_socket(int *out, const struct conn_target *target)
{
    int fd = socket(target->addr.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0)
        return -errno;
    err = target->device ? bind_device(fd, target->device, &target->addr) : 0;
    if (err == 0 &&
        connect(fd, (const struct sockaddr *)&target->addr.storage, target->addr.len) < 0 &&
        errno != EINPROGRESS)
        err = -errno;
    if (err < 0) {
        close(fd);
        return err;
    }
    *out = fd;
    return 0;
}

int conn_connect(struct conn **out, struct loop *loop, const struct conn_target *target,
                 const struct conn_limits *limits)
{
    struct conn *conn;
    int fd = -1, err = connect_socket(&fd, target);

    if (err < 0)
        return err;
    err = conn_new(&conn, loop, limits);
    if (err < 0) {
        close(fd);
        return err;
    }
    conn_set_fd(conn, fd);
    conn->peer = target->addr;
    conn->state = CONN_CONNECTING;
    if (target->tls)
        err = tls_session_connect(&conn->tls, target->tls, fd, target->server_name);
    if (err < 0) {
        conn_shut(conn);
        return err;
    }
    conn_set_phase_deadline(conn, conn->limits.handshake_us);
    *out = conn;
    return 0;
}

int conn_start_tls(struct conn *conn, struct tls_client *tls, const char *server_name)
{
    int err;

    if (conn->state != CONN_OPEN || conn->tls || conn->out.bytes > 0)
        return -EINVAL;
    if (conn->kept_len > 0 && !conn->is_offering)
        return -ERR_PROTOCOL;
    err = tls_session_connect(&conn->tls, tls, conn->fd, server_name);
    if (err < 0)
        return err;
    conn->state = CONN_HANDSHAKE;
    conn->has_input = false;
    conn_set_phase_deadline(conn, conn->limits.handshake_us);
    err = conn_handshake(conn);
    if (err < 0) {
        conn->pending_err = err;
        conn_tell_later(conn);
        return 0; /* on_closed follows */
    }
    conn_watch(conn);
    return 0;
}

/* ---- what others ask ------------------------------------------------------------------------- */

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
