/* A lane's bytes: both ends of the format, and what a bad agent might send (hostile.md A1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent-proto/lane.h"
#include "agent-proto/message.h"

enum { EVENTS = 64 };

/* What a reader told, in order: h hello, t tracks, f frame, d drops, e end. */
struct seen {
    char order[EVENTS + 1];
    unsigned count;
    struct frame *last; /* owned reference */
    uint64_t drops;
    int answer; /* to hello */
};

static void note(struct seen *seen, char event)
{
    if (seen->count < EVENTS)
        seen->order[seen->count++] = event;
}

static int on_hello(void *owner, const Culvert__LaneHello *hello)
{
    struct seen *seen = owner;

    assert_string_equal(hello->camera_id, "cam_1");
    note(seen, 'h');
    return seen->answer;
}

static int on_tracks(void *owner, struct tracks *tracks)
{
    assert_int_equal(tracks->track[0].codec, CODEC_H264);
    note(owner, 't');
    return 0;
}

static int on_frame(void *owner, struct frame *frame)
{
    struct seen *seen = owner;

    frame_unref(seen->last);
    seen->last = frame_ref(frame);
    note(seen, 'f');
    return 0;
}

static void on_drops(void *owner, const Culvert__LaneDrops *drops)
{
    struct seen *seen = owner;

    seen->drops = drops->frames;
    note(seen, 'd');
}

static void on_end(void *owner)
{
    note(owner, 'e');
}

static const struct lane_handler handler = {on_hello, on_tracks, on_frame, on_drops, on_end};

static const uint8_t unit[] = {0, 0, 0, 4, 0x65, 1, 2, 3};

static struct frame *make_frame(uint8_t track, int64_t dts_us, int64_t segment)
{
    struct frame *frame = frame_new(buf_copy(unit, sizeof(unit)));

    assert_non_null(frame);
    frame->track = track;
    frame->dts_us = dts_us;
    frame->pts_us = dts_us + 40000;
    frame->is_key = segment != SEGMENT_NONE;
    frame->segment = segment;
    frame->wall_us = 1700000000000000 + dts_us + 1234;
    return frame;
}

static struct tracks *make_tracks(void)
{
    static const uint8_t config[] = {0, 0, 0, 3, 0x67, 1, 2};
    struct tracks *tracks = tracks_new(2);

    assert_non_null(tracks);
    tracks->generation = 7;
    tracks->wall_base_us = 1700000000000000;
    tracks->track[0] = (struct track){.codec = CODEC_H264,
                                      .clock_rate = 90000,
                                      .width = 1280,
                                      .height = 720,
                                      .frame_rate_mhz = 25000,
                                      .has_b_frames = true,
                                      .config = buf_copy(config, sizeof(config))};
    tracks->track[1] = (struct track){.codec = CODEC_PCMA, .clock_rate = 8000, .channels = 1};
    return tracks;
}

static void put_hello(struct writer *to)
{
    Culvert__LaneHello hello;
    char id[] = "cam_1";
    uint8_t ticket[LANE_TICKET] = {1};

    culvert__lane_hello__init(&hello);
    hello.camera_id = id;
    hello.ticket = (ProtobufCBinaryData){sizeof(ticket), ticket};
    assert_int_equal(message_pack(to, &hello.base, MESSAGE_MAX_HELLO), 0);
}

static void put_tracks(struct writer *to)
{
    struct tracks *tracks = make_tracks();

    assert_int_equal(lane_write_tracks(to, tracks), 0);
    tracks_unref(tracks);
}

static void put_frame(struct writer *to, int64_t dts_us, int64_t segment)
{
    struct frame *frame = make_frame(0, dts_us, segment);
    uint8_t head[LANE_HEADER + LANE_SEGMENT];
    size_t len = lane_frame_head(frame, 1700000000000000, head);

    writer_put(to, head, len);
    writer_put(to, frame->buf->bytes, frame->buf->len);
    frame_unref(frame);
}

/* Hello, tracks, two frames, drops, end. */
static void put_lane(struct writer *to)
{
    Culvert__LaneDrops drops;

    culvert__lane_drops__init(&drops);
    drops.frames = 5;
    writer_init(to, 1 << 20);
    put_hello(to);
    put_tracks(to);
    put_frame(to, 1000000, 42);
    put_frame(to, 1040000, SEGMENT_NONE);
    assert_int_equal(lane_write_drops(to, &drops), 0);
    assert_int_equal(lane_write_end(to), 0);
}

/* The bytes in pieces of step; the error or 0. */
static int feed(struct seen *seen, const uint8_t *bytes, size_t len, size_t step)
{
    struct lane_reader reader;
    size_t from = 0, to = 0;
    ssize_t used = 0;

    lane_reader_init(&reader, &handler, seen);
    while (to < len && used >= 0) {
        to = to + step < len ? to + step : len;
        used = lane_reader_input(&reader, bytes + from, to - from);
        if (used > 0)
            from += (size_t)used;
    }
    lane_reader_fini(&reader);
    return used < 0 ? (int)used : 0;
}

