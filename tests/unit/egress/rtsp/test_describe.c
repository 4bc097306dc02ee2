/* Tracks as SDP: what is written is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "egress/rtsp/describe.h"
#include "rtsp/sdp.h"

static struct sdp sdp;
static char text[64 * 1024];

/* Describes and reads it back. */
static void describe(const struct tracks *tracks)
{
    struct writer out;

    writer_init(&out, sizeof(text) - 1);
    describe_write(&out, tracks, "door", "192.0.2.1");
    assert_int_equal(out.err, 0);
    memcpy(text, out.bytes, out.len);
    text[out.len] = '\0';
    writer_fini(&out);
    assert_int_equal(sdp_parse(&sdp, text, strlen(text)), 0);
}

/* One track of that codec, described. */
static void describe_one(enum codec codec, const void *config, size_t config_len)
{
    struct tracks *tracks = tracks_new(1);

    assert_non_null(tracks);
    tracks->track[0] = (struct track){.codec = codec, .clock_rate = 8000, .channels = 1};
    if (config)
        tracks->track[0].config = buf_copy(config, config_len);
    describe(tracks);
    tracks_unref(tracks);
}

static void h264_names_its_profile_and_its_sets_in_base64(void **state)
{
    /* Lengths that leave 0, 1 and 2 bytes over; an SEI between that is not told. */
    static const uint8_t config[] = {0,    0,    0, 6, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0,
                                     0,    0,    2, 6, 1,    0,    0,    0,    4,    0x68, 0xeb,
                                     0xe3, 0xcb, 0, 0, 0,    5,    0x68, 1,    2,    3,    4};

    (void)state;
    describe_one(CODEC_H264, config, sizeof(config));
    assert_string_equal(sdp.media[0].kind, "video");
    assert_string_equal(sdp.media[0].encoding, "H264");
    assert_int_equal(sdp.media[0].clock_rate, 90000);
    assert_string_equal(sdp.media[0].fmtp, "packetization-mode=1;profile-level-id=64001F;"
                                           "sprop-parameter-sets=Z2QAH6zZ,aOvjyw==,aAECAwQ=");
}

static void h265_names_each_kind_of_sets(void **state)
{
    static const uint8_t config[] = {0,    0, 0, 3, 0x40, 1, 1, 0,    0, 0, 3,
                                     0x42, 1, 2, 0, 0,    0, 3, 0x44, 1, 3};

    (void)state;
    describe_one(CODEC_H265, config, sizeof(config));
    assert_string_equal(sdp.media[0].encoding, "H265");
    assert_string_equal(sdp.media[0].fmtp, "sprop-vps=QAEB;sprop-sps=QgEC;sprop-pps=RAED");
}

static void audio_says_what_its_decoder_needs(void **state)
{
    (void)state;
    describe_one(CODEC_AAC, "\x14\x08", 2);
    assert_string_equal(sdp.media[0].kind, "audio");
    assert_non_null(strstr(sdp.media[0].fmtp, "mode=AAC-hbr"));
    assert_non_null(strstr(sdp.media[0].fmtp, ";config=1408"));
    describe_one(CODEC_OPUS, NULL, 0);
    assert_int_equal(sdp.media[0].clock_rate, 48000);
    assert_int_equal(sdp.media[0].channels, 2);
    assert_string_equal(sdp.media[0].fmtp, "sprop-stereo=0");
    describe_one(CODEC_PCMA, NULL, 0);
    assert_int_equal(sdp.media[0].clock_rate, 8000);
    assert_string_equal(sdp.media[0].fmtp, "");
}

static void sets_that_are_not_known_or_broken_are_left_out(void **state)
{
    static const uint8_t no_sps[] = {0, 0, 0, 2, 0x68, 1}, too_long[] = {0, 0, 0, 9, 0x67, 1, 2, 3};

    (void)state;
    describe_one(CODEC_H264, NULL, 0);
    assert_string_equal(sdp.media[0].fmtp, "");
    describe_one(CODEC_H264, no_sps, sizeof(no_sps));
    assert_string_equal(sdp.media[0].fmtp, "packetization-mode=1");
    describe_one(CODEC_H264, too_long, sizeof(too_long));
    assert_string_equal(sdp.media[0].fmtp, "packetization-mode=1");
}

/* Cut in the middle a set would be a wrong one: players take them from the stream instead. */
static void sets_too_long_for_a_line_are_left_out_whole(void **state)
{
    uint8_t config[4 + 5000] = {0, 0, 5000 >> 8, 5000 & 255, 0x67, 0x64, 0, 0x1f};

    (void)state;
    describe_one(CODEC_H264, config, sizeof(config));
    assert_int_equal(sdp.media_count, 1);
    assert_string_equal(sdp.media[0].fmtp, "");
}

static void a_track_without_a_codec_is_left_out_and_the_others_keep_their_names(void **state)
{
    struct tracks *tracks = tracks_new(3);

    (void)state;
    assert_non_null(tracks);
    tracks->generation = 77;
    tracks->track[0] = (struct track){.codec = CODEC_NONE};
    tracks->track[1] = (struct track){.codec = CODEC_PCMU, .clock_rate = 8000, .channels = 1};
    tracks->track[2] = (struct track){.codec = CODEC_MJPEG, .clock_rate = 90000};
    describe(tracks);
    tracks_unref(tracks);
    assert_int_equal(sdp.media_count, 2);
    assert_string_equal(sdp.control, "*");
    assert_string_equal(sdp.media[0].control, "trackID=1");
    assert_string_equal(sdp.media[1].control, "trackID=2");
    assert_string_equal(sdp.media[1].encoding, "JPEG");
    assert_int_not_equal(sdp.media[0].payload_type, sdp.media[1].payload_type);
    assert_non_null(strstr(text, "192.0.2.1"));
    assert_non_null(strstr(text, "s=door\r\n"));
    assert_non_null(strstr(text, " 77 "));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_names_its_profile_and_its_sets_in_base64),
        cmocka_unit_test(h265_names_each_kind_of_sets),
        cmocka_unit_test(audio_says_what_its_decoder_needs),
        cmocka_unit_test(sets_that_are_not_known_or_broken_are_left_out),
        cmocka_unit_test(sets_too_long_for_a_line_are_left_out_whole),
        cmocka_unit_test(a_track_without_a_codec_is_left_out_and_the_others_keep_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
