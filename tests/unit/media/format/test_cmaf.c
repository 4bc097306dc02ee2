/* CMAF parts: where they begin and end, and that any two servers make the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/writer.h"
#include "media/packager.h"

enum { PACKETS_MAX = 512, FRAME_US = 40000, SEGMENT_FRAMES = 50, AUDIO_TICKS = 1024 };

/* 640x360 baseline and AAC-LC at 48 kHz mono, as x264 and any encoder write them. */
static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5,
                              0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
                              0x03, 0x00, 0xc8, 0x3c, 0x58, 0xba, 0x80};
static const uint8_t pps[] = {0x68, 0xce, 0x0f, 0xc8};
static const uint8_t aac[] = {0x11, 0x88};
static const int64_t base_us = 1795463762215444; /* times are since 1970 */

struct collector {
    struct packager_sink sink; /* first */
    struct packet *packets[PACKETS_MAX];
    unsigned count;
};

static void collect(struct packager_sink *sink, struct packet *packet)
{
    struct collector *collector = (struct collector *)(void *)sink;

    assert_true(collector->count < PACKETS_MAX);
    collector->packets[collector->count++] = packet_ref(packet);
}

static struct packager *open_packager(struct collector *collector)
{
    struct packager *packager;

    *collector = (struct collector){.sink = {collect}};
    assert_int_equal(packager_cmaf.open(&packager, &collector->sink), 0);
    return packager;
}

static void close_packager(struct packager *packager, struct collector *collector)
{
    packager_cmaf.close(packager);
    for (unsigned i = 0; i < collector->count; i++)
        packet_unref(collector->packets[i]);
}

static struct tracks *make_tracks(unsigned count)
{
    struct tracks *tracks = tracks_new(count);
    struct writer config;

    assert_non_null(tracks);
    writer_init(&config, 256);
    writer_uint(&config, sizeof(sps), 4);
    writer_put(&config, sps, sizeof(sps));
    writer_uint(&config, sizeof(pps), 4);
    writer_put(&config, pps, sizeof(pps));
    tracks->generation = 1;
    tracks->track[0] =
        (struct track){.codec = CODEC_H264, .clock_rate = 90000, .width = 640, .height = 360};
    assert_int_equal(writer_to_buf(&config, &tracks->track[0].config), 0);
    writer_fini(&config);
    if (count > 1)
        tracks->track[1] = (struct track){.codec = CODEC_AAC,
                                          .clock_rate = 48000,
                                          .channels = 1,
                                          .config = buf_copy(aac, sizeof(aac))};
    return tracks;
}

static void push(struct packager *packager, const struct frame *like)
{
    static const uint8_t idr[] = {0, 0, 0, 4, 0x65, 1, 2, 3}, slice[] = {0, 0, 0, 3, 0x41, 9, 9};
    struct frame *frame =
        frame_new(like->is_key ? buf_copy(idr, sizeof(idr)) : buf_copy(slice, sizeof(slice)));

    assert_non_null(frame);
    frame->track = like->track;
    frame->is_key = like->is_key;
    frame->dts_us = like->dts_us;
    frame->pts_us = like->pts_us;
    frame->segment = like->segment;
    assert_int_equal(packager_cmaf.push(packager, frame), 0);
    frame_unref(frame);
}

/* Frames [first, end) of a stream with segments of two seconds, and its audio. */
static void push_stream(struct packager *packager, unsigned first, unsigned end)
{
    for (unsigned n = first; n < end; n++) {
        struct frame video = {.is_key = n % SEGMENT_FRAMES == 0,
                              .dts_us = base_us + (int64_t)n * FRAME_US,
                              .pts_us = base_us + (int64_t)n * FRAME_US,
                              .segment = SEGMENT_NONE};
        struct frame audio = {.track = 1, .is_key = true, .segment = SEGMENT_NONE};

        if (video.is_key)
            video.segment = 1000 + n / SEGMENT_FRAMES;
        push(packager, &video);
        for (int64_t k = (int64_t)n * FRAME_US * 48 / 1000 / AUDIO_TICKS;
             k * AUDIO_TICKS * 1000 / 48 < (int64_t)(n + 1) * FRAME_US; k++) {
            audio.dts_us = audio.pts_us = base_us + k * AUDIO_TICKS * 1000 / 48;
            push(packager, &audio);
        }
    }
}

static struct packet *find(const struct collector *collector, uint64_t segment, uint32_t part)
{
    for (unsigned i = 0; i < collector->count; i++) {
        struct packet *packet = collector->packets[i];

        if (!packet->is_init && packet->cmaf.segment == segment && packet->cmaf.part == part)
            return packet;
    }
    return NULL;
}

