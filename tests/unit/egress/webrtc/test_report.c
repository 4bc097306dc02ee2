/* RTCP with one viewer: what its reports change, and what ours say. SRTCP is a tag of one byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "egress/webrtc/peer.h"
#include "egress/webrtc/srtp.h"
#include "media/format/rtp.h"

enum { VIDEO_SSRC = 0x11111111, AUDIO_SSRC = 0x22222222, GOOD_TAG = 0x5a, BAD_TAG = 0xa5 };

static struct rig {
    struct loop *loop;
    struct egress_env env;
    struct egress_instance instance;
    struct peer peer;
    struct ice_route from;
    unsigned heard, wished, again_count, sent_count;
    uint16_t again[8];
    uint8_t sent[2][256];
    size_t sent_len[2];
} rig;

/* ---- in the place of the real ones ------------------------------------------------------------
 */

ssize_t srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    (void)pair;
    return packet[len - 1] == GOOD_TAG ? (ssize_t)len - 1 : -ERR_DENIED;
}

ssize_t srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t len)
{
    (void)pair;
    packet[len] = GOOD_TAG;
    return (ssize_t)len + 1;
}

void ice_heard(struct ice *ice, const struct ice_route *from, int64_t now_us)
{
    assert_ptr_equal(ice, &rig.peer.ice);
    assert_ptr_equal(from, &rig.from);
    assert_true(now_us == loop_now_us(rig.loop));
    rig.heard++;
}

void send_again(struct peer *peer, uint32_t ssrc, uint16_t seq)
{
    assert_ptr_equal(peer, &rig.peer);
    assert_int_equal(ssrc, VIDEO_SSRC);
    rig.again[rig.again_count++] = seq;
}

void send_again_from_key(struct peer *peer)
{
    assert_ptr_equal(peer, &rig.peer);
    rig.wished++;
}

void peer_send(struct peer *peer, const void *bytes, size_t len)
{
    assert_ptr_equal(peer, &rig.peer);
    assert_true(rig.sent_count < 2 && len <= sizeof(rig.sent[0]));
    memcpy(rig.sent[rig.sent_count], bytes, len);
    rig.sent_len[rig.sent_count++] = len;
}

static int set_up(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    assert_int_equal(loop_new(&rig.loop, 0), 0);
    rig.env.loop = rig.loop;
    rig.instance.env = &rig.env;
    rig.peer.instance = &rig.instance;
    rig.peer.numbers.round_trip_us = -1;
    rig.peer.video = (struct sender){.is_used = true, .ssrc = VIDEO_SSRC};
    rig.peer.audio = (struct sender){.is_used = true, .ssrc = AUDIO_SSRC};
    estimate_init(&rig.peer.estimate);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(rig.loop);
    return 0;
}

/* ---- a report, word by word -------------------------------------------------------------------
 */

struct report {
    uint8_t bytes[128];
    size_t len;
};

static void put(struct report *report, uint32_t word)
{
    for (unsigned i = 0; i < 4; i++)
        report->bytes[report->len++] = (uint8_t)(word >> 8 * (3 - i));
}

static void take(struct report report, uint8_t tag)
{
    report.bytes[report.len++] = tag;
    peer_report_take(&rig.peer, &rig.from, report.bytes, report.len);
}

static struct report key_wish(uint32_t ssrc)
{
    struct report report = {.len = 0};

    put(&report, 0x81ce0002); /* PLI */
    put(&report, 1);
    put(&report, ssrc);
    return report;
}

static struct report nack(uint16_t seq, uint16_t mask)
{
    struct report report = {.len = 0};

    put(&report, 0x81cd0003);
    put(&report, 1);
    put(&report, VIDEO_SSRC);
    put(&report, (uint32_t)seq << 16 | mask);
    return report;
}

/* fraction of 256, a jitter of 20 ms; last: LSR. */
static struct report receiver_report(uint32_t ssrc, uint8_t fraction, int32_t lost, uint32_t last)
{
    struct report report = {.len = 0};

