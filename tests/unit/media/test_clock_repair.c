/* media/clock_repair.c with made sequences: what cameras' clocks do wrong (field notes 8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/clock_repair.h"

enum { MS = 1000, SECOND = 1000000, VIDEO = 0, AUDIO = 1, FRAME_TICKS = 3600, FRAME_US = 40000 };

static const int64_t wall_start = INT64_C(1700000000) * SECOND;

static struct clock_repair *repair;
static int64_t last_dts[2];
static unsigned events[CLOCK_DRIFTING + 1];

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= CLOCK_DRIFTING; i++)
        events[i] = 0;
    last_dts[0] = last_dts[1] = INT64_MIN;
    return clock_repair_open(&repair, 0, wall_start);
}

static int teardown(void **state)
{
    (void)state;
    clock_repair_close(repair);
    return 0;
}

/* Every unit of every test: dts goes on, and is never after pts. */
static struct clock_times push(struct clock_unit unit)
{
    struct clock_times times = clock_repair_unit(repair, &unit);

    assert_true(times.dts_us > last_dts[unit.track]);
    assert_true(times.dts_us <= times.pts_us);
    last_dts[unit.track] = times.dts_us;
    events[times.event]++;
    return times;
}

static struct clock_times push_video(uint32_t timestamp, int64_t arrival_us)
{
    return push((struct clock_unit){.timestamp = timestamp, .arrival_us = arrival_us});
}

/* count good frames from *timestamp on; the times of the last. */
static struct clock_times run(uint32_t *timestamp, int64_t *arrival_us, unsigned count)
{
    struct clock_times times = {0};

    for (unsigned i = 0; i < count; i++) {
        times = push_video(*timestamp, *arrival_us);
        *timestamp += FRAME_TICKS;
        *arrival_us += FRAME_US;
    }
    return times;
}

static void a_true_clock_is_left_as_it_is(void **state)
{
    uint32_t timestamp = 12345;
    int64_t arrival = 5 * SECOND;
    struct clock_times times = run(&timestamp, &arrival, 1000);

    (void)state;
    assert_int_equal(times.pts_us, 999 * FRAME_US);
    assert_int_equal(times.dts_us, times.pts_us);
    assert_int_equal(times.wall_us, wall_start + 999 * FRAME_US);
    assert_int_equal(events[CLOCK_OK], 1000);
}

static void the_first_unit_is_at_the_base(void **state)
{
    struct clock_unit unit = {.timestamp = 77, .arrival_us = 99};

    (void)state;
    clock_repair_close(repair);
    assert_int_equal(clock_repair_open(&repair, 123456789, 0), 0);
    assert_int_equal(clock_repair_unit(repair, &unit).pts_us, 123456789);
    assert_int_equal(clock_repair_unit(repair, &unit).wall_us, 0);
}

static void thirty_two_bits_wrap_unseen(void **state)
{
    uint32_t timestamp = UINT32_MAX - 50 * FRAME_TICKS + 17;
    int64_t arrival = 0;
    struct clock_times times = run(&timestamp, &arrival, 100);

    (void)state;
    assert_int_equal(times.pts_us, 99 * FRAME_US);
    assert_int_equal(events[CLOCK_OK], 100);
}

static void a_jump_of(int64_t ticks)
{
    uint32_t timestamp = 1000;
    int64_t arrival = 0;
    struct clock_times times;

    run(&timestamp, &arrival, 100);
    timestamp += (uint32_t)ticks;
    times = run(&timestamp, &arrival, 1);
    assert_int_equal(times.event, CLOCK_JUMPED);
    assert_in_range(times.pts_us, 100 * FRAME_US - MS, 100 * FRAME_US + MS);
    times = run(&timestamp, &arrival, 100);
    assert_in_range(times.pts_us, 200 * FRAME_US - MS, 200 * FRAME_US + MS);
    assert_int_equal(events[CLOCK_JUMPED], 1);
}

static void a_jump_of_hours_costs_nothing(void **state)
{
    (void)state;
    a_jump_of(INT64_C(3) * 3600 * 90000);
}

static void a_jump_back_of_hours_costs_nothing(void **state)
{
    (void)state;
    a_jump_of(INT64_C(-3) * 3600 * 90000);
}

static void T2_a_jump_of_2_to_the_31_costs_nothing(void **state)
{
    (void)state;
    a_jump_of(INT64_C(1) << 31);
}

