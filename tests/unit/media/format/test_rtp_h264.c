/* media/format/rtp_h264.c and rtp_nal.c: access units from packets, torn and hostile ones too. */
#include "units.h"

#include "media/frame.h"
#include "media/parameter_sets.h"

#define SPS                                                                                        \
    0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01, 0x10, 0x00, 0x00, 0x03,      \
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc8, 0xf1, 0x83, 0x2a
#define PPS 0x68, 0xce, 0x0f, 0xc8

static const char sdp[] =
    "packetization-mode=1; sprop-parameter-sets=Z0LAKNoB4AiflwEQAAADABAAAAMDyPGDKg==,"
    "aM4PyA==; profile-level-id=42C028";

static struct units units;

static int setup(void **state)
{
    (void)state;
    units_open(&units, "h264", sdp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    units_close(&units);
    return 0;
}

static void the_sdp_tells_the_track(void **state)
{
    static const uint8_t config[] = {0, 0, 0, 25, SPS, 0, 0, 0, 4, PPS};

    (void)state;
    assert_int_equal(units.track_count, 1);
    assert_int_equal(units.track.codec, CODEC_H264);
    assert_int_equal(units.track.clock_rate, 90000);
    assert_int_equal(units.track.width, 1920);
    assert_int_equal(units.track.height, 1080);
    assert_int_equal(units.track.frame_rate_mhz, 30000);
    assert_false(units.track.has_b_frames);
    assert_int_equal(units.config_len, sizeof(config));
    assert_memory_equal(units.config, config, sizeof(config));
}

static void a_single_nal_is_a_unit(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88, 0x84, 1, 2), 0);
    ASSERT_LAST(&units, 0, 0, 0, 5, 0x65, 0x88, 0x84, 1, 2);
    assert_true(units_last(&units)->is_key);
    assert_false(units_last(&units)->is_discardable);
    assert_int_equal(units_last(&units)->timestamp, 1000);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x01, 0x9a, 0x21), 0);
    assert_false(units_last(&units)->is_key);
    assert_true(units_last(&units)->is_discardable);
    assert_int_equal(units_last(&units)->timestamp, 4600);
}

static void without_a_marker_the_next_timestamp_ends_the_unit(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, PLAIN, 0x65, 0x88, 1), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x65, 0x40, 2), 0);
    assert_int_equal(units.count, 0);
    assert_int_equal(PUSH(&units, NEXT, 0x41, 0x9a, 3), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x65, 0x88, 1, 0, 0, 0, 3, 0x65, 0x40, 2);
    assert_int_equal(units.count, 1);
}

static void a_stap_and_fragments_are_put_together(void **state)
{
    (void)state;
    assert_int_equal(
        PUSH(&units, PLAIN, 0x78, 0, 25, SPS, 0, 4, PPS, 0, 3, 0x06, 5, 0, 0, 2, 0x09, 0xf0), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x7c, 0x85, 0x88, 1, 2), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x7c, 0x05, 3, 4), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x7c, 0x45, 5), 0);
    /* The parameter sets are in the track, the delimiter is gone, the SEI stays. */
    ASSERT_LAST(&units, 0, 0, 0, 3, 6, 5, 0, 0, 0, 0, 7, 0x65, 0x88, 1, 2, 3, 4, 5);
    assert_true(units_last(&units)->is_key);
    assert_int_equal(units.track_count, 1);
}

static void a_loss_drops_the_unit_that_it_tore_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88, 1), 0);
    /* the middle of a unit */
    assert_int_equal(PUSH(&units, NEXT, 0x5c, 0x81, 0x9a, 1), 0);
    assert_int_equal(PUSH(&units, AFTER_LOSS, 0x5c, 0x01, 3), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x5c, 0x41, 4), 0);
    assert_int_equal(units.count, 1);
    /* its end, and nothing of the next */
    assert_int_equal(PUSH(&units, NEXT, 0x41, 0x9a, 1), 0);
    assert_int_equal(PUSH(&units, NEXT | AFTER_LOSS | MARKER, 0x41, 0x9a, 2), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x41, 0x9a, 2);
    /* its end, and the beginning of the next */
    assert_int_equal(PUSH(&units, NEXT, 0x41, 0x9a, 1), 0);
    assert_int_equal(PUSH(&units, NEXT | AFTER_LOSS, 0x5c, 0x01, 3), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x5c, 0x41, 3), 0);
    assert_int_equal(units.count, 2);
    /* a whole unit */
    assert_int_equal(PUSH(&units, NEXT | AFTER_LOSS | MARKER, 0x41, 0x9a, 3), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x41, 0x9a, 3);
    /* the first of two slices */
    assert_int_equal(PUSH(&units, NEXT | AFTER_LOSS | MARKER, 0x41, 0x40, 3), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x41, 0x9a, 4), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x41, 0x9a, 4);
    assert_int_equal(units.count, 4);
}

