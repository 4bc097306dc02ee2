/* egress/webrtc/outgoing.h: one RTP packet on its way to one viewer: its own header, extensions and
 * encryption around a shared payload; private to egress/webrtc/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/format/rtp.h"
#include "media/packet.h"

struct peer;
struct sender;

/* What stands in the extensions of a packet, also when it is sent again as it was. */
struct stamp {
    uint32_t send_time;
    uint16_t transport_seq;
};

/* A packet of the viewer's own: header, extensions, RTX's original number if there is one; then
 * what of the shared packet follows its header. */
struct outgoing {
    const struct sender *sender;
    struct rtp_packet head;
    struct stamp stamp;
    const uint8_t *payload;
    size_t payload_len;
    bool has_original;
    uint16_t original;
};

/* 24 bits of seconds in 6.18 fixed point (abs-send-time). */
uint32_t outgoing_send_time(int64_t now_us);

/* The payload and the marker of one of a shared packet's RTP packets. */
void outgoing_fill(struct outgoing *outgoing, const struct packet *packet, unsigned span);

/* Into the instance's batch, encrypted; what is too long for it is lost. */
void outgoing_add(struct peer *peer, const struct outgoing *outgoing);

/* What is in the batch goes to the viewer. */
void outgoing_flush(struct peer *peer);
