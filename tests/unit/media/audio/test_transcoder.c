/* The transcoder's thread and the loop it answers to: both real. */
#include "tone.h"

#include <errno.h>

#include "base/list.h"
#include "media/audio/transcoder.h"

/* What a test does in its loop's turns, and what it hears. */
struct scene {
    struct transcoder_sink sink;
    struct loop_task start;
    struct loop_timer timer;
    struct loop *loop;
    struct transcoder *transcoder;
    struct tone tone;
    struct tone_heard heard;
    unsigned pushed, rounds;
    int64_t not_before_us;
    unsigned wanted; /* Opus frames, then the test is over; 0: not listened to */
};

static void on_opus(struct transcoder_sink *sink, struct frame *opus)
{
    struct scene *scene = list_entry(sink, struct scene, sink);

    assert_ptr_equal(loop_current(), scene->loop);
    assert_non_null(scene->transcoder);
    assert_true(opus->pts_us >= scene->not_before_us);
    if (scene->wanted)
        tone_hear(&scene->heard, opus);
    if (scene->wanted && scene->heard.frame_count == scene->wanted)
        loop_stop(scene->loop);
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scene->sink.on_opus = on_opus;
    scene->not_before_us = INT64_MIN;
    assert_int_equal(loop_new(&scene->loop, 0), 0);
    tone_heard_init(&scene->heard);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    transcoder_close(scene->transcoder);
    loop_free(scene->loop);
    tone_heard_fini(&scene->heard);
    tone_fini(&scene->tone);
    free(scene);
    return 0;
}

static void run(struct scene *scene, void (*start)(struct loop_task *task))
{
    scene->start.run = start;
    loop_post(scene->loop, &scene->start);
    loop_run(scene->loop);
}

static void open_transcoder(struct scene *scene)
{
    assert_int_equal(transcoder_open(&scene->transcoder, &scene->sink), 0);
    assert_int_equal(transcoder_set_track(scene->transcoder, scene->tone.tracks, 0), 0);
}

static void push_one(struct scene *scene)
{
    if (scene->pushed < scene->tone.count)
        assert_int_equal(transcoder_push(scene->transcoder, scene->tone.frames[scene->pushed++]),
                         0);
}

/* As a camera would send it, ten times as fast. */
static void on_frame_due(struct loop_timer *timer)
{
    struct scene *scene = list_entry(timer, struct scene, timer);

    push_one(scene);
    loop_timer_start(&scene->timer, 2000);
}

static void start_sending(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    open_transcoder(scene);
    loop_timer_init(&scene->timer, scene->loop, on_frame_due);
    loop_timer_start(&scene->timer, 0);
}

static void what_goes_in_comes_out_in_time(void **state)
{
    struct scene *scene = *state;
    struct transcoder_counters counters;

    tone_aac(&scene->tone, 48000, 1500000, 500000);
    scene->wanted = 70;
    run(scene, start_sending);
    loop_timer_stop(&scene->timer);
    assert_int_equal(scene->heard.gap_count, 0);
    assert_in_range(tone_onset_us(&scene->heard), 490000, 510000);
    assert_true(tone_purity(&scene->heard, 36000, 60000) > 0.98);
    counters = transcoder_counters(scene->transcoder);
    assert_int_equal(counters.taken, scene->pushed);
    assert_int_equal(counters.dropped, 0);
    assert_int_equal(counters.failed, 0);
    assert_int_equal(counters.published, 70);
}

static void push_all_at_once(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    open_transcoder(scene);
    while (scene->pushed < scene->tone.count)
        push_one(scene);
}

static void of_what_comes_at_once_the_newest_second_is_kept(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 1, 10000000, 0); /* 1000 frames */
    scene->wanted = 50;
    run(scene, push_all_at_once);
    assert_int_equal(scene->heard.gap_count, 0);
    assert_int_equal(transcoder_counters(scene->transcoder).taken, 1000);
    assert_int_equal(transcoder_counters(scene->transcoder).dropped, 1000 - 101);
    assert_in_range(scene->heard.first_us, 8980000, 8990000);
}

static void frames_that_say_the_same_time_are_bounded_by_their_number(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 1, 10000000, 0);
    for (unsigned i = 0; i < scene->tone.count; i++)
        scene->tone.frames[i]->dts_us = 0;
    scene->wanted = 100;
    run(scene, push_all_at_once);
    assert_int_equal(transcoder_counters(scene->transcoder).dropped,
                     1000 - TRANSCODER_QUEUE_FRAMES);
}

static void on_garbage_due(struct loop_timer *timer)
{
    static const uint8_t garbage[300] = {0xff, 0x13, 0x57, 0x9b, 0xdf, 0x02, 0x46, 0x8a};
    struct scene *scene = list_entry(timer, struct scene, timer);
    struct frame *frame = scene->tone.frames[scene->pushed % scene->tone.count];
    struct frame *torn = tone_frame(garbage, sizeof(garbage), frame->pts_us);
    int err = transcoder_push(scene->transcoder, scene->pushed % 5 == 4 ? torn : frame);

    /* Told with a later frame, and once. */
    if (err)
        assert_int_equal(err, -ERR_PROTOCOL);
    scene->rounds += err < 0;
    scene->pushed++;
    frame_unref(torn);
    loop_timer_start(&scene->timer, 1000);
}

static void start_garbage(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    open_transcoder(scene);
    loop_timer_init(&scene->timer, scene->loop, on_garbage_due);
    loop_timer_start(&scene->timer, 0);
}

