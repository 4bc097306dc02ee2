/* One viewer's sending half, between a feed that the test fills and a network that is a list: it
 * stands in for peer.c, srtp.c, ice.c and tcp.c, and time passes in rig_wait alone. Include it in
 * one file of a program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "egress/webrtc/outgoing.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/srtp.h"
#include "egress/webrtc/tcp.h"
#include "media/format/rtp.h"
#include "media/format/rtp_packager.h"

enum {
    SENT_MAX = 65536,
    SPAN_BYTES = RTP_SEND_MAX_BYTES,
    MS = 1000,
    FRAME_US = 40 * MS,
    FRAME_TICKS = 3600,
    AUDIO_TICKS = 960, /* 20 ms */
    VIDEO_TRACK = 0,
    AUDIO_TRACK = 1,
    VIDEO_SSRC = 1111,
    RTX_SSRC = 2222,
    AUDIO_SSRC = 3333,
    VIDEO_PT = 102,
    RTX_PT = 103,
    AUDIO_PT = 111
};

/* Near the end of the round, so that every test goes over it. */
#define FIRST_TIME UINT32_C(0xffff8000)

/* A packet as the network had it. */
struct sent {
    struct rtp_packet rtp; /* payload: NULL */
    unsigned frame, span;  /* what the test wrote into the payload */
    int original;          /* RTX: the number it repeats; else -1 */
    unsigned call;         /* which call of the system it went with */
    int64_t at_us;
    uint8_t bytes[64]; /* the beginning */
};

struct rig {
    struct loop *loop;
    struct hub *hub;
    struct view *view;
    struct feed *feed;
    struct egress_env env;
    struct egress_instance instance;
    struct peer peer;
    struct ice_route route;
    size_t backlog; /* of the TCP connection */
    struct sent *sent;
    unsigned sent_count, call_count;
};

static struct rig rig;

static const struct feed_kind rig_kinds[] = {
    {&packager_rtp, {64 << 20, 10 * 1000000}, 0},
    {.packager = NULL},
};

/* ---- in the place of the real ones ------------------------------------------------------------
 */

static int64_t rig_now_us = 1000 * 1000000;

/* Of libc, for our code and libev's: on a busy machine pacing must be the same. */
int clock_gettime(clockid_t id, struct timespec *out)
{
    (void)id;
    *out = (struct timespec){rig_now_us / 1000000, rig_now_us % 1000000 * 1000};
    return 0;
}

ssize_t srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t len, const uint8_t *rest,
                          size_t rest_len)
{
    (void)pair;
    memcpy(packet + len, rest, rest_len);
    return (ssize_t)(len + rest_len);
}

const struct ice_route *ice_selected(const struct ice *ice, int64_t now_us)
{
    (void)ice, (void)now_us;
    return &rig.route;
}

size_t tcp_backlog(const struct tcp_link *link)
{
    (void)link;
    return rig.backlog;
}

