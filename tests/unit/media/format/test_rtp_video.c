/* media/format/rtp_h265.c and rtp_jpeg.c, with media/jpeg.c: good packets, and what lies. */
#include "units.h"

#include "media/jpeg.h"

static const uint8_t config[] = {
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
    0x03, 0x00, 0x00, 0x03, 0x00, 0x3f, 0x95, 0x98, 0x09, 0x42, 0x01, 0x01, 0x01, 0x60, 0x00,
    0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3f, 0xa0, 0x05, 0x02,
    0x01, 0x69, 0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc, 0x05, 0xa0, 0x20, 0x00, 0x00, 0x03, 0x00,
    0x20, 0x00, 0x00, 0x03, 0x03, 0x21, 0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40};

enum { VPS_BYTES = 24, SPS_BYTES = 42, PPS_BYTES = 7 };

static struct units units;

static int teardown(void **state)
{
    (void)state;
    units_close(&units);
    return 0;
}

static int open_h265(void **state)
{
    (void)state;
    units_open(&units, "H265", NULL);
    assert_int_equal(units_push(&units, config, VPS_BYTES, PLAIN), 0);
    assert_int_equal(units_push(&units, config + VPS_BYTES, SPS_BYTES, PLAIN), 0);
    assert_int_equal(units_push(&units, config + VPS_BYTES + SPS_BYTES, PPS_BYTES, PLAIN), 0);
    return 0;
}

static int open_jpeg(void **state)
{
    (void)state;
    units_open(&units, "JPEG", NULL);
    return 0;
}

static void an_aggregation_and_fragments_are_put_together(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, PLAIN, 0x60, 1, 0, 3, 0x4e, 1, 5, 0, 2, 0x46, 1), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x62, 1, 0x80 | 19, 0xaf, 1), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x62, 1, 19, 2), 0);
    assert_int_equal(PUSH(&units, MARKER, 0x62, 1, 0x40 | 19, 3), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x4e, 1, 5, 0, 0, 0, 6, 0x26, 1, 0xaf, 1, 2, 3);
    assert_true(units_last(&units)->is_key);
    assert_int_equal(units.track.width, 640);
    assert_true(units.track.has_b_frames);
    assert_int_equal(units_last(&units)->reorder, 2);
}

static void T3_h265_aggregations_and_fragments_that_lie_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x60, 1, 0, 9, 0x26, 1, 0xaf), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x60, 1, 0), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x62, 1), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x62), -ERR_PROTOCOL);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x62, 1, 0x40 | 19, 3), 0); /* end, no start */
    assert_int_equal(PUSH(&units, NEXT, 0x62, 1, 0x80 | 19, 0xaf), 0);
    assert_int_equal(PUSH(&units, PLAIN, 0x62, 1, 0x80 | 19, 0xaf), 0); /* starts twice */
    assert_int_equal(PUSH(&units, MARKER, 0x62, 1, 0x40 | 19, 3), 0);
    assert_int_equal(units.count, 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x26, 1, 0xaf), 0);
    assert_int_equal(units.count, 1);
}

static void pictures_of_other_layers_and_reserved_types_are_left_out(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, PLAIN, 0x26, 9, 0xaf), 0); /* layer 1 */
    assert_int_equal(PUSH(&units, PLAIN, 0x2e, 1, 0xaf), 0); /* type 23 */
    assert_int_equal(PUSH(&units, MARKER, 0x2a, 1, 0xaf), 0);
    ASSERT_LAST(&units, 0, 0, 0, 3, 0x2a, 1, 0xaf);
    assert_int_equal(units.count, 1);
}

static void trailing_pictures_that_nothing_refers_to_are_discardable(void **state)
{
    (void)state;
    assert_int_equal(PUSH(&units, MARKER, 0x26, 1, 0xaf), 0);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x02, 1, 0xd0, 0x80), 0);
    assert_false(units_last(&units)->is_discardable);
    assert_int_equal(PUSH(&units, NEXT | MARKER, 0x00, 1, 0xd0, 0x80), 0);
    assert_true(units_last(&units)->is_discardable);
}

