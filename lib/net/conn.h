/* net/conn.h: the one connection type, over TCP, TLS or a Unix socket, on one loop.
 *
 * Input: on_input gets all bytes that wait and says how many it used; what it leaves is kept
 * (at most input_limit) and offered again, longer. An idle connection holds no input memory.
 * Output: shared buffers are queued by reference and written with one writev (TLS: one
 * SSL_write a record) as the socket takes them.
 *
 * conn_close stops all callbacks at once; the memory goes after the loop's turn.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "net/addr.h"

struct conn;
struct tls_server;
struct tls_client;

/* What the layer above implements; one constant table a protocol. owner is the conn's. */
struct conn_handler {
    /* Connected and, over TLS, the handshake done. May be NULL. */
    void (*on_open)(void *owner, struct conn *conn);

    /* Returns how many of the len bytes it used, or a negative error: the conn is then
     * closed and on_closed told. More than input_limit unused bytes: -ERR_TOO_LONG. */
    ssize_t (*on_input)(void *owner, struct conn *conn, const uint8_t *bytes, size_t len);

    /* The backlog fell below the low water mark after having been above it. May be NULL. */
    void (*on_drained)(void *owner, struct conn *conn);

    /* The last callback: the peer closed (-ERR_CLOSED), a deadline (-ERR_TIMEOUT), an error.
     * The conn is closed already. Not called after the owner's own conn_close. */
    void (*on_closed)(void *owner, struct conn *conn, int err);
};

struct conn_limits {
    size_t input_bytes;     /* most unused input that is kept */
    size_t backlog_bytes;   /* more queued output than this: conn_write gives -ENOBUFS */
    size_t low_water_bytes; /* see on_drained */
    int64_t handshake_us;   /* for connecting and TLS */
    int64_t first_byte_us;  /* from open to the first input */

    /* Accepted for TLS, but the peer's first byte is not of a TLS handshake: it is a plain
     * connection then (conn_is_tls), not an error. */
    bool is_tls_optional;
};

/* Sensible values for a server: 64 KiB, 4 MiB, 64 KiB, 10 s, 5 s. */
extern const struct conn_limits conn_limits_default;

/* Takes fd (non-blocking or not), also on failure. tls NULL: plain. owner is borrowed. */
int conn_accept(struct conn **out, struct loop *loop, int fd, struct tls_server *tls,
                const struct conn_limits *limits) MUST_CHECK;

/* Starts to connect; on_open or on_closed follows, never from inside this call.
 * device: an interface name or a local address to bind to, or NULL. tls NULL: plain.
 * server_name (SNI) may be NULL. */
struct conn_target {
    struct addr addr;
    const char *device;
    struct tls_client *tls;
    const char *server_name;
};
int conn_connect(struct conn **out, struct loop *loop, const struct conn_target *target,
                 const struct conn_limits *limits) MUST_CHECK;

/* Hands the conn to a protocol; may be called again to hand it on (input that waits is
 * offered to the new handler in the same turn; on_open is not repeated). Nothing is called
 * from inside. Reading starts, and deadlines count, from the first call on. */
void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *owner);
void conn_set_limits(struct conn *conn, const struct conn_limits *limits);

/* Starts TLS as a client on a plain open connection with nothing queued (CONNECT proxies,
 * RTSP); also from on_input, which must then use all it was given. on_open follows again. */
int conn_start_tls(struct conn *conn, struct tls_client *tls, const char *server_name) MUST_CHECK;

/* Queues len bytes of buf from offset; keeps its own reference. 0, -ENOBUFS past the
 * backlog limit (a piece counts 64 bytes more than it has), -ENOMEM, -ERR_CLOSED (then
 * on_closed follows after the turn, unless the owner closes). Written in this call unless
 * corked or not open yet. */
int conn_write(struct conn *conn, struct buf *buf, size_t offset, size_t len) MUST_CHECK;

/* The same for bytes of the caller's, which are copied. */
int conn_write_copy(struct conn *conn, const void *bytes, size_t len) MUST_CHECK;

/* Between the two, writes only queue; uncork writes all in as few system calls as it can. */
void conn_cork(struct conn *conn);
void conn_uncork(struct conn *conn);

/* Bytes queued and not yet taken by the kernel. */
size_t conn_backlog(const struct conn *conn);

/* Stops and restarts reading (TCP then pushes back on the peer). What on_input leaves while
 * paused may be longer than the limit; it is offered again when reading restarts. */
void conn_pause(struct conn *conn, bool is_paused);

/* Closes with -ERR_TIMEOUT delay_us from now unless set again; 0 means never. Cheap: meant
 * to be called for each piece of input. */
void conn_set_deadline(struct conn *conn, int64_t delay_us);

/* At once; queued output is lost; on_closed is not called. NULL is fine. Idempotent. */
void conn_close(struct conn *conn);

/* After the queued output was written, at most wait_us from now; callbacks stop at once. */
void conn_close_flushed(struct conn *conn, int64_t wait_us);

/* Before loop_free: closes at once what conn_close_flushed still keeps on the loop. */
void conn_close_ownerless(struct loop *loop);

struct loop *conn_loop(const struct conn *conn);
const struct addr *conn_peer(const struct conn *conn);
const struct addr *conn_local(const struct conn *conn);
bool conn_is_tls(const struct conn *conn);
int conn_fd(const struct conn *conn);

/* Negotiated by ALPN, as text; "" where there is none. */
const char *conn_alpn(const struct conn *conn);

/* Keying material of the TLS session (RFC 8446 section 7.5, RFC 9266): -ERR_TLS if plain. */
int conn_exporter(const struct conn *conn, const char *label, uint8_t *out, size_t len) MUST_CHECK;

/* Keeps the kernel's unsent backlog small (TCP_NOTSENT_LOWAT), and BBR where there is one. */
void conn_set_low_latency(struct conn *conn, size_t unsent_bytes);

/* Since the open. */
struct conn_counters {
    uint64_t in_bytes, out_bytes;
};
struct conn_counters conn_counters(const struct conn *conn);
