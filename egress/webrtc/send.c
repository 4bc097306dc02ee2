/* From the shared RTP feeds to one viewer: its own header and extensions, encryption, one system
 * call for each run of equal packets; retransmissions; pacing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/peer.h"
#include "egress/webrtc/tcp.h"
#include "media/format/rtp.h"
#include "media/format/rtp_packager.h"

enum {
    EXTENSION_ROOM = 16,
    START_BPS = 25 * 1000 * 1000, /* before the viewer's path is known */
    LEAST_BPS = 1000 * 1000,
    BURST_BYTES = 40 * 1024,
    PACE_US = 5 * 1000,
    TCP_BACKLOG_BYTES = 256 * 1024,
    LAG_US = 1000 * 1000,     /* further behind: on to the newest key frame */
    KEY_WISH_US = 500 * 1000, /* one answer to a wish for a key frame in so long */
    START_SPEED = 32,         /* a new viewer's backlog plays so much faster */
    START_STEP = 45,          /* and each frame of it at least so much later: half a ms */
    RESENDS_PER_TICK = 128,
    RESENDS_PER_PACKET = 3, /* on average over a run: some viewers ask for ever */
    RESEND_TICK_US = 100 * 1000,
    HOLD_US = 60 * 1000 /* audio waits so long for a picture to go with, in one system call */
};

/* ---- one packet -------------------------------------------------------------------------------
 */

/* What stands in the extensions of a packet, also when it is sent again as it was. */
struct stamp {
    uint32_t send_time;
    uint16_t transport_seq;
};

/* 24 bits of seconds in 6.18 fixed point (abs-send-time). */
static uint32_t send_time_of(int64_t now_us)
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

static void flush(struct peer *peer)
{
    peer_send_batch(peer);
    batch_reset(&peer->instance->batch);
}

/* Into the batch, encrypted. */
static void add_packet(struct peer *peer, const struct outgoing *outgoing)
{
    struct batch *batch = &peer->instance->batch;
    uint8_t *room;
    size_t len;
    ssize_t protected_len = 0;

    if (!batch_room(batch))
        flush(peer);
    room = batch_room(batch);
    len = write_head(outgoing, room);
    if (len)
        protected_len =
            srtp_pair_protect(peer->srtp, room, len, outgoing->payload, outgoing->payload_len);
    if (protected_len > 0)
        batch_add(batch, (size_t)protected_len);
}

static void fill_outgoing(struct outgoing *outgoing, const struct packet *packet, unsigned span)
{
    const uint8_t *bytes = packet->buf->bytes + packet->span[span].offset;

    outgoing->head.marker = bytes[1] & 0x80;
    outgoing->payload = bytes + RTP_HEADER_BYTES;
    outgoing->payload_len = packet->span[span].len - (size_t)RTP_HEADER_BYTES;
}

/* ---- a frame ----------------------------------------------------------------------------------
 */

/* Packets [first, first + count) of a frame. */
struct run {
    struct sender *sender;
    struct packet *packet;
    uint64_t feed_seq; /* of packet */
    uint32_t time;
    unsigned first, count;
};

static void keep_record(const struct peer *peer, const struct run *run, uint32_t send_time)
{
    struct sender *sender = run->sender;

    if (sender->records)
        sender->records[sender->record_next++ % VIDEO_RECORDS] =
            (struct send_record){.feed_seq = run->feed_seq,
                                 .time = run->time,
                                 .send_time = send_time,
                                 .seq = sender->seq,
                                 .transport_seq = peer->transport_seq,
                                 .first_span = (uint16_t)run->first,
                                 .count = (uint8_t)run->count};
}

static void send_run(struct peer *peer, const struct run *run)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    struct sender *sender = run->sender;
    struct outgoing outgoing = {
        .sender = sender,
        .head = {.payload_type = sender->payload_type,
                 .timestamp = run->time,
                 .ssrc = sender->ssrc},
        .stamp = {.send_time = send_time_of(now_us)},
    };

    keep_record(peer, run, outgoing.stamp.send_time);
    for (unsigned i = run->first; i < run->first + run->count; i++) {
        outgoing.head.seq = sender->seq++;
        outgoing.stamp.transport_seq = peer->transport_seq++;
        fill_outgoing(&outgoing, run->packet, i);
        add_packet(peer, &outgoing);
        if (sender->transport_cc_id)
            estimate_sent(&peer->estimate, outgoing.stamp.transport_seq,
                          (uint16_t)outgoing.payload_len, now_us);
        sender->octet_count += (uint32_t)outgoing.payload_len;
    }
    sender->packet_count += run->count;
}

/* The RTP time as this viewer gets it. What lies before its live edge is squeezed together, so that
 * it plays through the group of pictures in no time and goes on at the live edge; it never goes
 * back, also when a group is sent again. */
