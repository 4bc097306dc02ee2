#include "egress/srt/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "egress/srt/libsrt.h" /* before ours, see there */

#include "base/log.h"
#include "base/random.h"
#include "egress/srt/filter.h"
#include "egress/srt/gate.h"
#include "egress/srt/session.h"
#include "net/addr.h"

enum {
    PORTS = 16,
    BACKLOG = 256, /* connected, not accepted yet: a session does that within 2 ms */
    SEND_BUFFER_BYTES = 4 * 1024 * 1024,
    RECEIVE_BUFFER_BYTES = 48 * 1024, /* viewers send us nothing */
    RECEIVE_PACKETS = 512,
    RETRANSMIT_AT_ONCE = 0 /* each time it is asked for: libsrt's own patience is 300 ms at first */
};

static struct port {
    SRTSOCKET socket;
    struct gate gate;
} ports[PORTS];
static unsigned total;

static int set_int(SRTSOCKET socket, SRT_SOCKOPT option, int value)
{
    return srt_setsockflag(socket, option, &value, sizeof(value));
}

static int key_bytes(const struct options *options)
{
    return (int)strtol(option_text(options, "srt-key-bits"), NULL, 10) / 8;
}

/* What each viewer's socket inherits. */
static int set_options(SRTSOCKET socket, const struct options *options, bool is_v6)
{
    int64_t start = START_BYTES_PER_S; /* until a session has caught up */
    bool no = false, yes = true;
    int err = set_int(socket, SRTO_TRANSTYPE, SRTT_LIVE);

    err |= set_int(socket, SRTO_LATENCY, (int)option_int(options, "srt-latency-min"));
    err |= set_int(socket, SRTO_PAYLOADSIZE, MESSAGE_BYTES);
    err |= set_int(socket, SRTO_PBKEYLEN, key_bytes(options));
    err |= set_int(socket, SRTO_RETRANSMITALGO, RETRANSMIT_AT_ONCE);
    err |= set_int(socket, SRTO_FC, RECEIVE_PACKETS);
    err |= set_int(socket, SRTO_SNDBUF, SEND_BUFFER_BYTES);
    err |= set_int(socket, SRTO_RCVBUF, RECEIVE_BUFFER_BYTES);
    err |= srt_setsockflag(socket, SRTO_MAXBW, &start, sizeof(start));
    err |= srt_setsockflag(socket, SRTO_SNDSYN, &no, sizeof(no));
    err |= srt_setsockflag(socket, SRTO_RCVSYN, &no, sizeof(no));
    err |= srt_setsockflag(socket, SRTO_TLPKTDROP, &yes, sizeof(yes));
    if (is_v6)
        err |= set_int(socket, SRTO_IPV6ONLY, 1);
    return err;
}

/* A bound UDP socket, for libsrt to own, or -errno. */
static int open_udp(const struct addr *at)
{
    int fd = socket(at->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int one = 1, err = 0;

    if (fd < 0)
        return -errno;
    if (at->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        err = -errno;
    if (err == 0)
        err = filter_attach(fd, 0);
    if (err == 0 && bind(fd, (const struct sockaddr *)&at->storage, at->len) < 0)
        err = -errno;
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

static int listen_at(const struct addr *at, const struct options *options)
{
    struct port *port = &ports[total];
    bool is_v6 = at->storage.ss_family == AF_INET6;
    int fd = total < PORTS ? open_udp(at) : -ENOSPC;

    if (fd < 0)
        return fd;
    port->gate = (struct gate){.limit.seed = random_u64(), .flood.fd = fd};
    port->socket = srt_create_socket();
    if (port->socket == SRT_INVALID_SOCK || set_options(port->socket, options, is_v6) != 0 ||
        srt_listen_callback(port->socket, gate_ask, &port->gate) != 0 ||
        srt_bind_acquire(port->socket, fd) != 0) {
        close(fd);
        srt_close(port->socket);
        return -ERR_LIBRARY;
    }
    total++;
    return srt_listen(port->socket, BACKLOG) == 0 ? 0 : -ERR_LIBRARY;
}

static int listen_everywhere(const struct options *options)
{
    static const char *const everywhere[] = {"0.0.0.0", "::"};
    size_t count = option_count(options, "listen");
    bool is_everywhere = count == 0;

    for (size_t i = 0; i < (is_everywhere ? 2 : count); i++) {
        const char *host = is_everywhere ? everywhere[i] : option_item(options, "listen", i);
        struct addr at;
        int err = addr_parse(&at, host);

        if (err == 0) {
            addr_set_port(&at, (uint16_t)option_int(options, "srt-port"));
            err = listen_at(&at, options);
        }
        if (err == -EAFNOSUPPORT && is_everywhere && i == 1)
            continue; /* a machine without IPv6 */
        if (err < 0) {
            LOG(LOG_ERROR, "srt", NULL, "cannot-listen", KV_S("address", host),
                KV_I("port", option_int(options, "srt-port")), KV_ERR(err));
            return err;
        }
    }
    return 0;
}

int port_open(const struct options *options)
{
    if (srt_startup() < 0)
        return -ERR_LIBRARY;
    srt_setloglevel(LOG_CRIT);
    return listen_everywhere(options);
}

void port_shut(void)
{
    while (total)
        srt_close(ports[--total].socket);
}

void port_close(void)
{
    srt_cleanup();
}

/* Sessions own their sockets since they were asked about: the queues are only emptied. */
void port_accept(void)
{
    for (unsigned i = 0; i < total; i++)
        while (srt_accept(ports[i].socket, NULL, NULL) != SRT_INVALID_SOCK)
            continue;
}

void port_relax(void)
{
    for (unsigned i = 0; i < total; i++)
        flood_relax(&ports[i].gate.flood);
}
