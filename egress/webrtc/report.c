/* RTCP: our sender reports (RFC 3550 section 6.4.1), and what the viewer says. */
#include <string.h>

#include "base/clock.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/rtcp.h"
#include "media/format/rtp.h"

enum { REPORT_MAX_BYTES = 160 };

static void send_one(struct peer *peer, const struct sender *sender)
{
    struct rtcp_sender report = {.ssrc = sender->ssrc,
                                 .rtp_time = sender->last_time,
                                 .packet_count = sender->packet_count,
                                 .octet_count = sender->octet_count,
                                 .wall_us = sender->wall_us,
                                 .cname = "culvert"};
    uint8_t bytes[REPORT_MAX_BYTES + SRTP_OVERHEAD_MAX];
    struct writer writer;
    ssize_t len = -1;

    if (!sender->is_used || !sender->wall_us)
        return;
    writer_init(&writer, REPORT_MAX_BYTES);
    rtcp_write_sender_report(&writer, &report);
    if (!writer.err) {
        memcpy(bytes, writer.bytes, writer.len);
        len = srtp_pair_protect_rtcp(peer->srtp, bytes, writer.len);
    }
    writer_fini(&writer);
    if (len > 0)
        peer_send(peer, bytes, (size_t)len);
}

void peer_report_send(struct peer *peer)
{
    send_one(peer, &peer->video);
    send_one(peer, &peer->audio);
}

static void on_block(void *owner, const struct rtcp_block *block)
{
    struct peer *peer = owner;
    int64_t round_trip_us = rtcp_round_trip_us(block, ntp_of_wall_us(clock_wall_us()));

    if (block->ssrc != peer->video.ssrc)
        return;
    if (round_trip_us >= 0)
        peer->numbers.round_trip_us = round_trip_us;
    peer->numbers.jitter_us = (uint32_t)((uint64_t)block->jitter * 1000000 / 90000);
    peer->numbers.lost = block->lost > 0 ? (uint32_t)block->lost : 0;
    estimate_loss(&peer->estimate, block->fraction_lost, loop_now_us(peer->instance->env->loop));
}

static void on_nack(void *owner, uint32_t ssrc, uint16_t seq)
{
    send_again(owner, ssrc, seq);
}

static void on_key_wish(void *owner, uint32_t ssrc)
{
    struct peer *peer = owner;

    if (ssrc == peer->video.ssrc)
        send_again_from_key(peer);
}

static void on_arrival(void *owner, uint16_t seq, int64_t arrival_us)
{
    struct peer *peer = owner;

    estimate_arrival(&peer->estimate, seq, arrival_us);
}

static void on_feedback_end(void *owner)
{
    struct peer *peer = owner;

    estimate_update(&peer->estimate, loop_now_us(peer->instance->env->loop));
}

static void on_remb(void *owner, uint64_t bps)
{
    struct peer *peer = owner;

    estimate_limit(&peer->estimate, bps);
}

static const struct rtcp_reader reader = {
    .on_block = on_block,
    .on_nack = on_nack,
    .on_key_wish = on_key_wish,
    .on_arrival = on_arrival,
    .on_feedback_end = on_feedback_end,
    .on_remb = on_remb,
};

void peer_report_take(struct peer *peer, const struct ice_route *from, uint8_t *bytes, size_t len)
{
    ssize_t plain_len = srtp_pair_unprotect_rtcp(peer->srtp, bytes, len);

    if (plain_len >= 0)
        ice_heard(&peer->ice, from, loop_now_us(peer->instance->env->loop));
    if (plain_len < 0 || rtcp_read(bytes, (size_t)plain_len, &reader, peer) < 0)
        peer->instance->dropped++;
}
