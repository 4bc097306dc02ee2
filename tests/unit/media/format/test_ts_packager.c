/* MPEG-TS: what TR 101 290 asks, where viewers can start, and segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/writer.h"
#include "media/packager.h"
#include "tests/unit/media/format/ts_check.h"

enum { PACKETS_MAX = 1024, FRAME_US = 40000, SEGMENT_FRAMES = 50, KEY_BYTES = 60000 };

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

static struct buf *parameter_sets(void)
{
    struct writer config;
    struct buf *buf;

    writer_init(&config, 256);
    writer_uint(&config, sizeof(sps), 4);
    writer_put(&config, sps, sizeof(sps));
    writer_uint(&config, sizeof(pps), 4);
    writer_put(&config, pps, sizeof(pps));
    assert_int_equal(writer_to_buf(&config, &buf), 0);
    writer_fini(&config);
    return buf;
}

/* audio: CODEC_NONE for a stream without. */
static struct tracks *make_tracks(enum codec video, enum codec audio)
{
    struct tracks *tracks = tracks_new(audio ? 2 : 1);

    assert_non_null(tracks);
    tracks->generation = 1;
    tracks->track[0] = (struct track){.codec = video,
                                      .clock_rate = 90000,
                                      .width = 640,
                                      .height = 360,
                                      .config = parameter_sets()};
    if (audio)
        tracks->track[1] =
            (struct track){.codec = audio,
                           .clock_rate = 48000,
                           .channels = 1,
                           .config = audio == CODEC_AAC ? buf_copy(aac, sizeof(aac)) : NULL};
    return tracks;
}

static struct packager *open_packager(const struct packager_kind *kind, struct collector *collector,
                                      struct tracks *tracks)
{
    struct packager *packager;

    *collector = (struct collector){.sink = {collect}};
    assert_int_equal(kind->open(&packager, &collector->sink), 0);
    assert_int_equal(kind->set_tracks(packager, tracks), 0);
    tracks_unref(tracks);
    return packager;
}

static void close_packager(const struct packager_kind *kind, struct packager *packager,
                           struct collector *collector)
{
    kind->close(packager);
    for (unsigned i = 0; i < collector->count; i++)
        packet_unref(collector->packets[i]);
}

static struct buf *picture(bool is_key)
{
    uint32_t len = is_key ? KEY_BYTES : 2500;
    struct buf *buf = buf_new(4 + len);

    assert_non_null(buf);
    memset(buf->bytes, 0x5a, 4 + len);
    for (unsigned i = 0; i < 4; i++)
        buf->bytes[i] = (uint8_t)(len >> (24 - 8 * i));
    buf->bytes[4] = is_key ? 0x65 : 0x41;
    return buf;
}

static void push(const struct packager_kind *kind, struct packager *packager,
                 const struct frame *like)
{
    static const uint8_t sound[170] = {0x21, 0x10, 0x04};
    struct frame *frame =
        frame_new(like->track ? buf_copy(sound, sizeof(sound)) : picture(like->is_key));

    assert_non_null(frame);
    frame->track = like->track;
    frame->is_key = like->is_key;
    frame->dts_us = frame->pts_us = like->dts_us;
    frame->segment = like->segment;
    assert_int_equal(kind->push(packager, frame), 0);
    frame_unref(frame);
}

/* Frames of a stream with segments of two seconds, and its audio. */
static void push_stream(const struct packager_kind *kind, struct packager *packager, unsigned end)
{
    for (int64_t n = 0, k = 0; n < end; n++) {
        struct frame video = {.is_key = n % SEGMENT_FRAMES == 0,
                              .dts_us = base_us + n * FRAME_US,
                              .segment = SEGMENT_NONE};

        if (video.is_key)
            video.segment = 1000 + n / SEGMENT_FRAMES;
        push(kind, packager, &video);
        for (; k * 64000 / 3 < (n + 1) * FRAME_US; k++)
            push(kind, packager,
                 &(struct frame){.track = 1,
                                 .is_key = true,
                                 .dts_us = base_us + k * 64000 / 3,
                                 .segment = SEGMENT_NONE});
    }
}

static void check_all(struct ts_check *check, const struct collector *collector)
{
    memset(check, 0, sizeof(*check));
    for (unsigned i = 0; i < collector->count; i++)
        ts_check_push(check, collector->packets[i]->buf->bytes, collector->packets[i]->buf->len);
}

static void tr_101_290_finds_nothing(void **state)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    struct ts_check *check = calloc(1, sizeof(*check));
    struct packager *packager;

    (void)state;
    assert_true(collector && check);
    packager = open_packager(&packager_ts, collector, make_tracks(CODEC_H264, CODEC_AAC));
    push_stream(&packager_ts, packager, 250);
    check_all(check, collector);
    assert_int_equal(check->sync_errors, 0);
    assert_int_equal(check->errors, 0);
    assert_int_equal(check->crc_errors, 0);
    assert_int_equal(check->continuity_errors, 0);
    assert_in_range(check->max_pat, 1, 100 * TS_CLOCK_PER_MS);
    assert_in_range(check->max_pmt, 1, 100 * TS_CLOCK_PER_MS);
    assert_int_equal(check->pcrs, 250);
    /* A tick of the 90 kHz clock that times are rounded to: 11 µs, in both of its ends. */
    assert_in_range(check->max_pcr, 1, 40 * TS_CLOCK_PER_MS + 300);
    assert_in_range(check->clock - check->first_clock, 249LL * 40 * TS_CLOCK_PER_MS - 300,
                    249LL * 40 * TS_CLOCK_PER_MS + 300);
    assert_int_equal(check->late, 0);
    assert_in_range(check->max_pts[0x100], 1, 700 * 90);
    assert_in_range(check->max_pts[0x101], 1, 700 * 90);
    close_packager(&packager_ts, packager, collector);
    free(check);
    free(collector);
}