static void T3_a_fragment_that_ends_without_a_start_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x7c, 0x45, 5), 0);
    assert_int_equal(units.count, 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.count, 1);
}

static void T3_a_fragment_that_starts_twice_tears_its_unit(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, PLAIN, 0x7c, 0x85, 0x88, 1), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x7c, 0x85, 0x88, 2), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x7c, 0x45, 5), 0);
    assert_int_equal(units.count, 0);
}

static void T3_a_fragment_that_never_ends_is_held_to_4_MiB(void **state)
{
    static uint8_t piece[60000];

    (void)state;
    piece[0] = 0x7c;
    piece[1] = 0x85;
    piece[2] = 0x88;
    assert_int_equal(units_push(&units, piece, sizeof(piece), PLAIN), 0);
    piece[1] = 0x05;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(units_push(&units, piece, sizeof(piece), PLAIN), 0);
    piece[1] = 0x45;
    assert_int_not_equal(units_push(&units, piece, sizeof(piece), MARKER), 0);
    assert_int_equal(units.count, 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.count, 1);
}

static void T3_a_unit_of_almost_4_MiB_passes(void **state)
{
    static uint8_t piece[60002];

    (void)state;
    piece[0] = 0x7c;
    piece[1] = 0x85;
    piece[2] = 0x88;
    for (unsigned i = 0; i < 69; i++) {
        assert_int_equal(units_push(&units, piece, sizeof(piece), PLAIN), 0);
        piece[1] = 0x05;
    }
    assert_int_equal(PUSH(&units, MARKER, 0x7c, 0x45, 1), 0);
    assert_int_equal(units_last(&units)->buf->len, 4 + 1 + 69 * 60000 + 1);
}

static void T3_a_stap_whose_lengths_lie_tears_its_unit(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x78, 0, 3, 0x65, 0x88, 1, 0xff, 0xff, 0x65),
                     -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x78, 0), -ERR_PROTOCOL);
    assert_int_equal(units.count, 0);
    /* empty ones are passed over */
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x78, 0, 0, 0, 3, 0x65, 0x88, 1, 0, 0), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x65, 0x88, 1);
}

static void T3_empty_payloads_and_nals_are_survived(void **state)
{
    (void)state;
    assert_int_equal(units_push(&units, "", 0, MARKER), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x7c), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x7c, 0xc5), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x78), 0);
    for (unsigned type = 0; type < 256; type++)
        (void)!PUSH(&units, NEXT | MARKER, (uint8_t)type);
    assert_true(units.count < 10);
}

/* Every prefix of every packet of a good sequence. */
static void every_packet_may_be_cut_at_any_byte(void **state)
{
    static const uint8_t packets[][48] = {
        {0x78, 0, 25, SPS, 0, 4, PPS, 0, 3, 0x06, 5, 0},
        {SPS},
        {PPS},
        {0x7c, 0x85, 0x88, 1, 2},
        {0x65, 0x88, 0x84, 1, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        for (size_t len = 0; len < sizeof(packets[i]); len++)
            (void)!units_push(&units, packets[i], len, NEXT | MARKER);
    }
    units.count = 0;
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x65, 0x88, 1), 0);
    assert_int_equal(units.count, 1);
}

static void T3_a_picture_of_65536_pixels_aside_is_refused(void **state)
{
    /* baseline, 4096 by 4096 macroblocks */
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x28, 0xda, 0x00,
                                  0x04, 0x00, 0x00, 0x02, 0x00, 0x19};

    (void)state;
    assert_int_equal(units_push(&units, sps, sizeof(sps), PLAIN), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.track_count, 1);
    assert_int_equal(units.track.width, 1920);
}

static void T3_parameter_sets_without_end_stay_bounded(void **state)
{
    uint8_t pps[1000] = {0x68};

    (void)state;
    memset(pps + 3, 0xaa, sizeof(pps) - 3);
    for (unsigned id = 0; id < 256; id++) {
        /* ue(id) of up to 17 bits, then ue(0) */
        uint32_t code = (id + 1) << 1 | 1;
        unsigned bits = 0;

        while (code >> (bits + 1) > 1)
            bits++;
        code <<= 24 - 1 - bits - (bits + 1);
        pps[1] = (uint8_t)(code >> 16);
        pps[2] = (uint8_t)(code >> 8);
        pps[3] = (uint8_t)(code | 0xa);
        assert_int_equal(units_push(&units, pps, sizeof(pps), PLAIN), 0);
    }
    (void)!PUSH(&units, MARKER, 0x65, 0x88);
    assert_true(units.config_len <= PARAMETER_SETS_MAX_BYTES);
}

