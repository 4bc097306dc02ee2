/* packager_flv: the bytes of headers and frames, and which packets viewers can begin with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/list.h"
#include "media/format/flv.h"
#include "media/packager.h"
#include "rtmp/chunk.h"

enum { VIDEO = 0, AUDIO = 1, KEPT = 8 };

#define SECOND 1000000LL

/* A time on the wall clock that is 5 s past a multiple of 2^24 ms. */
#define START (107000LL * (1 << 24) * 1000 + 5 * SECOND)

static const uint8_t h264_sets[] = {0,    0,    0,    12,   0x67, 0x42, 0xc0, 0x1e,
                                    0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8, 0x80, 0,
                                    0,    0,    0,    4,    0x68, 0xce, 0x3c, 0x80};

struct scene {
    struct packager_sink sink;
    struct packager *packager;
    struct tracks *tracks;
    struct packet *packet[KEPT]; /* owned references */
    unsigned count;
};

static void on_packet(struct packager_sink *sink, struct packet *packet)
{
    struct scene *scene = list_entry(sink, struct scene, sink);

    assert_true(scene->count < KEPT);
    scene->packet[scene->count++] = packet_ref(packet);
}

static int set_up(void **state)
{
    static struct scene scene;

    scene = (struct scene){.sink = {on_packet}, .tracks = tracks_new(2)};
    assert_non_null(scene.tracks);
    scene.tracks->track[VIDEO] = (struct track){.codec = CODEC_H264, .clock_rate = 90000};
    scene.tracks->track[VIDEO].config = buf_copy(h264_sets, sizeof(h264_sets));
    scene.tracks->track[AUDIO] =
        (struct track){.codec = CODEC_AAC, .clock_rate = 48000, .channels = 2};
    scene.tracks->track[AUDIO].config = buf_copy("\x11\x90", 2);
    *state = &scene;
    return packager_flv.open(&scene.packager, &scene.sink);
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    packager_flv.close(scene->packager);
    for (unsigned i = 0; i < scene->count; i++)
        packet_unref(scene->packet[i]);
    tracks_unref(scene->tracks);
    return 0;
}

static void set_tracks(struct scene *scene)
{
    assert_int_equal(packager_flv.set_tracks(scene->packager, scene->tracks), 0);
}

static struct packet *push(struct scene *scene, unsigned track, bool is_key, int64_t dts_us)
{
    struct frame *frame = frame_new(buf_copy("\0\0\0\2\x65\x88", 6));
    unsigned before = scene->count;

    assert_non_null(frame);
    frame->track = (uint8_t)track;
    frame->is_key = is_key;
    frame->dts_us = dts_us;
    frame->pts_us = dts_us + (track == VIDEO ? 80000 : 0);
    assert_int_equal(packager_flv.push(scene->packager, frame), 0);
    frame_unref(frame);
    return scene->count > before ? scene->packet[scene->count - 1] : NULL;
}

static void assert_bytes(const struct packet *packet, const void *bytes, size_t len)
{
    assert_non_null(packet);
    assert_int_equal(packet->buf->len, len);
    assert_memory_equal(packet->buf->bytes, bytes, len);
}

static void headers_come_first_with_a_span_a_track(void **state)
{
    static const uint8_t aac[] = {4, 0, 0, 0, 0, 0, 4, 8, 1, 0, 0, 0, 0xaf, 0, 0x11, 0x90};
    struct scene *scene = *state;
    struct packet *packet;
    const uint8_t *video;

    set_tracks(scene);
    packet = scene->packet[0];
    assert_true(packet->is_init && !packet->is_key);
    assert_int_equal(packet->kind, PACKET_FLV);
    assert_int_equal(packet->span_count, 2);
    video = packet->buf->bytes + packet->span[VIDEO].offset;
    assert_memory_equal(video, "\6\0\0\0", 4);
    assert_int_equal(video[7], RTMP_VIDEO);
    assert_memory_equal(video + 12, "\x17\0\0\0\0\1\x42\xc0\x1e\xff", 10);
    assert_int_equal(packet->span[AUDIO].len, sizeof(aac));
    assert_memory_equal(packet->buf->bytes + packet->span[AUDIO].offset, aac, sizeof(aac));
}

static void a_frame_is_one_chunk_with_its_time(void **state)
{
    static const uint8_t key[] = {6,    0, 0x13, 0x88, 0,  0, 11, 9, 1, 0,    0,   0,
                                  0x17, 1, 0,    0,    80, 0, 0,  0, 2, 0x65, 0x88};
    static const uint8_t sound[] = {4, 0, 0x13, 0x9c, 0, 0, 8, 8, 1,    0,
                                    0, 0, 0xaf, 1,    0, 0, 0, 2, 0x65, 0x88};
    struct scene *scene = *state;
    struct packet *packet;

    set_tracks(scene);
    packet = push(scene, VIDEO, true, START);
    assert_bytes(packet, key, sizeof(key));
    assert_true(packet->is_key && !packet->can_wait);
    assert_ptr_equal(packet->tracks, scene->tracks);
    assert_int_equal(packet->rtp_time, 5000);
    packet = push(scene, AUDIO, true, START + 20000);
    assert_bytes(packet, sound, sizeof(sound));
    assert_true(!packet->is_key && packet->can_wait);
    packet = push(scene, VIDEO, false, START + 40000);
    assert_int_equal(packet->buf->bytes[12], 0x27);
    assert_false(packet->is_key);
}