/* A first packet with quantisers in band: main header, [restart header,] tables. */
static size_t jpeg_packet(uint8_t *out, uint8_t type, uint8_t q, size_t tables)
{
    const uint8_t main_header[8] = {0, 0, 0, 0, type, q, 80, 45};
    size_t at = 8;

    memcpy(out, main_header, 8);
    if (type >= 64) {
        memcpy(out + at, "\0\x28\xff\xff", 4);
        at += 4;
    }
    if (q >= 128) {
        out[at++] = 0;
        out[at++] = 0;
        out[at++] = (uint8_t)(tables >> 8);
        out[at++] = (uint8_t)tables;
        memset(out + at, 7, tables);
        at += tables;
    }
    memset(out + at, 0x55, 10);
    return at + 10;
}

static void assert_picture(uint8_t quantiser, uint16_t restart_interval, uint8_t type)
{
    const struct buf *buf = units_last(&units)->buf;
    struct jpeg_picture picture;

    assert_int_equal(jpeg_parse(&picture, buf->bytes, buf->len), 0);
    assert_int_equal(picture.width, 640);
    assert_int_equal(picture.height, 360);
    assert_int_equal(picture.type, type);
    assert_int_equal(picture.restart_interval, restart_interval);
    assert_int_equal(picture.tables[picture.luma_table][0], quantiser);
    assert_int_equal(picture.scan_len, 10);
    assert_memory_equal(buf->bytes + buf->len - 2, "\xff\xd9", 2);
}

static void quantisers_come_by_q_or_in_band_or_from_before(void **state)
{
    uint8_t packet[512];

    (void)state;
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 50, 0), MARKER), 0);
    assert_picture(16, 0, JPEG_TYPE_420);
    assert_int_equal(units.track.width, 640);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 64, 99, 0), NEXT | MARKER), 0);
    assert_picture(1, 40, JPEG_TYPE_422);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 130, 0), NEXT | MARKER),
                     -ERR_PROTOCOL); /* never seen */
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 130, 128), NEXT | MARKER),
                     0);
    assert_picture(7, 0, JPEG_TYPE_420);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 130, 0), NEXT | MARKER), 0);
    assert_picture(7, 0, JPEG_TYPE_420);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 255, 64), NEXT | MARKER), 0);
    assert_picture(7, 0, JPEG_TYPE_420);
    assert_int_equal(units.count, 5);
}

static void T3_jpeg_tables_that_lie_are_refused(void **state)
{
    uint8_t packet[512];
    size_t len = jpeg_packet(packet, 65, 255, 128);

    (void)state;
    for (size_t cut = 0; cut < len - 10; cut++)
        assert_int_equal(units_push(&units, packet, cut, NEXT | MARKER), -ERR_PROTOCOL);
    packet[14] = 0xff; /* tables of 65408 bytes */
    assert_int_equal(units_push(&units, packet, len, NEXT | MARKER), -ERR_PROTOCOL);
    len = jpeg_packet(packet, 1, 255, 100);
    assert_int_equal(units_push(&units, packet, len, NEXT | MARKER), -ERR_PROTOCOL);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 0, 0), NEXT), -ERR_PROTOCOL);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 100, 0), NEXT),
                     -ERR_PROTOCOL);
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 2, 50, 0), NEXT),
                     -ERR_UNSUPPORTED);
    len = jpeg_packet(packet, 1, 50, 0);
    packet[6] = 0; /* no width */
    assert_int_equal(units_push(&units, packet, len, NEXT), -ERR_UNSUPPORTED);
    assert_int_equal(units.count, 0);
}

static void a_jpeg_whose_pieces_do_not_join_is_dropped(void **state)
{
    uint8_t packet[512];
    size_t len = jpeg_packet(packet, 1, 50, 0);

    (void)state;
    assert_int_equal(units_push(&units, packet, len, PLAIN), 0);
    packet[3] = 11; /* 10 would be next */
    assert_int_equal(units_push(&units, packet, len, MARKER), -ERR_PROTOCOL);
    packet[3] = 0;
    assert_int_equal(units_push(&units, packet, len, NEXT), 0);
    packet[3] = 10;
    assert_int_equal(units_push(&units, packet, len, NEXT | MARKER), 0); /* another picture's */
    assert_int_equal(units.count, 0);
}

