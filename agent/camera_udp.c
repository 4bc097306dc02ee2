/* A pair of UDP ports for one track of a camera: RTP on the even one, RTCP on the next. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/rtsp_client_private.h"
#include "base/random.h"

enum {
    PORT_TRIES = 64,
    FIRST_PORT = 20000,
    PORTS = 40000,
    READS_PER_TURN = 256,
    RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
};

struct udp_end {
    struct loop_io io; /* first: an io's end */
    struct camera_udp *udp;
    struct addr camera; /* where packets may come from; port 0: not known yet */
    bool is_rtcp;
};

struct camera_udp {
    struct client_track *track;
    struct udp_end rtp, rtcp;
    uint16_t port;
};

static int open_port(int family, uint16_t port)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int room = RECEIVE_BUFFER_BYTES, err;
    struct sockaddr_in6 any = {.sin6_family = (sa_family_t)family, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    const void *name = family == AF_INET ? (const void *)&any4 : (const void *)&any;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(fd, name, family == AF_INET ? sizeof(any4) : sizeof(any)) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

static void on_readable(struct loop_io *io, unsigned events)
{
    struct udp_end *end = (struct udp_end *)(void *)io;
    struct client_track *track = end->udp->track;
    static _Thread_local uint8_t bytes[RTP_PACKET_MAX];
    struct addr from;

    (void)events;
    for (unsigned i = 0; i < READS_PER_TURN && track->client->step != STEP_CLOSED; i++) {
        ssize_t len;

        from.len = sizeof(from.storage);
        len =
            recvfrom(io->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from.storage, &from.len);
        if (len < 0)
            return;
        if (!addr_is_same_host(&from, conn_peer(track->client->conn)))
            continue; /* not our camera */
        if (end->is_rtcp)
            client_on_rtcp(track, bytes, (size_t)len);
        else
            rtp_receiver_push(track->receiver, bytes, (size_t)len,
                              loop_now_us(track->client->loop));
    }
}

static void watch(struct udp_end *end, struct camera_udp *udp, int fd)
{
    end->udp = udp;
    end->is_rtcp = end == &udp->rtcp;
    loop_io_init(&end->io, udp->track->client->loop, fd, on_readable);
    loop_io_watch(&end->io, LOOP_READ);
}

static int open_pair(struct camera_udp *udp, int family)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(FIRST_PORT + random_below(PORTS) / 2 * 2);
        int rtp = open_port(family, port), rtcp = rtp < 0 ? rtp : open_port(family, port + 1);

        if (rtp >= 0 && rtcp < 0)
            close(rtp);
        if (rtp < 0 || rtcp < 0)
            continue;
        udp->port = port;
        watch(&udp->rtp, udp, rtp);
        watch(&udp->rtcp, udp, rtcp);
        return 0;
    }
    return -EADDRINUSE;
}

int camera_udp_open(struct camera_udp **out, struct client_track *track)
{
    struct camera_udp *udp = calloc(1, sizeof(*udp));
    int err;

    if (!udp)
        return -ENOMEM;
    udp->track = track;
    err = open_pair(udp, conn_peer(track->client->conn)->storage.ss_family);
    if (err < 0) {
        free(udp);
        return err;
    }
    *out = udp;
    return 0;
}

void camera_udp_close(struct camera_udp *udp)
{
    if (!udp)
        return;
    loop_io_watch(&udp->rtp.io, 0);
    loop_io_watch(&udp->rtcp.io, 0);
    close(udp->rtp.io.fd);
    close(udp->rtcp.io.fd);
    free(udp);
}

uint16_t camera_udp_port(const struct camera_udp *udp)
{
    return udp->port;
}

static void open_nat(struct udp_end *end, const void *bytes, size_t len)
{
    if (sendto(end->io.fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&end->camera.storage,
               end->camera.len) < 0)
        return; /* the camera's packets may come all the same */
}

/* A first packet each way opens what stands between; cameras ignore it. */
void camera_udp_connect(struct camera_udp *udp, uint16_t rtp_port, uint16_t rtcp_port)
{
    static const uint8_t nothing[RTP_HEADER_BYTES] = {0x80, 0x7f};

    udp->rtp.camera = udp->rtcp.camera = *conn_peer(udp->track->client->conn);
    addr_set_port(&udp->rtp.camera, rtp_port);
    addr_set_port(&udp->rtcp.camera, rtcp_port);
    open_nat(&udp->rtp, nothing, sizeof(nothing));
}

void camera_udp_send_rtcp(struct camera_udp *udp, const void *bytes, size_t len)
{
    if (addr_port(&udp->rtcp.camera))
        open_nat(&udp->rtcp, bytes, len);
}
