/* A key frame of an encoder's becomes a JPEG picture of the same size and colour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include "media/format/libav.h"
#include "media/format/still.h"

enum { WIDTH = 160, HEIGHT = 96, LUMA = 120, BLUE = 200, RED = 60, PICTURE_MAX = 256 * 1024 };

/* libx265 itself loses some of its parameters; nothing of ours is called like that. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}

/* A key frame as media/frame.h has it, and its track. */
struct shot {
    struct track track; /* owns its config */
    struct buf *frame;  /* owned */
};

static bool is_parameter_set(enum codec codec, uint8_t first)
{
    unsigned h264 = first & 0x1f, h265 = first >> 1 & 0x3f;

    return codec == CODEC_H264 ? h264 == 7 || h264 == 8 : h265 >= 32 && h265 <= 34;
}

static const uint8_t *find_start_code(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 3 && (at[0] || at[1] || at[2] != 1))
        at++;
    return end - at >= 3 ? at : end;
}

/* Keeps either the parameter sets or all else of a stream with start codes. */
static struct buf *keep_nals(enum codec codec, const AVPacket *packet, bool wants_sets)
{
    static uint8_t out[PICTURE_MAX];
    const uint8_t *end = packet->data + packet->size;
    const uint8_t *at = find_start_code(packet->data, end);
    size_t len = 0;

    while (at < end) {
        const uint8_t *nal = at + 3, *stop;
        size_t nal_len;

        at = find_start_code(nal, end);
        for (stop = at; at < end && stop > nal && !stop[-1];)
            stop--; /* the zeros belong to the next start code */
        nal_len = (size_t)(stop - nal);
        if (is_parameter_set(codec, *nal) != wants_sets)
            continue;
        assert_true(len + 4 + nal_len <= sizeof(out));
        out[len++] = (uint8_t)(nal_len >> 24);
        out[len++] = (uint8_t)(nal_len >> 16);
        out[len++] = (uint8_t)(nal_len >> 8);
        out[len++] = (uint8_t)nal_len;
        memcpy(out + len, nal, nal_len);
        len += nal_len;
    }
    return buf_copy(out, len);
}

static AVCodecContext *encoder_open(const char *name)
{
    AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder_by_name(name));

    assert_non_null(encoder);
    encoder->width = WIDTH;
    encoder->height = HEIGHT;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = (AVRational){1, 25};
    encoder->thread_count = 1;
    av_opt_set(encoder->priv_data, "tune", "zerolatency", 0);
    av_opt_set(encoder->priv_data, "x265-params", "log-level=none:pools=none:frame-threads=1", 0);
    assert_int_equal(avcodec_open2(encoder, NULL, NULL), 0);
    return encoder;
}

static AVFrame *plain_picture(void)
{
    static const int values[3] = {LUMA, BLUE, RED};
    AVFrame *picture = av_frame_alloc();

    assert_non_null(picture);
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = WIDTH;
    picture->height = HEIGHT;
    assert_int_equal(av_frame_get_buffer(picture, 0), 0);
    for (int i = 0; i < 3; i++)
        memset(picture->data[i], values[i],
               (size_t)picture->linesize[i] * (size_t)(i ? HEIGHT / 2 : HEIGHT));
    return picture;
}

static struct shot shot_take(enum codec codec)
{
    AVCodecContext *encoder = encoder_open(codec == CODEC_H264 ? "libx264" : "libx265");
    AVFrame *picture = plain_picture();
    AVPacket *packet = av_packet_alloc();
    struct shot shot = {.track = {.codec = codec, .clock_rate = 90000}};

    picture->pts = 0;
    assert_int_equal(avcodec_send_frame(encoder, picture), 0);
    assert_int_equal(avcodec_send_frame(encoder, NULL), 0);
    assert_int_equal(avcodec_receive_packet(encoder, packet), 0);
    shot.track.config = keep_nals(codec, packet, true);
    shot.frame = keep_nals(codec, packet, false);
    assert_non_null(shot.track.config);
    assert_non_null(shot.frame);
    av_packet_free(&packet);
    av_frame_free(&picture);
    avcodec_free_context(&encoder);
    return shot;
}

