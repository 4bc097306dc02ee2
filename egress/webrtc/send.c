/* From the shared RTP feeds to one viewer: where it starts, what time it is told, pacing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/outgoing.h"
#include "egress/webrtc/pacing.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/tcp.h"
#include "media/format/rtp.h"
#include "media/format/rtp_packager.h"

enum {
    TCP_LAG_US = 500 * 1000, /* as the kernel and the connection's other end hold some, too */
    TCP_BACKLOG_BYTES = 8 * 1024,
    TCP_PACKETS = 12,
    LAG_US = 700 * 1000,            /* who is further behind goes on at a key frame, */
    SKIP_US = 250 * 1000,           /* and who is so far behind when one is there already */
    KEY_WISH_US = 500 * 1000,       /* one answer to a wish for a key frame in so long, */
    KEY_WISH_SAME_US = 2000 * 1000, /* and of the same group, doubling */
    START_SPEED = 32,               /* a new viewer's backlog plays so much faster */
    START_STEP = 45,                /* and each frame of it at least so much later: half a ms */
    HOLD_US = 60 * 1000 /* audio waits so long for a picture to go with, in one system call */
};

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
            (struct send_record){.feed_seq = (uint32_t)run->feed_seq,
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
        .stamp = {.send_time = outgoing_send_time(now_us)},
    };

    keep_record(peer, run, outgoing.stamp.send_time);
    for (unsigned i = run->first; i < run->first + run->count; i++) {
        outgoing.head.seq = sender->seq++;
        outgoing.stamp.transport_seq = peer->transport_seq++;
        outgoing_fill(&outgoing, run->packet, i);
        outgoing_add(peer, &outgoing);
        estimate_sent(&peer->estimate, outgoing.stamp.transport_seq, (uint16_t)outgoing.payload_len,
                      now_us);
        peer->allowance_bytes -= (int64_t)outgoing.payload_len;
        sender->octet_count += (uint32_t)outgoing.payload_len;
    }
    sender->packet_count += run->count;
}

/* The RTP time as this viewer gets it. What lies before its live edge is squeezed together, so that
 * it plays through the group of pictures in no time and goes on at the live edge; it never goes
 * back, also when a group is sent again. Who is live stays so: half a round of the clock later, the
 * edge would lie ahead again. */
static uint32_t time_for(struct sender *sender, uint32_t shared)
{
    int32_t before = sender->is_live ? 0 : (int32_t)(sender->live_time - shared);
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

/* How many packets may go together: over TCP few, none while the kernel doesn't take them. What is
 * written there can't be taken back, and on a thin path it stands before all that comes later. */
static unsigned room_packets(struct peer *peer)
{
    const struct ice_route *to = ice_selected(&peer->ice, loop_now_us(peer->instance->env->loop));

    if (!to || !to->tcp)
        return BATCH_PACKETS;
    if (tcp_backlog(to->tcp) + peer->instance->batch.used > TCP_BACKLOG_BYTES)
        outgoing_flush(peer);
    return tcp_backlog(to->tcp) > TCP_BACKLOG_BYTES ? 0 : TCP_PACKETS;
}

static unsigned run_within_allowance(struct peer *peer, unsigned left)
{
    int64_t packets = peer->allowance_bytes / RTP_SEND_MAX_BYTES;
    unsigned room = room_packets(peer);

    if (left > room)
        left = room;
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
        if (!run.count)
            return false;
        send_run(peer, &run);
        peer->pending_span += run.count;
    }
    note_time(&peer->video, packet, peer->pending_time);
    drop_pending(peer);
    return true;
}

/* How long the pending frame has waited: one from before the live edge, since the edge was found.
 */
static int64_t pending_age_us(const struct peer *peer)
{
    const struct feed *feed = peer->cursor.feed;
    const struct packet *newest = feed_at(feed, feed_end(feed) - 1);

    if (!peer->video.is_live)
        return loop_now_us(peer->instance->env->loop) - peer->edge_us;
    return newest ? newest->dts_us - peer->pending->dts_us : 0;
}

static int64_t lag_us(const struct peer *peer)
{
    const struct ice_route *to = ice_selected(&peer->ice, loop_now_us(peer->instance->env->loop));

    return to && to->tcp ? TCP_LAG_US : LAG_US;
}

