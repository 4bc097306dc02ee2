/* The uplink's queue: what goes first when the link is too thin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent-proto/lane_queue.h"
#include "agent-proto/segmenter.h"

enum { BUDGET = 1000000, STEP = 40000 };

static struct tracks *tracks;

static int make_tracks(void **state)
{
    (void)state;
    tracks = tracks_new(2);
    tracks->track[0].codec = CODEC_H264;
    tracks->track[1].codec = CODEC_AAC;
    return 0;
}

static int free_tracks(void **state)
{
    (void)state;
    tracks_unref(tracks);
    return 0;
}

/* kind: K key, P, b discardable, a audio. Its one byte is the kind. */
static struct frame *make_frame(char kind)
{
    struct frame *frame = frame_new(buf_copy(&kind, 1));

    assert_non_null(frame);
    frame->track = kind == 'a';
    frame->is_key = kind == 'K' || kind == 'a';
    frame->is_discardable = kind == 'b';
    frame->segment = SEGMENT_NONE;
    return frame;
}

static void push_all(struct lane_queue *queue, const char *kinds, int64_t from_us, int64_t step_us)
{
    for (; *kinds; kinds++, from_us += step_us) {
        struct frame *frame = make_frame(*kinds);

        lane_queue_push(queue, frame, from_us);
        frame_unref(frame);
    }
}

static void assert_holds(struct lane_queue *queue, const char *kinds)
{
    struct frame *frame;

    for (; *kinds; kinds++) {
        frame = lane_queue_take(queue);
        assert_non_null(frame);
        assert_int_equal(frame->buf->bytes[0], *kinds);
        frame_unref(frame);
    }
    assert_null(lane_queue_take(queue));
    assert_int_equal(queue->bytes, 0);
}

static struct lane_queue make_queue(void)
{
    struct lane_queue queue;

    assert_int_equal(lane_queue_init(&queue, BUDGET), 0);
    lane_queue_set_tracks(&queue, tracks);
    return queue;
}

static void frames_leave_in_the_order_they_came(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "KaPbaPK", 0, STEP);
    assert_holds(&queue, "KaPbaPK");
    assert_int_equal(queue.dropped_frames, 0);
    lane_queue_fini(&queue);
}

static void the_video_begins_with_a_key_frame(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "PPabKP", 0, STEP);
    assert_holds(&queue, "aKP");
    assert_int_equal(queue.dropped_frames, 3);
    lane_queue_fini(&queue);
}

static void what_nothing_refers_to_goes_first(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "b", 0, STEP); /* not begun: dropped */
    push_all(&queue, "K", 0, 0);
    assert_holds(&queue, "K");
    queue.needs_key = false;
    push_all(&queue, "bPbPb", 0, BUDGET / 4);
    push_all(&queue, "P", BUDGET + 1, 0);
    assert_holds(&queue, "PPP");
    lane_queue_fini(&queue);
}

static void a_link_too_thin_goes_on_at_the_newest_key_frame(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "KPPPPKPP", 0, BUDGET / 8);
    push_all(&queue, "P", BUDGET + 1, 0);
    assert_holds(&queue, "KPPP");
    assert_int_equal(queue.dropped_frames, 5);
    lane_queue_fini(&queue);
}

static void without_a_new_key_frame_nothing_torn_is_sent(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "KPPPP", 0, BUDGET / 4);
    push_all(&queue, "PP", BUDGET + 1, STEP);
    assert_holds(&queue, "");
    push_all(&queue, "PPKP", BUDGET + STEP * 3, STEP);
    assert_holds(&queue, "KP");
    lane_queue_fini(&queue);
}

static void audio_goes_on_while_the_video_is_dropped(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "KPaPaPa", 0, BUDGET / 6);
    push_all(&queue, "P", BUDGET + 2, 0);
    assert_holds(&queue, "aaa");
    push_all(&queue, "aPa", BUDGET + 3, 0);
    assert_holds(&queue, "aa");
    lane_queue_fini(&queue);
}

static void nothing_waits_longer_than_the_budget(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    for (int64_t now = 0; now < 60 * BUDGET; now += STEP) {
        push_all(&queue, now % (2 * BUDGET) == 0 ? "Ka" : "Pab", now, 0);
        assert_true(lane_queue_age_us(&queue, now) <= BUDGET);
    }
    lane_queue_trim(&queue, 100 * BUDGET);
    assert_int_equal(queue.count, 0);
    lane_queue_fini(&queue);
}