static void jumps_back_and_forth_cost_nothing(void **state)
{
    uint32_t timestamp = 0, wrong;
    int64_t arrival = 0;
    struct clock_times times = {0};

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        run(&timestamp, &arrival, 10);
        wrong = timestamp + UINT32_C(7200) * 90000;
        times = run(&wrong, &arrival, 1);
        timestamp += FRAME_TICKS;
    }
    assert_int_equal(events[CLOCK_JUMPED], 99);
    assert_in_range(times.pts_us, 549 * FRAME_US - 5 * MS, 549 * FRAME_US + 5 * MS);
}

static void a_step_back_is_mended_and_made_up_for(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times;

    (void)state;
    run(&timestamp, &arrival, 100);
    assert_int_equal(push_video(timestamp - 2 * FRAME_TICKS, arrival).event, CLOCK_BACKWARDS);
    timestamp += FRAME_TICKS;
    arrival += FRAME_US;
    times = run(&timestamp, &arrival, 10);
    assert_int_equal(times.event, CLOCK_OK);
    assert_in_range(times.pts_us, 110 * FRAME_US - MS, 110 * FRAME_US + MS);
}

static void a_clock_that_runs_backwards_still_gives_a_timeline(void **state)
{
    uint32_t timestamp = 1 << 30;
    int64_t arrival = 0;
    struct clock_times times = {0};

    (void)state;
    run(&timestamp, &arrival, 100);
    for (unsigned i = 0; i < 250; i++, arrival += FRAME_US)
        times = push_video(timestamp -= FRAME_TICKS, arrival);
    assert_int_equal(events[CLOCK_BACKWARDS], 249); /* the first only stands */
    assert_in_range(times.pts_us, 349 * FRAME_US - 20 * MS, 349 * FRAME_US + 20 * MS);
}

static void a_clock_that_stands_and_catches_up_ends_where_it_should(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times;

    (void)state;
    run(&timestamp, &arrival, 100);
    for (unsigned i = 0; i < 100; i++, arrival += FRAME_US)
        push_video(timestamp - FRAME_TICKS, arrival);
    assert_true(events[CLOCK_STALLED] > 90);
    timestamp += 100 * FRAME_TICKS;
    times = run(&timestamp, &arrival, 1);
    assert_int_equal(times.event, CLOCK_OK);
    assert_in_range(times.pts_us, 200 * FRAME_US - MS, 200 * FRAME_US + MS);
}

static void a_clock_that_stood_and_goes_on_as_if_nothing_had_been_keeps_the_pace(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times;

    (void)state;
    run(&timestamp, &arrival, 100);
    for (unsigned i = 0; i < 250; i++, arrival += FRAME_US)
        push_video(timestamp - FRAME_TICKS, arrival);
    times = run(&timestamp, &arrival, 100);
    assert_in_range(times.pts_us, 449 * FRAME_US - 20 * MS, 449 * FRAME_US + 20 * MS);
}

static void equal_timestamps_in_pairs_are_spread(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times = {0};

    (void)state;
    run(&timestamp, &arrival, 50);
    for (unsigned i = 0; i < 100; i++, arrival += FRAME_US) {
        times = push_video(timestamp, arrival);
        timestamp += i % 2 ? 2 * FRAME_TICKS : 0;
    }
    assert_int_equal(events[CLOCK_OK], 150);
    assert_in_range(times.pts_us, 149 * FRAME_US - 5 * MS, 149 * FRAME_US + 5 * MS);
}

static void a_gap_in_the_arrivals_is_a_gap_in_the_timeline(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times;

    (void)state;
    run(&timestamp, &arrival, 100);
    arrival += 7 * SECOND;
    timestamp += 7 * 90000;
    times = run(&timestamp, &arrival, 1);
    assert_int_equal(times.event, CLOCK_OK);
    assert_int_equal(times.pts_us, 100 * FRAME_US + 7 * SECOND);
    /* And with a clock that was set anew meanwhile. */
    arrival += 7 * SECOND;
    timestamp += 123456789;
    times = run(&timestamp, &arrival, 1);
    assert_int_equal(times.event, CLOCK_JUMPED);
    assert_in_range(times.pts_us, 101 * FRAME_US + 14 * SECOND - MS,
                    101 * FRAME_US + 14 * SECOND + MS);
}

static void one_frame_in_five_seconds_is_no_jump(void **state)
{
    struct clock_times times = {0};

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        times = push_video(i * 450000, (int64_t)i * 5 * SECOND);
    assert_int_equal(events[CLOCK_OK], 100);
    assert_int_equal(times.pts_us, INT64_C(99) * 5 * SECOND);
}

