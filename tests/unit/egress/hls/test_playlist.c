/* The window of segments and the playlists made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "egress/hls/playlist.h"

static struct window window;
static struct tracks *tracks;
static char text[PLAYLIST_MAX_BYTES];

static int begin(void **state)
{
    (void)state;
    window_init(&window);
    tracks = tracks_new(1);
    tracks->track[0].codec = CODEC_H264;
    tracks->generation = 1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    window_fini(&window);
    tracks_unref(tracks);
    return 0;
}

/* A part of 200 ms; segments have ten of them. */
static void push(uint64_t segment, uint32_t part)
{
    struct packet *packet = packet_new(PACKET_CMAF, buf_copy("0123456789", 10), tracks, 0);

    packet->dts_us = (int64_t)segment * 2000000 + part * 200000;
    packet->wall_us = packet->dts_us;
    packet->cmaf = (struct cmaf_place){.segment = segment,
                                       .part = part,
                                       .duration_us = 200000,
                                       .ends_segment = part == 9,
                                       .is_independent = part == 0};
    window_push(&window, packet);
    packet_unref(packet);
}

static void push_segment(uint64_t segment)
{
    for (uint32_t part = 0; part < 10; part++)
        push(segment, part);
}

static const char *render(bool is_delta)
{
    struct writer out;

    writer_init(&out, sizeof(text) - 1);
    playlist_write_media(&out, &window, is_delta);
    assert_int_equal(out.err, 0);
    memset(text, 0, sizeof(text));
    if (out.len)
        memcpy(text, out.bytes, out.len);
    writer_fini(&out);
    return text;
}

static unsigned count(const char *what)
{
    unsigned found = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        found++;
    return found;
}

static void a_whole_window_is_shown(void **state)
{
    (void)state;
    for (uint64_t i = 100; i < 120; i++)
        push_segment(i);
    push(120, 0);
    render(false);
    assert_int_equal(window.count, WINDOW_SLOTS);
    assert_non_null(strstr(text, "#EXT-X-MEDIA-SEQUENCE:113\n"));
    assert_int_equal(count("#EXTINF:2.00000,\nseg-"), 7);
    assert_int_equal(count("#EXT-X-MAP:"), 1);
    assert_int_equal(count("#EXT-X-PART:"), 21);
    assert_int_equal(count("INDEPENDENT=YES"), 3);
    assert_non_null(strstr(text, "TYPE=PART,URI=\"part-120-1.mp4\"\n"));
    assert_int_equal(count("DISCONTINUITY"), 0);
}

static void a_delta_skips_what_lies_behind_six_targets(void **state)
{
    (void)state;
    for (uint64_t i = 100; i < 120; i++)
        push_segment(i);
    push(120, 0);
    render(true);
    assert_int_equal(count("#EXT-X-SKIP:SKIPPED-SEGMENTS="), 1);
    assert_int_equal(count("#EXT-X-MAP:"), 0);
    assert_int_equal(count("#EXTINF:"), 6);
    assert_null(strstr(text, "seg-113.mp4"));
}

/* The n-th segment of a playlist has the number MEDIA-SEQUENCE + n, whatever was lost. */
static void assert_numbers_have_no_hole(void)
{
    for (unsigned i = 1; i < window.count; i++)
        assert_int_equal(window.segments[i].number, window.segments[i - 1].number + 1);
}

static void a_segment_cut_by_an_outage_keeps_its_number(void **state)
{
    (void)state;
    push_segment(1);
    push(2, 0);
    push(2, 1);
    push_segment(3);
    assert_numbers_have_no_hole();
    assert_int_equal(window.count, 3);
    assert_int_equal(window.segments[1].duration_us, 400000);
    assert_true(window.segments[2].is_discontinuous);
    assert_non_null(strstr(render(false), "#EXTINF:0.40000,\nseg-2.mp4\n#EXT-X-DISCONTINUITY\n"));
}

static void numbers_that_never_came_are_gaps(void **state)
{
    (void)state;
    push_segment(1);
    push_segment(4);
    assert_numbers_have_no_hole();
    render(false);
    assert_int_equal(count("#EXT-X-GAP\n#EXTINF:2.00000,\n"), 2);
    assert_int_equal(count("#EXT-X-DISCONTINUITY\n"), 1);
    assert_true(window_find(&window, 4)->is_discontinuous);
    /* what a player that saw segment 1 asks for next is waited for again once it has all */
    assert_true(window_has(&window, 4, false, 0));
    assert_false(window_has(&window, 5, true, 0));
}

