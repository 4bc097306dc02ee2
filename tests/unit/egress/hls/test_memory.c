/* Windows and playlists while each allocation in turn fails: what can't be had is left out. */
#include "unit/scarce_memory.h"

#include <string.h>

#include "egress/hls/playlist.h"

static struct tracks *make_tracks(void)
{
    struct tracks *tracks = tracks_new(1);

    assert_non_null(tracks);
    tracks->track[0].codec = CODEC_H264;
    tracks->generation = 1;
    return tracks;
}

/* False without memory for the packet itself. */
static bool push(struct window *window, struct tracks *tracks, uint64_t segment, uint32_t part)
{
    struct buf *buf = buf_copy("0123456789", 10);
    struct packet *packet = buf ? packet_new(PACKET_CMAF, buf, tracks, 0) : NULL;

    if (!packet)
        return false;
    packet->dts_us = (int64_t)segment * 2000000 + part * 200000;
    packet->cmaf = (struct cmaf_place){.segment = segment,
                                       .part = part,
                                       .duration_us = 200000,
                                       .ends_segment = part == 9,
                                       .is_independent = part == 0};
    window_push(window, packet);
    packet_unref(packet);
    return true;
}

/* The window itself needs none; a packet that could not be made is a gap like any other. */
static bool fill(long allocations)
{
    struct tracks *tracks = make_tracks();
    struct window window;
    bool has_failed;

    window_init(&window);
    memory_is_for(allocations);
    for (uint64_t segment = 100; segment < 104; segment++)
        for (uint32_t part = 0; part < 10; part++)
            (void)push(&window, tracks, segment, part);
    has_failed = memory_ran_out(allocations);
    assert_in_range(window_newest(&window)->number, 102, 103); /* one begins with its first part */
    assert_true(push(&window, tracks, 104, 0));
    assert_int_equal(window_newest(&window)->number, 104);
    window_fini(&window);
    tracks_unref(tracks);
    return has_failed;
}

static void a_lost_part_costs_no_other_segment(void **state)
{
    (void)state;
    fail_each(fill, 40);
}

static bool serve(long allocations)
{
    struct tracks *tracks = make_tracks();
    struct window window;
    struct writer out;
    struct buf *whole, *body = NULL;
    bool has_failed;
    int err;

    window_init(&window);
    for (uint64_t segment = 100; segment < 104; segment++)
        for (uint32_t part = 0; part < 10; part++)
            assert_true(push(&window, tracks, segment, part));
    writer_init(&out, PLAYLIST_MAX_BYTES);
    memory_is_for(allocations);
    playlist_write_media(&out, &window, false);
    playlist_write_multivariant(&out, tracks, &window, "s/1/media.m3u8");
    err = writer_to_buf(&out, &body);
    whole = window_whole(window_find(&window, 102));
    has_failed = memory_ran_out(allocations);
    assert_true(has_failed == (err || !whole));
    assert_true((err == 0) == (body != NULL));
    assert_int_equal(window_whole(window_find(&window, 102))->len, 100); /* the next who asks */
    buf_unref(body);
    writer_fini(&out);
    window_fini(&window);
    tracks_unref(tracks);
    return has_failed;
}

static void a_playlist_is_whole_or_none_and_a_segment_can_be_had_later(void **state)
{
    (void)state;
    fail_each(serve, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_part_costs_no_other_segment),
        cmocka_unit_test(a_playlist_is_whole_or_none_and_a_segment_can_be_had_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