static void garbage_is_told_of_and_costs_those_frames_only(void **state)
{
    struct scene *scene = *state;
    struct transcoder_counters counters;

    tone_aac(&scene->tone, 48000, 5000000, 0);
    scene->wanted = 100;
    run(scene, start_garbage);
    loop_timer_stop(&scene->timer);
    counters = transcoder_counters(scene->transcoder);
    assert_int_equal(counters.dropped, 0);
    assert_in_range(counters.failed, scene->pushed / 6, scene->pushed / 5);
    assert_in_range(scene->rounds, 1, counters.failed);
}

/* In one turn: other tracks, and the frames of both. */
static void start_change(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);
    struct tone other;

    open_transcoder(scene);
    for (unsigned i = 0; i < 10; i++)
        push_one(scene);
    tone_aac(&other, 44100, 1000000, 0);
    assert_int_equal(transcoder_set_track(scene->transcoder, other.tracks, 1), -ERR_UNSUPPORTED);
    assert_int_equal(transcoder_set_track(scene->transcoder, other.tracks, 0), 0);
    for (unsigned i = 0; i < other.count; i++)
        assert_int_equal(transcoder_push(scene->transcoder, other.frames[i]), 0);
    other.frames[0]->track = 3;
    assert_int_equal(transcoder_push(scene->transcoder, other.frames[0]), -ERR_NOT_FOUND);
    other.frames[0]->track = 0;
    tone_fini(&other);
}

static void other_tracks_drop_what_waits_and_are_heard(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 8000, 1, 1000000, 1000000);
    scene->wanted = 45;
    run(scene, start_change);
    assert_int_equal(scene->heard.gap_count, 0);
    assert_true(tone_purity(&scene->heard, 24000, 40000) > 0.98);
    assert_int_equal(transcoder_counters(scene->transcoder).failed, 0);
}

/* The thread has a second of the old track in its hands when the new one comes. */
static void change_in_flight(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);
    struct tone other;

    tone_l16(&other, 16000, 1, 1000000, 0);
    assert_int_equal(transcoder_set_track(scene->transcoder, other.tracks, 0), 0);
    scene->not_before_us = 100000000 - 10000;
    for (unsigned i = 0; i < other.count; i++) {
        other.frames[i]->pts_us += 100000000;
        other.frames[i]->dts_us += 100000000;
        assert_int_equal(transcoder_push(scene->transcoder, other.frames[i]), 0);
    }
    tone_fini(&other);
}

static void push_then_change(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    push_all_at_once(task);
    task->run = change_in_flight;
    loop_post(scene->loop, task);
}

static void what_was_made_of_old_tracks_is_not_heard(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 2, 1000000, 0);
    scene->wanted = 45;
    run(scene, push_then_change);
    assert_int_equal(scene->heard.gap_count, 0);
    assert_int_equal(transcoder_counters(scene->transcoder).failed, 0);
}

/* Opens, pushes a little, and closes at another moment each time: at once, in a later turn, when
 * something came. */
static void on_round_over(struct loop_timer *timer);

static void on_round(struct loop_timer *timer)
{
    struct scene *scene = list_entry(timer, struct scene, timer);

    open_transcoder(scene);
    scene->pushed = 0;
    for (unsigned i = 0; i < 1 + scene->rounds % 7; i++)
        push_one(scene);
    scene->timer.on_expired = on_round_over;
    if (scene->rounds % 3 == 0)
        on_round_over(timer);
    else
        loop_timer_start(timer, scene->rounds % 11 * 100);
}

static void on_round_over(struct loop_timer *timer)
{
    struct scene *scene = list_entry(timer, struct scene, timer);

    push_one(scene);
    transcoder_close(scene->transcoder);
    scene->transcoder = NULL;
    scene->timer.on_expired = on_round;
    if (++scene->rounds == 1000)
        loop_stop(scene->loop);
    else
        loop_timer_start(timer, 0);
}

static void start_rounds(struct loop_task *task)
{
    struct scene *scene = list_entry(task, struct scene, start);

    loop_timer_init(&scene->timer, scene->loop, on_round);
    loop_timer_start(&scene->timer, 0);
}

static void closing_in_mid_flight_leaves_nothing_behind(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 2, 200000, 0);
    run(scene, start_rounds);
    assert_int_equal(scene->rounds, 1000);
}

static void on_opus_close(struct transcoder_sink *sink, struct frame *opus)
{
    struct scene *scene = list_entry(sink, struct scene, sink);

    (void)opus;
    assert_non_null(scene->transcoder); /* nothing comes after the close */
    transcoder_close(scene->transcoder);
    scene->transcoder = NULL;
    loop_stop(scene->loop);
}

static void the_sink_may_close_it(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 2, 500000, 0);
    scene->sink.on_opus = on_opus_close;
    run(scene, push_all_at_once);
    assert_null(scene->transcoder);
}

static void without_a_running_loop_it_does_not_open(void **state)
{
    struct scene *scene = *state;

    tone_l16(&scene->tone, 48000, 2, 10000, 0);
    assert_int_equal(transcoder_open(&scene->transcoder, &scene->sink), -ERR_NOT_READY);
    transcoder_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_goes_in_comes_out_in_time),
        TEST(of_what_comes_at_once_the_newest_second_is_kept),
        TEST(frames_that_say_the_same_time_are_bounded_by_their_number),
        TEST(garbage_is_told_of_and_costs_those_frames_only),
        TEST(other_tracks_drop_what_waits_and_are_heard),
        TEST(what_was_made_of_old_tracks_is_not_heard),
        TEST(closing_in_mid_flight_leaves_nothing_behind),
        TEST(the_sink_may_close_it),
        TEST(without_a_running_loop_it_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