static void a_changed_parameter_set_is_told_before_its_unit(void **state)
{
    static const uint8_t smaller[] = {0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbe, 0x40};

    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), 0);
    assert_int_equal(PUSH(&units, NEXT, SPS), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.track_count, 1);
    assert_int_equal(units_push(&units, smaller, sizeof(smaller), NEXT), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.track_count, 2);
    assert_int_equal(units.units_at_track, 2);
    assert_int_equal(units.count, 3);
    assert_int_equal(units.track.width, 640);
    assert_int_equal(units.track.height, 368);
    assert_int_equal(units.config_len, 8 + sizeof(smaller) + 4);
}

static void without_parameter_sets_in_the_sdp_units_wait_for_them(void **state)
{
    (void)state;
    units_close(&units);
    units_open(&units, "H264", "packetization-mode=1;sprop-parameter-sets=,;x");
    assert_int_equal(units.track_count, 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), -ERR_NOT_READY);
    assert_int_equal(PUSH(&units, NEXT, SPS), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), -ERR_NOT_READY);
    assert_int_equal(PUSH(&units, NEXT, PPS, 0, 0), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88), 0);
    assert_int_equal(units.track_count, 1);
    assert_int_equal(units.config_len, 8 + 25 + 4);
    assert_int_equal(units.count, 1);
}

static void start_codes_in_payloads_are_taken_for_what_they_mean(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0, 0, 0, 1, SPS, 0, 0, 0, 1, PPS, 0, 0, 1, 0x65, 0x88, 7),
                     0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x65, 0x88, 7);
    assert_int_equal(units.track_count, 1);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0, 0, 0, 1), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0, 0, 0, 0), 0);
    assert_int_equal(units.count, 1);
}

static void a_marker_on_every_slice_is_found_out(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x88, 1), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x65, 0x40, 2), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(PUSH(&units, NEXT | MARKER, 0x41, 0x9a, 1), 0);
        assert_int_equal(PUSH(&units, MARKER, 0x41, 0x40, 2), 0);
    }
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x41, 0x9a, 1, 0, 0, 0, 3, 0x41, 0x40, 2);
    assert_int_equal(units.count, 3);
}

static void a_marker_on_parameter_sets_ends_no_unit(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, SPS), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x06, 5, 1), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x65, 0x88, 1), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 6, 5, 1, 0, 0, 0, 3, 0x65, 0x88, 1);
    assert_int_equal(units_last(&units)->timestamp, 4600);
}

static void a_recovery_point_is_a_key_where_no_idr_ever_comes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(PUSH(&units, NEXT, 0x06, 0x06, 0x01, 0xc4, 0x80), 0);
        assert_int_equal(PUSH(&units, MARKER, 0x41, 0x9a, 1), 0);
        assert_int_equal(units_last(&units)->is_key, i >= 100);
    }
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x65, 0x88), 0);
    assert_int_equal(PUSH(&units, NEXT, 0x06, 0x06, 0x01, 0xc4, 0x80), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x41, 0x9a, 1), 0);
    assert_false(units_last(&units)->is_key);
}

static void T2_timestamps_may_wrap_and_jump(void **state)
{
    static const uint32_t stamps[] = {0xfffffff0, 16, 1u << 31, 3, 0xffffffff, 0};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        units.timestamp = stamps[i];
        assert_int_equal(PUSH(&units, i % 2 ? MARKER : PLAIN, 0x65, 0x88, (uint8_t)i), 0);
    }
    assert_int_equal(units.count, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_sdp_tells_the_track),
        TEST(a_single_nal_is_a_unit),
        TEST(without_a_marker_the_next_timestamp_ends_the_unit),
        TEST(a_stap_and_fragments_are_put_together),
        TEST(a_loss_drops_the_unit_that_it_tore_and_no_other),
        TEST(T3_a_fragment_that_ends_without_a_start_is_dropped),
        TEST(T3_a_fragment_that_starts_twice_tears_its_unit),
        TEST(T3_a_fragment_that_never_ends_is_held_to_4_MiB),
        TEST(T3_a_unit_of_almost_4_MiB_passes),
        TEST(T3_a_stap_whose_lengths_lie_tears_its_unit),
        TEST(T3_empty_payloads_and_nals_are_survived),
        TEST(every_packet_may_be_cut_at_any_byte),
        TEST(T3_a_picture_of_65536_pixels_aside_is_refused),
        TEST(T3_parameter_sets_without_end_stay_bounded),
        TEST(a_changed_parameter_set_is_told_before_its_unit),
        TEST(without_parameter_sets_in_the_sdp_units_wait_for_them),
        TEST(start_codes_in_payloads_are_taken_for_what_they_mean),
        TEST(a_marker_on_every_slice_is_found_out),
        TEST(a_marker_on_parameter_sets_ends_no_unit),
        TEST(a_recovery_point_is_a_key_where_no_idr_ever_comes),
        TEST(T2_timestamps_may_wrap_and_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
