#include "egress/webrtc/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "egress/webrtc/batch.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    READ_PACKETS = 32,
    READ_ROOM = 2048, /* longer packets are cut, and then refused by their authentication */
    READS_PER_TURN = 8,
    BUSY_WINDOW_US = 100 * 1000,
    BUSY_READS = 16, /* with something in them, in such a window */
    REST_US = 5 * 1000,
    BUFFER_BYTES = 4 * 1024 * 1024
};

struct datagrams {
    struct loop_io io; /* first: an io's udp */
    const struct datagrams_handler *handler;
    void *owner;
    bool has_segments; /* until the kernel refuses UDP_SEGMENT */

    /* Waking for each of many viewers' reports costs more than the reports: when busy, the socket
     * is read every REST_US instead. */
    struct loop_timer rest;
    int64_t window_us; /* when it began */
    unsigned window_reads;
    bool is_busy;

    struct mmsghdr messages[READ_PACKETS];
    struct iovec pieces[READ_PACKETS];
    struct sockaddr_storage names[READ_PACKETS];
    uint8_t room[READ_PACKETS][READ_ROOM];
};

static int bind_socket(const struct addr *local)
{
    int family = local->storage.ss_family, only = 1, room = BUFFER_BYTES, err;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(fd, (const struct sockaddr *)&local->storage, local->len) == 0)
        return fd;
    err = errno == EADDRNOTAVAIL && family == AF_INET6 ? -EAFNOSUPPORT : -errno;
    close(fd);
    return err;
}

static struct addr addr_of(const struct sockaddr_storage *name, socklen_t len)
{
    struct addr addr = {.storage = *name, .len = len};

    return addr_canonical(&addr);
}

/* How many came. */
static int read_some(struct datagrams *udp)
{
    int count;

    for (unsigned i = 0; i < READ_PACKETS; i++)
        udp->messages[i].msg_hdr.msg_namelen = sizeof(udp->names[i]);
    count = recvmmsg(udp->io.fd, udp->messages, READ_PACKETS, 0, NULL);
    for (int i = 0; i < count; i++) {
        struct addr from = addr_of(&udp->names[i], udp->messages[i].msg_hdr.msg_namelen);

        udp->handler->on_packet(udp->owner, udp, &from, udp->room[i], udp->messages[i].msg_len);
    }
    return count;
}

static void note_read(struct datagrams *udp, bool has_packets)
{
    int64_t now_us = loop_now_us(udp->io.loop);

    if (has_packets)
        udp->window_reads++;
    if (now_us - udp->window_us < BUSY_WINDOW_US)
        return;
    udp->is_busy = udp->window_reads >= BUSY_READS && udp->handler->may_rest(udp->owner);
    udp->window_reads = 0;
    udp->window_us = now_us;
}

void datagrams_hurry(struct datagrams *udp)
{
    udp->is_busy = false;
    udp->window_reads = 0;
    udp->window_us = loop_now_us(udp->io.loop);
    loop_timer_stop(&udp->rest);
    loop_io_watch(&udp->io, LOOP_READ);
}

static void read_all(struct datagrams *udp)
{
    bool has_packets = false;

    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        int count = read_some(udp);

        has_packets |= count > 0;
        if (count < READ_PACKETS)
            break;
    }
    note_read(udp, has_packets);
    if (udp->is_busy)
        loop_timer_start(&udp->rest, REST_US);
    loop_io_watch(&udp->io, udp->is_busy ? 0 : LOOP_READ);
}

static void on_readable(struct loop_io *io, unsigned events)
{
    (void)events;
    read_all((struct datagrams *)(void *)io);
}

static void on_rested(struct loop_timer *timer)
{
    read_all(list_entry(timer, struct datagrams, rest));
}

int datagrams_open(struct datagrams **out, struct loop *loop, const struct addr *local,
                   const struct datagrams_handler *handler, void *owner)
{
    struct datagrams *udp = calloc(1, sizeof(*udp));
    int fd;

    if (!udp)
        return -ENOMEM;
    fd = bind_socket(local);
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
    loop_timer_init(&udp->rest, loop, on_rested);
    loop_io_watch(&udp->io, LOOP_READ);
    *out = udp;
    return 0;
}

void datagrams_close(struct datagrams *udp)
{
    if (!udp)
        return;
    loop_io_watch(&udp->io, 0);
    loop_timer_stop(&udp->rest);
    close(udp->io.fd);
    free(udp);
}

void datagrams_send(struct datagrams *udp, const struct addr *to, const void *bytes, size_t len)
{
    if (sendto(udp->io.fd, bytes, len, MSG_NOSIGNAL, (const struct sockaddr *)&to->storage,
               to->len) < 0)
        return; /* as UDP is */
}

/* Runs of packets of one length, of which the last may be shorter: a message each. */
struct runs {
    struct addr name; /* msghdr's pointers are not const */
    unsigned count;
    struct mmsghdr messages[BATCH_PACKETS];
    struct iovec pieces[BATCH_PACKETS];
    struct run_option {
        _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } options[BATCH_PACKETS];
};

/* How many packets from first on are one run. */
static unsigned run_length(const struct batch *batch, unsigned first)
{
    uint16_t len = batch->packet[first].len;
    unsigned count = 1;

    while (first + count < batch->count && batch->packet[first + count - 1].len == len &&
           batch->packet[first + count].len <= len)
        count++;
    return count;
}

static void add_run(struct runs *runs, const struct batch *batch, unsigned first, unsigned count)
{
    struct msghdr *message = &runs->messages[runs->count].msg_hdr;
    struct cmsghdr *option = (struct cmsghdr *)(void *)runs->options[runs->count].bytes;

    *message = (struct msghdr){.msg_name = &runs->name.storage,
                               .msg_namelen = runs->name.len,
                               .msg_iov = &runs->pieces[first],
                               .msg_iovlen = count};
    runs->count++;
    if (count == 1)
        return;
    message->msg_control = option;
    message->msg_controllen = sizeof(runs->options[0]);
    option->cmsg_level = SOL_UDP;
    option->cmsg_type = UDP_SEGMENT;
    option->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    memcpy(CMSG_DATA(option), &batch->packet[first].len, sizeof(uint16_t));
}

static void make_runs(struct runs *runs, const struct batch *batch, bool has_segments)
{
    unsigned count;

    runs->count = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct batch_packet *packet = &batch->packet[i];

        runs->pieces[i].iov_base = (void *)(uintptr_t)(batch->bytes + packet->offset);
        runs->pieces[i].iov_len = packet->len;
    }
    for (unsigned first = 0; first < batch->count; first += count) {
        count = has_segments ? run_length(batch, first) : 1;
        add_run(runs, batch, first, count);
    }
}

void datagrams_send_batch(struct datagrams *udp, const struct addr *to, const struct batch *batch)
{
    struct runs runs;
    unsigned sent = 0;

    runs.name = *to;
    make_runs(&runs, batch, udp->has_segments);
    while (sent < runs.count) {
        int done = sendmmsg(udp->io.fd, runs.messages + sent, runs.count - sent, MSG_NOSIGNAL);

        if (done < 0 && runs.messages[sent].msg_hdr.msg_control &&
            (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT)) {
            udp->has_segments = false; /* this kernel or interface can't: what is left is lost */
            return;
        }
        sent += done > 0 ? (unsigned)done : 1; /* the one that was refused is lost */
    }
}