static unsigned rig_number(const uint8_t *at)
{
    return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

static void rig_note(const uint8_t *bytes, size_t len)
{
    struct sent *sent = &rig.sent[rig.sent_count++];
    const uint8_t *payload;

    assert_true(rig.sent_count < SENT_MAX);
    *sent = (struct sent){.original = -1, .call = rig.call_count, .at_us = loop_now_us(rig.loop)};
    assert_int_equal(rtp_parse(&sent->rtp, bytes, len), 0);
    memcpy(sent->bytes, bytes, len < sizeof(sent->bytes) ? len : sizeof(sent->bytes));
    payload = sent->rtp.payload;
    if (sent->rtp.ssrc == RTX_SSRC) {
        sent->original = payload[0] << 8 | payload[1];
        payload += 2;
    }
    sent->frame = rig_number(payload);
    sent->span = rig_number(payload + 4);
    sent->rtp.payload = NULL;
}

void peer_send_batch(struct peer *peer)
{
    const struct batch *batch = &peer->instance->batch;

    for (unsigned i = 0; i < batch->count; i++)
        rig_note(batch->bytes + batch->packet[i].offset, batch->packet[i].len);
    rig.call_count += batch->count > 0;
    if (rig.route.tcp)
        rig.backlog += batch->used;
}

/* ---- the camera -------------------------------------------------------------------------------
 */

static struct packet *rig_packet(unsigned frame, unsigned spans)
{
    struct buf *buf = buf_new(spans * (SPAN_BYTES + 4));
    struct packet *packet;

    assert_non_null(buf);
    memset(buf->bytes, 0, buf->len);
    packet = packet_new(PACKET_RTP, buf, NULL, spans);
    assert_non_null(packet);
    packet->span_count = spans;
    for (unsigned i = 0; i < spans; i++) {
        uint8_t *bytes = buf->bytes + i * (SPAN_BYTES + 4) + 4;

        packet->span[i] = (struct rtp_span){(uint32_t)(bytes - buf->bytes), SPAN_BYTES};
        bytes[0] = 0x80;
        bytes[1] = i + 1 == spans ? 0x80 : 0;
        for (unsigned k = 0; k < 4; k++) {
            bytes[RTP_HEADER_BYTES + k] = (uint8_t)(frame >> 8 * (3 - k));
            bytes[RTP_HEADER_BYTES + 4 + k] = (uint8_t)(i >> 8 * (3 - k));
        }
    }
    packet->dts_us = packet->pts_us = (int64_t)frame * FRAME_US;
    packet->wall_us = packet->dts_us + 1;
    return packet;
}

static inline void rig_push(struct packet *packet)
{
    feed_push(rig.feed, packet);
    packet_unref(packet);
}

static inline uint32_t rig_time(unsigned frame)
{
    return FIRST_TIME + frame * FRAME_TICKS;
}

/* Picture number frame, in so many packets, at 25 a second. */
static inline void rig_picture(unsigned frame, unsigned spans, bool is_key)
{
    struct packet *packet = rig_packet(frame, spans);

    packet->track = VIDEO_TRACK;
    packet->is_key = is_key;
    packet->rtp_time = rig_time(frame);
    rig_push(packet);
}

/* The i-th 20 ms of sound, which count from where pictures do. */
static inline void rig_sound(unsigned i)
{
    struct packet *packet = rig_packet(i, 1);

    packet->track = AUDIO_TRACK;
    packet->can_wait = true;
    packet->dts_us = packet->pts_us = (int64_t)i * 20 * MS;
    packet->rtp_time = i * AUDIO_TICKS;
    rig_push(packet);
}

/* Pictures [first, end) of small groups. */
static inline void rig_pictures(unsigned first, unsigned end, unsigned group)
{
    for (unsigned frame = first; frame < end; frame++)
        rig_picture(frame, 1, frame % group == 0);
}

/* ---- the viewer -------------------------------------------------------------------------------
 */

/* So much later, with what is due by then. */
static inline void rig_wait(int64_t us)
{
    rig_now_us += us;
    for (unsigned i = 0; i < 2; i++) {
        loop_stop(rig.loop);
        loop_run(rig.loop);
    }
}

static inline int rig_setup(void **state)
{
    (void)state;
    free(rig.sent);
    memset(&rig, 0, sizeof(rig));
    rig.sent = calloc(SENT_MAX, sizeof(*rig.sent));
    assert_non_null(rig.sent);
    assert_int_equal(loop_new(&rig.loop, 0), 0);
    assert_int_equal(hub_new(&rig.hub, rig.loop, rig_kinds), 0);
    hub_join(&rig.hub, 1);
    rig.view = hub_add(rig.hub, "door");
    assert_non_null(rig.view);
    rig.feed = view_feed_use(rig.view, PACKET_RTP);
    assert_non_null(rig.feed);
    rig.env.loop = rig.loop;
    rig.instance.env = &rig.env;
    rig.peer.instance = &rig.instance;
    rig.peer.admission.view = rig.view;
    rig.peer.video = (struct sender){.is_used = true,
                                     .track = VIDEO_TRACK,
                                     .payload_type = VIDEO_PT,
                                     .ssrc = VIDEO_SSRC,
                                     .seq = 0xfff8,
                                     .transport_cc_id = 3,
                                     .abs_send_time_id = 2};
    rig.peer.audio = (struct sender){.is_used = true,
                                     .track = AUDIO_TRACK,
                                     .payload_type = AUDIO_PT,
                                     .ssrc = AUDIO_SSRC,
                                     .seq = 7,
                                     .transport_cc_id = 3};
    send_init(&rig.peer);
    estimate_init(&rig.peer.estimate);
    return 0;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    send_stop(&rig.peer);
    free(rig.peer.video.records);
    view_feed_leave(rig.view, PACKET_RTP);
    loop_drain(rig.loop);
    hub_free(rig.hub);
    loop_free(rig.loop);
    free(rig.sent);
    rig.sent = NULL;
    return 0;
}

static inline void rig_start(void)
{
    rig_wait(0);
    assert_int_equal(send_start(&rig.peer), 0);
}

static inline void rig_use_rtx(void)
{
    rig.peer.video.rtx_payload_type = RTX_PT;
    rig.peer.video.rtx_ssrc = RTX_SSRC;
    rig.peer.video.rtx_seq = 0xffff;
}

static inline const struct sent *rig_last(void)
{
    assert_true(rig.sent_count > 0);
    return &rig.sent[rig.sent_count - 1];
}

static inline unsigned rig_count(uint32_t ssrc)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig.sent_count; i++)
        count += rig.sent[i].rtp.ssrc == ssrc;
    return count;
}

/* The transport-wide number in the extensions: elements of one byte of head each (RFC 8285). */
static inline int rig_transport_seq(const struct sent *sent)
{
    const uint8_t *at = sent->bytes + RTP_HEADER_BYTES + 4;
    const uint8_t *end = at + 4 * sent->bytes[RTP_HEADER_BYTES + 3];

    if (!(sent->bytes[0] & 0x10))
        return -1;
    for (; at < end; at += *at ? 2 + (*at & 15) : 1)
        if (*at >> 4 == 3)
            return at[1] << 8 | at[2];
    return -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
