/* Where a viewer starts, what time it is told, in what portions, and what it loses. */
#include "unit/egress/webrtc/send_rig.h"

enum { GROUP = 25, START_SPEED = 32, BURST_BYTES = 40 * 1024 };

/* Every number once, none missing, over the whole of the test; and times never go back. */
static void assert_in_order(uint32_t ssrc)
{
    const struct sent *before = NULL;

    for (unsigned i = 0; i < rig.sent_count; i++) {
        const struct sent *now = &rig.sent[i];

        if (now->rtp.ssrc != ssrc)
            continue;
        if (before) {
            int32_t step = (int32_t)(now->rtp.timestamp - before->rtp.timestamp);

            assert_int_equal(now->rtp.seq, (uint16_t)(before->rtp.seq + 1));
            assert_true(now->frame == before->frame && now->span > before->span ? step == 0
                                                                                : step > 0);
        }
        before = now;
    }
}

static void the_current_group_is_sent_at_once(void **state)
{
    (void)state;
    rig_pictures(0, GROUP + 16, GROUP);
    rig_start();
    assert_int_equal(rig.sent_count, 16);
    assert_int_equal(rig.sent[0].frame, GROUP);
    assert_int_equal(rig_last()->frame, GROUP + 15);
    assert_int_equal(rig_last()->call, 0); /* in one call of the system */
    assert_in_order(VIDEO_SSRC);
    for (unsigned i = 0; i < rig.sent_count; i++)
        assert_true(rig.sent[i].rtp.marker);
}

static void what_is_past_is_squeezed_together_before_the_live_edge(void **state)
{
    uint32_t edge = rig_time(GROUP + 15);

    (void)state;
    rig_pictures(0, GROUP + 16, GROUP);
    rig_start();
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(rig.sent[i].rtp.timestamp, edge - (15 - i) * FRAME_TICKS / START_SPEED);
    rig_picture(GROUP + 16, 1, false);
    assert_int_equal(rig_last()->rtp.timestamp, rig_time(GROUP + 16));
    assert_in_order(VIDEO_SSRC);
}

static void a_report_has_no_wall_clock_before_the_live_edge(void **state)
{
    (void)state;
    rig_pictures(0, 3, GROUP);
    rig.peer.video.wall_us = 5;
    rig_start();
    assert_int_equal(rig.peer.video.wall_us, 2 * FRAME_US + 1); /* at the edge itself */
    send_again_from_key(&rig.peer);
    assert_int_equal(rig.peer.video.last_time, rig_last()->rtp.timestamp);
    assert_true((int32_t)(rig.peer.video.last_time - rig_time(2)) > 0);
}

static void the_past_is_seen_and_not_heard(void **state)
{
    (void)state;
    rig_pictures(0, 3, GROUP);
    for (unsigned i = 0; i < 5; i++)
        rig_sound(i);
    rig_start();
    assert_int_equal(rig_count(VIDEO_SSRC), 3);
    assert_true(rig_count(AUDIO_SSRC) <= 1); /* that of the edge itself */
    rig_sound(5);
    rig_picture(3, 1, false);
    assert_int_equal(rig_last()->rtp.ssrc, VIDEO_SSRC);
    assert_int_equal(rig.sent[rig.sent_count - 2].rtp.ssrc, AUDIO_SSRC);
    assert_int_equal(rig.sent[rig.sent_count - 2].rtp.timestamp, 5 * AUDIO_TICKS);
    assert_int_equal(rig.sent[rig.sent_count - 2].rtp.payload_type, AUDIO_PT);
    assert_in_order(AUDIO_SSRC);
}

static void without_a_key_frame_nothing_is_sent_until_one_comes(void **state)
{
    (void)state;
    rig_pictures(1, 5, GROUP);
    rig_start();
    rig_picture(5, 1, false);
    assert_int_equal(rig.sent_count, 0);
    rig_picture(6, 1, true);
    assert_int_equal(rig.sent_count, 1);
    assert_int_equal(rig_last()->rtp.timestamp, rig_time(6));
}