static void a_viewer_starts_where_the_tables_and_parameter_sets_are(void **state)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    struct packager *packager;
    unsigned keys = 0;

    (void)state;
    assert_non_null(collector);
    packager = open_packager(&packager_ts, collector, make_tracks(CODEC_H264, CODEC_AAC));
    push_stream(&packager_ts, packager, 101);
    for (unsigned i = 0; i < collector->count; i++) {
        const struct packet *packet = collector->packets[i];
        const struct buf *buf = packet->buf;
        unsigned tables = 0;

        assert_int_equal(buf->len % TS_CHECK_BYTES, 0);
        if (!packet->is_key)
            continue;
        keys++;
        while (((buf->bytes[tables * 188 + 1] & 0x1f) << 8) == 0)
            tables++; /* SDT, PAT; what follows is the PMT, and then the picture */
        assert_in_range(tables, 1, 2);
        assert_non_null(memmem(buf->bytes, 188 * 5, "\0\0\0\1\x09\xf0\0\0\0\1", 10));
        assert_non_null(memmem(buf->bytes, 188 * 5, sps, sizeof(sps)));
    }
    assert_int_equal(keys, 3);
    close_packager(&packager_ts, packager, collector);
    free(collector);
}

static void what_can_not_be_carried_is_left_out(void **state)
{
    static const enum codec audio[] = {CODEC_PCMA, CODEC_PCMU, CODEC_L16, CODEC_NONE};
    struct tracks *tracks;
    struct collector collector = {.sink = {collect}};
    struct packager *packager;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        packager = open_packager(&packager_ts, &collector, make_tracks(CODEC_H264, audio[i]));
        push_stream(&packager_ts, packager, 10);
        assert_int_equal(collector.count, 10);
        close_packager(&packager_ts, packager, &collector);
    }
    collector = (struct collector){.sink = {collect}};
    tracks = make_tracks(CODEC_MJPEG, CODEC_PCMU);
    assert_int_equal(packager_ts.open(&packager, &collector.sink), 0);
    assert_int_equal(packager_ts.set_tracks(packager, tracks), -ERR_UNSUPPORTED);
    tracks_unref(tracks);
    packager_ts.close(packager);
}

static void other_codecs_are_carried(void **state)
{
    static const enum codec audio[] = {CODEC_MP3, CODEC_OPUS};
    struct collector *collector = calloc(1, sizeof(*collector));
    struct ts_check *check = calloc(1, sizeof(*check));

    (void)state;
    assert_true(collector && check);
    for (unsigned i = 0; i < 2; i++) {
        struct packager *packager =
            open_packager(&packager_ts, collector, make_tracks(CODEC_H265, audio[i]));

        push_stream(&packager_ts, packager, 60);
        check_all(check, collector);
        assert_int_equal(check->continuity_errors, 0);
        assert_true(check->pts[0x100] && check->pts[0x101]);
        close_packager(&packager_ts, packager, collector);
    }
    free(check);
    free(collector);
}

static void a_segment_is_one_packet_that_stands_alone(void **state)
{
    struct collector collector;
    struct packager *packager =
        open_packager(&packager_ts_segment, &collector, make_tracks(CODEC_H264, CODEC_AAC));

    (void)state;
    push_stream(&packager_ts_segment, packager, 151);
    assert_int_equal(collector.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct packet *packet = collector.packets[i];
        struct ts_check *check = calloc(1, sizeof(*check));

        assert_non_null(check);
        assert_int_equal(packet->kind, PACKET_TS_SEGMENT);
        assert_int_equal(packet->cmaf.segment, 1000 + i);
        assert_int_equal(packet->cmaf.part, 0);
        assert_int_equal(packet->cmaf.duration_us, 2000000);
        assert_true(packet->is_key && packet->cmaf.ends_segment);
        ts_check_push(check, packet->buf->bytes, packet->buf->len);
        assert_int_equal(check->pcrs, 50);
        assert_int_equal(check->sync_errors + check->continuity_errors, 0);
        assert_true(check->pats && check->pmts);
        free(check);
    }
    close_packager(&packager_ts_segment, packager, &collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tr_101_290_finds_nothing),
        cmocka_unit_test(a_viewer_starts_where_the_tables_and_parameter_sets_are),
        cmocka_unit_test(what_can_not_be_carried_is_left_out),
        cmocka_unit_test(other_codecs_are_carried),
        cmocka_unit_test(a_segment_is_one_packet_that_stands_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