static void a_jpeg_file_cut_at_any_byte_is_refused(void **state)
{
    uint8_t packet[512];
    struct jpeg_picture picture;
    const struct buf *buf;

    (void)state;
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 65, 50, 0), MARKER), 0);
    buf = units_last(&units)->buf;
    for (size_t len = 0; len < buf->len; len++) {
        struct buf *cut = buf_copy(buf->bytes, len);

        assert_non_null(cut);
        assert_int_equal(jpeg_parse(&picture, cut->bytes, len),
                         len <= buf->len - 12 ? -ERR_PROTOCOL : 0);
        buf_unref(cut);
    }
}

/* Changes one byte of a good file, where marker stands first, and parses. */
static int parse_changed(const struct buf *good, uint8_t marker, size_t offset, uint8_t value)
{
    struct buf *copy = buf_copy(good->bytes, good->len);
    struct jpeg_picture picture;
    size_t at = 2;
    int err;

    assert_non_null(copy);
    while (copy->bytes[at + 1] != marker)
        at += 2u + ((size_t)copy->bytes[at + 2] << 8 | copy->bytes[at + 3]);
    copy->bytes[at + offset] = value;
    err = jpeg_parse(&picture, copy->bytes, copy->len);
    buf_unref(copy);
    return err;
}

static void what_rfc_2435_cannot_carry_is_unsupported(void **state)
{
    uint8_t packet[512];
    const struct buf *good;

    (void)state;
    assert_int_equal(units_push(&units, packet, jpeg_packet(packet, 1, 50, 0), MARKER), 0);
    good = units_last(&units)->buf;
    assert_int_equal(parse_changed(good, 0xc0, 1, 0xc0), 0);
    assert_int_equal(parse_changed(good, 0xc0, 1, 0xc2), -ERR_UNSUPPORTED);  /* progressive */
    assert_int_equal(parse_changed(good, 0xc0, 4, 12), -ERR_UNSUPPORTED);    /* 12 bits */
    assert_int_equal(parse_changed(good, 0xc0, 9, 1), -ERR_UNSUPPORTED);     /* grey */
    assert_int_equal(parse_changed(good, 0xc0, 11, 0x11), -ERR_UNSUPPORTED); /* 4:4:4 */
    assert_int_equal(parse_changed(good, 0xc0, 12, 3), -ERR_PROTOCOL);       /* no such table */
    assert_int_equal(parse_changed(good, 0xdb, 4, 0x10), -ERR_UNSUPPORTED);  /* of 16 bits */
    assert_int_equal(parse_changed(good, 0xdb, 4, 4), -ERR_PROTOCOL);
    assert_int_equal(parse_changed(good, 0xdb, 3, 1), -ERR_PROTOCOL);
    assert_int_equal(parse_changed(good, 0xc4, 30, 99), -ERR_UNSUPPORTED); /* own Huffman codes */
}

int main(void)
{
#define H265(name) cmocka_unit_test_setup_teardown(name, open_h265, teardown)
#define JPEG(name) cmocka_unit_test_setup_teardown(name, open_jpeg, teardown)
    const struct CMUnitTest tests[] = {
        H265(an_aggregation_and_fragments_are_put_together),
        H265(T3_h265_aggregations_and_fragments_that_lie_are_dropped),
        H265(pictures_of_other_layers_and_reserved_types_are_left_out),
        H265(trailing_pictures_that_nothing_refers_to_are_discardable),
        JPEG(quantisers_come_by_q_or_in_band_or_from_before),
        JPEG(T3_jpeg_tables_that_lie_are_refused),
        JPEG(a_jpeg_whose_pieces_do_not_join_is_dropped),
        JPEG(a_jpeg_file_cut_at_any_byte_is_refused),
        JPEG(what_rfc_2435_cannot_carry_is_unsupported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