static void sound_goes_with_the_next_picture(void **state)
{
    unsigned calls;

    (void)state;
    rig_picture(0, 1, true);
    rig_start();
    calls = rig.call_count;
    rig_sound(1);
    rig_sound(2);
    assert_int_equal(rig_count(AUDIO_SSRC), 0);
    rig_picture(1, 1, false);
    assert_int_equal(rig_count(AUDIO_SSRC), 2);
    assert_int_equal(rig.call_count, calls + 1);
    assert_in_order(AUDIO_SSRC);
}

static void sound_without_pictures_waits_no_longer_than_sixty_ms(void **state)
{
    (void)state;
    rig_picture(0, 1, true);
    rig_start();
    rig_sound(1);
    rig_sound(2);
    assert_int_equal(rig_count(AUDIO_SSRC), 0);
    for (unsigned i = 3; i < 50; i++) {
        rig_sound(i);
        assert_true(i - rig_count(AUDIO_SSRC) < 3);
    }
    assert_in_order(AUDIO_SSRC);
}

static void who_hears_only_does_not_wait(void **state)
{
    (void)state;
    rig.peer.video.is_used = false;
    rig_picture(0, 1, true);
    rig_start();
    for (unsigned i = 1; i < 10; i++) {
        rig_sound(i);
        assert_int_equal(rig_last()->rtp.timestamp, i * AUDIO_TICKS);
    }
    assert_int_equal(rig.sent_count, 9);
}

static void both_tracks_share_the_transports_numbers(void **state)
{
    (void)state;
    rig_picture(0, 3, true);
    rig_start();
    for (unsigned i = 1; i < 50; i++) {
        rig_sound(2 * i);
        rig_picture(i, 2, false);
    }
    for (unsigned i = 0; i < rig.sent_count; i++)
        assert_int_equal(rig_transport_seq(&rig.sent[i]), i);
    assert_in_order(VIDEO_SSRC);
    assert_in_order(AUDIO_SSRC);
    assert_int_equal(rig.peer.video.packet_count, rig_count(VIDEO_SSRC));
    assert_int_equal(rig.peer.audio.packet_count, rig_count(AUDIO_SSRC));
    assert_int_equal(rig.peer.audio.octet_count,
                     rig_count(AUDIO_SSRC) * (SPAN_BYTES - RTP_HEADER_BYTES));
}

/* ---- pacing ---- */

/* Never more than a burst and what the rate has allowed since. */
static void assert_paced(unsigned from, int64_t bps)
{
    int64_t bytes = 0, begin_us = rig.sent[from].at_us;

    for (unsigned i = from; i < rig.sent_count; i++) {
        bytes += SPAN_BYTES - RTP_HEADER_BYTES;
        assert_true(bytes <= BURST_BYTES + bps * (rig.sent[i].at_us - begin_us) / 8 / 1000000);
    }
}

static void wait_for_all(unsigned count)
{
    for (unsigned i = 0; i < 100000 && rig.sent_count < count; i++)
        rig_wait(5 * MS);
    assert_int_equal(rig.sent_count, count);
}

static void a_large_picture_goes_in_portions(void **state)
{
    (void)state;
    rig_picture(0, 500, true);
    rig_start();
    assert_int_equal(rig.sent_count, BURST_BYTES / SPAN_BYTES);
    assert_true(loop_timer_is_active(&rig.peer.pace));
    rig_wait(6 * MS);
    assert_true(rig.sent_count > BURST_BYTES / SPAN_BYTES);
    assert_true(rig.sent_count < 500);
    wait_for_all(500);
    assert_paced(0, 12 * 1000 * 1000);
    assert_in_order(VIDEO_SSRC);
    assert_true(rig_last()->rtp.marker);
    assert_false(rig.sent[498].rtp.marker);
    assert_null(rig.peer.pending);
}