static uint32_t time_for(struct sender *sender, uint32_t shared)
{
    int32_t before = (int32_t)(sender->live_time - shared);
    uint32_t time = before > 0 ? sender->live_time - (uint32_t)before / START_SPEED : shared;

    sender->is_live = before <= 0;
    if (sender->has_sent && (int32_t)(time - sender->last_time) <= 0)
        time = sender->last_time + START_STEP;
    return time;
}

static struct sender *sender_of(struct peer *peer, const struct packet *packet, bool is_transcoded)
{
    struct sender *senders[] = {&peer->video, &peer->audio};

    for (unsigned i = 0; i < 2; i++)
        if (senders[i]->is_used && senders[i]->track == packet->track &&
            senders[i]->is_transcoded == is_transcoded)
            return senders[i];
    return NULL;
}

static void note_time(struct sender *sender, const struct packet *packet, uint32_t time)
{
    sender->has_sent = true;
    sender->last_time = time;
    sender->wall_us = sender->is_live ? packet->wall_us : 0;
}

static void send_audio(struct peer *peer, struct sender *sender, struct packet *packet)
{
    struct run run = {.sender = sender,
                      .packet = packet,
                      .time = time_for(sender, packet->rtp_time),
                      .count =
                          packet->span_count < BATCH_PACKETS ? packet->span_count : BATCH_PACKETS};

    if (!sender->is_live)
        return; /* the past is seen, not heard */
    note_time(sender, packet, run.time);
    send_run(peer, &run);
}

/* ---- pacing -----------------------------------------------------------------------------------
 */

static int64_t pace_bps(const struct peer *peer)
{
    int64_t bps;

    if (!peer->estimate.has_feedback)
        return START_BPS;
    bps = (int64_t)peer->estimate.bps * (peer->estimate.is_overused ? 3 : 8) / 2;
    return bps > LEAST_BPS ? bps : LEAST_BPS;
}

static void refill(struct peer *peer)
{
    int64_t now_us = loop_now_us(peer->instance->env->loop);
    int64_t gone_us = now_us - peer->allowance_us;

    peer->allowance_us = now_us;
    if (gone_us > 1000000)
        gone_us = 1000000;
    peer->allowance_bytes += pace_bps(peer) * gone_us / 8 / 1000000;
    if (peer->allowance_bytes > BURST_BYTES)
        peer->allowance_bytes = BURST_BYTES;
}

static bool is_stuffed(const struct peer *peer)
{
    const struct ice_route *to = ice_selected(&peer->ice, loop_now_us(peer->instance->env->loop));

    return to && to->tcp && tcp_backlog(to->tcp) > TCP_BACKLOG_BYTES;
}

static unsigned run_within_allowance(const struct peer *peer, unsigned left)
{
    int64_t packets = peer->allowance_bytes / RTP_SEND_MAX_BYTES;

    if (left > BATCH_PACKETS)
        left = BATCH_PACKETS;
    return packets < (int64_t)left ? (packets > 0 ? (unsigned)packets : 0) : left;
}

/* ---- the cursors ------------------------------------------------------------------------------
 */

static void drop_pending(struct peer *peer)
{
    packet_unref(peer->pending);
    peer->pending = NULL;
}

/* Sends what of the pending frame may go now. False: the rest has to wait. */
static bool send_pending(struct peer *peer)
{
    struct packet *packet = peer->pending;
    struct run run = {.sender = &peer->video,
                      .packet = packet,
                      .feed_seq = peer->pending_seq,
                      .time = peer->pending_time};

    while (peer->pending_span < packet->span_count) {
        run.first = peer->pending_span;
        run.count = run_within_allowance(peer, packet->span_count - run.first);
        if (!run.count || is_stuffed(peer))
            return false;
        send_run(peer, &run);
        peer->pending_span += run.count;
        peer->allowance_bytes -= (int64_t)run.count * RTP_SEND_MAX_BYTES;
    }
    note_time(&peer->video, packet, peer->pending_time);
    drop_pending(peer);
    return true;
}

/* A viewer whose path is too thin loses whole groups of pictures, and only when a newer one has
 * begun. */
static void skip_if_late(struct peer *peer)
{
    struct feed *feed = peer->cursor.feed;
    const struct packet *newest = feed ? feed_at(feed, feed_end(feed) - 1) : NULL;

    if (!peer->pending || !newest || newest->dts_us - peer->pending->dts_us < LAG_US ||
        feed_newest_key(feed) <= peer->pending_seq)
        return;
    drop_pending(peer);
    cursor_skip_to_key(&peer->cursor);
    peer->numbers.skipped_groups++;
}

static void begin_video(struct peer *peer, struct packet *packet)
{
    peer->pending = packet_ref(packet);
    peer->pending_seq = peer->cursor.seq - 1;
    peer->pending_span = 0;
    peer->pending_time = time_for(&peer->video, packet->rtp_time);
}

static void take_packet(struct peer *peer, struct packet *packet)
{
    struct sender *sender = sender_of(peer, packet, false);

    if (sender == &peer->video)
        begin_video(peer, packet);
    else if (sender)
        send_audio(peer, sender, packet);
}

