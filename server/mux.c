/* Who speaks on the TLS port? ALPN tells agents and HTTP; without it, the first bytes do. */
#include <string.h>

#include "base/log.h"
#include "http/server.h"
#include "net/conn.h"
#include "server/server.h"
#include "server/tunnel/tunnel.h"

enum { SNIFF_BYTES = 4096, COOKIE_OFFSET = 6 };

struct alpn_route {
    const char *alpn;
    void (*take)(struct worker *worker, struct conn *conn);
};

static void take_tunnel(struct worker *worker, struct conn *conn)
{
    tunnel_accept(worker->tunnel, conn);
}

static void take_http(struct worker *worker, struct conn *conn)
{
    http_server_accept(worker->https, conn);
}

static const struct alpn_route alpn_routes[] = {
    {"culvert/1", take_tunnel},
    {"h2", take_http},
    {"http/1.1", take_http},
};

/* The instance of the protocol of that name, if it takes connections. */
static bool give_to_egress(struct worker *worker, const char *name, struct conn *conn)
{
    for (unsigned i = 0; egress_all[i]; i++) {
        if (strcmp(egress_all[i]->name, name) != 0 || !worker->egress[i] || !egress_all[i]->accept)
            continue;
        egress_all[i]->accept(worker->egress[i], conn);
        return true;
    }
    return false;
}

/* A request line that ends in RTSP/1.0 or names an rtsp URL, as far as it has come.
 * 1 yes, 0 no, -1 not known yet. */
static int looks_like_rtsp(const uint8_t *bytes, size_t len)
{
    const uint8_t *end = memchr(bytes, '\n', len);
    size_t line = end ? (size_t)(end - bytes) : len;

    if (memmem(bytes, line, " rtsp", 5) || memmem(bytes, line, " RTSP/", 6))
        return 1;
    return end || len >= SNIFF_BYTES ? 0 : -1;
}

/* STUN behind its length (RFC 4571): the cookie says so. 1 yes, 0 no, -1 not known yet. */
static int looks_like_framed_stun(const uint8_t *bytes, size_t len)
{
    static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42};

    if (len > 2 && bytes[2] > 3)
        return 0;
    if (len < COOKIE_OFFSET + sizeof(cookie))
        return -1;
    return memcmp(bytes + COOKIE_OFFSET, cookie, sizeof(cookie)) == 0;
}

/* In clear on the TLS port: ICE over TCP, or a mistake. */
static ssize_t on_clear_bytes(struct worker *worker, struct conn *conn, const uint8_t *bytes,
                              size_t len)
{
    int is_stun = looks_like_framed_stun(bytes, len);

    if (is_stun < 0)
        return 0;
    if (!is_stun || !give_to_egress(worker, "webrtc", conn))
        conn_close(conn);
    return 0;
}

static ssize_t on_first_bytes(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct worker *worker = owner;
    int is_rtsp;

    if (!conn_is_tls(conn))
        return on_clear_bytes(worker, conn, bytes, len);

    if (bytes[0] == 3) {
        if (!give_to_egress(worker, "rtmp", conn))
            conn_close(conn);
        return 0;
    }
    is_rtsp = looks_like_rtsp(bytes, len);
    if (is_rtsp < 0)
        return 0;
    if (!is_rtsp)
        take_http(worker, conn);
    else if (!give_to_egress(worker, "rtsp", conn))
        conn_close(conn);
    return 0;
}

static void on_open(void *owner, struct conn *conn)
{
    struct worker *worker = owner;
    const char *alpn = conn_alpn(conn);

    for (size_t i = 0; i < sizeof(alpn_routes) / sizeof(*alpn_routes); i++) {
        if (strcmp(alpn, alpn_routes[i].alpn) != 0)
            continue;
        alpn_routes[i].take(worker, conn);
        return;
    }
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    (void)owner;
    (void)conn;
    (void)err; /* a stranger came and went: nothing was lost */
}

static const struct conn_handler mux_handler = {
    .on_open = on_open,
    .on_input = on_first_bytes,
    .on_closed = on_closed,
};

void mux_accept(struct worker *worker, struct conn *conn)
{
    conn_set_handler(conn, &mux_handler, worker);
}