    put(&report, 0x81c90007);
    put(&report, 1);
    put(&report, ssrc);
    put(&report, (uint32_t)fraction << 24 | ((uint32_t)lost & 0xffffff));
    put(&report, 4711);
    put(&report, 1800);
    put(&report, last);
    put(&report, 0);
    return report;
}

/* ---- what a viewer says -----------------------------------------------------------------------
 */

static void an_authentic_report_is_a_sign_of_life(void **state)
{
    (void)state;
    take(key_wish(VIDEO_SSRC), GOOD_TAG);
    assert_int_equal(rig.heard, 1);
    assert_int_equal(rig.instance.dropped, 0);
}

static void a_forged_report_is_none_and_changes_nothing(void **state)
{
    (void)state;
    take(key_wish(VIDEO_SSRC), BAD_TAG);
    take(receiver_report(VIDEO_SSRC, 128, 5, 0), BAD_TAG);
    take(nack(7, 0), BAD_TAG);
    assert_int_equal(rig.heard, 0);
    assert_int_equal(rig.wished, 0);
    assert_int_equal(rig.again_count, 0);
    assert_int_equal(rig.peer.numbers.lost, 0);
    assert_false(rig.peer.estimate.has_feedback);
    assert_int_equal(rig.instance.dropped, 3);
}

/* It has the key: it lives, whatever it says. */
static void a_malformed_report_is_a_sign_of_life_and_dropped(void **state)
{
    struct report report = key_wish(VIDEO_SSRC);

    (void)state;
    report.bytes[3] = 9; /* longer than the packet */
    take(report, GOOD_TAG);
    assert_int_equal(rig.heard, 1);
    assert_int_equal(rig.wished, 0);
    assert_int_equal(rig.instance.dropped, 1);
}

static void a_wish_for_a_key_frame_is_for_the_picture(void **state)
{
    (void)state;
    take(key_wish(AUDIO_SSRC), GOOD_TAG);
    take(key_wish(4), GOOD_TAG);
    assert_int_equal(rig.wished, 0);
    take(key_wish(VIDEO_SSRC), GOOD_TAG);
    assert_int_equal(rig.wished, 1);
}

static void each_number_of_a_nack_is_asked_for(void **state)
{
    (void)state;
    take(nack(0xfffe, 0x0005), GOOD_TAG);
    assert_int_equal(rig.again_count, 3);
    assert_int_equal(rig.again[0], 0xfffe);
    assert_int_equal(rig.again[1], 0xffff);
    assert_int_equal(rig.again[2], 1);
}

static void a_receiver_report_becomes_the_viewers_numbers(void **state)
{
    uint32_t second_ago = (uint32_t)(ntp_of_wall_us(clock_wall_us() - 1000000) >> 16);

    (void)state;
    take(receiver_report(VIDEO_SSRC, 0, 12, second_ago), GOOD_TAG);
    assert_int_equal(rig.peer.numbers.lost, 12);
    assert_int_equal(rig.peer.numbers.jitter_us, 20000);
    assert_true(rig.peer.numbers.round_trip_us >= 990 * 1000);
    assert_true(rig.peer.numbers.round_trip_us < 10 * 1000000);
    assert_true(rig.peer.estimate.has_feedback);
    take(receiver_report(VIDEO_SSRC, 0, -3, 0), GOOD_TAG); /* more came than were sent */
    assert_int_equal(rig.peer.numbers.lost, 0);
    assert_true(rig.peer.numbers.round_trip_us >= 990 * 1000); /* the last that is known */
}

static void sounds_report_moves_no_estimate(void **state)
{
    (void)state;
    take(receiver_report(AUDIO_SSRC, 200, 12, 0), GOOD_TAG);
    assert_int_equal(rig.peer.numbers.lost, 0);
    assert_false(rig.peer.estimate.has_feedback);
}

