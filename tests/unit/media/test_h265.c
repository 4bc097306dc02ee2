/* media/h265.c: what H.265 headers say, and what they lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/h265.h"

/* Main, level 3, 640x360, 25/s, two pictures reordered; x265. */
static const uint8_t vps[] = {0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60,
                              0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
                              0x00, 0x00, 0x03, 0x00, 0x3f, 0x95, 0x98, 0x09};
static const uint8_t sps_360p[] = {0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00,
                                   0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3f, 0xa0, 0x05, 0x02, 0x01,
                                   0x69, 0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc, 0x05, 0xa0, 0x20, 0x00,
                                   0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x03, 0x03, 0x21};
static const uint8_t pps[] = {0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40};

static int parse_exactly(struct h265_sps *sps, const uint8_t *nal, size_t len)
{
    struct buf *copy = buf_copy(nal, len);
    int err;

    assert_non_null(copy);
    err = h265_parse_sps(sps, copy->bytes, len);
    buf_unref(copy);
    return err;
}

static struct buf *config_of(bool has_vps, bool has_sps, bool has_pps)
{
    struct parameter_sets sets = {.len = 0};
    int err = 0;

    if (has_pps)
        err |= parameter_sets_put(&sets, h265_parameter_set_key, pps, sizeof(pps)) != 1;
    if (has_sps)
        err |= parameter_sets_put(&sets, h265_parameter_set_key, sps_360p, sizeof(sps_360p)) != 1;
    if (has_vps)
        err |= parameter_sets_put(&sets, h265_parameter_set_key, vps, sizeof(vps)) != 1;
    assert_int_equal(err, 0);
    return buf_copy(sets.bytes, sets.len);
}

static void an_sps_tells_size_rate_and_reordering(void **state)
{
    struct h265_sps sps;

    (void)state;
    assert_int_equal(parse_exactly(&sps, sps_360p, sizeof(sps_360p)), 0);
    assert_int_equal(sps.width, 640);
    assert_int_equal(sps.height, 360);
    assert_int_equal(sps.frame_rate_mhz, 25000);
    assert_int_equal(sps.reorder, 2);
    assert_int_equal(sps.profile, 1);
    assert_int_equal(sps.level, 63);
    assert_int_equal(sps.poc_lsb_bits, 8);
}

static void T3_an_sps_cut_at_any_byte_is_refused_or_lacks_its_vui_only(void **state)
{
    struct h265_sps sps;
    bool was_read = false;

    (void)state;
    for (size_t len = 0; len <= sizeof(sps_360p); len++) {
        int err = parse_exactly(&sps, sps_360p, len);

        assert_true(err == 0 || err == -ERR_PROTOCOL);
        assert_false(was_read && err);
        was_read = !err;
        if (!err)
            assert_int_equal(sps.width, 640);
    }
    assert_true(was_read);
}

static void T3_a_size_beyond_16384_is_refused(void **state)
{
    uint8_t large[sizeof(sps_360p)];
    struct h265_sps sps;

    (void)state;
    memcpy(large, sps_360p, sizeof(large));
    /* The width is an Exp-Golomb code of its own: 25 zeros more in front make it huge. */
    memset(large + 19, 0, 2);
    large[19] = 0x00;
    large[20] = 0x01;
    assert_int_not_equal(parse_exactly(&sps, large, sizeof(large)), 0);
}

static void hvcc_holds_all_three_parameter_sets(void **state)
{
    struct buf *config = config_of(true, true, true);
    struct writer writer;
    char codec[64];

    (void)state;
    writer_init(&writer, 1000);
    assert_int_equal(h265_write_hvcc(&writer, config), 0);
    assert_int_equal(writer.len, 23 + 3 * 5 + sizeof(vps) + sizeof(sps_360p) + sizeof(pps));
    assert_memory_equal(writer.bytes, "\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x3f", 13);
    assert_memory_equal(writer.bytes + 13, "\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x03", 10);
    assert_memory_equal(writer.bytes + 23, "\xa0\x00\x01\x00\x18\x40", 6);
    assert_int_equal(h265_codec_string(codec, sizeof(codec), config), 0);
    assert_string_equal(codec, "hvc1.1.6.L63.90");
    buf_unref(config);
    writer_fini(&writer);
}

