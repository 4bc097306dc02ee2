/* egress/webrtc/udp.h: one loop's UDP socket, for all its viewers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/addr.h"

struct batch;
struct udp;

struct udp_handler {
    /* bytes may be changed in place. from is canonical: IPv4 as IPv4. */
    void (*on_packet)(void *owner, const struct addr *from, uint8_t *bytes, size_t len);
};

/* Takes the wildcard address, IPv6 with IPv4 mapped, or IPv4 alone where there is no IPv6.
 * 0 and an owned socket, or the error that bind gave. */
int udp_open(struct udp **out, struct loop *loop, uint16_t port, const struct udp_handler *handler,
             void *owner) MUST_CHECK;
void udp_close(struct udp *udp);

/* What the kernel does not take is lost, as UDP is. */
void udp_send(struct udp *udp, const struct addr *to, const void *bytes, size_t len);

/* All packets of the batch, in one system call for each run of equal ones (UDP_SEGMENT). */
void udp_send_batch(struct udp *udp, const struct addr *to, const struct batch *batch);
