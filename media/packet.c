#include "media/packet.h"

#include <stdlib.h>

struct packet *packet_new(enum packet_kind kind, struct buf *buf, struct tracks *tracks,
                          unsigned span_count)
{
    struct packet *packet = NULL;

    if (buf)
        packet = calloc(1, sizeof(*packet) + span_count * sizeof(packet->span[0]));
    if (!packet) {
        buf_unref(buf);
        return NULL;
    }
    atomic_init(&packet->refs, 1);
    packet->kind = kind;
    packet->buf = buf;
    packet->tracks = tracks_ref(tracks);
    packet->span_count = span_count;
    return packet;
}

struct packet *packet_ref(struct packet *packet)
{
    if (packet)
        atomic_fetch_add_explicit(&packet->refs, 1, memory_order_relaxed);
    return packet;
}

void packet_unref(struct packet *packet)
{
    if (!packet || atomic_fetch_sub_explicit(&packet->refs, 1, memory_order_acq_rel) != 1)
        return;
    buf_unref(packet->buf);
    tracks_unref(packet->tracks);
    free(packet);
}
