/* Streams, views and hubs: one packager for all, viewers on two loops, streams that come and go.
 * Both loops run on this thread, one after the other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "media/stream.h"

/* A packager that makes of each frame one packet, and counts. */
struct packager {
    struct packager_sink *sink;
    struct tracks *tracks;
};

static struct {
    unsigned open_count, close_count, frame_count;
    bool refuses; /* any tracks */
} fake;

static int fake_open(struct packager **out, struct packager_sink *sink)
{
    *out = calloc(1, sizeof(**out));
    assert_non_null(*out);
    (*out)->sink = sink;
    fake.open_count++;
    return 0;
}

static int fake_set_tracks(struct packager *packager, struct tracks *tracks)
{
    if (fake.refuses)
        return -ERR_UNSUPPORTED;
    tracks_unref(packager->tracks);
    packager->tracks = tracks_ref(tracks);
    return 0;
}

static int fake_push(struct packager *packager, struct frame *frame)
{
    struct packet *packet = packet_new(PACKET_RTP, buf_ref(frame->buf), packager->tracks, 0);

    assert_non_null(packet);
    packet->is_key = frame->is_key;
    packet->dts_us = frame->dts_us;
    fake.frame_count++;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

static void fake_close(struct packager *packager)
{
    if (!packager)
        return;
    tracks_unref(packager->tracks);
    free(packager);
    fake.close_count++;
}

static const struct packager_kind fake_kind = {"fake",          PACKET_RTP, fake_open,
                                               fake_set_tracks, fake_push,  fake_close};
static const struct feed_kind kinds[] = {{&fake_kind, {1 << 20, 10000000}, 0}, {.packager = NULL}};

struct place {
    struct loop *loops[2];
    struct hub *hubs[2];
    struct tracks *tracks;
};

struct viewer {
    struct cursor cursor;
    unsigned got_count, end_count;
    int64_t first_us, last_us;
};

static void on_ready(struct cursor *cursor)
{
    struct viewer *viewer = list_entry(cursor, struct viewer, cursor);
    struct packet *packet;

    while ((packet = cursor_next(cursor))) {
        if (!viewer->got_count++)
            viewer->first_us = packet->dts_us;
        viewer->last_us = packet->dts_us;
    }
}

static void on_end(struct cursor *cursor)
{
    list_entry(cursor, struct viewer, cursor)->end_count++;
}

/* Runs what was posted to both loops, twice, so that answers arrive too. */
static void settle(struct place *place)
{
    for (unsigned i = 0; i < 4; i++) {
        loop_stop(place->loops[i % 2]);
        loop_run(place->loops[i % 2]);
    }
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(loop_new(&place->loops[i], i), 0);
        assert_int_equal(hub_new(&place->hubs[i], place->loops[i], kinds), 0);
        assert_non_null(hub_add(place->hubs[i], "door"));
    }
    hub_join(place->hubs, 2);
    place->tracks = tracks_new(1);
    assert_non_null(place->tracks);
    place->tracks->track[0].codec = CODEC_H264;
    fake.open_count = fake.close_count = fake.frame_count = 0;
    fake.refuses = false;
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    settle(place);
    for (unsigned i = 0; i < 2; i++)
        hub_free(place->hubs[i]);
    for (unsigned i = 0; i < 2; i++)
        loop_free(place->loops[i]);
    tracks_unref(place->tracks);
    free(place);
    return 0;
}

static struct stream *stream_make(struct place *place, unsigned hub)
{
    struct stream *stream;

    assert_int_equal(stream_open(&stream, place->hubs[hub], "door"), 0);
    stream_set_tracks(stream, place->tracks);
    settle(place);
    return stream;
}

static void push(struct stream *stream, int64_t dts_us, bool is_key)
{
    struct frame *frame = frame_new(buf_new(10));

    assert_non_null(frame);
    frame->dts_us = frame->pts_us = dts_us;
    frame->is_key = is_key;
    frame->segment = is_key ? dts_us : SEGMENT_NONE;
    stream_push(stream, frame);
    frame_unref(frame);
}

static void attach(struct viewer *viewer, struct hub *hub)
{
    struct feed *feed = view_feed_use(hub_find(hub, "door"), PACKET_RTP);

    assert_non_null(feed);
    *viewer = (struct viewer){.cursor = {.on_ready = on_ready, .on_end = on_end}};
    cursor_attach(&viewer->cursor, feed);
}

static void detach(struct viewer *viewer, struct hub *hub)
{
    cursor_detach(&viewer->cursor);
    view_feed_leave(hub_find(hub, "door"), PACKET_RTP);
}

static void every_loop_learns_of_a_stream(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 1);

    for (unsigned i = 0; i < 2; i++) {
        assert_true(hub_find(place->hubs[i], "door")->is_live);
        assert_ptr_equal(hub_find(place->hubs[i], "door")->tracks, place->tracks);
    }
    stream_close(stream);
    settle(place);
    assert_false(hub_find(place->hubs[0], "door")->is_live);
    assert_ptr_equal(hub_find(place->hubs[0], "door")->tracks, place->tracks);
}

static void nothing_is_packaged_while_nobody_watches(void **state)
{
    struct stream *stream = stream_make(*state, 0);

    push(stream, 0, true);
    assert_int_equal(fake.open_count, 0);
    stream_close(stream);
}

static void a_late_packager_is_primed_and_viewers_of_two_loops_share_it(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 0);
    struct viewer near, far;

    push(stream, 0, true);
    push(stream, 40, false);
    attach(&near, place->hubs[0]);
    attach(&far, place->hubs[1]);
    settle(place);
    assert_int_equal(near.got_count, 2);
    assert_int_equal(far.got_count, 2);
    push(stream, 80, false);
    settle(place);
    assert_int_equal(far.last_us, 80);
    assert_int_equal(fake.open_count, 1);
    assert_int_equal(fake.frame_count, 3);
    detach(&near, place->hubs[0]);
    detach(&far, place->hubs[1]);
    stream_close(stream);
}

