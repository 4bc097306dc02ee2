#include "egress/webrtc/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/webrtc/batch.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    READ_PACKETS = 32,
    READ_ROOM = 2048, /* longer packets are cut, and then refused by their authentication */
    READS_PER_TURN = 8,
    BUFFER_BYTES = 4 * 1024 * 1024
};

struct udp {
    struct loop_io io; /* first: an io's udp */
    const struct udp_handler *handler;
    void *owner;
    bool is_ipv4;      /* the socket knows no IPv6 */
    bool has_segments; /* until the kernel refuses UDP_SEGMENT */
    struct mmsghdr messages[READ_PACKETS];
    struct iovec pieces[READ_PACKETS];
    struct sockaddr_storage names[READ_PACKETS];
    uint8_t room[READ_PACKETS][READ_ROOM];
};

static int bind_socket(int family, uint16_t port)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int off = 0, room = BUFFER_BYTES, err;
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr *name =
        family == AF_INET6 ? (struct sockaddr *)&any6 : (struct sockaddr *)&any4;

    if (fd < 0)
        return -errno;
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(fd, name, family == AF_INET6 ? sizeof(any6) : sizeof(any4)) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

static struct addr addr_of(const struct sockaddr_storage *name, socklen_t len)
{
    struct addr addr = {.storage = *name, .len = len};

    return addr_canonical(&addr);
}

/* How many came. */
static int read_some(struct udp *udp)
{
    int count;

    for (unsigned i = 0; i < READ_PACKETS; i++)
        udp->messages[i].msg_hdr.msg_namelen = sizeof(udp->names[i]);
    count = recvmmsg(udp->io.fd, udp->messages, READ_PACKETS, 0, NULL);
    for (int i = 0; i < count; i++) {
        struct addr from = addr_of(&udp->names[i], udp->messages[i].msg_hdr.msg_namelen);

        udp->handler->on_packet(udp->owner, &from, udp->room[i], udp->messages[i].msg_len);
    }
    return count;
}

static void on_readable(struct loop_io *io, unsigned events)
{
    struct udp *udp = (struct udp *)(void *)io;

    (void)events;
    for (unsigned i = 0; i < READS_PER_TURN; i++)
        if (read_some(udp) < READ_PACKETS)
            return;
}

int udp_open(struct udp **out, struct loop *loop, uint16_t port, const struct udp_handler *handler,
             void *owner)
{
    struct udp *udp = calloc(1, sizeof(*udp));
    int fd;

    if (!udp)
        return -ENOMEM;
    fd = bind_socket(AF_INET6, port);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) {
        udp->is_ipv4 = true;
        fd = bind_socket(AF_INET, port);
    }
    if (fd < 0) {
        free(udp);
        return fd;
    }
    for (unsigned i = 0; i < READ_PACKETS; i++) {
        udp->pieces[i] = (struct iovec){udp->room[i], READ_ROOM};
        udp->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &udp->names[i], .msg_iov = &udp->pieces[i], .msg_iovlen = 1};
    }
    udp->handler = handler;
    udp->owner = owner;
    udp->has_segments = true;
    loop_io_init(&udp->io, loop, fd, on_readable);
    loop_io_watch(&udp->io, LOOP_READ);
    *out = udp;
    return 0;
}

void udp_close(struct udp *udp)
{
    if (!udp)
        return;
    loop_io_watch(&udp->io, 0);
    close(udp->io.fd);
    free(udp);
}

/* The address as the socket's family writes it. Returns its length, 0: it can't be reached. */
static socklen_t name_of(const struct udp *udp, const struct addr *addr,
                         struct sockaddr_storage *out)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&addr->storage;
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

    if (udp->is_ipv4 || addr->storage.ss_family == AF_INET6) {
        memcpy(out, &addr->storage, sizeof(*out));
        return udp->is_ipv4 == (addr->storage.ss_family == AF_INET) ? addr->len : 0;
    }
    mapped.sin6_port = v4->sin_port;
    mapped.sin6_addr.s6_addr[10] = 0xff;
    mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(mapped.sin6_addr.s6_addr + 12, &v4->sin_addr, 4);
    memcpy(out, &mapped, sizeof(mapped));
    return sizeof(mapped);
}

void udp_send(struct udp *udp, const struct addr *to, const void *bytes, size_t len)
{
    struct sockaddr_storage name;
    socklen_t name_len = name_of(udp, to, &name);

    if (name_len &&
        sendto(udp->io.fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&name, name_len) < 0)
        return; /* as UDP is */
}

/* One sendmsg for count packets, all of the first one's length but the last, which may be
 * shorter. */
static ssize_t send_run(const struct udp *udp, struct msghdr *message, const struct batch *batch,
                        unsigned first, unsigned count)
{
    struct iovec pieces[BATCH_PACKETS];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct cmsghdr *option = (struct cmsghdr *)(void *)control;

    for (unsigned i = 0; i < count; i++) {
        const struct batch_packet *packet = &batch->packet[first + i];

        pieces[i].iov_base = (void *)(uintptr_t)(batch->bytes + packet->offset); /* only read */
        pieces[i].iov_len = packet->len;
    }
    message->msg_iov = pieces;
    message->msg_iovlen = count;
    message->msg_control = count > 1 ? control : NULL;
    message->msg_controllen = count > 1 ? sizeof(control) : 0;
    option->cmsg_level = SOL_UDP;
    option->cmsg_type = UDP_SEGMENT;
    option->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    memcpy(CMSG_DATA(option), &batch->packet[first].len, sizeof(uint16_t));
    return sendmsg(udp->io.fd, message, MSG_NOSIGNAL);
}

/* How many packets from first on may go in one call. */
static unsigned run_length(const struct batch *batch, unsigned first)
{
    uint16_t len = batch->packet[first].len;
    unsigned count = 1;

    while (first + count < batch->count && batch->packet[first + count - 1].len == len &&
           batch->packet[first + count].len <= len)
        count++;
    return count;
}

void udp_send_batch(struct udp *udp, const struct addr *to, const struct batch *batch)
{
    struct sockaddr_storage name;
    struct msghdr message = {.msg_name = &name, .msg_namelen = name_of(udp, to, &name)};
    unsigned first = 0;

    while (message.msg_namelen && first < batch->count) {
        unsigned count = udp->has_segments ? run_length(batch, first) : 1;
        ssize_t sent = send_run(udp, &message, batch, first, count);

        if (sent < 0 && count > 1 && (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT)) {
            udp->has_segments = false; /* this kernel or interface can't */
            continue;
        }
        first += count;
    }
}
