/* egress/webrtc/datagram.h: one loop's UDP socket, for all its viewers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/addr.h"

struct batch;
struct datagrams;

struct datagrams_handler {
    /* bytes may be changed in place. from is canonical: IPv4 as IPv4. */
    void (*on_packet)(void *owner, struct datagrams *datagrams, const struct addr *from,
                      uint8_t *bytes, size_t len);

    /* Asked while much comes: may the rest be read some ms later? */
    bool (*may_rest)(void *owner);
};

/* local names one of our addresses and a port; IPv6 sockets are IPv6 only. 0 and an owned
 * socket, or the error that bind gave: -EAFNOSUPPORT on a machine without IPv6. */
int datagrams_open(struct datagrams **out, struct loop *loop, const struct addr *local,
                   const struct datagrams_handler *handler, void *owner) MUST_CHECK;
void datagrams_close(struct datagrams *udp);

/* A viewer is about to connect: no rest for a while. */
void datagrams_hurry(struct datagrams *udp);

/* What the kernel does not take is lost, as UDP is. */
void datagrams_send(struct datagrams *udp, const struct addr *to, const void *bytes, size_t len);

/* All packets of the batch, in one system call: a message for each run of equal ones (UDP_SEGMENT).
 */
void datagrams_send_batch(struct datagrams *udp, const struct addr *to, const struct batch *batch);
