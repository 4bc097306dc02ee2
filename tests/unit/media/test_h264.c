/* media/h264.c, bits.c and parameter_sets.c: what H.264 headers say, and what they lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/bits.h"
#include "media/h264.h"

/* High, 1280x720, 25/s, two frames reordered; x264. */
static const uint8_t sps_720p[] = {0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05,
                                   0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
                                   0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60};
static const uint8_t pps_720p[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};

/* Writes bits, for headers of our own making. */
struct bit_writer {
    uint8_t bytes[256];
    size_t count;
};

static void put(struct bit_writer *writer, uint32_t value, unsigned bits)
{
    while (bits--) {
        if (value >> bits & 1)
            writer->bytes[writer->count / 8] |= (uint8_t)(0x80 >> writer->count % 8);
        writer->count++;
    }
}

static void put_ue(struct bit_writer *writer, uint32_t value)
{
    unsigned bits = 0;

    while ((value + 1) >> bits > 1)
        bits++;
    put(writer, 0, bits);
    put(writer, value + 1, bits + 1);
}

static void put_se(struct bit_writer *writer, int32_t value)
{
    put_ue(writer, value > 0 ? (uint32_t)(2 * value - 1) : (uint32_t)(-2 * value));
}

static size_t bytes_of(struct bit_writer *writer)
{
    put(writer, 1, 1);
    return (writer->count + 7) / 8;
}

/* A baseline SPS of that many macroblocks, with a picture order count type. */
static size_t make_sps(struct bit_writer *writer, uint32_t width, uint32_t height, unsigned type)
{
    *writer = (struct bit_writer){0};
    put(writer, 0x6742c01e, 32);
    put_ue(writer, 0);
    put_ue(writer, 0); /* frame_num of 4 bits */
    put_ue(writer, type);
    if (type == 0)
        put_ue(writer, 0); /* order count of 4 bits */
    if (type == 1) {
        put(writer, 0, 1);
        put_se(writer, -1); /* offset of pictures that nothing refers to */
        put_se(writer, 1);
        put_ue(writer, 2);
        put_se(writer, 2);
        put_se(writer, 4);
    }
    put_ue(writer, 1);
    put(writer, 0, 1);
    put_ue(writer, width - 1);
    put_ue(writer, height - 1);
    put(writer, 0xc, 4); /* frames only; direct 8x8; no crop; no VUI */
    return bytes_of(writer);
}

static int parse_exactly(struct h264_sps *sps, const uint8_t *nal, size_t len)
{
    struct buf *copy = buf_copy(nal, len);
    int err;

    assert_non_null(copy);
    err = h264_parse_sps(sps, copy->bytes, len);
    buf_unref(copy);
    return err;
}

static void an_sps_tells_size_rate_and_reordering(void **state)
{
    struct h264_sps sps;

    (void)state;
    assert_int_equal(parse_exactly(&sps, sps_720p, sizeof(sps_720p)), 0);
    assert_int_equal(sps.profile, 100);
    assert_int_equal(sps.level, 31);
    assert_int_equal(sps.width, 1280);
    assert_int_equal(sps.height, 720);
    assert_int_equal(sps.frame_rate_mhz, 25000);
    assert_true(sps.has_reorder);
    assert_int_equal(sps.reorder, 2);
    assert_int_equal(sps.poc_type, 0);
}

static void an_sps_cut_at_any_byte_is_refused_or_lacks_its_vui_only(void **state)
{
    struct h264_sps sps;

    (void)state;
    for (size_t len = 0; len < sizeof(sps_720p); len++) {
        int err = parse_exactly(&sps, sps_720p, len);

        assert_int_equal(err, len < 10 ? -ERR_PROTOCOL : 0);
        if (!err)
            assert_int_equal(sps.width, 1280);
    }
}

static void T3_a_size_beyond_16384_is_refused(void **state)
{
    struct bit_writer writer;
    struct h264_sps sps;
    size_t len = make_sps(&writer, 1024, 1024, 2);

    (void)state;
    assert_int_equal(parse_exactly(&sps, writer.bytes, len), 0);
    assert_int_equal(sps.width, 16384);
    len = make_sps(&writer, 1025, 1, 2);
    assert_int_equal(parse_exactly(&sps, writer.bytes, len), -ERR_UNSUPPORTED);
    len = make_sps(&writer, 4096, 4096, 2);
    assert_int_equal(parse_exactly(&sps, writer.bytes, len), -ERR_UNSUPPORTED);
    len = make_sps(&writer, 0x7fffffff, 0x7fffffff, 2);
    assert_int_equal(parse_exactly(&sps, writer.bytes, len), -ERR_UNSUPPORTED);
}