static void an_init_segment_comes_first_and_parts_of_200_ms_follow(void **state)
{
    struct collector collector;
    struct packager *packager = open_packager(&collector);
    struct tracks *tracks = make_tracks(2);

    (void)state;
    assert_int_equal(packager_cmaf.set_tracks(packager, tracks), 0);
    assert_int_equal(collector.count, 1);
    assert_true(collector.packets[0]->is_init);
    assert_memory_equal(collector.packets[0]->buf->bytes + 4, "ftyp", 4);
    push_stream(packager, 0, 101);
    assert_int_equal(collector.count, 1 + 20);
    for (unsigned i = 1; i < collector.count; i++) {
        const struct packet *part = collector.packets[i];

        assert_int_equal(part->cmaf.segment, 1000 + (i - 1) / 10);
        assert_int_equal(part->cmaf.part, (i - 1) % 10);
        assert_int_equal(part->cmaf.duration_us, 200000);
        assert_int_equal(part->cmaf.is_independent, part->cmaf.part == 0);
        assert_int_equal(part->cmaf.ends_segment, part->cmaf.part == 9);
        assert_memory_equal(part->buf->bytes + 4, "moof", 4);
    }
    close_packager(packager, &collector);
    tracks_unref(tracks);
}

static void a_server_that_began_later_makes_the_same_bytes(void **state)
{
    struct collector early, late;
    struct packager *first = open_packager(&early), *second = open_packager(&late);
    struct tracks *tracks = make_tracks(2);

    (void)state;
    assert_int_equal(packager_cmaf.set_tracks(first, tracks), 0);
    assert_int_equal(packager_cmaf.set_tracks(second, tracks), 0);
    push_stream(first, 0, 201);
    push_stream(second, 77, 201); /* in the middle of a segment: it waits for the next */
    assert_null(find(&late, 1001, 9));
    for (uint32_t part = 0; part < 10; part++) {
        const struct packet *one = find(&early, 1003, part), *other = find(&late, 1003, part);

        assert_non_null(one);
        assert_non_null(other);
        assert_int_equal(one->buf->len, other->buf->len);
        assert_memory_equal(one->buf->bytes, other->buf->bytes, one->buf->len);
    }
    close_packager(first, &early);
    close_packager(second, &late);
    tracks_unref(tracks);
}

static void jitter_of_a_few_milliseconds_moves_no_boundary(void **state)
{
    static const int64_t jitter_us[] = {0, 3000, -2000, 1, -1};
    struct collector collector;
    struct packager *packager = open_packager(&collector);
    struct tracks *tracks = make_tracks(1);

    (void)state;
    assert_int_equal(packager_cmaf.set_tracks(packager, tracks), 0);
    for (unsigned n = 0; n <= SEGMENT_FRAMES; n++) {
        struct frame frame = {.is_key = n % SEGMENT_FRAMES == 0,
                              .segment = n % SEGMENT_FRAMES ? SEGMENT_NONE : (int64_t)(7 + n)};

        frame.dts_us = frame.pts_us = base_us + (int64_t)n * FRAME_US + jitter_us[n % 5];
        push(packager, &frame);
    }
    assert_int_equal(collector.count, 1 + 10);
    close_packager(packager, &collector);
    tracks_unref(tracks);
}

static void what_cmaf_cannot_carry_is_left_out_or_refused(void **state)
{
    struct collector collector;
    struct packager *packager = open_packager(&collector);
    struct tracks *tracks = make_tracks(2);

    (void)state;
    tracks->track[1].codec = CODEC_PCMA;
    assert_int_equal(packager_cmaf.set_tracks(packager, tracks), 0);
    push_stream(packager, 0, 6);
    assert_int_equal(collector.count, 2);
    tracks->track[0].codec = CODEC_MJPEG;
    assert_int_equal(packager_cmaf.set_tracks(packager, tracks), -ERR_UNSUPPORTED);
    push_stream(packager, 0, 6);
    assert_int_equal(collector.count, 2);
    close_packager(packager, &collector);
    tracks_unref(tracks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_init_segment_comes_first_and_parts_of_200_ms_follow),
        cmocka_unit_test(a_server_that_began_later_makes_the_same_bytes),
        cmocka_unit_test(jitter_of_a_few_milliseconds_moves_no_boundary),
        cmocka_unit_test(what_cmaf_cannot_carry_is_left_out_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
