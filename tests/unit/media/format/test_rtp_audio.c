/* The audio depacketisers: AAC in RFC 3640 and LATM, G.711, L16, Opus, MP3. */
#include "units.h"

#define HBR "mode=AAC-hbr; SizeLength=13; IndexLength=3; IndexDeltaLength=3; config=1210"

static struct units units;

static void open_with(const char *encoding, uint32_t clock_rate, uint8_t channels, const char *fmtp)
{
    struct rtp_format format = {
        .encoding = encoding, .clock_rate = clock_rate, .channels = channels, .fmtp = fmtp};

    assert_int_equal(units_try_open(&units, format), 0);
}

static void several_aus_in_a_packet_follow_each_other(void **state)
{
    (void)state;
    open_with("mpeg4-generic", 44100, 2, HBR);
    assert_int_equal(units.track_count, 1);
    assert_int_equal(units.track.channels, 2);
    assert_int_equal(units.config_len, 2);
    assert_int_equal(PUSH(&units, MARKER, 0, 32, 0, 16, 0, 24, 1, 2, 3, 4, 5), 0);
    assert_int_equal(units.count, 2);
    assert_int_equal(units.unit[0].timestamp, 1000);
    assert_int_equal(units.unit[0].duration, 1024);
    assert_int_equal(units.unit[1].timestamp, 2024);
    ASSERT_LAST(&units, 3, 4, 5);
    units_close(&units);
}

static void an_au_over_packets_survives_only_whole(void **state)
{
    (void)state;
    open_with("mpeg4-generic", 44100, 2, HBR);
    assert_int_equal(PUSH(&units, PLAIN, 0, 16, 0, 40, 1, 2), 0);
    assert_int_equal(PUSH(&units, MARKER, 0, 16, 0, 40, 3, 4, 5), 0);
    ASSERT_LAST(&units, 1, 2, 3, 4, 5);
    assert_int_equal(PUSH(&units, NEXT, 0, 16, 0, 40, 1, 2), 0);
    assert_int_equal(PUSH(&units, AFTER_LOSS | MARKER, 0, 16, 0, 40, 5), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0, 16, 0, 40, 5), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0, 16, 0, 16, 8, 9), 0);
    ASSERT_LAST(&units, 8, 9);
    assert_int_equal(units.count, 2);
    units_close(&units);
}

static void T3_au_headers_that_lie_are_refused(void **state)
{
    static const uint8_t good[] = {0, 32, 0, 16, 0, 24, 1, 2, 3, 4, 5};

    (void)state;
    open_with("mpeg4-generic", 44100, 2, HBR);
    assert_int_equal(PUSH(&units, MARKER, 0xff, 0xff, 0, 16), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, MARKER, 0, 0, 1, 2), -ERR_PROTOCOL);     /* no AU */
    assert_int_equal(PUSH(&units, MARKER, 0, 16, 0, 0, 1), -ERR_PROTOCOL); /* an empty one */
    assert_int_equal(PUSH(&units, MARKER, 0, 32, 0, 8, 0xff, 0xf8, 1, 2), -ERR_PROTOCOL);
    assert_int_equal(units.count, 1); /* the first of those two was whole */
    for (size_t len = 1; len < sizeof(good); len++)
        (void)!units_push(&units, good, len, NEXT | MARKER);
    assert_int_equal(units_push(&units, good, sizeof(good), NEXT | MARKER), 0);
    ASSERT_LAST(&units, 3, 4, 5);
    units_close(&units);
}

static void T3_more_aus_than_a_packet_may_hold_are_refused(void **state)
{
    uint8_t packet[2 + 200 * 2 + 200] = {200 * 16 >> 8, (uint8_t)(200 * 16)};

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        packet[3 + i * 2] = 8;
    open_with("mpeg4-generic", 44100, 2, HBR);
    assert_int_equal(units_push(&units, packet, sizeof(packet), MARKER), -ERR_TOO_MANY);
    units_close(&units);
}

static void low_bit_rate_aac_has_short_headers(void **state)
{
    (void)state;
    open_with("mpeg4-generic", 22050, 1,
              "mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2;"
              "config=1388");
    assert_int_equal(PUSH(&units, MARKER, 0, 16, 2 << 2, 3 << 2, 1, 2, 3, 4, 5), 0);
    assert_int_equal(units.count, 2);
    ASSERT_LAST(&units, 3, 4, 5);
    units_close(&units);
}

