/* What a viewer lost is sent once more, from the feed, as it was told to be. */
#include "unit/egress/webrtc/send_rig.h"

enum { PICTURES = 10, SPANS = 3, FIRST_SEQ = 0xfff8 }; /* numbers go over their end */

/* On a path of 40 Mbit/s. */
static void start(void)
{
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.bps = 10 * 1000 * 1000;
    rig_start();
}

static void play(void)
{
    start();
    for (unsigned i = 0; i < PICTURES; i++) {
        rig_picture(i, SPANS, i == 0);
        rig_wait(FRAME_US);
    }
    assert_int_equal(rig.sent_count, PICTURES * SPANS);
}

static void with_rtx_it_comes_in_a_packet_of_its_own(void **state)
{
    (void)state;
    rig_use_rtx();
    play();
    for (unsigned i = 0; i < PICTURES * SPANS; i++) {
        const struct sent *first = &rig.sent[i], *again;

        send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + i));
        again = rig_last();
        assert_int_equal(rig.sent_count, PICTURES * SPANS + i + 1);
        assert_int_equal(again->rtp.ssrc, RTX_SSRC);
        assert_int_equal(again->rtp.payload_type, RTX_PT);
        assert_int_equal(again->rtp.seq, (uint16_t)(0xffff + i));
        assert_int_equal(again->original, (uint16_t)(FIRST_SEQ + i));
        assert_int_equal(again->rtp.timestamp, first->rtp.timestamp);
        assert_int_equal(again->rtp.marker, first->rtp.marker);
        assert_int_equal(again->frame, first->frame);
        assert_int_equal(again->span, first->span);
        assert_int_equal(rig_transport_seq(again), PICTURES * SPANS + i);
    }
    assert_int_equal(rig.peer.numbers.retransmitted, PICTURES * SPANS);
    assert_int_equal(rig.peer.video.seq, (uint16_t)(FIRST_SEQ + PICTURES * SPANS));
}

/* Also for SRTP's sake: one number, one packet. */
static void without_rtx_it_is_the_very_same_packet(void **state)
{
    (void)state;
    play();
    rig_wait(300 * MS); /* another send time would show */
    for (unsigned i = 0; i < PICTURES * SPANS; i++) {
        send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + i));
        assert_int_equal(rig.sent_count, PICTURES * SPANS + i + 1);
        assert_memory_equal(rig_last()->bytes, rig.sent[i].bytes, sizeof(rig_last()->bytes));
    }
    assert_int_equal(rig.peer.transport_seq, PICTURES * SPANS);
}

/* And what may be sent grows while no new picture comes. */
static void one_sent_in_portions_is_found_too(void **state)
{
    enum { MANY = 200 };

    (void)state;
    rig_use_rtx();
    rig_picture(0, MANY, true);
    rig_start();
    while (rig.sent_count < MANY)
        rig_wait(5 * MS);
    rig_wait(100 * MS);
    for (unsigned i = 0; i < MANY; i += 7) {
        send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + i));
        assert_int_equal(rig_last()->original, (uint16_t)(FIRST_SEQ + i));
        assert_int_equal(rig_last()->span, i);
    }
}

static void what_was_never_sent_is_not_sent_again(void **state)
{
    (void)state;
    rig_use_rtx();
    play();
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ - 1);
    send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + PICTURES * SPANS));
    send_again(&rig.peer, AUDIO_SSRC, FIRST_SEQ);
    send_again(&rig.peer, RTX_SSRC, 0xffff);
    send_again(&rig.peer, 99, FIRST_SEQ);
    assert_int_equal(rig.sent_count, PICTURES * SPANS);
    assert_int_equal(rig.peer.numbers.retransmitted, 0);
}

static void the_feed_may_have_forgotten_it(void **state)
{
    (void)state;
    rig_use_rtx();
    play();
    feed_reset(rig.feed);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    assert_int_equal(rig.sent_count, PICTURES * SPANS);
}

