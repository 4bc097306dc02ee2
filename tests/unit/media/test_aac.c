/* media/aac.c: AudioSpecificConfig and LATM's StreamMuxConfig. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "media/aac.h"

static int parse_exactly(struct aac_config *config, const void *bytes, size_t len)
{
    struct buf *copy = buf_copy(bytes, len);
    int err;

    assert_non_null(copy);
    err = aac_parse_config(config, copy->bytes, len);
    buf_unref(copy);
    return err;
}

static void a_plain_config_is_read(void **state)
{
    struct aac_config config;

    (void)state;
    assert_int_equal(parse_exactly(&config, "\x12\x10", 2), 0);
    assert_int_equal(config.object_type, 2);
    assert_int_equal(config.sample_rate, 44100);
    assert_int_equal(config.output_rate, 44100);
    assert_int_equal(config.channels, 2);
    assert_int_equal(config.frame_len, 1024);
    assert_false(config.has_sbr);
    for (size_t len = 0; len < 2; len++)
        assert_int_equal(parse_exactly(&config, "\x12\x10", len), -ERR_PROTOCOL);
}

static void sbr_is_found_in_front_and_behind(void **state)
{
    struct aac_config config;

    (void)state;
    /* HE-AAC: 24000 Hz under 48000, announced in front; then as an extension */
    assert_int_equal(parse_exactly(&config, "\x2b\x11\x88\x00", 4), 0);
    assert_true(config.has_sbr);
    assert_int_equal(config.object_type, 2);
    assert_int_equal(config.sample_rate, 24000);
    assert_int_equal(config.output_rate, 48000);
    assert_int_equal(parse_exactly(&config, "\x13\x10\x56\xe5\x98", 5), 0);
    assert_true(config.has_sbr);
    assert_int_equal(config.sample_rate, 24000);
    assert_int_equal(config.output_rate, 48000);
    assert_int_equal(parse_exactly(&config, "\x13\x10\x56", 3), 0);
    assert_false(config.has_sbr);
}

static void every_config_written_reads_the_same(void **state)
{
    static const uint32_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
                                     16000, 12000, 11025, 8000,  7350,  47999, 1000};
    struct aac_config config;
    uint8_t bytes[5];

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (uint8_t channels = 1; channels <= 8; channels++) {
            size_t len = aac_write_config(bytes, rates[i], channels);

            if (channels == 7)
                continue; /* no such configuration */
            assert_int_equal(len, i < 13 ? 2 : 5);
            assert_int_equal(parse_exactly(&config, bytes, len), 0);
            assert_int_equal(config.sample_rate, rates[i]);
            assert_int_equal(config.channels, channels);
        }
    }
}

static void what_is_not_aac_is_unsupported(void **state)
{
    struct aac_config config;

    (void)state;
    assert_int_equal(parse_exactly(&config, "\x42\x10", 2), -ERR_UNSUPPORTED); /* type 8 */
    assert_int_equal(parse_exactly(&config, "\xf9\x12\x10\x00", 4), -ERR_UNSUPPORTED);
    assert_int_equal(parse_exactly(&config, "\x16\x90", 2), -ERR_PROTOCOL); /* rate 13 */
    assert_int_equal(parse_exactly(&config, "\x17\x80\x00\x00\x10", 5), -ERR_PROTOCOL); /* 0 Hz */
}

static void codec_strings_are_those_of_rfc_6381(void **state)
{
    char codec[32];

    (void)state;
    assert_int_equal(aac_codec_string(codec, sizeof(codec), (const uint8_t *)"\x12\x10", 2), 0);
    assert_string_equal(codec, "mp4a.40.2");
    assert_int_equal(aac_codec_string(codec, sizeof(codec), (const uint8_t *)"\x2b\x11\x88\x00", 4),
                     0);
    assert_string_equal(codec, "mp4a.40.5");
    assert_int_equal(aac_codec_string(codec, sizeof(codec), NULL, 0), -ERR_PROTOCOL);
}

static void latm_gives_the_config_from_bit_0(void **state)
{
    static const uint8_t bytes[] = {0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0};
    struct latm_config config;
    struct bits bits = bits_of(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(latm_parse_config(&config, &bits), 0);
    assert_int_equal(config.aac.sample_rate, 44100);
    assert_int_equal(config.aac.channels, 2);
    assert_int_equal(config.subframes, 1);
    assert_int_equal(config.config_len, 2);
    assert_memory_equal(config.config, "\x12\x10", 2);
    for (size_t len = 0; len + 1 < sizeof(bytes); len++) {
        bits = bits_of(bytes, len);
        assert_int_equal(latm_parse_config(&config, &bits), -ERR_PROTOCOL);
    }
}

static void latm_that_announces_sbr_without_a_length_is_read_all_the_same(void **state)
{
    /* As GStreamer's LATM payloader writes it: cut off behind the announcement. */
    static const uint8_t bytes[] = {0x40, 0x00, 0x23, 0x10, 0xad, 0xca, 0x00};
    struct bits bits = bits_of(bytes, sizeof(bytes));
    struct latm_config config;

    (void)state;
    assert_int_equal(latm_parse_config(&config, &bits), 0);
    assert_int_equal(config.aac.object_type, 2);
    assert_int_equal(config.aac.sample_rate, 48000);
    assert_int_equal(config.aac.channels, 1);
    assert_false(config.has_other);
}

static void latm_with_more_than_one_program_is_unsupported(void **state)
{
    static const uint8_t programs[] = {0x40, 0x10, 0x24, 0x20, 0x3f, 0xc0};
    static const uint8_t layers[] = {0x40, 0x02, 0x24, 0x20, 0x3f, 0xc0};
    static const uint8_t version[] = {0xc0, 0x00, 0x24, 0x20, 0x3f, 0xc0};
    const uint8_t *const all[] = {programs, layers, version};
    struct latm_config config;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bits bits = bits_of(all[i], 6);

        assert_int_equal(latm_parse_config(&config, &bits), -ERR_UNSUPPORTED);
    }
}

static void a_payload_length_adds_up_and_ends(void **state)
{
    static const uint8_t bytes[] = {255, 255, 7, 255};
    struct bits bits = bits_of(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(latm_parse_length(&bits), 517);
    assert_int_equal(latm_parse_length(&bits), 0);
    assert_true(bits.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_config_is_read),
        cmocka_unit_test(sbr_is_found_in_front_and_behind),
        cmocka_unit_test(every_config_written_reads_the_same),
        cmocka_unit_test(what_is_not_aac_is_unsupported),
        cmocka_unit_test(codec_strings_are_those_of_rfc_6381),
        cmocka_unit_test(latm_gives_the_config_from_bit_0),
        cmocka_unit_test(latm_that_announces_sbr_without_a_length_is_read_all_the_same),
        cmocka_unit_test(latm_with_more_than_one_program_is_unsupported),
        cmocka_unit_test(a_payload_length_adds_up_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
