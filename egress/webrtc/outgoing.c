#include "egress/webrtc/outgoing.h"

#include "egress/webrtc/peer.h"
#include "egress/webrtc/srtp.h"

enum { EXTENSION_ROOM = 16 };

uint32_t outgoing_send_time(int64_t now_us)
{
    return (uint32_t)(((uint64_t)now_us << 18) / 1000000) & 0xffffff;
}

static size_t put_element(uint8_t *at, uint8_t id, uint32_t value, size_t len)
{
    if (!id)
        return 0;
    at[0] = (uint8_t)((unsigned)id << 4 | (unsigned)(len - 1));
    for (size_t i = 0; i < len; i++)
        at[1 + i] = (uint8_t)(value >> 8 * (len - 1 - i));
    return 1 + len;
}

/* One-byte header extensions (RFC 8285 section 4.2). playout-delay 0 to 0: show it at once. */
static size_t put_extensions(const struct sender *sender, const struct stamp *stamp, uint8_t *at)
{
    uint8_t *begin = at;

    at += 4;
    at += put_element(at, sender->abs_send_time_id, stamp->send_time, 3);
    at += put_element(at, sender->transport_cc_id, stamp->transport_seq, 2);
    at += put_element(at, sender->playout_delay_id, 0, 3);
    if (at == begin + 4)
        return 0;
    while ((at - begin) % 4)
        *at++ = 0;
    begin[0] = 0xbe;
    begin[1] = 0xde;
    begin[2] = 0;
    begin[3] = (uint8_t)((at - begin) / 4 - 1);
    return (size_t)(at - begin);
}

/* All before the payload. Returns its length, 0: the packet is too long. */
static size_t write_head(const struct outgoing *outgoing, uint8_t *out)
{
    size_t len = RTP_HEADER_BYTES, extensions;

    if (outgoing->payload_len + RTP_HEADER_BYTES + EXTENSION_ROOM + 2 + SRTP_OVERHEAD_MAX >
        BATCH_PACKET_MAX)
        return 0;
    rtp_write_header(&outgoing->head, out);
    extensions = put_extensions(outgoing->sender, &outgoing->stamp, out + len);
    if (extensions)
        out[0] |= 0x10;
    len += extensions;
    if (outgoing->has_original) {
        out[len++] = (uint8_t)(outgoing->original >> 8);
        out[len++] = (uint8_t)outgoing->original;
    }
    return len;
}

void outgoing_flush(struct peer *peer)
{
    peer_send_batch(peer);
    batch_reset(&peer->instance->batch);
}

void outgoing_add(struct peer *peer, const struct outgoing *outgoing)
{
    struct batch *batch = &peer->instance->batch;
    uint8_t *room;
    size_t len;
    ssize_t protected_len = 0;

    if (!batch_room(batch))
        outgoing_flush(peer);
    room = batch_room(batch);
    len = write_head(outgoing, room);
    if (len)
        protected_len =
            srtp_pair_protect(peer->srtp, room, len, outgoing->payload, outgoing->payload_len);
    if (protected_len > 0)
        batch_add(batch, (size_t)protected_len);
}

void outgoing_fill(struct outgoing *outgoing, const struct packet *packet, unsigned span)
{
    const uint8_t *bytes = packet->buf->bytes + packet->span[span].offset;

    outgoing->head.marker = bytes[1] & 0x80;
    outgoing->payload = bytes + RTP_HEADER_BYTES;
    outgoing->payload_len = packet->span[span].len - (size_t)RTP_HEADER_BYTES;
}
