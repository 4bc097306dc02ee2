#include "egress/rtsp/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { SEGMENTS_MAX = 40, READS_PER_TURN = 64, SEND_BUFFER_BYTES = 4 * 1024 * 1024 };

/* One socket takes IPv6 and, mapped, IPv4; on a machine without IPv6, plain IPv4. */
struct udp_socket {
    struct loop_io io; /* first: an io's udp_socket */
    struct udp_pair *pair;
    bool is_rtcp;
};

struct udp_pair {
    struct udp_socket rtp, rtcp;
    const struct udp_handler *handler;
    void *owner;
    sa_family_t family;
    uint16_t port;
    bool has_segments; /* until the kernel refuses UDP_SEGMENT */
};

/* Where the machine has no IPv6, IPv4 for good. */
static int new_socket(struct udp_pair *pair)
{
    const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(pair->family, type, 0);

    if (fd < 0 && errno == EAFNOSUPPORT && pair->family == AF_INET6) {
        pair->family = AF_INET;
        fd = socket(pair->family, type, 0);
    }
    return fd < 0 ? -errno : fd;
}

static int open_socket(struct udp_pair *pair, uint16_t port)
{
    int fd = new_socket(pair), off = 0, room = SEND_BUFFER_BYTES, err;
    struct addr any;

    if (fd < 0)
        return fd;
    if (pair->family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    err = addr_parse(&any, pair->family == AF_INET6 ? "::" : "0.0.0.0");
    if (err == 0) {
        addr_set_port(&any, port);
        if (bind(fd, (struct sockaddr *)&any.storage, any.len) == 0)
            return fd;
        err = -errno;
    }
    close(fd);
    return err;
}

static int open_pair(struct udp_pair *pair, uint16_t port)
{
    int rtp = open_socket(pair, port), rtcp;

    if (rtp < 0)
        return rtp;
    rtcp = open_socket(pair, (uint16_t)(port + 1));
    if (rtcp < 0) {
        close(rtp);
        return rtcp;
    }
    pair->rtp.io.fd = rtp;
    pair->rtcp.io.fd = rtcp;
    pair->port = port;
    return 0;
}

static void on_readable(struct loop_io *io, unsigned events)
{
    struct udp_socket *from = (struct udp_socket *)(void *)io;
    uint8_t bytes[2048];
    struct addr addr;

    (void)events;
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        addr.len = sizeof(addr.storage);
        if (recvfrom(io->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&addr.storage, &addr.len) <
            0)
            return;
        addr = addr_canonical(&addr);
        from->pair->handler->on_packet(from->pair->owner, from->is_rtcp, &addr);
    }
}

int udp_open(struct udp_pair **out, struct loop *loop, const struct udp_config *config)
{
    struct udp_pair *pair = calloc(1, sizeof(*pair));
    int err = -EADDRINUSE;

    if (!pair)
        return -ENOMEM;
    pair->family = AF_INET6;
    for (uint32_t port = (config->first + 1u) & ~1u; port + 1 <= config->last && err < 0; port += 2)
        err = open_pair(pair, (uint16_t)port);
    if (err < 0) {
        free(pair);
        return err;
    }
    pair->handler = config->handler;
    pair->owner = config->owner;
    pair->has_segments = true;
    pair->rtp.pair = pair;
    pair->rtcp.pair = pair;
    pair->rtcp.is_rtcp = true;
    loop_io_init(&pair->rtp.io, loop, pair->rtp.io.fd, on_readable);
    loop_io_init(&pair->rtcp.io, loop, pair->rtcp.io.fd, on_readable);
    loop_io_watch(&pair->rtp.io, LOOP_READ);
    loop_io_watch(&pair->rtcp.io, LOOP_READ);
    *out = pair;
    return 0;
}

void udp_close(struct udp_pair *pair)
{
    if (!pair)
        return;
    loop_io_watch(&pair->rtp.io, 0);
    loop_io_watch(&pair->rtcp.io, 0);
    close(pair->rtp.io.fd);
    close(pair->rtcp.io.fd);
    free(pair);
}

uint16_t udp_port(const struct udp_pair *pair)
{
    return pair->port;
}

/* An address as the sockets' family writes it. */
struct name {
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
};

static struct name name_of(const struct udp_pair *pair, const struct addr *addr)
{
    struct name name = {.v6 = {.sin6_family = AF_INET6}, .len = sizeof(name.v6)};
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&addr->storage;

    if (addr->storage.ss_family == AF_INET6) {
        memcpy(&name.v6, &addr->storage, sizeof(name.v6));
        return name;
    }
    if (pair->family == AF_INET)
        return (struct name){.v4 = *v4, .len = sizeof(name.v4)};
    name.v6.sin6_port = v4->sin_port;
    name.v6.sin6_addr.s6_addr[10] = 0xff;
    name.v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(name.v6.sin6_addr.s6_addr + 12, &v4->sin_addr, 4);
    return name;
}

/* One sendmsg for count spans, all of the first one's length but the last, which may be
 * shorter. */
static ssize_t send_run(const struct udp_pair *pair, struct name *to, const struct packet *packet,
                        unsigned first, unsigned count)
{
    struct iovec pieces[SEGMENTS_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct msghdr message = {
        .msg_name = &to->v6, .msg_namelen = to->len, .msg_iov = pieces, .msg_iovlen = count};
    struct cmsghdr *option;

    for (unsigned i = 0; i < count; i++) {
        const struct rtp_span *span = &packet->span[first + i];

        pieces[i].iov_base = packet->buf->bytes + span->offset;
        pieces[i].iov_len = span->len;
    }
    if (count > 1) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        option = CMSG_FIRSTHDR(&message);
        option->cmsg_level = SOL_UDP;
        option->cmsg_type = UDP_SEGMENT;
        option->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        memcpy(CMSG_DATA(option), &packet->span[first].len, sizeof(uint16_t));
    }
    return sendmsg(pair->rtp.io.fd, &message, MSG_NOSIGNAL);
}

/* How many spans from first on may go in one call. */
static unsigned run_length(const struct packet *packet, unsigned first)
{
    uint16_t len = packet->span[first].len;
    unsigned count = 1;

    while (first + count < packet->span_count && count < SEGMENTS_MAX &&
           packet->span[first + count - 1].len == len && packet->span[first + count].len <= len)
        count++;
    return count;
}

size_t udp_send(struct udp_pair *pair, const struct addr *to, const struct packet *packet)
{
    struct name name = name_of(pair, to);
    unsigned first = 0;
    size_t sum = 0;

    while (first < packet->span_count) {
        unsigned count = pair->has_segments ? run_length(packet, first) : 1;
        ssize_t sent = send_run(pair, &name, packet, first, count);

        if (sent < 0 && count > 1 && (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT)) {
            pair->has_segments = false;
            continue;
        }
        if (sent > 0)
            sum += (size_t)sent;
        first += count;
    }
    return sum;
}

void udp_send_rtcp(struct udp_pair *pair, const struct addr *to, const void *bytes, size_t len)
{
    struct name name = name_of(pair, to);

    if (sendto(pair->rtcp.io.fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&name.v6, name.len) <
        0)
        return; /* as UDP is */
}