static void after_a_long_outage_the_list_begins_anew(void **state)
{
    (void)state;
    push_segment(1);
    push_segment(1000000);
    assert_int_equal(window.count, 1);
    assert_non_null(strstr(render(false), "#EXT-X-MEDIA-SEQUENCE:1000000\n"));
    assert_int_equal(count("#EXT-X-DISCONTINUITY\n"), 1);
    assert_int_equal(count("#EXT-X-MAP:"), 1);
}

/* The sum of the sequence and the tags up to a segment is that segment's, and never changes. */
static void discontinuities_are_counted_when_their_tags_have_left(void **state)
{
    (void)state;
    push_segment(1);
    push_segment(3);
    for (uint64_t i = 4; i < 30; i++) {
        push_segment(i);
        render(false);
        assert_int_equal(
            count("#EXT-X-DISCONTINUITY\n") + count("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), 1);
    }
    assert_int_equal(count("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), 1);
}

static void new_tracks_have_a_map_of_their_own(void **state)
{
    (void)state;
    push_segment(1);
    tracks_unref(tracks);
    tracks = tracks_new(1);
    tracks->generation = 2;
    push_segment(2);
    assert_non_null(strstr(render(false), "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-2.mp4\"\n"));
}

static void what_came_before_or_without_its_beginning_is_dropped(void **state)
{
    (void)state;
    push(5, 3);
    assert_int_equal(window.count, 0);
    push_segment(5);
    push_segment(5);
    push_segment(4);
    assert_int_equal(window.count, 1);
    assert_int_equal(window.segments[0].part_count, 10);
    push(6, 0);
    push(6, 2);
    assert_int_equal(window_newest(&window)->part_count, 1);
}

static void a_part_past_the_end_is_the_next_segments_first(void **state)
{
    (void)state;
    push_segment(5);
    assert_true(window_has(&window, 5, true, 9));
    assert_false(window_has(&window, 5, true, 10));
    push(6, 0);
    assert_true(window_has(&window, 5, true, 10));
    assert_false(window_has(&window, 6, false, 0));
    assert_true(window_has(&window, 1, false, 0));
}

static void a_whole_segment_is_its_parts(void **state)
{
    (void)state;
    push_segment(5);
    assert_int_equal(window_whole(&window.segments[0])->len, 100);
}

static void a_playlist_of_mpeg_ts_has_whole_segments_only(void **state)
{
    struct writer out;

    (void)state;
    push_segment(100);
    push_segment(101);
    writer_init(&out, sizeof(text) - 1);
    playlist_write_ts(&out, &window);
    assert_int_equal(out.err, 0);
    memset(text, 0, sizeof(text));
    memcpy(text, out.bytes, out.len);
    writer_fini(&out);
    assert_int_equal(count("#EXT-X-VERSION:3\n"), 1);
    assert_int_equal(count("#EXT-X-MEDIA-SEQUENCE:100\n"), 1);
    assert_int_equal(count("#EXTINF:2.00000,\nseg-10"), 2);
    assert_int_equal(count(".ts\n"), 2);
    assert_int_equal(count("#EXT-X-PART") + count("#EXT-X-MAP"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_window_is_shown, begin, end),
        cmocka_unit_test_setup_teardown(a_delta_skips_what_lies_behind_six_targets, begin, end),
        cmocka_unit_test_setup_teardown(a_segment_cut_by_an_outage_keeps_its_number, begin, end),
        cmocka_unit_test_setup_teardown(numbers_that_never_came_are_gaps, begin, end),
        cmocka_unit_test_setup_teardown(after_a_long_outage_the_list_begins_anew, begin, end),
        cmocka_unit_test_setup_teardown(discontinuities_are_counted_when_their_tags_have_left,
                                        begin, end),
        cmocka_unit_test_setup_teardown(new_tracks_have_a_map_of_their_own, begin, end),
        cmocka_unit_test_setup_teardown(what_came_before_or_without_its_beginning_is_dropped, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_part_past_the_end_is_the_next_segments_first, begin, end),
        cmocka_unit_test_setup_teardown(a_whole_segment_is_its_parts, begin, end),
        cmocka_unit_test_setup_teardown(a_playlist_of_mpeg_ts_has_whole_segments_only, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