static void without_a_config_the_rtpmap_line_must_do(void **state)
{
    (void)state;
    open_with("MPEG4-GENERIC", 16000, 1,
              "sizelength=13;indexlength=3;indexdeltalength=3;config=zz");
    assert_int_equal(units.config_len, 2);
    assert_memory_equal(units.config, "\x14\x08", 2);
    /* and an ADTS header that should not be there comes off */
    assert_int_equal(PUSH(&units, MARKER, 0, 16, 0, 72, 0xff, 0xf1, 0, 0, 0, 0, 0, 7, 8), 0);
    ASSERT_LAST(&units, 7, 8);
    units_close(&units);
}

static void latm_with_its_config_in_the_sdp(void **state)
{
    uint8_t long_payload[2 + 300] = {255, 45};

    (void)state;
    open_with("MP4A-LATM", 44100, 2, "cpresent=0;config=400024203fc0");
    assert_int_equal(units.track_count, 1);
    assert_memory_equal(units.config, "\x12\x10", 2);
    assert_int_equal(PUSH(&units, MARKER, 3, 1, 2, 3), 0);
    ASSERT_LAST(&units, 1, 2, 3);
    /* over two packets, and without a marker */
    assert_int_equal(units_push(&units, long_payload, 100, NEXT), 0);
    assert_int_equal(units_push(&units, long_payload + 100, 202, PLAIN), 0);
    assert_int_equal(units.count, 1);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 1, 9), 0);
    assert_int_equal(units.count, 3);
    assert_int_equal(units.unit[1].buf->len, 300);
    assert_int_equal(units.unit[1].timestamp, 4600);
    /* torn */
    assert_int_equal(units_push(&units, long_payload, 100, NEXT), 0);
    assert_int_equal(PUSH(&units, AFTER_LOSS | MARKER, 1, 9), 0);
    assert_int_equal(units.count, 3);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 9, 9), -ERR_PROTOCOL);
    units_close(&units);
}

static void latm_with_its_config_in_band(void **state)
{
    /* a bit 0, the config above, then a payload of two bytes: all shifted by the bits before */
    static const uint8_t bits[] = {0x20, 0x00, 0x12, 0x10, 0x1f, 0xe0, 0x15, 0x52, 0xa8};
    static const uint8_t same[] = {0x81, 0x03, 0x84, 0x00}; /* a bit 1: the config as before */

    (void)state;
    open_with("MP4A-LATM", 90000, 1, "object=2");
    assert_int_equal(units.track_count, 0);
    assert_int_equal(units_push(&units, same, sizeof(same), MARKER), -ERR_NOT_READY);
    for (size_t len = 1; len < sizeof(bits); len++)
        (void)!units_push(&units, bits, len, NEXT | MARKER);
    assert_int_equal(units_push(&units, bits, sizeof(bits), NEXT | MARKER), 0);
    assert_int_equal(units.track_count, 1);
    assert_memory_equal(units.config, "\x12\x10", 2);
    assert_int_equal(units_last(&units)->duration, 1024 * 90000 / 44100);
    ASSERT_LAST(&units, 0xaa, 0x55);
    assert_int_equal(units_push(&units, same, sizeof(same), NEXT | MARKER), 0);
    ASSERT_LAST(&units, 7, 8);
    units_close(&units);
}

static void static_payload_types_need_no_rtpmap(void **state)
{
    static const struct {
        uint8_t payload_type, channels;
        enum codec codec;
        uint32_t clock_rate;
    } known[] = {{0, 1, CODEC_PCMU, 8000},  {8, 1, CODEC_PCMA, 8000},  {10, 2, CODEC_L16, 44100},
                 {11, 1, CODEC_L16, 44100}, {14, 2, CODEC_MP3, 90000}, {26, 0, CODEC_MJPEG, 90000}};

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct rtp_format format = {.payload_type = known[i].payload_type};

        assert_int_equal(units_try_open(&units, format), 0);
        assert_int_equal(units.track.codec, known[i].codec);
        assert_int_equal(units.track.clock_rate, known[i].clock_rate);
        assert_int_equal(units.track.channels, known[i].channels);
        units_close(&units);
    }
    for (unsigned type = 1; type < 8; type++) {
        struct rtp_format format = {.payload_type = (uint8_t)type};

        assert_int_equal(units_try_open(&units, format), -ERR_UNSUPPORTED);
    }
    assert_int_equal(units_try_open(&units, (struct rtp_format){.encoding = "VP9"}),
                     -ERR_UNSUPPORTED);
}