static void shot_drop(struct shot *shot)
{
    buf_unref(shot->track.config);
    buf_unref(shot->frame);
}

static void assert_about(int value, int want)
{
    assert_in_range(value, want - 4, want + 4);
}

/* JPEG has the full range of values, where video has 16 to 235 and 240. */
static void assert_is_the_picture(const struct buf *jpeg)
{
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = av_frame_alloc();

    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    assert_int_equal(av_new_packet(packet, (int)jpeg->len), 0);
    memcpy(packet->data, jpeg->bytes, jpeg->len);
    assert_int_equal(avcodec_send_packet(decoder, packet), 0);
    assert_int_equal(avcodec_receive_frame(decoder, picture), 0);
    assert_int_equal(picture->width, WIDTH);
    assert_int_equal(picture->height, HEIGHT);
    assert_about(picture->data[0][WIDTH / 2], (LUMA - 16) * 255 / 219);
    assert_about(picture->data[1][WIDTH / 4], 128 + (BLUE - 128) * 255 / 224);
    assert_about(picture->data[2][WIDTH / 4], 128 + (RED - 128) * 255 / 224);
    av_frame_free(&picture);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
}

static void a_key_frame_becomes_a_jpeg_picture(void **state)
{
    static const enum codec codecs[] = {CODEC_H264, CODEC_H265};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct shot shot = shot_take(codecs[i]);
        struct buf *jpeg = NULL;

        assert_int_equal(still_make(&jpeg, &shot.track, shot.frame), 0);
        assert_is_the_picture(jpeg);
        buf_unref(jpeg);
        shot_drop(&shot);
    }
}

static void a_jpeg_picture_stays_the_same(void **state)
{
    const struct track track = {.codec = CODEC_MJPEG};
    struct buf *frame = buf_copy("\xff\xd8\xff\xd9", 4), *jpeg = NULL;

    (void)state;
    assert_int_equal(still_make(&jpeg, &track, frame), 0);
    assert_ptr_equal(jpeg, frame);
    buf_unref(jpeg);
    buf_unref(frame);
}

static void what_is_no_picture_is_unsupported(void **state)
{
    const struct track track = {.codec = CODEC_AAC};
    struct buf *frame = buf_copy("aac", 3), *jpeg = NULL;

    (void)state;
    assert_int_equal(still_make(&jpeg, &track, frame), -ERR_UNSUPPORTED);
    assert_null(jpeg);
    buf_unref(frame);
}

/* An error, or the part of a picture that is there: never more than that. */
static void try_frame(const struct track *track, const uint8_t *bytes, size_t len)
{
    struct buf *frame = buf_copy(bytes, len), *jpeg = NULL;
    int err;

    assert_non_null(frame);
    err = still_make(&jpeg, track, frame);
    assert_true(err == 0 ? jpeg != NULL : err == -ERR_PROTOCOL && !jpeg);
    buf_unref(jpeg);
    buf_unref(frame);
}

static void a_frame_cut_short_at_any_byte_is_survived(void **state)
{
    struct shot shot = shot_take(CODEC_H264);

    (void)state;
    for (size_t len = 0; len < shot.frame->len; len++)
        try_frame(&shot.track, shot.frame->bytes, len);
    shot_drop(&shot);
}

static void without_parameter_sets_there_is_no_picture(void **state)
{
    struct shot shot = shot_take(CODEC_H264);
    struct buf *jpeg = NULL;

    (void)state;
    buf_unref(shot.track.config);
    shot.track.config = NULL;
    assert_int_equal(still_make(&jpeg, &shot.track, shot.frame), -ERR_PROTOCOL);
    assert_null(jpeg);
    shot_drop(&shot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_frame_becomes_a_jpeg_picture),
        cmocka_unit_test(a_jpeg_picture_stays_the_same),
        cmocka_unit_test(what_is_no_picture_is_unsupported),
        cmocka_unit_test(a_frame_cut_short_at_any_byte_is_survived),
        cmocka_unit_test(without_parameter_sets_there_is_no_picture),
    };

    libav_be_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