/* Groups of I P B b b, as they are decoded; depth is what the stream says, 0: nothing. */
static void push_b_frames(uint8_t depth)
{
    static const int order[4] = {4, 2, 1, 3};
    int64_t arrival = 0;

    for (int group = 0; group < 100; group++) {
        for (int i = 0; i < 25; i++, arrival += FRAME_US) {
            int shown = i ? (i - 1) / 4 * 4 + order[(i - 1) % 4] : 0;
            int64_t pts = (int64_t)(group * 25 + shown) * FRAME_US;
            struct clock_times times = push((struct clock_unit){
                .timestamp = (uint32_t)(pts / 1000 * 90 + 4294000000),
                .arrival_us = arrival,
                .is_key = !i,
                .has_poc = true,
                .poc_delta = shown,
                .reorder = depth            ? depth
                           : group || i > 3 ? 2
                           : i == 3         ? 2
                           : i == 2         ? 1
                                            : 0,
            });

            assert_true(times.pts_us - times.dts_us <= 5 * FRAME_US);
            if (depth || group)
                assert_in_range(times.pts_us + SECOND, pts + SECOND - 2, pts + SECOND + 2);
            if (group)
                assert_true(times.pts_us - times.dts_us >= (shown - i + 1) * FRAME_US);
        }
    }
    assert_int_equal(events[CLOCK_OK], 2500);
}

static void b_frames_keep_their_pts_and_get_a_dts(void **state)
{
    (void)state;
    push_b_frames(2);
}

static void b_frames_that_were_not_announced_cost_the_first_group_only(void **state)
{
    (void)state;
    push_b_frames(0);
}

/* An hour of video and audio, whose clock is ppm too fast; with reports or without. The camera's
 * arrivals jitter. */
static int64_t drift_after_an_hour(int64_t ppm, bool has_reports)
{
    int64_t video_pts = 0, audio_pts = 0, video_true = 0, audio_true = 0;
    int64_t now;

    clock_repair_set_rate(repair, AUDIO, 8000);
    for (int64_t i = 0; i < 3600 * 50; i++) {
        int64_t jitter = i * 7919 % 23 * MS / 2;
        uint32_t audio_timestamp;

        now = i * 20 * MS;
        audio_timestamp = (uint32_t)(i * 160 + i * 160 * ppm / 1000000);
        if (has_reports && i % 250 == 0) {
            clock_repair_report(repair, VIDEO, (uint32_t)(i * 1800), wall_start + now, now);
            clock_repair_report(repair, AUDIO, audio_timestamp, wall_start + now, now);
        }
        audio_true = now;
        audio_pts = push((struct clock_unit){.track = AUDIO,
                                             .timestamp = audio_timestamp,
                                             .arrival_us = now + jitter,
                                             .duration = 160})
                        .pts_us;
        if (i % 2)
            continue;
        video_true = now;
        video_pts = push_video((uint32_t)(i * 1800), now + jitter).pts_us;
    }
    return (audio_pts - audio_true) - (video_pts - video_true);
}

static void audio_and_video_stay_together_by_reports(void **state)
{
    int64_t apart = drift_after_an_hour(100, true);

    (void)state;
    assert_in_range(apart + SECOND, SECOND - 5 * MS, SECOND + 5 * MS);
    assert_int_equal(events[CLOCK_OK], 3600 * 75);
}

static void audio_and_video_stay_together_without_reports(void **state)
{
    int64_t apart = drift_after_an_hour(-100, false);

    (void)state;
    assert_in_range(apart + SECOND, SECOND - 15 * MS, SECOND + 15 * MS);
}

static void reports_mend_what_the_first_arrivals_got_wrong(void **state)
{
    int64_t apart = 0;

    (void)state;
    clock_repair_set_rate(repair, AUDIO, 8000);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t now = i * 20 * MS;
        int64_t video, audio;

        if (i % 100 == 0) {
            clock_repair_report(repair, VIDEO, (uint32_t)(i * 1800), wall_start + now, now);
            clock_repair_report(repair, AUDIO, (uint32_t)(i * 160), wall_start + now, now);
        }
        /* Video is 300 ms later on its way than audio. */
        audio = push((struct clock_unit){
                         .track = AUDIO, .timestamp = (uint32_t)i * 160, .arrival_us = now})
                    .pts_us;
        video = push_video((uint32_t)(i * 1800), now + 300 * MS).pts_us;
        apart = audio - video;
    }
    assert_in_range(apart + SECOND, SECOND - 2 * MS, SECOND + 2 * MS);
}