static void a_limit_that_the_viewer_names_holds(void **state)
{
    struct report report = {.len = 0};

    (void)state;
    put(&report, 0x8fce0005); /* REMB */
    put(&report, 1);
    put(&report, 0);
    put(&report, 0x52454d42);
    put(&report, 1u << 24 | 1u << 18 | 150000); /* 150000 * 2^1 */
    put(&report, VIDEO_SSRC);
    take(report, GOOD_TAG);
    assert_int_equal(rig.peer.estimate.bps, 300000);
}

/* Packets 0 to 3 of which the last did not arrive. */
static void transport_wide_feedback_feeds_the_estimate(void **state)
{
    struct report report = {.len = 0};
    int64_t now_us = loop_now_us(rig.loop);

    (void)state;
    for (uint16_t seq = 0; seq < 4; seq++)
        estimate_sent(&rig.peer.estimate, seq, 1200, now_us);
    put(&report, 0x8fcd0006);
    put(&report, 1);
    put(&report, VIDEO_SSRC);
    put(&report, 4);          /* from 0, four of them */
    put(&report, 1u << 8);    /* 64 ms, message 0 */
    put(&report, 0xb8000404); /* one bit a packet: 1110; 1 ms, 1 ms, */
    put(&report, 0x04000000); /* 1 ms */
    take(report, GOOD_TAG);
    assert_int_equal(rig.instance.dropped, 0);
    assert_true(rig.peer.estimate.has_feedback);
    assert_int_equal(rig.peer.estimate.detector.received, 3);
    assert_int_equal(rig.peer.estimate.detector.lost, 1);
}

/* ---- what we say ------------------------------------------------------------------------------
 */

static uint32_t word_at(const uint8_t *bytes, unsigned index)
{
    bytes += (size_t)4 * index;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void our_reports_tell_when_the_last_picture_was(void **state)
{
    uint64_t ntp = ntp_of_wall_us(1700000000 * INT64_C(1000000));

    (void)state;
    rig.peer.video.wall_us = 1700000000 * INT64_C(1000000);
    rig.peer.video.last_time = 90210;
    rig.peer.video.packet_count = 17;
    rig.peer.video.octet_count = 12345;
    peer_report_send(&rig.peer);
    assert_int_equal(rig.sent_count, 1);
    assert_int_equal(word_at(rig.sent[0], 1), VIDEO_SSRC);
    assert_int_equal(word_at(rig.sent[0], 2), ntp >> 32);
    assert_int_equal(word_at(rig.sent[0], 3), ntp & 0xffffffff);
    assert_int_equal(word_at(rig.sent[0], 4), 90210);
    assert_int_equal(word_at(rig.sent[0], 5), 17);
    assert_int_equal(word_at(rig.sent[0], 6), 12345);
    assert_int_equal(rig.sent[0][rig.sent_len[0] - 1], GOOD_TAG);
}

static void who_has_no_wall_clock_yet_reports_nothing(void **state)
{
    (void)state;
    rig.peer.audio.wall_us = 1;
    rig.peer.audio.is_used = false;
    peer_report_send(&rig.peer);
    assert_int_equal(rig.sent_count, 0);
    rig.peer.audio.is_used = true;
    peer_report_send(&rig.peer);
    assert_int_equal(rig.sent_count, 1);
    assert_int_equal(word_at(rig.sent[0], 1), AUDIO_SSRC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_authentic_report_is_a_sign_of_life),
        TEST(a_forged_report_is_none_and_changes_nothing),
        TEST(a_malformed_report_is_a_sign_of_life_and_dropped),
        TEST(a_wish_for_a_key_frame_is_for_the_picture),
        TEST(each_number_of_a_nack_is_asked_for),
        TEST(a_receiver_report_becomes_the_viewers_numbers),
        TEST(sounds_report_moves_no_estimate),
        TEST(a_limit_that_the_viewer_names_holds),
        TEST(transport_wide_feedback_feeds_the_estimate),
        TEST(our_reports_tell_when_the_last_picture_was),
        TEST(who_has_no_wall_clock_yet_reports_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