static int feed_all(struct writer *writer)
{
    struct seen seen = {.answer = 0};
    int err = writer->err ? writer->err : feed(&seen, writer->bytes, writer->len, writer->len);

    frame_unref(seen.last);
    writer_fini(writer);
    return err;
}

static void a_lane_is_read_in_pieces_of_any_size(void **state)
{
    struct writer writer;

    (void)state;
    put_lane(&writer);
    for (size_t step = 1; step <= writer.len; step++) {
        struct seen seen = {.answer = 0};

        assert_int_equal(feed(&seen, writer.bytes, writer.len, step), 0);
        assert_string_equal(seen.order, "htffde");
        assert_int_equal(seen.drops, 5);
        assert_int_equal(seen.last->dts_us, 1040000);
        frame_unref(seen.last);
    }
    writer_fini(&writer);
}

static void a_lane_cut_at_any_byte_gives_only_whole_things(void **state)
{
    struct writer writer;

    (void)state;
    put_lane(&writer);
    for (size_t len = 0; len < writer.len; len++) {
        struct seen seen = {.answer = 0};

        assert_int_equal(feed(&seen, writer.bytes, len, 7), 0);
        assert_memory_equal(seen.order, "htffde", seen.count);
        assert_true(seen.count < 6);
        frame_unref(seen.last);
    }
    writer_fini(&writer);
}

static void a_frame_keeps_its_times_flags_and_segment(void **state)
{
    struct seen seen = {.answer = 0};
    struct writer writer;

    (void)state;
    writer_init(&writer, 4096);
    put_hello(&writer);
    put_tracks(&writer);
    put_frame(&writer, -5000000, (int64_t)1 << 52);
    assert_int_equal(feed(&seen, writer.bytes, writer.len, writer.len), 0);
    assert_int_equal(seen.last->dts_us, -5000000);
    assert_int_equal(seen.last->pts_us, -4960000);
    assert_int_equal(seen.last->wall_us, 1700000000000000 - 5000000 + 1234);
    assert_int_equal(seen.last->segment, (int64_t)1 << 52);
    assert_true(seen.last->is_key);
    assert_false(seen.last->is_discardable);
    assert_int_equal(seen.last->buf->len, sizeof(unit));
    assert_memory_equal(seen.last->buf->bytes, unit, sizeof(unit));
    frame_unref(seen.last);
    writer_fini(&writer);
}

static void an_unknown_capture_time_stays_unknown(void **state)
{
    struct frame *frame = make_frame(0, 0, SEGMENT_NONE);
    uint8_t head[LANE_HEADER + LANE_SEGMENT];
    struct lane_header header;
    const char *reason = NULL;

    (void)state;
    frame->wall_us = 0;
    assert_int_equal(lane_frame_head(frame, 1700000000000000, head), LANE_HEADER);
    assert_int_equal(lane_header_read(&header, head, &reason), 0);
    assert_int_equal(header.capture_us, INT32_MIN);
    frame->wall_us = 1700009000000000; /* further off than the field can say */
    lane_frame_head(frame, 1700000000000000, head);
    assert_int_equal(lane_header_read(&header, head, &reason), 0);
    assert_int_equal(header.capture_us, INT32_MIN);
    frame_unref(frame);
}

/* A header after a good hello and tracks; what becomes of it. */
static int try_header(const struct lane_header *header, uint8_t reserved, size_t payload)
{
    uint8_t head[LANE_HEADER];
    struct writer writer;

    writer_init(&writer, FRAME_MAX_BYTES + 65536);
    put_hello(&writer);
    put_tracks(&writer);
    lane_header_write(header, head);
    head[3] = reserved;
    writer_put(&writer, head, sizeof(head));
    for (size_t i = 0; i < payload; i++)
        writer_uint(&writer, 0, 1);
    return feed_all(&writer);
}

static void a_header_that_breaks_the_rules_is_refused(void **state)
{
    static const struct lane_header bad[] = {
        {.type = 0},
        {.type = 5},
        {.type = 255},
        {.type = LANE_FRAME, .len = 0},
        {.type = LANE_FRAME, .len = UINT32_MAX},
        {.type = LANE_FRAME, .len = FRAME_MAX_BYTES + 1},
        {.type = LANE_FRAME, .flags = 8, .len = 8},
        {.type = LANE_FRAME, .flags = 0x80, .len = 8},
        {.type = LANE_FRAME, .flags = LANE_BEGINS_SEGMENT, .len = 16},
        {.type = LANE_FRAME, .flags = LANE_BEGINS_SEGMENT | LANE_KEY, .len = LANE_SEGMENT},
        {.type = LANE_FRAME, .len = 8, .dts_us = INT64_MAX},
        {.type = LANE_FRAME, .len = 8, .dts_us = INT64_MIN},
        {.type = LANE_TRACKS, .len = 65536},
        {.type = LANE_DROPS, .len = LANE_DROPS_MAX + 1},
        {.type = LANE_END, .len = 1},
        {.type = LANE_TRACKS, .flags = LANE_KEY | LANE_BEGINS_SEGMENT, .len = 0},
        {.type = LANE_DROPS, .flags = LANE_DISCARDABLE, .len = 0},
        {.type = LANE_END, .track = 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(try_header(&bad[i], 0, 0), -ERR_PROTOCOL);
    assert_int_equal(try_header(&(struct lane_header){.type = LANE_DROPS}, 1, 0), -ERR_PROTOCOL);
    assert_int_equal(try_header(&(struct lane_header){.type = LANE_DROPS}, 0, 0), 0);
}

static void a_frame_of_no_track_or_with_broken_units_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        try_header(&(struct lane_header){.type = LANE_FRAME, .track = 2, .len = 8}, 0, 8),
        -ERR_PROTOCOL);
    assert_int_equal(try_header(&(struct lane_header){.type = LANE_FRAME, .len = 8}, 0, 8),
                     -ERR_PROTOCOL); /* H.264 units of length 0 */
    assert_int_equal(
        try_header(&(struct lane_header){.type = LANE_FRAME, .track = 1, .len = 8}, 0, 8),
        0); /* G.711 has none */
}