static void T3_a_clock_rate_of_zero_becomes_the_codecs_own(void **state)
{
    (void)state;
    open_with("PCMU", 0, 0, NULL);
    assert_int_equal(units.track.clock_rate, 8000);
    assert_int_equal(PUSH(&units, PLAIN, 1, 2, 3), 0);
    assert_int_equal(units_last(&units)->duration, 3);
    assert_int_equal(units_push(&units, "", 0, PLAIN), 0);
    assert_int_equal(units.count, 1);
    units_close(&units);
    open_with("PCMU", 4000000000, 1, NULL);
    assert_int_equal(units.track.clock_rate, 8000);
    units_close(&units);
}

static void half_a_sample_is_refused(void **state)
{
    (void)state;
    open_with("L16", 48000, 2, NULL);
    assert_int_equal(PUSH(&units, PLAIN, 1, 2, 3), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, PLAIN, 1, 2, 3, 4), 0);
    assert_int_equal(units_last(&units)->duration, 1);
    units_close(&units);
}

static void T3_an_opus_toc_that_lies_is_refused(void **state)
{
    (void)state;
    open_with("opus", 48000, 2, "sprop-stereo=1");
    assert_int_equal(PUSH(&units, PLAIN, 0xfc, 1), 0); /* CELT, 20 ms */
    assert_int_equal(units_last(&units)->duration, 960);
    assert_int_equal(PUSH(&units, PLAIN, 0x19, 1), 0); /* SILK, twice 60 ms */
    assert_int_equal(units_last(&units)->duration, 5760);
    assert_int_equal(PUSH(&units, PLAIN, 0x63, 6), 0); /* hybrid, six of 10 ms */
    assert_int_equal(units_last(&units)->duration, 2880);
    assert_int_equal(PUSH(&units, PLAIN, 0xff), -ERR_PROTOCOL);       /* no frame count */
    assert_int_equal(PUSH(&units, PLAIN, 0xff, 0), -ERR_PROTOCOL);    /* no frames */
    assert_int_equal(PUSH(&units, PLAIN, 0xff, 0x3f), -ERR_PROTOCOL); /* 63 of 20 ms */
    units_close(&units);
}

static void mp3_frames_are_told_apart_and_put_together(void **state)
{
    uint8_t packet[4 + 2 * 417] = {0};

    (void)state;
    memcpy(packet + 4, "\xff\xfb\x90\x64", 4);
    memcpy(packet + 4 + 417, "\xff\xfb\x90\x64", 4);
    open_with("MPA", 90000, 2, NULL);
    assert_int_equal(units_push(&units, packet, sizeof(packet), PLAIN), 0);
    assert_int_equal(units.count, 2);
    assert_int_equal(units.unit[1].timestamp, 1000 + 2351);
    /* in two pieces; then the second piece after a loss */
    assert_int_equal(units_push(&units, packet, 4 + 100, NEXT), 0);
    packet[3] = 100;
    assert_int_equal(units_push(&units, packet, 4 + 317, PLAIN), 0);
    assert_int_equal(units.count, 3);
    assert_int_equal(units_push(&units, packet, 4 + 317, AFTER_LOSS), -ERR_PROTOCOL);
    packet[3] = 0;
    for (size_t len = 0; len < 8; len++)
        assert_int_equal(units_push(&units, packet, len, NEXT), len == 4 ? 0 : -ERR_PROTOCOL);
    packet[5] = 0xfd; /* layer II */
    assert_int_equal(units_push(&units, packet, 421, NEXT), -ERR_UNSUPPORTED);
    assert_int_equal(units.count, 3);
    units_close(&units);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_aus_in_a_packet_follow_each_other),
        cmocka_unit_test(an_au_over_packets_survives_only_whole),
        cmocka_unit_test(T3_au_headers_that_lie_are_refused),
        cmocka_unit_test(T3_more_aus_than_a_packet_may_hold_are_refused),
        cmocka_unit_test(low_bit_rate_aac_has_short_headers),
        cmocka_unit_test(without_a_config_the_rtpmap_line_must_do),
        cmocka_unit_test(latm_with_its_config_in_the_sdp),
        cmocka_unit_test(latm_with_its_config_in_band),
        cmocka_unit_test(static_payload_types_need_no_rtpmap),
        cmocka_unit_test(T3_a_clock_rate_of_zero_becomes_the_codecs_own),
        cmocka_unit_test(half_a_sample_is_refused),
        cmocka_unit_test(T3_an_opus_toc_that_lies_is_refused),
        cmocka_unit_test(mp3_frames_are_told_apart_and_put_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