static void the_pace_is_a_multiple_of_the_estimate(void **state)
{
    static const struct {
        uint32_t bps, loss_permille;
        bool is_overused;
        int64_t pace_bps;
    } rows[] = {
        {2000000, 0, false, 8000000},   {2000000, 0, true, 3000000},
        {60000, 0, false, 1000000}, /* never below a megabit, */
        {60000, 101, false, 60000}, /* but where a tenth is lost */
        {2000000, 100, false, 8000000},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        rig.peer.estimate.has_feedback = true;
        rig.peer.estimate.bps = rows[i].bps;
        rig.peer.estimate.loss_permille = rows[i].loss_permille;
        rig.peer.estimate.is_overused = rows[i].is_overused;
        rig_picture(0, 150, true);
        rig_start();
        wait_for_all(150);
        assert_paced(0, rows[i].pace_bps);
        assert_true(rig.peer.allowance_bytes < BURST_BYTES);
        /* Half as fast would be too slow: the pace is used. */
        assert_true((rig_last()->at_us - rig.sent[0].at_us) * rows[i].pace_bps / 8 / 1000000 <
                    2 * 150 * SPAN_BYTES);
        rig_teardown(state);
        rig_setup(state);
    }
}

static void a_measured_path_is_filled_and_no_more(void **state)
{
    static const struct {
        uint32_t bps;
        int64_t standing_us, pace_bps;
    } rows[] = {
        {1000000, 0, 1000000},       {1000000, 60 * MS, 800000}, /* a queue drains */
        {1000000, 200 * MS, 500000}, {300000, 0, 300000},
        {1000000000, 0, 8000000}, /* nor more than the estimate has it */
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        rig.peer.estimate.has_feedback = true;
        rig.peer.estimate.capacity.bps = rows[i].bps;
        rig.peer.estimate.capacity.standing_us = rows[i].standing_us;
        rig_picture(0, 150, true);
        rig_start();
        wait_for_all(150);
        assert_paced(0, rows[i].pace_bps);
        assert_true((rig_last()->at_us - rig.sent[0].at_us) * rows[i].pace_bps / 8 / 1000000 <
                    2 * 150 * SPAN_BYTES);
        rig_teardown(state);
        rig_setup(state);
    }
}

/* What goes together waits at the narrow place for no longer than it takes to measure it. */
static void a_thin_path_gets_small_portions(void **state)
{
    unsigned portion = 0;
    int64_t at_us = 0;

    (void)state;
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.capacity.bps = 1000000;
    rig_start();
    rig_wait(1000 * MS); /* nothing saved up either */
    rig_picture(0, 100, true);
    wait_for_all(100);
    for (unsigned i = 40 * 1024 / SPAN_BYTES; i < rig.sent_count; i++) {
        portion = rig.sent[i].at_us == at_us ? portion + 1 : 1;
        at_us = rig.sent[i].at_us;
        assert_true(portion <= 6);
    }
}

static void a_full_connection_is_left_alone_until_it_has_drained(void **state)
{
    (void)state;
    rig.route.tcp = &rig;
    rig.backlog = 8 * 1024 + 1;
    rig_picture(0, 2, true);
    rig_start();
    rig_wait(50 * MS);
    assert_int_equal(rig.sent_count, 0);
    rig.backlog = 8 * 1024;
    send_resume(&rig.peer);
    assert_int_equal(rig.sent_count, 2);
}

/* ---- a path that is too thin ---- */

static unsigned spans_sent(unsigned frame)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig.sent_count; i++)
        count += rig.sent[i].frame == frame;
    return count;
}

/* What follows a picture that did not get through whole is a key frame's. */
static void assert_gaps_end_at_key_frames(unsigned frames, unsigned spans)
{
    bool is_whole = true;

    for (unsigned frame = 0; frame < frames; frame++) {
        unsigned sent = spans_sent(frame);

        assert_true(sent <= spans);
        assert_true(!sent || is_whole || frame % GROUP == 0);
        is_whole = sent == spans;
    }
}

static void a_thin_path_loses_whole_ends_of_groups(void **state)
{
    enum { FRAMES = 10 * GROUP, SPANS = 20 }; /* 4.8 Mbit/s on a path of one */

    (void)state;
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.bps = 100000;
    rig_picture(0, SPANS, true);
    rig_start();
    for (unsigned frame = 1; frame < FRAMES; frame++) {
        rig_wait(FRAME_US);
        rig_picture(frame, SPANS, frame % GROUP == 0);
    }
    assert_true(rig.peer.numbers.skipped_groups >= 4);
    assert_true(rig.peer.numbers.skipped_groups <= 10);
    assert_true(rig.sent_count < FRAMES * SPANS / 2);
    assert_gaps_end_at_key_frames(FRAMES, SPANS);
    assert_in_order(VIDEO_SSRC);
}

