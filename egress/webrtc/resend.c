/* What a viewer reports lost, once more: from the shared feed, by the records of what was sent. */
#include "egress/webrtc/outgoing.h"
#include "egress/webrtc/pacing.h"
#include "egress/webrtc/peer.h"

enum {
    RESENDS_PER_TICK = 128,
    RESENDS_PER_PACKET = 3, /* on average over a run: some viewers ask for ever */
    RESEND_TICK_US = 100 * 1000,
    GAP_MS = 60, /* between two of the same packet, while the round trip is unknown */
    GAP_LEAST_MS = 20,
    GAP_MOST_MS = 200
};

_Static_assert(BATCH_PACKETS <= 64, "a run has more packets than a record has bits");

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

static struct packet *packet_of(const struct feed *feed, const struct send_record *record)
{
    uint64_t end = feed_end(feed);

    return feed_at(feed, end - (uint32_t)((uint32_t)end - record->feed_seq));
}

/* Some viewers ask for all that they miss whenever they miss one more: what is on its way by then
 * must not fill a path that is full. */
static bool is_under_way(const struct peer *peer, struct send_record *record, uint16_t seq)
{
    int64_t gap_ms = GAP_MS, round_trip_us = peer->numbers.round_trip_us;
    uint16_t now_ms = (uint16_t)(loop_now_us(peer->instance->env->loop) / 1000);
    uint64_t bit = UINT64_C(1) << (uint16_t)(seq - record->seq);

    if (round_trip_us > 0)
        gap_ms = round_trip_us * 3 / 4 / 1000;
    gap_ms = gap_ms < GAP_LEAST_MS ? GAP_LEAST_MS : gap_ms > GAP_MOST_MS ? GAP_MOST_MS : gap_ms;
    if ((uint16_t)(now_ms - record->again_ms) >= gap_ms) {
        record->again_ms = now_ms;
        record->again = 0;
    }
    if (record->again & bit)
        return true;
    record->again |= bit;
    return false;
}

static bool may_send_again(struct peer *peer)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);

    if (now_us - peer->resend_us >= RESEND_TICK_US) {
        peer->resend_us = now_us;
        peer->resend_allowance = RESENDS_PER_TICK;
    }
    pacing_refill(peer); /* a picture may be long in coming */
    if (!peer->resend_allowance || peer->allowance_bytes < 0)
        return false;
    peer->resend_allowance--;
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
    if (sender->rtx_ssrc)
        estimate_sent(&peer->estimate, outgoing.stamp.transport_seq, (uint16_t)outgoing.payload_len,
                      now_us);
    outgoing_flush(peer);
    peer->allowance_bytes -= (int64_t)outgoing.payload_len; /* what is new gives way to it */
    peer->numbers.retransmitted++;
}

void send_again(struct peer *peer, uint32_t ssrc, uint16_t seq)
{
    struct sender *sender = &peer->video;
    struct send_record *record =
        ssrc == sender->ssrc && peer->cursor.feed ? record_find(sender, seq) : NULL;
    struct packet *packet = record ? packet_of(peer->cursor.feed, record) : NULL;

    if (!packet || record->first_span + record->count > packet->span_count ||
        record->resent >= RESENDS_PER_PACKET * record->count || is_under_way(peer, record, seq))
        return;
    estimate_missing(&peer->estimate, loop_now_us(peer->instance->env->loop));
    if (!may_send_again(peer))
        return;
    record->resent++;
    resend(peer, sender, packet, record, seq);
}
