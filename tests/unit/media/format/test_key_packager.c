/* packager_key: which frames become PACKET_KEY, and what those say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "media/packager.h"

enum { SECOND = 1000000, AUDIO = 0, VIDEO = 1 };

struct scene {
    struct packager_sink sink;
    struct packager *packager;
    struct tracks *tracks;
    struct packet *last; /* owned reference */
    unsigned count;
};

static void on_packet(struct packager_sink *sink, struct packet *packet)
{
    struct scene *scene = list_entry(sink, struct scene, sink);

    packet_unref(scene->last);
    scene->last = packet_ref(packet);
    scene->count++;
}

static struct tracks *tracks_make(void)
{
    struct tracks *tracks = tracks_new(2);

    assert_non_null(tracks);
    tracks->track[AUDIO].codec = CODEC_PCMU;
    tracks->track[VIDEO].codec = CODEC_H264;
    return tracks;
}

static int set_up(void **state)
{
    static struct scene scene;

    scene = (struct scene){.sink = {on_packet}, .tracks = tracks_make()};
    *state = &scene;
    return packager_key.open(&scene.packager, &scene.sink);
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    packager_key.close(scene->packager);
    packet_unref(scene->last);
    tracks_unref(scene->tracks);
    return 0;
}

static struct frame *frame_make(unsigned track, int64_t dts_us)
{
    struct frame *frame = frame_new(buf_copy("\0\0\0\1\x65", 5));

    assert_non_null(frame);
    frame->track = (uint8_t)track;
    frame->is_key = true;
    frame->dts_us = dts_us;
    frame->pts_us = dts_us + 40000;
    frame->wall_us = dts_us + 1700000000 * (int64_t)SECOND;
    return frame;
}

static void push(struct scene *scene, unsigned track, int64_t dts_us)
{
    struct frame *frame = frame_make(track, dts_us);

    assert_int_equal(packager_key.push(scene->packager, frame), 0);
    frame_unref(frame);
}

static void start(struct scene *scene)
{
    assert_int_equal(packager_key.set_tracks(scene->packager, scene->tracks), 0);
}

static void a_key_frame_goes_on_as_it_is(void **state)
{
    struct scene *scene = *state;
    struct frame *frame = frame_make(VIDEO, 5 * (int64_t)SECOND);

    start(scene);
    assert_int_equal(packager_key.push(scene->packager, frame), 0);
    assert_int_equal(scene->count, 1);
    assert_int_equal(scene->last->kind, PACKET_KEY);
    assert_ptr_equal(scene->last->buf, frame->buf);
    assert_ptr_equal(scene->last->tracks, scene->tracks);
    assert_int_equal(scene->last->track, VIDEO);
    assert_int_equal(scene->last->dts_us, frame->dts_us);
    assert_int_equal(scene->last->pts_us, frame->pts_us);
    assert_int_equal(scene->last->wall_us, frame->wall_us);
    assert_int_equal(scene->last->span_count, 0);
    assert_true(scene->last->is_key);
    frame_unref(frame);
}

static void other_pictures_and_sound_are_left_out(void **state)
{
    struct scene *scene = *state;
    struct frame *frame = frame_make(VIDEO, 0);

    start(scene);
    push(scene, AUDIO, 0);
    frame->is_key = false;
    assert_int_equal(packager_key.push(scene->packager, frame), 0);
    assert_int_equal(scene->count, 0);
    frame_unref(frame);
}

static void there_is_at_most_one_a_second(void **state)
{
    struct scene *scene = *state;

    start(scene);
    for (int64_t i = 0; i <= 40; i++) /* every picture a key frame, for four seconds */
        push(scene, VIDEO, i * SECOND / 10);
    assert_int_equal(scene->count, 5);
    push(scene, VIDEO, 5 * (int64_t)SECOND - 1);
    assert_int_equal(scene->count, 5);
    push(scene, VIDEO, 5 * (int64_t)SECOND);
    assert_int_equal(scene->count, 6);
}

static void new_tracks_do_not_wait_out_the_second(void **state)
{
    struct scene *scene = *state;
    struct tracks *others = tracks_make();

    start(scene);
    push(scene, VIDEO, 9 * (int64_t)SECOND);
    assert_int_equal(packager_key.set_tracks(scene->packager, others), 0);
    push(scene, VIDEO, 40000); /* a camera that began anew, with its clock */
    assert_int_equal(scene->count, 2);
    assert_ptr_equal(scene->last->tracks, others);
    tracks_unref(others);
}

static void without_video_there_is_nothing_to_do(void **state)
{
    struct scene *scene = *state;

    push(scene, VIDEO, 0); /* before any tracks */
    scene->tracks->track[VIDEO].codec = CODEC_PCMA;
    assert_int_equal(packager_key.set_tracks(scene->packager, scene->tracks), -ERR_UNSUPPORTED);
    push(scene, VIDEO, 0);
    assert_int_equal(scene->count, 0);
    packager_key.close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_frame_goes_on_as_it_is),         TEST(other_pictures_and_sound_are_left_out),
        TEST(there_is_at_most_one_a_second),        TEST(new_tracks_do_not_wait_out_the_second),
        TEST(without_video_there_is_nothing_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
