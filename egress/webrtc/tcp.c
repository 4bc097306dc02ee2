/* ICE over TCP (RFC 6544), its packets framed as in RFC 4571. A connection is a stranger's until a
 * STUN message on it was authentic. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egress/webrtc/framing.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/tcp.h"
#include "net/conn.h"

enum {
    STRANGERS_MAX = 1000,
    STRANGER_US = 10 * 1000000,
    BACKLOG_BYTES = 2 * 1024 * 1024,
    UNSENT_BYTES = 8 * 1024
};

struct tcp_link {
    struct conn *conn; /* owned */
    struct egress_instance *instance;
    struct peer *peer; /* borrowed; NULL: a stranger */
    struct list link;
    struct loop_task gone;
    bool is_closed;
};

/* A connection on its way to the loop that its viewer lives on. */
struct handover {
    struct loop_task task;
    unsigned loop;
    int fd; /* owned */
    size_t len;
    uint8_t bytes[]; /* read already */
};

static const struct conn_limits tcp_limits = {
    .input_bytes = 2 * (FRAMING_PACKET_MAX + FRAMING_BYTES),
    .backlog_bytes = BACKLOG_BYTES,
    .low_water_bytes = 4 * 1024,
    .handshake_us = 10 * 1000000,
    .first_byte_us = 5 * 1000000,
};

static void free_link(struct loop_task *task)
{
    free(list_entry(task, struct tcp_link, gone));
}

static void end(struct tcp_link *link)
{
    struct egress_instance *instance = link->instance;

    if (link->is_closed)
        return;
    link->is_closed = true;
    list_remove(&link->link);
    if (link->peer)
        ice_forget_tcp(&link->peer->ice, link);
    else
        instance->stranger_count--;
    link->peer = NULL;
    link->gone.run = free_link;
    loop_defer(instance->env->loop, &link->gone);
}

void tcp_close(struct tcp_link *link)
{
    if (link->is_closed)
        return;
    conn_close(link->conn);
    end(link);
}

static void run_handover(struct loop_task *task);

/* Whose viewer is it? Sends the connection there if that is another loop. */
static bool hand_over(struct tcp_link *link, const struct framed *packet, const uint8_t *bytes,
                      size_t len)
{
    char ufrag[ICE_UFRAG_TEXT];
    int index = ice_find_ufrag(packet->bytes, packet->len, ufrag) ? ice_loop_of(ufrag) : -1;
    struct egress_instance *to = index >= 0 ? webrtc_instance_at((unsigned)index) : NULL;
    struct handover *handover;

    if (!to || to == link->instance)
        return false;
    handover = calloc(1, sizeof(*handover) + len);
    if (!handover)
        return false;
    handover->loop = (unsigned)index;
    handover->len = len;
    memcpy(handover->bytes, bytes, len);
    handover->fd = fcntl(conn_fd(link->conn), F_DUPFD_CLOEXEC, 0);
    handover->task.run = run_handover;
    if (handover->fd < 0)
        free(handover);
    else
        loop_post(to->env->loop, &handover->task);
    tcp_close(link);
    return true;
}

static void take_packet(struct tcp_link *link, const struct framed *packet)
{
    struct ice_route from = {.remote = *conn_peer(link->conn), .tcp = link};
    uint8_t copy[FRAMING_PACKET_MAX];

    memcpy(copy, packet->bytes, packet->len);
    peer_take_packet(link->instance, &from, copy, packet->len);
}

static ssize_t on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct tcp_link *link = owner;
    size_t used = 0;

    (void)conn;
    while (!link->is_closed) {
        struct framed packet;
        ssize_t taken = framing_next(&packet, bytes + used, len - used);

        if (taken < 0)
            return taken;
        if (taken == 0)
            break;
        if (!link->peer && hand_over(link, &packet, bytes + used, len - used))
            return (ssize_t)len;
        take_packet(link, &packet);
        used += (size_t)taken;
        if (!link->peer && !link->is_closed)
            return -ERR_DENIED; /* a stranger's first packet must prove who it is */
    }
    return link->is_closed ? (ssize_t)len : (ssize_t)used;
}

static void on_drained(void *owner, struct conn *conn)
{
    struct tcp_link *link = owner;

    (void)conn;
    if (link->peer)
        send_resume(link->peer);
}

static void on_closed(void *owner, struct conn *conn, int err)
{
    (void)conn;
    (void)err;
    end(owner);
}

static const struct conn_handler handler = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static struct tcp_link *link_new(struct egress_instance *instance, struct conn *conn)
{
    struct tcp_link *link = NULL;

    if (!instance->is_draining && instance->stranger_count < STRANGERS_MAX)
        link = calloc(1, sizeof(*link));
    if (!link) {
        conn_close(conn);
        return NULL;
    }
    link->conn = conn;
    link->instance = instance;
    list_append(&instance->tcp_links, &link->link);
    instance->stranger_count++;
    conn_set_limits(conn, &tcp_limits);
    conn_set_deadline(conn, STRANGER_US);
    return link;
}

void tcp_accept(struct egress_instance *instance, struct conn *conn)
{
    struct tcp_link *link = link_new(instance, conn);

    if (link)
        conn_set_handler(conn, &handler, link);
}

static void run_handover(struct loop_task *task)
{
    struct handover *handover = list_entry(task, struct handover, task);
    struct egress_instance *instance = webrtc_instance_at(handover->loop);
    struct tcp_link *link = NULL;
    struct conn *conn;

    if (!instance)
        close(handover->fd); /* the server is at its end */
    else if (conn_accept(&conn, instance->env->loop, handover->fd, NULL, &tcp_limits) == 0)
        link = link_new(instance, conn);
    if (link) {
        ssize_t used;

        conn_set_handler(conn, &handler, link);
        used = on_input(link, conn, handover->bytes, handover->len);
        /* What does not end with a whole packet can't be kept: a viewer waits for answers. */
        if (used != (ssize_t)handover->len)
            tcp_close(link);
    }
    free(handover);
}

struct peer *tcp_peer(const struct tcp_link *link)
{
    return link->peer;
}

void tcp_set_peer(struct tcp_link *link, struct peer *peer)
{
    if (link->peer || link->is_closed)
        return;
    link->peer = peer;
    link->instance->stranger_count--;
    conn_set_deadline(link->conn, 0);
    conn_set_low_latency(link->conn, UNSENT_BYTES);
}

void tcp_send(struct tcp_link *link, const void *bytes, size_t len)
{
    uint8_t head[FRAMING_BYTES] = {(uint8_t)(len >> 8), (uint8_t)len};
    int err;

    if (link->is_closed)
        return;
    conn_cork(link->conn);
    err = conn_write_copy(link->conn, head, sizeof(head));
    if (err == 0)
        err = conn_write_copy(link->conn, bytes, len);
    conn_uncork(link->conn);
    if (err < 0)
        tcp_close(link); /* half a frame must not stand in the stream */
}

void tcp_send_framed(struct tcp_link *link, const void *bytes, size_t len)
{
    if (!link->is_closed && conn_write_copy(link->conn, bytes, len) < 0)
        tcp_close(link);
}

size_t tcp_backlog(const struct tcp_link *link)
{
    return link->is_closed ? 0 : conn_backlog(link->conn);
}

void tcp_close_all(struct egress_instance *instance)
{
    while (!list_is_empty(&instance->tcp_links))
        tcp_close(list_entry(instance->tcp_links.next, struct tcp_link, link));
}