static void the_packager_ends_after_the_last_viewer_of_any_loop(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 0);
    struct viewer near, far;

    attach(&near, place->hubs[0]);
    attach(&far, place->hubs[1]);
    settle(place);
    detach(&near, place->hubs[0]);
    settle(place);
    assert_int_equal(fake.close_count, 0);
    detach(&far, place->hubs[1]);
    settle(place);
    settle(place);
    assert_int_equal(fake.close_count, 1);
    stream_close(stream);
}

static void viewers_stay_while_the_stream_is_away_and_go_on_at_a_key_frame(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 0);
    struct viewer viewer;

    attach(&viewer, place->hubs[1]);
    push(stream, 0, true);
    settle(place);
    stream_close(stream);
    settle(place);
    assert_int_equal(viewer.end_count, 0);
    stream = stream_make(place, 1); /* it may well come back on another loop */
    push(stream, 40, false);
    push(stream, 80, true);
    settle(place);
    assert_int_equal(viewer.got_count, 2);
    assert_int_equal(viewer.last_us, 80);
    detach(&viewer, place->hubs[1]);
    stream_close(stream);
}

static void the_newer_of_two_streams_wins_whatever_the_older_says_later(void **state)
{
    struct place *place = *state;
    struct stream *older = stream_make(place, 0), *newer = stream_make(place, 1);
    struct viewer viewer;

    attach(&viewer, place->hubs[0]);
    settle(place);
    push(older, 10, true);
    push(newer, 500, true);
    settle(place);
    assert_int_equal(viewer.got_count, 1);
    assert_int_equal(viewer.first_us, 500);
    stream_close(older);
    settle(place);
    assert_true(hub_find(place->hubs[0], "door")->is_live);
    detach(&viewer, place->hubs[0]);
    stream_close(newer);
}

static void viewers_of_tracks_that_were_refused_get_the_next_ones(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 0);
    struct viewer viewer;

    fake.refuses = true;
    attach(&viewer, place->hubs[1]);
    settle(place);
    push(stream, 0, true);
    settle(place);
    assert_int_equal(viewer.got_count, 0);
    fake.refuses = false;
    stream_set_tracks(stream, place->tracks);
    push(stream, 40, true);
    settle(place);
    assert_int_equal(viewer.got_count, 1);
    detach(&viewer, place->hubs[1]);
    stream_close(stream);
}

static void a_removed_view_ends_its_viewers(void **state)
{
    struct place *place = *state;
    struct stream *stream = stream_make(place, 0);
    struct view *view = hub_find(place->hubs[0], "door");
    struct viewer viewer;

    view_hold(view);
    attach(&viewer, place->hubs[0]);
    hub_remove(place->hubs[0], "door");
    assert_int_equal(viewer.end_count, 1);
    assert_null(hub_find(place->hubs[0], "door"));
    assert_null(view_feed_use(view, PACKET_RTP));
    view_feed_leave(view, PACKET_RTP);
    view_release(view);
    stream_close(stream);
}

/* A viewer that gives all of its own back at the end, and goes after the turn. */
struct leaver {
    struct cursor cursor;
    struct view *view;
    struct loop_task gone;
    unsigned gone_count;
};

static void leaver_free(struct loop_task *task)
{
    list_entry(task, struct leaver, gone)->gone_count++;
}

static void on_end_leave(struct cursor *cursor)
{
    struct leaver *leaver = list_entry(cursor, struct leaver, cursor);

    view_feed_leave(leaver->view, PACKET_RTP);
    view_release(leaver->view);
    leaver->gone.run = leaver_free;
    loop_defer(hub_loop(leaver->view->hub), &leaver->gone);
}

static void the_last_viewer_of_a_removed_view_may_let_go_of_it_at_its_end(void **state)
{
    struct place *place = *state;
    struct leaver leaver = {.cursor = {.on_ready = on_ready, .on_end = on_end_leave}};

    leaver.view = hub_find(place->hubs[0], "door");
    view_hold(leaver.view);
    cursor_attach(&leaver.cursor, view_feed_use(leaver.view, PACKET_RTP));
    hub_remove(place->hubs[0], "door");
    settle(place);
    assert_int_equal(leaver.gone_count, 1);
}

static void frames_of_tracks_that_do_not_exist_are_dropped(void **state)
{
    struct stream *stream = stream_make(*state, 0);
    struct frame *frame = frame_new(buf_new(10));

    assert_non_null(frame);
    frame->track = 3;
    stream_push(stream, frame);
    assert_int_equal(stream_counters(stream).frames, 0);
    frame_unref(frame);
    stream_close(stream);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_loop_learns_of_a_stream),
        TEST(nothing_is_packaged_while_nobody_watches),
        TEST(a_late_packager_is_primed_and_viewers_of_two_loops_share_it),
        TEST(the_packager_ends_after_the_last_viewer_of_any_loop),
        TEST(viewers_stay_while_the_stream_is_away_and_go_on_at_a_key_frame),
        TEST(the_newer_of_two_streams_wins_whatever_the_older_says_later),
        TEST(viewers_of_tracks_that_were_refused_get_the_next_ones),
        TEST(a_removed_view_ends_its_viewers),
        TEST(the_last_viewer_of_a_removed_view_may_let_go_of_it_at_its_end),
        TEST(frames_of_tracks_that_do_not_exist_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