static void a_frame_before_any_tracks_is_refused(void **state)
{
    struct writer writer;

    (void)state;
    writer_init(&writer, 4096);
    put_hello(&writer);
    put_frame(&writer, 0, 1);
    assert_int_equal(feed_all(&writer), -ERR_PROTOCOL);
}

static void segment_numbers_that_repeat_or_fall_are_refused(void **state)
{
    static const int64_t second[] = {41, 42, -1, INT64_MIN, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
        struct writer writer;
        uint8_t head[LANE_HEADER + LANE_SEGMENT];
        struct frame *frame = make_frame(0, 2000000, 1);

        frame->segment = second[i] == -1 ? 0 : second[i];
        writer_init(&writer, 4096);
        put_hello(&writer);
        put_tracks(&writer);
        put_frame(&writer, 1000000, 42);
        writer_put(&writer, head, lane_frame_head(frame, 0, head));
        writer_put(&writer, frame->buf->bytes, frame->buf->len);
        frame_unref(frame);
        assert_int_equal(feed_all(&writer), -ERR_PROTOCOL);
    }
}

static void a_frame_whose_dts_went_back_is_left_out(void **state)
{
    struct seen seen = {.answer = 0};
    struct writer writer;

    (void)state;
    writer_init(&writer, 4096);
    put_hello(&writer);
    put_tracks(&writer);
    put_frame(&writer, 1000000, 42);
    put_frame(&writer, 999999, SEGMENT_NONE);
    put_frame(&writer, 1000000, SEGMENT_NONE);
    assert_int_equal(feed(&seen, writer.bytes, writer.len, 5), 0);
    assert_string_equal(seen.order, "htff");
    frame_unref(seen.last);
    writer_fini(&writer);
}

static void a_hello_that_is_too_long_empty_or_garbage_is_refused(void **state)
{
    static const uint8_t longest[] = {0, 0, 0x10, 1}, most[] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t empty[4], garbage[] = {0, 0, 0, 2, 0x0a, 0x7f};
    struct seen seen = {.answer = 0};

    (void)state;
    assert_int_equal(feed(&seen, longest, 4, 1), -ERR_TOO_LONG);
    assert_int_equal(feed(&seen, most, 4, 4), -ERR_TOO_LONG);
    assert_int_equal(feed(&seen, empty, 4, 4), -ERR_PROTOCOL);
    assert_int_equal(feed(&seen, garbage, 6, 6), -ERR_PROTOCOL);
    assert_int_equal(seen.count, 0);
}

static void a_refused_hello_ends_the_lane_before_its_frames(void **state)
{
    struct seen seen = {.answer = -ERR_DENIED};
    struct writer writer;

    (void)state;
    put_lane(&writer);
    assert_int_equal(feed(&seen, writer.bytes, writer.len, writer.len), -ERR_DENIED);
    assert_string_equal(seen.order, "h");
    writer_fini(&writer);
}

static void bytes_after_the_end_are_refused(void **state)
{
    struct writer writer;

    (void)state;
    put_lane(&writer);
    writer_uint(&writer, 0, 1);
    assert_int_equal(feed_all(&writer), -ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_is_read_in_pieces_of_any_size),
        cmocka_unit_test(a_lane_cut_at_any_byte_gives_only_whole_things),
        cmocka_unit_test(a_frame_keeps_its_times_flags_and_segment),
        cmocka_unit_test(an_unknown_capture_time_stays_unknown),
        cmocka_unit_test(a_header_that_breaks_the_rules_is_refused),
        cmocka_unit_test(a_frame_of_no_track_or_with_broken_units_is_refused),
        cmocka_unit_test(a_frame_before_any_tracks_is_refused),
        cmocka_unit_test(segment_numbers_that_repeat_or_fall_are_refused),
        cmocka_unit_test(a_frame_whose_dts_went_back_is_left_out),
        cmocka_unit_test(a_hello_that_is_too_long_empty_or_garbage_is_refused),
        cmocka_unit_test(a_refused_hello_ends_the_lane_before_its_frames),
        cmocka_unit_test(bytes_after_the_end_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