static void only_the_last_256_runs_are_known(void **state)
{
    (void)state;
    rig_use_rtx();
    rig_start();
    for (unsigned i = 0; i < VIDEO_RECORDS + 10; i++) {
        rig_picture(i, 1, i == 0);
        rig_wait(5 * MS);
    }
    assert_int_equal(rig.sent_count, VIDEO_RECORDS + 10);
    send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + 9));
    assert_int_equal(rig.sent_count, VIDEO_RECORDS + 10);
    send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + 10));
    assert_int_equal(rig.sent_count, VIDEO_RECORDS + 11);
}

static void who_asks_for_ever_gets_it_three_times(void **state)
{
    (void)state;
    rig_use_rtx();
    rig_start();
    rig_picture(0, 1, true);
    for (unsigned i = 0; i < 20; i++) {
        send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
        rig_wait(100 * MS);
    }
    assert_int_equal(rig.peer.numbers.retransmitted, 3);
}

/* While it may be on its way, by the round trip that is known. */
static void who_asks_twice_at_once_gets_it_once(void **state)
{
    (void)state;
    rig_use_rtx();
    play();
    for (unsigned i = 0; i < 10; i++)
        send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ + 1);
    assert_int_equal(rig.peer.numbers.retransmitted, 2);
    rig_wait(60 * MS);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    assert_int_equal(rig.peer.numbers.retransmitted, 3);
    rig.peer.numbers.round_trip_us = 160 * MS;
    rig_wait(110 * MS);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    assert_int_equal(rig.peer.numbers.retransmitted, 3);
    rig_wait(10 * MS);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    assert_int_equal(rig.peer.numbers.retransmitted, 4);
}

/* Before its first report: the start was far too much for its path. */
static void many_losses_at_the_start_slow_it_down(void **state)
{
    (void)state;
    rig_use_rtx();
    rig_start();
    rig_picture(0, 30, true);
    for (uint16_t i = 0; i < 25; i++)
        send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ + i);
    assert_true(rig.peer.estimate.is_tight);
    assert_true(rig.peer.estimate.bps < ESTIMATE_START_BPS);
    assert_true(rig.peer.numbers.retransmitted <= 25);
}

static void no_more_than_128_go_in_100_ms(void **state)
{
    (void)state;
    rig_use_rtx();
    start();
    for (unsigned i = 0; i < 60; i++) {
        rig_picture(i, 4, i == 0);
        rig_wait(20 * MS);
    }
    rig_wait(100 * MS);
    for (unsigned i = 0; i < 240; i++) { /* within 60 ms, so that the allowance is enough */
        send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + i));
        rig_wait(MS / 4);
    }
    assert_int_equal(rig.peer.numbers.retransmitted, 128);
    rig_wait(100 * MS);
    send_again(&rig.peer, VIDEO_SSRC, (uint16_t)(FIRST_SEQ + 200));
    assert_int_equal(rig.peer.numbers.retransmitted, 129);
}

static void it_takes_from_what_may_be_sent(void **state)
{
    int64_t allowance;

    (void)state;
    rig_use_rtx();
    play();
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ); /* what there is by now is reckoned up */
    allowance = rig.peer.allowance_bytes;
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ + 1);
    assert_int_equal(rig.peer.allowance_bytes, allowance - SPAN_BYTES + RTP_HEADER_BYTES);
    rig.peer.allowance_bytes = -1;
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ + 2);
    assert_int_equal(rig.peer.numbers.retransmitted, 2);
}

static void after_the_end_nothing_is_sent_again(void **state)
{
    (void)state;
    rig_use_rtx();
    play();
    send_stop(&rig.peer);
    send_again(&rig.peer, VIDEO_SSRC, FIRST_SEQ);
    assert_int_equal(rig.sent_count, PICTURES * SPANS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_rtx_it_comes_in_a_packet_of_its_own),
        TEST(without_rtx_it_is_the_very_same_packet),
        TEST(one_sent_in_portions_is_found_too),
        TEST(what_was_never_sent_is_not_sent_again),
        TEST(the_feed_may_have_forgotten_it),
        TEST(only_the_last_256_runs_are_known),
        TEST(who_asks_for_ever_gets_it_three_times),
        TEST(who_asks_twice_at_once_gets_it_once),
        TEST(many_losses_at_the_start_slow_it_down),
        TEST(no_more_than_128_go_in_100_ms),
        TEST(it_takes_from_what_may_be_sent),
        TEST(after_the_end_nothing_is_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
