/* The output of a connection: the queue and the ways from it to the kernel. */
#include "net/conn_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PIECES_PER_CALL = 64 };

static int write_plain(struct conn *conn)
{
    struct iovec pieces[PIECES_PER_CALL];
    struct msghdr message = {.msg_iov = pieces};

    while (conn->out.bytes > 0) {
        ssize_t sent;

        message.msg_iovlen = (size_t)out_queue_gather(&conn->out, pieces, PIECES_PER_CALL);
        sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -errno;
        conn->counters.out_bytes += (uint64_t)sent;
        out_queue_consume(&conn->out, (size_t)sent);
    }
    return 0;
}

/* Large pieces go to OpenSSL as they are; small ones are gathered so that records are full. A
 * repeated call gives at least the bytes of the one before, as OpenSSL demands. */
static ssize_t write_record(struct conn *conn)
{
    uint8_t record[TLS_RECORD_BYTES];
    const uint8_t *bytes;
    size_t len;

    bytes = out_queue_front(&conn->out, &len);
    if (len < TLS_RECORD_BYTES && len < conn->out.bytes) {
        len = out_queue_copy(&conn->out, record, sizeof(record));
        bytes = record;
    }
    return tls_session_write(conn->tls, bytes, len);
}

/* Encrypts what is queued, as long as the socket keeps up. */
static int encrypt_queue(struct conn *conn)
{
    while (conn->out.bytes > 0) {
        ssize_t sent = write_record(conn);

        if (sent < 0)
            return sent == -EAGAIN ? 0 : (int)sent;
        conn->counters.out_bytes += (uint64_t)sent;
        out_queue_consume(&conn->out, (size_t)sent);
    }
    return 0;
}

/* All records of a flush go in one system call: what it costs is more than a copy of them. */
static int write_tls(struct conn *conn)
{
    int err = tls_session_send(conn->tls), sent;

    if (err < 0 || tls_session_unsent(conn->tls))
        return err;
    tls_session_gather(conn->tls);
    err = encrypt_queue(conn);
    sent = tls_session_send(conn->tls);
    return err < 0 ? err : sent;
}

int conn_flush(struct conn *conn)
{
    int err;

    if (conn_waiting(conn) == 0)
        return 0;
    err = conn->tls ? write_tls(conn) : write_plain(conn);
    if (err == 0)
        conn_check_mark(conn);
    return err;
}

void conn_check_mark(struct conn *conn)
{
    if (!conn->is_above_mark || conn_waiting(conn) > conn->limits.low_water_bytes)
        return;
    conn->is_above_mark = false;
    if (conn->state == CONN_OPEN && conn->handler && conn->handler->on_drained) {
        conn->is_drained_due = true;
        conn_tell_later(conn);
    }
}

/* Writes now, unless someone uncorks later or the connection isn't there yet. */
static int write_through(struct conn *conn)
{
    int err;

    if (conn->state != CONN_OPEN || conn->cork_count > 0)
        return 0;
    err = conn_flush(conn);
    if (err < 0) {
        conn->pending_err = err;
        conn_tell_later(conn);
        return -ERR_CLOSED;
    }
    conn_watch(conn);
    return 0;
}

int conn_queue(struct conn *conn, struct buf *buf, size_t offset, size_t len)
{
    size_t cost = out_queue_cost(&conn->out);

    if (conn->state > CONN_OPEN || conn->pending_err)
        return -ERR_CLOSED;
    if (offset > buf->len || len > buf->len - offset)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (len > conn->limits.backlog_bytes || cost > conn->limits.backlog_bytes - len) {
        conn->is_above_mark = conn->out.bytes > 0;
        return -ENOBUFS;
    }
    if (out_queue_push(&conn->out, buf, offset, len) < 0)
        return -ENOMEM;
    if (conn->out.bytes > conn->limits.low_water_bytes)
        conn->is_above_mark = true;
    /* Something waits for the kernel already: what follows waits behind it. */
    if (conn->io.events & LOOP_WRITE && conn->state == CONN_OPEN)
        return 0;
    return write_through(conn);
}

int conn_write(struct conn *conn, struct buf *buf, size_t offset, size_t len)
{
    if (!conn->layer || len == 0)
        return conn_queue(conn, buf, offset, len);
    if (conn->state > CONN_OPEN || conn->pending_err || conn->layer->err)
        return -ERR_CLOSED;
    if (offset > buf->len || len > buf->len - offset)
        return -EINVAL;
    if (len > conn->limits.backlog_bytes)
        return -ENOBUFS;
    return conn->layer->ops->write(conn->layer, conn, buf->bytes + offset, len);
}

int conn_write_copy(struct conn *conn, const void *bytes, size_t len)
{
    struct buf *copy;
    int err;

    if (len > conn->limits.backlog_bytes)
        return -ENOBUFS;
    copy = buf_copy(bytes, len);
    if (!copy)
        return -ENOMEM;
    err = conn_write(conn, copy, 0, len);
    buf_unref(copy);
    return err;
}

void conn_cork(struct conn *conn)
{
    conn->cork_count++;
}

void conn_uncork(struct conn *conn)
{
    if (conn->cork_count > 0)
        conn->cork_count--;
    if (conn->pending_err || conn->io.events & LOOP_WRITE || conn_waiting(conn) == 0)
        return;
    /* A failure is told by on_closed. */
    if (write_through(conn) < 0)
        return;
}

size_t conn_backlog(const struct conn *conn)
{
    return conn_waiting(conn);
}
