/* egress/webrtc/batch.h: packets that go to one viewer together.
 *
 * Each stands behind its length in two bytes, as TCP wants it (RFC 4571): over TCP the whole is
 * written as it is, over UDP the packets are gathered from between.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "egress/webrtc/framing.h"

enum {
    BATCH_PACKETS = 48,     /* UDP_SEGMENT takes 64, and 64 KiB in all */
    BATCH_PACKET_MAX = 1500 /* room for one, with what SRTP adds */
};

struct batch {
    unsigned count;
    size_t used; /* of bytes */
    struct batch_packet {
        uint32_t offset;
        uint16_t len;
    } packet[BATCH_PACKETS];
    uint8_t bytes[BATCH_PACKETS * (BATCH_PACKET_MAX + FRAMING_BYTES)];
};

static inline void batch_reset(struct batch *batch)
{
    batch->count = 0;
    batch->used = 0;
}

/* Where the next packet is written (BATCH_PACKET_MAX bytes of room); NULL when full. */
static inline uint8_t *batch_room(struct batch *batch)
{
    return batch->count < BATCH_PACKETS ? batch->bytes + batch->used + FRAMING_BYTES : NULL;
}

/* The packet written there is len bytes long. */
static inline void batch_add(struct batch *batch, size_t len)
{
    batch->bytes[batch->used] = (uint8_t)(len >> 8);
    batch->bytes[batch->used + 1] = (uint8_t)len;
    batch->packet[batch->count].offset = (uint32_t)(batch->used + FRAMING_BYTES);
    batch->packet[batch->count].len = (uint16_t)len;
    batch->count++;
    batch->used += FRAMING_BYTES + len;
}