static void count_and_bytes_are_bounded_whatever_the_clock(void **state)
{
    struct lane_queue queue = make_queue();

    (void)state;
    push_all(&queue, "K", 0, 0);
    for (unsigned i = 0; i < 3 * LANE_QUEUE_MAX; i++) {
        push_all(&queue, "P", 0, 0);
        assert_true(queue.count <= LANE_QUEUE_MAX);
    }
    lane_queue_clear(&queue);
    push_all(&queue, "K", 0, 0);
    for (unsigned i = 0; i < 8; i++) {
        struct buf *buf = buf_new(FRAME_MAX_BYTES);
        struct frame *frame = frame_new(buf);

        frame->segment = SEGMENT_NONE;
        lane_queue_push(&queue, frame, 0);
        frame_unref(frame);
        assert_true(queue.bytes <= LANE_QUEUE_MAX_BYTES);
    }
    lane_queue_fini(&queue);
}

static void a_held_queue_keeps_what_came_since_a_segment_began(void **state)
{
    struct lane_queue queue = make_queue();
    struct frame *frame = make_frame('K');

    (void)state;
    lane_queue_hold(&queue);
    push_all(&queue, "KPPPaK", 0, BUDGET);
    assert_int_equal(queue.count, 6);
    frame->segment = 7;
    lane_queue_push(&queue, frame, 9 * BUDGET);
    push_all(&queue, "aP", 9 * BUDGET, BUDGET);
    lane_queue_release(&queue, 20 * BUDGET);
    assert_int_equal(lane_queue_age_us(&queue, 20 * BUDGET), 0);
    lane_queue_trim(&queue, 20 * BUDGET + BUDGET);
    assert_holds(&queue, "KaP");
    frame_unref(frame);
    lane_queue_fini(&queue);
}

static void segments_begin_two_seconds_apart_at_key_frames(void **state)
{
    struct segmenter segmenter;
    struct frame *key = make_frame('K'), *other = make_frame('P'), *audio = make_frame('a');
    static const struct {
        int64_t dts_us, number;
    } keys[] = {{0, 100},      {1000000, -1},  {1899999, -1},   {1900000, 101},
                {3000000, -1}, {3800000, 102}, {-5000000, 103}, {-3000000, 104}};

    (void)state;
    segmenter_init(&segmenter, 100);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        key->dts_us = other->dts_us = audio->dts_us = keys[i].dts_us;
        assert_int_equal(segmenter_frame(&segmenter, tracks, other), SEGMENT_NONE);
        assert_int_equal(segmenter_frame(&segmenter, tracks, audio), SEGMENT_NONE);
        assert_int_equal(segmenter_frame(&segmenter, tracks, key), keys[i].number);
    }
    segmenter_break(&segmenter);
    assert_int_equal(segmenter_frame(&segmenter, tracks, key), 105);
    frame_unref(key);
    frame_unref(other);
    frame_unref(audio);
}

static void a_stream_without_video_is_cut_at_its_audio(void **state)
{
    struct tracks *only = tracks_new(1);
    struct frame *audio = make_frame('a');
    struct segmenter segmenter;

    (void)state;
    only->track[0].codec = CODEC_AAC;
    audio->track = 0;
    segmenter_init(&segmenter, 5);
    assert_int_equal(segmenter_frame(&segmenter, only, audio), 5);
    audio->dts_us = 1000000;
    assert_int_equal(segmenter_frame(&segmenter, only, audio), SEGMENT_NONE);
    audio->dts_us = 1920000;
    assert_int_equal(segmenter_frame(&segmenter, only, audio), 6);
    frame_unref(audio);
    tracks_unref(only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_in_the_order_they_came),
        cmocka_unit_test(the_video_begins_with_a_key_frame),
        cmocka_unit_test(what_nothing_refers_to_goes_first),
        cmocka_unit_test(a_link_too_thin_goes_on_at_the_newest_key_frame),
        cmocka_unit_test(without_a_new_key_frame_nothing_torn_is_sent),
        cmocka_unit_test(audio_goes_on_while_the_video_is_dropped),
        cmocka_unit_test(nothing_waits_longer_than_the_budget),
        cmocka_unit_test(count_and_bytes_are_bounded_whatever_the_clock),
        cmocka_unit_test(a_held_queue_keeps_what_came_since_a_segment_began),
        cmocka_unit_test(segments_begin_two_seconds_apart_at_key_frames),
        cmocka_unit_test(a_stream_without_video_is_cut_at_its_audio),
    };

    return cmocka_run_group_tests(tests, make_tracks, free_tracks);
}
