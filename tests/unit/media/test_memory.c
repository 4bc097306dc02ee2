/* A stream, its packager and viewers on two loops while each allocation in turn fails: packets are
 * lost, nothing else; and what comes later is seen. Both loops run on this thread. */
#include "unit/scarce_memory.h"

#include <string.h>

#include "media/format/rtp_packager.h"
#include "media/stream.h"

static const struct feed_kind kinds[] = {{&packager_rtp, {1 << 20, 10000000}, 0},
                                         {.packager = NULL}};

struct place {
    struct loop *loops[2];
    struct hub *hubs[2];
    struct tracks *tracks;
};

struct viewer {
    struct cursor cursor;
    struct feed *feed; /* in use; NULL without memory */
    unsigned got_count;
};

static void on_ready(struct cursor *cursor)
{
    while (cursor_next(cursor))
        list_entry(cursor, struct viewer, cursor)->got_count++;
}

static void on_end(struct cursor *cursor)
{
    (void)cursor;
}

static void settle(struct place *place)
{
    for (unsigned i = 0; i < 4; i++) {
        loop_stop(place->loops[i % 2]);
        loop_run(place->loops[i % 2]);
    }
}

static void place_open(struct place *place)
{
    static const uint8_t config[] = {0, 0, 0, 4, 0x67, 0x42, 0, 0x1f, 0, 0, 0, 2, 0x68, 0xce};

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(loop_new(&place->loops[i], i), 0);
        assert_int_equal(hub_new(&place->hubs[i], place->loops[i], kinds), 0);
        assert_non_null(hub_add(place->hubs[i], "door"));
    }
    hub_join(place->hubs, 2);
    place->tracks = tracks_new(1);
    assert_non_null(place->tracks);
    place->tracks->track[0].codec = CODEC_H264;
    place->tracks->track[0].clock_rate = 90000;
    place->tracks->track[0].config = buf_copy(config, sizeof(config));
}

static void place_close(struct place *place)
{
    settle(place);
    for (unsigned i = 0; i < 2; i++)
        hub_free(place->hubs[i]);
    for (unsigned i = 0; i < 2; i++)
        loop_free(place->loops[i]);
    tracks_unref(place->tracks);
}

static void attach(struct viewer *viewer, struct hub *hub)
{
    *viewer = (struct viewer){.cursor = {.on_ready = on_ready, .on_end = on_end}};
    viewer->feed = view_feed_use(hub_find(hub, "door"), PACKET_RTP);
    if (viewer->feed)
        cursor_attach(&viewer->cursor, viewer->feed);
}

static void detach(struct viewer *viewer, struct hub *hub)
{
    if (!viewer->feed)
        return;
    cursor_detach(&viewer->cursor);
    view_feed_leave(hub_find(hub, "door"), PACKET_RTP);
}

static void push(struct stream *stream, int64_t dts_us, bool is_key)
{
    uint8_t unit[3000] = {0, 0, 0x0b, 0xb4, 0x65};
    struct buf *buf = buf_copy(unit, sizeof(unit));
    struct frame *frame = buf ? frame_new(buf) : NULL;

    if (!frame)
        return;
    frame->dts_us = frame->pts_us = dts_us;
    frame->is_key = is_key;
    frame->segment = is_key ? dts_us / 2000000 : SEGMENT_NONE;
    stream_push(stream, frame);
    frame_unref(frame);
}

/* One life of a stream: frames before viewers and after, on both loops. */
static void live(struct place *place, struct viewer viewers[2])
{
    struct stream *stream = NULL;

    for (unsigned i = 0; i < 2; i++)
        attach(&viewers[i], place->hubs[i]);
    if (stream_open(&stream, place->hubs[0], "door") == 0) {
        stream_set_tracks(stream, place->tracks);
        settle(place);
        for (int i = 0; i < 4; i++)
            push(stream, i * 40000, i == 0);
        settle(place);
    }
    stream_close(stream);
    settle(place);
}

static bool run(long allocations)
{
    struct viewer viewers[2], later[2];
    struct place place;
    bool has_failed;

    place_open(&place);
    memory_is_for(allocations);
    live(&place, viewers);
    has_failed = memory_ran_out(allocations);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(has_failed || viewers[i].got_count >= 4);
        detach(&viewers[i], place.hubs[i]);
    }
    settle(&place);
    live(&place, later);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(later[i].got_count >= 4);
        detach(&later[i], place.hubs[i]);
    }
    place_close(&place);
    return has_failed;
}

static void what_is_lost_without_memory_is_made_up_for_by_the_next_stream(void **state)
{
    (void)state;
    fail_each(run, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lost_without_memory_is_made_up_for_by_the_next_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