/* A viewer whose path is too thin loses the ends of groups of pictures, whole pictures only, and no
 * key frame but for a newer one: one that doesn't fit in LAG_US is better late than never. */
static void skip_if_late(struct peer *peer)
{
    uint64_t key;
    bool has_newer;

    if (!peer->pending || !peer->cursor.feed || peer->pending_span > 0)
        return;
    key = feed_newest_key(peer->cursor.feed);
    has_newer = key > peer->pending_seq && key < feed_end(peer->cursor.feed);
    if ((!has_newer && peer->pending->is_key) ||
        pending_age_us(peer) < (has_newer ? SKIP_US : lag_us(peer)))
        return;
    peer->next_key = has_newer ? key : peer->pending_seq + 1;
    drop_pending(peer);
    peer->numbers.skipped_groups++;
}

static void begin_video(struct peer *peer, struct packet *packet)
{
    peer->pending = packet_ref(packet);
    peer->pending_seq = peer->cursor.seq - 1;
    peer->pending_span = 0;
    peer->pending_time = time_for(&peer->video, packet->rtp_time);
}

/* What leads to a key frame that is waited for is passed over; sound goes on. */
static void take_video(struct peer *peer, struct packet *packet)
{
    if (peer->next_key && (!packet->is_key || peer->cursor.seq - 1 < peer->next_key))
        return;
    peer->next_key = 0;
    begin_video(peer, packet);
}

static void take_packet(struct peer *peer, struct packet *packet)
{
    struct sender *sender = sender_of(peer, packet, false);

    if (sender == &peer->video)
        take_video(peer, packet);
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

    pacing_refill(peer);
    take_opus(peer);
    for (;;) {
        skip_if_late(peer);
        if (peer->pending && !send_pending(peer)) {
            loop_timer_start(&peer->pace, pacing_wait_us(peer));
            break;
        }
        packet = cursor_next(&peer->cursor);
        if (!packet)
            break;
        take_packet(peer, packet);
    }
    outgoing_flush(peer);
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

/* Live is what comes after the newest packet that the feed holds now; without one, all of it. */
static void find_live_edge(struct sender *sender, const struct feed *feed)
{
    for (uint64_t seq = feed_end(feed); seq > feed_first(feed); seq--) {
        const struct packet *packet = feed_at(feed, seq - 1);

        if (packet->track != sender->track)
            continue;
        sender->live_time = packet->rtp_time;
        sender->is_live = false;
        return;
    }
    sender->is_live = true;
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
    pacing_start(peer);
    peer->edge_us = loop_now_us(peer->instance->env->loop);
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

/* A group that didn't get through is too much for the path as likely as not: sent again and again
 * it would itself be what keeps it full. */
static bool may_answer_wish(struct peer *peer, uint64_t key)
{
    int64_t gone_us = loop_now_us(peer->instance->env->loop) - peer->key_wish_us;
    bool is_same = peer->key_wish_gap_us && key == peer->wished_key;

    if (gone_us < (is_same ? peer->key_wish_gap_us : KEY_WISH_US))
        return false;
    peer->key_wish_gap_us = is_same ? 2 * peer->key_wish_gap_us : KEY_WISH_SAME_US;
    peer->wished_key = key;
    return true;
}

/* Begun again and again, a key frame on a thin path would never be whole. */
static bool is_on_its_way(const struct peer *peer)
{
    return peer->pending && peer->pending->is_key &&
           peer->pending_seq == feed_newest_key(peer->cursor.feed);
}

/* The current group of pictures once more, from its key frame on. */
void send_again_from_key(struct peer *peer)
{
    struct feed *feed = peer->cursor.feed;
    int64_t now_us = loop_now_us(peer->instance->env->loop);

    peer->numbers.key_wishes++;
    if (!feed || !peer->video.is_used || is_on_its_way(peer) ||
        !may_answer_wish(peer, feed_newest_key(feed)))
        return;
    peer->key_wish_us = peer->edge_us = now_us;
    peer->next_key = 0;
    drop_pending(peer);
    find_live_edge(&peer->video, feed);
    cursor_detach(&peer->cursor);
    cursor_attach(&peer->cursor, feed);
}