static void T3_an_exp_golomb_run_of_32_zeros_is_an_error(void **state)
{
    static const uint8_t longest[] = {0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe};
    static const uint8_t too_long[] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0};
    struct bits bits = bits_of(longest, sizeof(longest));

    (void)state;
    assert_true(bits_ue(&bits) == UINT32_MAX - 1);
    assert_false(bits.failed);
    bits = bits_of(longest, sizeof(longest));
    assert_int_equal(bits_se(&bits), -INT32_MAX);
    bits = bits_of(too_long, sizeof(too_long));
    assert_int_equal(bits_ue(&bits), 0);
    assert_true(bits.failed);
    bits = bits_of(longest, 4);
    assert_int_equal(bits_ue(&bits), 0);
    assert_true(bits.failed);
}

static void emulation_prevention_is_passed_over_in_a_nal_only(void **state)
{
    static const uint8_t bytes[] = {0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 2};
    struct bits bits = bits_of_nal(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(bits_read(&bits, 24), 1);
    assert_int_equal(bits_read(&bits, 32), 0);
    assert_int_equal(bits_read(&bits, 8), 2);
    assert_false(bits.failed);
    assert_int_equal(bits_left(&bits), 0);
    bits = bits_of(bytes, sizeof(bytes));
    assert_int_equal(bits_read(&bits, 24), 3);
}

static struct h264_slice slice_of(bool is_idr, unsigned ref_idc, uint32_t frame_num, uint32_t lsb)
{
    return (struct h264_slice){
        .is_idr = is_idr, .ref_idc = (uint8_t)ref_idc, .frame_num = frame_num, .poc_lsb = lsb};
}

static void order_count_type_0_follows_the_low_bits_over_their_wrap(void **state)
{
    static const struct h264_sps sps = {
        .is_known = true, .poc_lsb_bits = 4, .frame_mbs_only = true};
    struct h264_poc poc = {0};

    (void)state;
    for (int group = 0; group < 2; group++) {
        struct h264_slice slice = slice_of(true, 3, 0, 0);

        assert_int_equal(h264_poc_next(&poc, &sps, &slice), 0);
        /* P four pictures on, then a B between, that nothing refers to */
        for (int i = 1; i < 50; i++) {
            slice = slice_of(false, 2, 0, (uint32_t)(i * 4) & 15);
            assert_int_equal(h264_poc_next(&poc, &sps, &slice), i * 4);
            slice = slice_of(false, 0, 0, (uint32_t)(i * 4 - 2) & 15);
            assert_int_equal(h264_poc_next(&poc, &sps, &slice), i * 4 - 2);
        }
    }
}

static void order_count_type_1_follows_its_cycle(void **state)
{
    struct bit_writer writer;
    struct h264_poc poc = {0};
    struct h264_sps sps;
    struct h264_slice slice = slice_of(true, 3, 0, 0);
    size_t len = make_sps(&writer, 10, 10, 1);

    (void)state;
    assert_int_equal(parse_exactly(&sps, writer.bytes, len), 0);
    assert_int_equal(sps.cycle_len, 2);
    assert_int_equal(h264_poc_next(&poc, &sps, &slice), 0);
    for (int i = 1; i < 100; i++) {
        slice = slice_of(false, 1, (uint32_t)i & 15, 0);
        assert_int_equal(h264_poc_next(&poc, &sps, &slice), i / 2 * 6 + i % 2 * 2);
        slice = slice_of(false, 0, (uint32_t)(i + 1) & 15, 0);
        assert_int_equal(h264_poc_next(&poc, &sps, &slice), i / 2 * 6 + i % 2 * 2 - 1);
    }
}

static void order_count_type_2_is_the_decoding_order(void **state)
{
    static const struct h264_sps sps = {
        .is_known = true, .poc_type = 2, .frame_num_bits = 4, .frame_mbs_only = true};
    struct h264_poc poc = {0};
    int32_t last = -1;

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        struct h264_slice slice = slice_of(i == 0, 1, i & 15, 0);
        int32_t next = h264_poc_next(&poc, &sps, &slice);

        assert_int_equal(next, 2 * i);
        assert_true(next > last);
        last = next;
    }
}

static void a_slice_header_is_read_with_its_parameter_sets(void **state)
{
    static const uint8_t header[] = {0x41};
    struct bit_writer writer = {0};
    struct h264_slice slice;
    struct h264_sps sps;
    struct h264_pps pps;
    uint8_t id;
    size_t len;

    (void)state;
    assert_int_equal(h264_parse_sps(&sps, sps_720p, sizeof(sps_720p)), 0);
    assert_int_equal(h264_parse_pps(&pps, &id, pps_720p, sizeof(pps_720p)), 0);
    put(&writer, header[0], 8);
    put_ue(&writer, 7); /* first macroblock */
    put_ue(&writer, 6); /* B, all slices */
    put_ue(&writer, id);
    put(&writer, 5, sps.frame_num_bits);
    put(&writer, 9, sps.poc_lsb_bits);
    len = bytes_of(&writer);
    assert_int_equal(h264_parse_slice(&slice, &sps, &pps, writer.bytes, len), 0);
    assert_int_equal(slice.first_mb, 7);
    assert_int_equal(slice.type, 1);
    assert_int_equal(slice.frame_num, 5);
    assert_int_equal(slice.poc_lsb, 9);
    assert_int_equal(slice.ref_idc, 2);
    for (size_t cut = 0; cut + 1 < len; cut++)
        assert_int_equal(h264_parse_slice(&slice, &sps, &pps, writer.bytes, cut), -ERR_PROTOCOL);
}

