/* How a connection comes to be: accepted, connected, upgraded to TLS. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_internal.h"

enum { TLS_HANDSHAKE = 22 };

static void conn_set_fd(struct conn *conn, int fd)
{
    int one = 1, family;

    conn->fd = fd;
    loop_io_init(&conn->io, conn->loop, fd, conn_on_io);
    conn->local.len = sizeof(conn->local.storage);
    if (getsockname(fd, (struct sockaddr *)&conn->local.storage, &conn->local.len) < 0)
        conn->local.len = 0;
    family = conn->local.storage.ss_family;
    if (family == AF_INET || family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void conn_opened(struct conn *conn)
{
    conn->state = CONN_OPEN;
    conn_set_phase_deadline(conn, conn->has_input ? 0 : conn->limits.first_byte_us);
    conn->is_opened_due = true;
    conn_tell_later(conn);
}

/* 1 if the peer's first byte begins a TLS handshake record (RFC 8446 section 5.1), 0 if not; or
 * -EAGAIN, or why there is none. */
static int begins_as_tls(const struct conn *conn)
{
    uint8_t first;
    ssize_t got = recv(conn->fd, &first, 1, MSG_PEEK);

    if (got < 0)
        return -errno;
    return got == 0 ? -ERR_CLOSED : first == TLS_HANDSHAKE;
}

int conn_handshake(struct conn *conn)
{
    int err = !conn->tls && conn->limits.is_tls_optional ? begins_as_tls(conn) : 1;

    if (err < 0)
        return err == -EAGAIN ? 0 : err;
    if (err == 0) {
        conn->tls_server = NULL;
        conn_opened(conn);
        return 0;
    }
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

int conn_connected(struct conn *conn)
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

    if (conn->state != CONN_OPEN || conn->tls || conn->layer || conn->out.bytes > 0)
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