static void take_opus(struct peer *peer)
{
    struct packet *packet;

    while ((packet = cursor_next(&peer->opus_cursor)) != NULL)
        if (sender_of(peer, packet, true))
            send_audio(peer, &peer->audio, packet);
}

static void drain(struct peer *peer)
{
    struct packet *packet;

    refill(peer);
    skip_if_late(peer);
    take_opus(peer);
    for (;;) {
        if (peer->pending && !send_pending(peer)) {
            loop_timer_start(&peer->pace, PACE_US);
            break;
        }
        packet = cursor_next(&peer->cursor);
        if (!packet)
            break;
        take_packet(peer, packet);
    }
    flush(peer);
}

static void on_ready(struct cursor *cursor)
{
    drain(list_entry(cursor, struct peer, cursor));
}

static void on_opus_ready(struct cursor *cursor)
{
    drain(list_entry(cursor, struct peer, opus_cursor));
}

static void on_end(struct cursor *cursor)
{
    (void)cursor; /* the camera was removed: its admission is revoked in the same turn */
}

static void on_pace(struct loop_timer *timer)
{
    drain(list_entry(timer, struct peer, pace));
}

void send_resume(struct peer *peer)
{
    if (peer->cursor.feed && peer->pending)
        drain(peer);
}

/* ---- start, stop, again -----------------------------------------------------------------------
 */

/* Live is what comes after the newest packet that the feed holds now. */
static void find_live_edge(struct sender *sender, const struct feed *feed)
{
    for (uint64_t seq = feed_end(feed); seq > feed_first(feed); seq--) {
        const struct packet *packet = feed_at(feed, seq - 1);

        if (packet->track != sender->track)
            continue;
        sender->live_time = packet->rtp_time;
        return;
    }
    sender->live_time = 0;
}

/* Without memory for them this viewer's losses stay lost. */
static void keep_records(struct sender *sender)
{
    if (sender->is_used)
        sender->records = calloc(VIDEO_RECORDS, sizeof(*sender->records));
}

void send_init(struct peer *peer)
{
    loop_timer_init(&peer->pace, peer->instance->env->loop, on_pace);
    peer->cursor = (struct cursor){.on_ready = on_ready, .on_end = on_end};
    peer->opus_cursor = (struct cursor){.on_ready = on_opus_ready, .on_end = on_end};
}

static int start_opus(struct peer *peer)
{
    struct feed *feed = view_feed_use(peer->admission.view, PACKET_RTP_OPUS);

    if (!feed)
        return -ENOMEM;
    peer->has_opus_feed = true;
    find_live_edge(&peer->audio, feed);
    cursor_attach(&peer->opus_cursor, feed);
    return 0;
}

int send_start(struct peer *peer)
{
    struct feed *feed = view_feed_use(peer->admission.view, PACKET_RTP);

    if (!feed)
        return -ENOMEM;
    peer->has_feed = true;
    peer->allowance_us = loop_now_us(peer->instance->env->loop);
    peer->allowance_bytes = BURST_BYTES;
    find_live_edge(&peer->video, feed);
    find_live_edge(&peer->audio, feed);
    keep_records(&peer->video);
    if (peer->video.is_used)
        peer->cursor.patience_us = peer->opus_cursor.patience_us = HOLD_US;
    cursor_attach(&peer->cursor, feed);
    return peer->audio.is_transcoded ? start_opus(peer) : 0;
}

void send_stop(struct peer *peer)
{
    loop_timer_stop(&peer->pace);
    cursor_detach(&peer->cursor);
    cursor_detach(&peer->opus_cursor);
    drop_pending(peer);
    if (peer->has_feed)
        view_feed_leave(peer->admission.view, PACKET_RTP);
    if (peer->has_opus_feed)
        view_feed_leave(peer->admission.view, PACKET_RTP_OPUS);
    peer->has_feed = peer->has_opus_feed = false;
}

/* The current group of pictures once more, from its key frame on. */
void send_again_from_key(struct peer *peer)
{
    struct feed *feed = peer->cursor.feed;
    int64_t now_us = loop_now_us(peer->instance->env->loop);

    peer->numbers.key_wishes++;
    if (!feed || !peer->video.is_used || now_us - peer->key_wish_us < KEY_WISH_US)
        return;
    peer->key_wish_us = now_us;
    drop_pending(peer);
    find_live_edge(&peer->video, feed);
    cursor_detach(&peer->cursor);
    cursor_attach(&peer->cursor, feed);
}

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
    if (!peer->resend_allowance)
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
        outgoing.stamp = (struct stamp){send_time_of(now_us), peer->transport_seq++};
        outgoing.has_original = true;
        outgoing.original = seq;
    }
    fill_outgoing(&outgoing, packet, record->first_span + index);
    add_packet(peer, &outgoing);
    if (sender->rtx_ssrc && sender->transport_cc_id)
        estimate_sent(&peer->estimate, outgoing.stamp.transport_seq, (uint16_t)outgoing.payload_len,
                      now_us);
    flush(peer);
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