static void hvcc_without_one_of_the_three_is_refused(void **state)
{
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    for (unsigned without = 0; without < 3; without++) {
        struct buf *config = config_of(without != 0, without != 1, without != 2);

        writer_reset(&writer);
        assert_int_equal(h265_write_hvcc(&writer, config), -ERR_PROTOCOL);
        buf_unref(config);
    }
    assert_int_equal(h265_write_hvcc(&writer, NULL), -ERR_PROTOCOL);
    writer_fini(&writer);
}

/* The first slice of a picture with that type and order count. */
static int32_t poc_of(struct h265_poc *poc, unsigned type, uint32_t lsb, uint8_t temporal_id)
{
    struct h265_sps sps = {.is_known = true, .poc_lsb_bits = 4, .max_sub_layers = 2};
    struct h265_pps parameters = {.is_known = true};
    uint8_t nal[5] = {(uint8_t)(type << 1), (uint8_t)(temporal_id + 1)};
    int32_t order;
    struct nal_view view = {nal, sizeof(nal)};

    /* first slice; [IRAP: a bit]; PPS 0; slice type 1 (010); order count */
    nal[2] = (uint8_t)(type >= H265_BLA_W_LP ? 0xa8 | lsb >> 2 : 0xd0 | lsb >> 1);
    nal[3] = (uint8_t)(type >= H265_BLA_W_LP ? lsb << 6 : lsb << 7);
    assert_int_equal(h265_poc_next(poc, &order, &sps, &parameters, view), 0);
    for (size_t len = 0; len < 3; len++)
        assert_int_equal(h265_poc_next(poc, &order, &sps, &parameters, (struct nal_view){nal, len}),
                         -ERR_PROTOCOL);
    assert_int_equal(h265_poc_next(poc, &order, &sps, &parameters, view), 0);
    return order;
}

static void order_count_follows_the_low_bits_over_their_wrap(void **state)
{
    struct h265_poc poc = {0};

    (void)state;
    assert_int_equal(poc_of(&poc, H265_IDR_W_RADL, 0, 0), 0);
    for (int i = 1; i < 100; i++) {
        assert_int_equal(poc_of(&poc, 1, (uint32_t)(i * 4) & 15, 0), i * 4);
        /* Pictures that nothing refers to, or of a higher sub-layer, don't move the wrap. */
        assert_int_equal(poc_of(&poc, 0, (uint32_t)(i * 4 - 3) & 15, 0), i * 4 - 3);
        assert_int_equal(poc_of(&poc, 1, (uint32_t)(i * 4 - 2) & 15, 1), i * 4 - 2);
    }
    assert_int_equal(poc_of(&poc, H265_IDR_N_LP, 0, 0), 0);
    assert_int_equal(poc_of(&poc, H265_CRA, 5, 0), 5);
    assert_int_equal(poc_of(&poc, H265_RASL_R, 3, 0), 3);
}

static void what_is_no_parameter_set_has_no_key(void **state)
{
    struct parameter_set_key key;

    (void)state;
    assert_int_equal(h265_parameter_set_key((const uint8_t *)"\x26\x01\xaf", 3, &key),
                     -ERR_PROTOCOL);
    assert_int_equal(h265_parameter_set_key(vps, 2, &key), -ERR_PROTOCOL);
    assert_int_equal(h265_parameter_set_key(pps, 2, &key), -ERR_PROTOCOL);
    assert_int_equal(h265_parameter_set_key(pps, sizeof(pps), &key), 0);
    assert_int_equal(key.rank, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_sps_tells_size_rate_and_reordering),
        cmocka_unit_test(T3_an_sps_cut_at_any_byte_is_refused_or_lacks_its_vui_only),
        cmocka_unit_test(T3_a_size_beyond_16384_is_refused),
        cmocka_unit_test(hvcc_holds_all_three_parameter_sets),
        cmocka_unit_test(hvcc_without_one_of_the_three_is_refused),
        cmocka_unit_test(order_count_follows_the_low_bits_over_their_wrap),
        cmocka_unit_test(what_is_no_parameter_set_has_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