static void a_viewer_is_never_more_than_a_second_behind(void **state)
{
    enum { SPANS = 20 };

    (void)state;
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.bps = 100000;
    rig_picture(0, SPANS, true);
    rig_start();
    for (unsigned frame = 1; frame < 10 * GROUP; frame++) {
        rig_wait(FRAME_US);
        rig_picture(frame, SPANS, frame % GROUP == 0);
        assert_true(!rig.peer.pending ||
                    (int)frame - (int)rig.peer.pending_span - (int)rig_last()->frame <= GROUP);
    }
}

/* Pictures of that many packets, at 25 a second, on a path that was measured. */
static void play_thin(uint32_t bps, unsigned frames, unsigned spans, unsigned group)
{
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.capacity.bps = bps;
    rig_picture(0, spans, true);
    rig_start();
    for (unsigned frame = 1; frame < frames; frame++) {
        rig_wait(FRAME_US);
        rig_picture(frame, spans, frame % group == 0);
    }
}

static void a_group_that_is_too_late_is_left_for_the_next(void **state)
{
    unsigned last, skipped;

    (void)state;
    play_thin(1000000, 100, 10, 1000); /* 2.4 Mbit/s */
    last = rig_last()->frame;
    assert_in_range(last, 5, 20);
    assert_int_equal(rig.peer.numbers.skipped_groups, 1);
    assert_null(rig.peer.pending);
    assert_int_equal(spans_sent(last), 10);
    skipped = rig.sent_count;
    rig_picture(100, 1, false);
    assert_int_equal(rig.sent_count, skipped);
    rig_picture(101, 1, true);
    assert_int_equal(rig_last()->frame, 101);
    assert_in_order(VIDEO_SSRC);
}

/* 2.4 Mbit/s, of which TCP takes one: no feedback says so. */
static void little_waits_in_a_thin_connection(void **state)
{
    enum { FRAMES = 10 * GROUP, TAKEN = 1000 * 1000 / 8 / 25 };

    (void)state;
    rig.route.tcp = &rig;
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.bps = 10 * 1000 * 1000;
    rig_picture(0, 10, true);
    rig_start();
    for (unsigned frame = 1; frame < FRAMES; frame++) {
        rig_wait(FRAME_US);
        rig.backlog -= rig.backlog < TAKEN ? rig.backlog : TAKEN;
        rig_picture(frame, 10, frame % GROUP == 0);
        assert_true(rig.backlog < 32 * 1024);
        assert_true(!rig.peer.pending || frame - rig.peer.pending_seq < 25);
    }
    assert_true(rig.peer.numbers.skipped_groups >= 8);
    assert_gaps_end_at_key_frames(FRAMES, 10);
    assert_in_order(VIDEO_SSRC);
}

/* Half a picture would be a torn one. */
static void what_has_begun_is_finished(void **state)
{
    (void)state;
    play_thin(200000, 3 * GROUP, 30, GROUP);
    for (unsigned frame = 0; frame < rig_last()->frame; frame++)
        assert_true(spans_sent(frame) == 0 || spans_sent(frame) == 30);
    assert_in_order(VIDEO_SSRC);
}

static void a_late_key_frame_gives_way_to_a_newer_one_only(void **state)
{
    (void)state;
    play_thin(100000, 2, 40, GROUP); /* 3.8 s each */
    rig_wait(1000 * MS);
    for (unsigned frame = 2; frame < 70; frame++)
        rig_picture(frame, 40, frame == 30 || frame == 50);
    wait_for_all(40 + 40);
    assert_int_equal(rig_last()->frame, 50);
    assert_int_equal(spans_sent(30), 0);
    for (unsigned i = 0; i < 100; i++)
        rig_wait(100 * MS);
    assert_int_equal(rig.sent_count, 80);
}