static struct buf *config_720p(void)
{
    struct parameter_sets sets = {.len = 0};

    /* In the wrong order, and twice. */
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, pps_720p, sizeof(pps_720p)),
                     1);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, sps_720p, sizeof(sps_720p)),
                     1);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, pps_720p, sizeof(pps_720p)),
                     0);
    return buf_copy(sets.bytes, sets.len);
}

static void avcc_holds_both_parameter_sets(void **state)
{
    struct buf *config = config_720p();
    struct buf *half = buf_copy(config->bytes, 4 + sizeof(sps_720p));
    char codec[16];
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    assert_int_equal(h264_write_avcc(&writer, config), 0);
    assert_int_equal(writer.len, 6 + 2 + sizeof(sps_720p) + 1 + 2 + sizeof(pps_720p) + 4);
    assert_memory_equal(writer.bytes, "\x01\x64\x00\x1f\xff\xe1\x00\x1a", 8);
    assert_memory_equal(writer.bytes + 8, sps_720p, sizeof(sps_720p));
    assert_memory_equal(writer.bytes + writer.len - 4, "\xfd\xf8\xf8\x00", 4);
    assert_int_equal(h264_codec_string(codec, sizeof(codec), config), 0);
    assert_string_equal(codec, "avc1.64001f");
    assert_int_equal(h264_write_avcc(&writer, half), -ERR_PROTOCOL);
    assert_int_equal(h264_write_avcc(&writer, NULL), -ERR_PROTOCOL);
    for (size_t len = 0; len < config->len; len++) {
        struct buf *cut = buf_copy(config->bytes, len);

        assert_int_equal(h264_write_avcc(&writer, cut), -ERR_PROTOCOL);
        buf_unref(cut);
    }
    writer_fini(&writer);
    buf_unref(config);
    buf_unref(half);
}

static void a_set_with_the_same_id_takes_the_place_of_the_old(void **state)
{
    struct parameter_sets sets = {.len = 0};
    struct bit_writer writer;
    size_t len = make_sps(&writer, 10, 10, 2);
    size_t offset = 0;

    (void)state;
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, sps_720p, sizeof(sps_720p)),
                     1);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, pps_720p, sizeof(pps_720p)),
                     1);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, writer.bytes, len), 1);
    assert_int_equal(sets.len, 8 + len + sizeof(pps_720p));
    assert_int_equal(nal_next(sets.bytes, sets.len, &offset).len, len);
    assert_int_equal(nal_next(sets.bytes, sets.len, &offset).len, sizeof(pps_720p));
    assert_null(nal_next(sets.bytes, sets.len, &offset).bytes);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, writer.bytes, 9000),
                     -ERR_PROTOCOL);
    assert_int_equal(parameter_sets_put(&sets, h264_parameter_set_key, (const uint8_t *)"\x65", 1),
                     -ERR_PROTOCOL);
}

static void a_recovery_point_is_found_behind_other_messages(void **state)
{
    static const uint8_t sei[] = {0x06, 0x05, 0x03, 1, 2, 3, 0x06, 0x01, 0xc4, 0x80};
    static const uint8_t endless[] = {0x06, 255, 255, 255, 255, 255, 255};

    (void)state;
    assert_true(h264_sei_has_recovery_point(sei, sizeof(sei)));
    for (size_t len = 0; len < 7; len++)
        assert_false(h264_sei_has_recovery_point(sei, len));
    assert_false(h264_sei_has_recovery_point(endless, sizeof(endless)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_sps_tells_size_rate_and_reordering),
        cmocka_unit_test(an_sps_cut_at_any_byte_is_refused_or_lacks_its_vui_only),
        cmocka_unit_test(T3_a_size_beyond_16384_is_refused),
        cmocka_unit_test(T3_an_exp_golomb_run_of_32_zeros_is_an_error),
        cmocka_unit_test(emulation_prevention_is_passed_over_in_a_nal_only),
        cmocka_unit_test(order_count_type_0_follows_the_low_bits_over_their_wrap),
        cmocka_unit_test(order_count_type_1_follows_its_cycle),
        cmocka_unit_test(order_count_type_2_is_the_decoding_order),
        cmocka_unit_test(a_slice_header_is_read_with_its_parameter_sets),
        cmocka_unit_test(avcc_holds_both_parameter_sets),
        cmocka_unit_test(a_set_with_the_same_id_takes_the_place_of_the_old),
        cmocka_unit_test(a_recovery_point_is_found_behind_other_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
