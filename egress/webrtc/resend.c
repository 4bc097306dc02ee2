/* What a viewer reports lost, once more: from the shared feed, by the records of what was sent. */
#include "egress/webrtc/outgoing.h"
#include "egress/webrtc/peer.h"
#include "media/format/rtp_packager.h"

enum {
    RESENDS_PER_TICK = 128,
    RESENDS_PER_PACKET = 3, /* on average over a run: some viewers ask for ever */
    RESEND_TICK_US = 100 * 1000
};

/* Records are in the order of their numbers, around the ring: the newest is record_next - 1. */
static struct send_record *record_find(const struct sender *sender, uint16_t seq)
{
    for (unsigned back = 1; sender->records && back <= VIDEO_RECORDS; back++) {
        struct send_record *record = &sender->records[(sender->record_next - back) % VIDEO_RECORDS];

        if (!record->count)
            return NULL;
        if ((uint16_t)(seq - record->seq) < record->count)
            return record;
    }
    return NULL;
}

static bool may_send_again(struct peer *peer)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);

    if (now_us - peer->resend_us >= RESEND_TICK_US) {
        peer->resend_us = now_us;
        peer->resend_allowance = RESENDS_PER_TICK;
    }
    send_refill(peer); /* a picture may be long in coming */
    if (!peer->resend_allowance || peer->allowance_bytes < 0)
        return false;
    peer->resend_allowance--;
    peer->allowance_bytes -= RTP_SEND_MAX_BYTES; /* what is new gives way to it */
    return true;
}

/* In a packet of its own kind (RFC 4588), or else the very same packet. */
static void resend(struct peer *peer, struct sender *sender, struct packet *packet,
                   const struct send_record *record, uint16_t seq)
{
    unsigned index = (uint16_t)(seq - record->seq);
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    struct outgoing outgoing = {
        .sender = sender,
        .head = {.payload_type = sender->payload_type,
                 .seq = seq,
                 .timestamp = record->time,
                 .ssrc = sender->ssrc},
        .stamp = {record->send_time, (uint16_t)(record->transport_seq + index)},
    };

    if (sender->rtx_ssrc) {
        outgoing.head.payload_type = sender->rtx_payload_type;
        outgoing.head.ssrc = sender->rtx_ssrc;
        outgoing.head.seq = sender->rtx_seq++;
        outgoing.stamp = (struct stamp){outgoing_send_time(now_us), peer->transport_seq++};
        outgoing.has_original = true;
        outgoing.original = seq;
    }
    outgoing_fill(&outgoing, packet, record->first_span + index);
    outgoing_add(peer, &outgoing);
    if (sender->rtx_ssrc && sender->transport_cc_id)
        estimate_sent(&peer->estimate, outgoing.stamp.transport_seq, (uint16_t)outgoing.payload_len,
                      now_us);
    outgoing_flush(peer);
    peer->numbers.retransmitted++;
}

void send_again(struct peer *peer, uint32_t ssrc, uint16_t seq)
{
    struct sender *sender = &peer->video;
    struct send_record *record =
        ssrc == sender->ssrc && peer->cursor.feed ? record_find(sender, seq) : NULL;
    struct packet *packet = record ? feed_at(peer->cursor.feed, record->feed_seq) : NULL;

    if (!packet || record->first_span + record->count > packet->span_count ||
        record->resent >= RESENDS_PER_PACKET * record->count || !may_send_again(peer))
        return;
    record->resent++;
    resend(peer, sender, packet, record, seq);
}