static void absurd_reports_change_nothing(void **state)
{
    static const int64_t absurd[] = {INT64_MIN, -1, 0, 1, INT64_MAX, INT64_C(1) << 52};
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times = {0};

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        if (i % 7 == 0)
            clock_repair_report(repair, VIDEO, timestamp, absurd[i / 7 % 6], arrival);
        if (i % 11 == 0)
            clock_repair_report(repair, VIDEO, timestamp + (i << 24), wall_start, arrival);
        times = run(&timestamp, &arrival, 1);
    }
    assert_in_range(times.pts_us, 599 * FRAME_US - 5 * MS, 599 * FRAME_US + 5 * MS);
    assert_in_range(times.wall_us, wall_start + 599 * FRAME_US - 5 * MS,
                    wall_start + 599 * FRAME_US + 5 * MS);
}

static void a_camera_clock_that_is_hours_off_is_not_the_wall_clock(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;

    (void)state;
    clock_repair_report(repair, VIDEO, 0, wall_start + INT64_C(7200) * SECOND, 0);
    assert_int_equal(run(&timestamp, &arrival, 1).wall_us, wall_start);
}

static void the_camera_clock_is_the_wall_clock_when_it_is_near(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;

    (void)state;
    clock_repair_report(repair, VIDEO, 0, wall_start - 250 * MS, 0);
    assert_int_equal(run(&timestamp, &arrival, 1).wall_us, wall_start - 250 * MS);
}

static void a_camera_that_sets_its_clock_keeps_its_timeline(void **state)
{
    uint32_t timestamp = 0;
    int64_t arrival = 0;
    struct clock_times times = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        int64_t wall = wall_start + arrival + (i > 500 ? 20 * SECOND : 0);

        if (i % 25 == 0)
            clock_repair_report(repair, VIDEO, timestamp, wall, arrival);
        times = run(&timestamp, &arrival, 1);
    }
    assert_in_range(times.pts_us, 999 * FRAME_US - 5 * MS, 999 * FRAME_US + 5 * MS);
    assert_in_range(times.wall_us, wall_start + 999 * FRAME_US + 20 * SECOND - 5 * MS,
                    wall_start + 999 * FRAME_US + 20 * SECOND + 5 * MS);
}

static void no_sequence_at_all_breaks_the_rules(void **state)
{
    uint32_t noise = 1;
    int64_t arrival = 0;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        noise = noise * 1664525 + 1013904223;
        arrival += noise >> (8 + i % 24);
        if (noise % 13 == 0)
            clock_repair_set_rate(repair, i & 1, noise >> (noise & 31));
        if (noise % 5 == 0)
            clock_repair_report(repair, i & 1, noise, wall_start + (int64_t)noise * 997, arrival);
        push((struct clock_unit){.track = i & 1,
                                 .timestamp = noise * (i | 1),
                                 .arrival_us = arrival,
                                 .is_key = noise & 64,
                                 .has_poc = noise & 32,
                                 .poc_delta = (int32_t)(noise * 7),
                                 .reorder = (uint8_t)(noise % 300),
                                 .duration = noise & 128 ? noise : 0});
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_true_clock_is_left_as_it_is),
        TEST(the_first_unit_is_at_the_base),
        TEST(thirty_two_bits_wrap_unseen),
        TEST(a_jump_of_hours_costs_nothing),
        TEST(a_jump_back_of_hours_costs_nothing),
        TEST(T2_a_jump_of_2_to_the_31_costs_nothing),
        TEST(jumps_back_and_forth_cost_nothing),
        TEST(a_step_back_is_mended_and_made_up_for),
        TEST(a_clock_that_runs_backwards_still_gives_a_timeline),
        TEST(a_clock_that_stands_and_catches_up_ends_where_it_should),
        TEST(a_clock_that_stood_and_goes_on_as_if_nothing_had_been_keeps_the_pace),
        TEST(equal_timestamps_in_pairs_are_spread),
        TEST(a_gap_in_the_arrivals_is_a_gap_in_the_timeline),
        TEST(one_frame_in_five_seconds_is_no_jump),
        TEST(b_frames_keep_their_pts_and_get_a_dts),
        TEST(b_frames_that_were_not_announced_cost_the_first_group_only),
        TEST(audio_and_video_stay_together_by_reports),
        TEST(audio_and_video_stay_together_without_reports),
        TEST(reports_mend_what_the_first_arrivals_got_wrong),
        TEST(absurd_reports_change_nothing),
        TEST(a_camera_clock_that_is_hours_off_is_not_the_wall_clock),
        TEST(the_camera_clock_is_the_wall_clock_when_it_is_near),
        TEST(a_camera_that_sets_its_clock_keeps_its_timeline),
        TEST(no_sequence_at_all_breaks_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
