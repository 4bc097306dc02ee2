/* egress/rtsp/udp.h: one pair of UDP ports a loop (RTP and RTCP), shared by its viewers. */
#pragma once

#include <stdint.h>

#include "base/loop.h"
#include "media/packet.h"
#include "net/addr.h"

struct udp_pair;

struct udp_handler {
    /* A packet came; whose it is, is the owner's to find out. */
    void (*on_packet)(void *owner, bool is_rtcp, const struct addr *from);
};

/* Binds the first even port and its successor that are free in [first, last]. */
struct udp_config {
    uint16_t first, last;
    const struct udp_handler *handler;
    void *owner;
};
int udp_open(struct udp_pair **out, struct loop *loop, const struct udp_config *config) MUST_CHECK;
void udp_close(struct udp_pair *pair);

/* The even one. */
uint16_t udp_port(const struct udp_pair *pair);

/* Sends every span of a PACKET_RTP, with UDP_SEGMENT where lengths are equal and the kernel
 * takes it. What the socket does not take is lost, as UDP is. Returns the bytes sent. */
size_t udp_send(struct udp_pair *pair, const struct addr *to, const struct packet *packet);

void udp_send_rtcp(struct udp_pair *pair, const struct addr *to, const void *bytes, size_t len);
