/* The input of a connection: from the socket, or what was kept, to the handler. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/conn_internal.h"

enum {
    SCRATCH_BYTES = 64 * 1024,
    TURN_BYTES = 256 * 1024, /* read in one turn, so that one peer can't starve the rest */
    HANDOVERS_PER_TURN = 8,
    FIRST_KEPT_BYTES = 512,
};

/* Where every connection of this thread reads to: what is used at once needs no memory. */
static _Thread_local uint8_t scratch[SCRATCH_BYTES];

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
        if (result < 0)
            return result;
        used += (size_t)result < len - used ? (size_t)result : len - used;
        if (conn->state != CONN_OPEN || (handler == conn->handler && owner == conn->owner))
            break;
        if (conn->is_kept_framed)
            break; /* the rest is not for the new handler as it is */
    }
    return (ssize_t)used;
}

/* What is left after an offer. 0 or the error that ends the connection. */
static int conn_settle(struct conn *conn, size_t left)
{
    size_t limit = conn->limits.input_bytes;

    if (conn->state == CONN_HANDSHAKE && left > 0)
        return -ERR_PROTOCOL; /* bytes in clear before TLS: someone in between put them there */
    /* Who has paused can't help what one read brought: it waits, and no more is read. */
    limit += conn->is_paused ? SCRATCH_BYTES : 0;
    if (left > limit)
        return -ERR_TOO_LONG;
    return conn->layer && !conn->is_paused && !conn->is_kept_framed ? conn->layer->err : 0;
}

/* A layer was put on in the middle of the input: what is left goes through it, in a moment. */
static void owe_unframing(struct conn *conn)
{
    conn->is_kept_framed = conn->kept_len > 0;
    conn->is_offer_due = conn->is_kept_framed;
    conn_tell_later(conn);
}

static void unframe_kept(struct conn *conn)
{
    conn->is_kept_framed = false;
    conn->kept_len = conn->layer->ops->input(conn->layer, conn, conn->kept, conn->kept_len);
    kept_consume(conn, 0);
}

int conn_offer_kept(struct conn *conn)
{
    ssize_t used;

    if (conn->is_kept_framed)
        unframe_kept(conn);
    used = conn->kept_len > 0 ? conn_offer(conn, conn->kept, conn->kept_len) : 0;
    if (conn->state > CONN_OPEN)
        return 0;
    if (used < 0)
        return (int)used;
    kept_consume(conn, (size_t)used);
    if (conn->is_kept_framed)
        owe_unframing(conn);
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
    if (conn->layer && !conn->is_kept_framed)
        len = conn->layer->ops->input(conn->layer, conn, scratch, len);
    if (len == 0)
        return conn_settle(conn, conn->kept_len);
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
    if (conn->is_kept_framed)
        owe_unframing(conn);
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
        if (!tls_session_has_pending(conn->tls))
            break; /* the socket had no more, or says so again: no call to hear it now */
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

bool conn_can_read(const struct conn *conn)
{
    return conn->state == CONN_OPEN && conn->handler && !conn->is_paused && !conn->pending_err;
}

void conn_read_held(struct conn *conn)
{
    if (conn_can_read(conn) && conn->tls && tls_session_has_pending(conn->tls))
        loop_timer_start(&conn->read_timer, 0);
}

int conn_read_turn(struct conn *conn)
{
    size_t done = 0;
    int err = 0;

    while (err == 0 && conn_can_read(conn) && done < TURN_BYTES) {
        ssize_t got = conn->tls ? read_tls(conn) : read_plain(conn);

        if (got == -EAGAIN)
            return 0;
        if (got <= 0)
            return got < 0 ? (int)got : -ERR_CLOSED;
        done += (size_t)got;
        err = conn_take(conn, (size_t)got);
        if (got < SCRATCH_BYTES)
            break; /* the kernel has no more, or says so again */
    }
    if (err == 0)
        conn_read_held(conn);
    return err;
}

void conn_read(struct conn *conn)
{
    int err = conn_read_turn(conn);

    if (conn->state > CONN_OPEN)
        return;
    if (err < 0)
        conn_fail(conn, err);
    else
        conn_watch(conn);
}

void conn_pause(struct conn *conn, bool is_paused)
{
    if (conn->state > CONN_OPEN || conn->is_paused == is_paused)
        return;
    conn->is_paused = is_paused;
    conn_watch(conn);
    if (is_paused)
        return;
    conn_read_held(conn);
    if (conn->kept_len > 0 && !conn->is_offering) {
        conn->is_offer_due = true;
        conn_tell_later(conn);
    }
}