static void sound_goes_on_while_pictures_wait_for_a_key_frame(void **state)
{
    (void)state;
    play_thin(100000, 60, 10, 1000);
    assert_int_equal(rig.peer.numbers.skipped_groups, 1);
    assert_null(rig.peer.pending);
    for (unsigned i = 0; i < 10; i++)
        rig_sound(120 + i);
    assert_true(rig_count(AUDIO_SSRC) > 5);
}

/* ---- wishes for a key frame ---- */

static void a_wish_brings_the_group_again_with_later_times(void **state)
{
    (void)state;
    rig_pictures(0, 6, GROUP);
    rig_start();
    rig_wait(600 * MS);
    send_again_from_key(&rig.peer);
    assert_int_equal(rig.sent_count, 12);
    assert_int_equal(rig.sent[6].frame, 0);
    rig_picture(6, 1, false);
    assert_int_equal(rig_last()->rtp.timestamp, rig_time(6));
    assert_in_order(VIDEO_SSRC);
    assert_int_equal(rig.peer.numbers.key_wishes, 1);
}

/* Wishes every 100 ms for so long; returns how often the key frame went. */
static unsigned wish_for(int64_t us)
{
    unsigned before = rig.sent_count;

    for (int64_t gone_us = 0; gone_us < us; gone_us += 100 * MS) {
        rig_wait(100 * MS);
        send_again_from_key(&rig.peer);
    }
    return rig.sent_count - before;
}

static void the_same_group_goes_again_ever_more_rarely(void **state)
{
    (void)state;
    rig_picture(0, 1, true);
    rig_start();
    assert_int_equal(wish_for(1000 * MS), 1);
    assert_int_equal(wish_for(1500 * MS), 1); /* after 2 s */
    assert_int_equal(wish_for(3000 * MS), 0); /* then 4 */
    assert_int_equal(wish_for(1500 * MS), 1);
    rig_picture(1, 1, true);
    assert_int_equal(wish_for(500 * MS), 1); /* a new one at once */
}

/* A wish in the middle of it would otherwise keep it from ever being whole. */
static void a_key_frame_on_its_way_is_not_begun_again(void **state)
{
    (void)state;
    rig.peer.estimate.has_feedback = true;
    rig.peer.estimate.capacity.bps = 1000000;
    rig_picture(0, 100, true);
    rig_start();
    assert_non_null(rig.peer.pending);
    for (unsigned i = 0; i < 5; i++) {
        rig_wait(100 * MS);
        send_again_from_key(&rig.peer);
    }
    wait_for_all(100);
    assert_in_order(VIDEO_SSRC);
    assert_int_equal(rig.peer.numbers.key_wishes, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_current_group_is_sent_at_once),
        TEST(what_is_past_is_squeezed_together_before_the_live_edge),
        TEST(a_report_has_no_wall_clock_before_the_live_edge),
        TEST(the_past_is_seen_and_not_heard),
        TEST(without_a_key_frame_nothing_is_sent_until_one_comes),
        TEST(sound_goes_with_the_next_picture),
        TEST(sound_without_pictures_waits_no_longer_than_sixty_ms),
        TEST(who_hears_only_does_not_wait),
        TEST(both_tracks_share_the_transports_numbers),
        TEST(a_large_picture_goes_in_portions),
        TEST(the_pace_is_a_multiple_of_the_estimate),
        TEST(a_measured_path_is_filled_and_no_more),
        TEST(a_thin_path_gets_small_portions),
        TEST(a_full_connection_is_left_alone_until_it_has_drained),
        TEST(a_thin_path_loses_whole_ends_of_groups),
        TEST(a_viewer_is_never_more_than_a_second_behind),
        TEST(a_group_that_is_too_late_is_left_for_the_next),
        TEST(little_waits_in_a_thin_connection),
        TEST(what_has_begun_is_finished),
        TEST(a_late_key_frame_gives_way_to_a_newer_one_only),
        TEST(sound_goes_on_while_pictures_wait_for_a_key_frame),
        TEST(a_wish_brings_the_group_again_with_later_times),
        TEST(the_same_group_goes_again_ever_more_rarely),
        TEST(a_key_frame_on_its_way_is_not_begun_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