static void h265_and_opus_go_by_fourcc(void **state)
{
    struct flv_prefix prefix;
    struct track hevc = {.codec = CODEC_H265}, opus = {.codec = CODEC_OPUS, .channels = 1};
    struct writer out;

    (void)state;
    prefix = flv_frame_prefix(&hevc, true, 0x010203);
    assert_int_equal(prefix.len, 8);
    assert_memory_equal(prefix.bytes, "\x91hvc1\1\2\3", 8);
    assert_int_equal(flv_frame_prefix(&hevc, false, -1).bytes[0], 0xa1);
    assert_memory_equal(flv_frame_prefix(&hevc, false, -1).bytes + 5, "\xff\xff\xff", 3);
    prefix = flv_frame_prefix(&opus, true, 0);
    assert_int_equal(prefix.len, 5);
    assert_memory_equal(prefix.bytes, "\x91Opus", 5);
    writer_init(&out, 100);
    flv_write_sequence_header(&out, &opus);
    assert_int_equal(out.len, 5 + 19);
    assert_memory_equal(out.bytes, "\x90OpusOpusHead\1\1\0\0\x80\xbb\0\0\0\0\0", 24);
    writer_fini(&out);
    assert_true(flv_is_enhanced(CODEC_H265) && flv_is_enhanced(CODEC_OPUS));
    assert_int_equal(flv_codec_id(CODEC_H265), 0x68766331);
}

static void mp3_says_its_rate(void **state)
{
    static const struct {
        uint32_t rate;
        uint8_t channels, head;
    } rows[] = {{44100, 2, 0x2f}, {48000, 1, 0x2e}, {22050, 1, 0x2a},
                {24000, 2, 0x2b}, {11025, 1, 0x26}, {8000, 1, 0xe2}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct track track = {CODEC_MP3, .clock_rate = rows[i].rate, .channels = rows[i].channels};

        assert_int_equal(flv_frame_prefix(&track, true, 0).len, 1);
        assert_int_equal(flv_frame_prefix(&track, true, 0).bytes[0], rows[i].head);
    }
}

static void a_large_frame_is_cut_at_the_chunk_size(void **state)
{
    struct scene *scene = *state;
    struct frame *frame = frame_new(buf_new(RTMP_CHUNK_BYTES + 100));
    struct packet *packet;

    assert_non_null(frame);
    memset(frame->buf->bytes, 7, frame->buf->len);
    frame->dts_us = frame->pts_us = START + 0xffffff * 1000LL;
    set_tracks(scene);
    assert_non_null(push(scene, VIDEO, true, START));
    assert_int_equal(packager_flv.push(scene->packager, frame), 0);
    packet = scene->packet[scene->count - 1];
    /* The time needs its extended field, in each chunk. */
    assert_int_equal(packet->buf->len, 16 + 5 + RTMP_CHUNK_BYTES + 100 + 5);
    assert_memory_equal(packet->buf->bytes, "\6\xff\xff\xff", 4);
    assert_memory_equal(packet->buf->bytes + 16 + RTMP_CHUNK_BYTES, "\xc6\1\0\x13\x87\7", 6);
    frame_unref(frame);
}

static void time_goes_on_in_the_next_packager(void **state)
{
    struct scene *scene = *state;

    set_tracks(scene);
    assert_int_equal(push(scene, VIDEO, true, START)->rtp_time, 5000);
    packager_flv.close(scene->packager);
    assert_int_equal(packager_flv.open(&scene->packager, &scene->sink), 0);
    set_tracks(scene);
    assert_int_equal(push(scene, VIDEO, true, START + 60 * SECOND)->rtp_time, 65000);
}

static void what_flv_has_no_name_for_is_left_out(void **state)
{
    struct scene *scene = *state;

    scene->tracks->track[AUDIO].codec = CODEC_PCMU;
    set_tracks(scene);
    assert_int_equal(scene->packet[0]->span[AUDIO].len, 0);
    assert_null(push(scene, AUDIO, true, START));
    assert_non_null(push(scene, VIDEO, true, START));
    scene->tracks->track[VIDEO].codec = CODEC_MJPEG;
    assert_int_equal(packager_flv.set_tracks(scene->packager, scene->tracks), -ERR_UNSUPPORTED);
}

static void without_a_picture_each_sound_is_a_beginning(void **state)
{
    struct scene *scene = *state;
    struct packet *packet;

    buf_unref(scene->tracks->track[VIDEO].config);
    scene->tracks->track[VIDEO].config = NULL; /* not known yet */
    set_tracks(scene);
    assert_null(push(scene, VIDEO, true, START));
    packet = push(scene, AUDIO, true, START);
    assert_true(packet->is_key && !packet->can_wait);
}

static void before_tracks_nothing_comes(void **state)
{
    struct scene *scene = *state;

    assert_null(push(scene, VIDEO, true, START));
    packager_flv.close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(headers_come_first_with_a_span_a_track),
        TEST(a_frame_is_one_chunk_with_its_time),
        cmocka_unit_test(h265_and_opus_go_by_fourcc),
        cmocka_unit_test(mp3_says_its_rate),
        TEST(a_large_frame_is_cut_at_the_chunk_size),
        TEST(time_goes_on_in_the_next_packager),
        TEST(what_flv_has_no_name_for_is_left_out),
        TEST(without_a_picture_each_sound_is_a_beginning),
        TEST(before_tracks_nothing_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
