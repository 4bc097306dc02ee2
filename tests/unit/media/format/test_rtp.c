/* media/format/rtp.c: RTP and RTCP on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/format/rtp.h"

static int parse(struct rtp_packet *packet, const uint8_t *bytes, size_t len)
{
    struct buf *copy = buf_copy(bytes, len);
    int err;

    assert_non_null(copy);
    err = rtp_parse(packet, copy->bytes, len);
    if (!err)
        packet->payload = bytes + (packet->payload - copy->bytes);
    buf_unref(copy);
    return err;
}

/* Two CSRCs, an extension of one word, a payload of 3, padding of 4. */
static const uint8_t whole[] = {0xb2, 0xe0, 0x12, 0x34, 0, 0, 0x30, 0x39, 0xde, 0xad, 0xbe, 0xef,
                                0,    0,    0,    1,    0, 0, 0,    2,    0xbe, 0xde, 0,    1,
                                9,    9,    9,    9,    1, 2, 3,    0,    0,    0,    4};

static void a_packet_loses_its_extension_and_padding(void **state)
{
    struct rtp_packet packet;

    (void)state;
    assert_int_equal(parse(&packet, whole, sizeof(whole)), 0);
    assert_int_equal(packet.payload_type, 96);
    assert_true(packet.marker);
    assert_int_equal(packet.seq, 0x1234);
    assert_int_equal(packet.timestamp, 12345);
    assert_int_equal(packet.ssrc, 0xdeadbeef);
    assert_int_equal(packet.payload_len, 3);
    assert_ptr_equal(packet.payload, whole + 28);
}

static void T1_a_packet_cut_at_any_byte_is_refused(void **state)
{
    uint8_t unpadded[sizeof(whole)];
    struct rtp_packet packet;

    (void)state;
    memcpy(unpadded, whole, sizeof(whole));
    unpadded[0] &= 0xdf;
    for (size_t len = 0; len < 28; len++)
        assert_int_equal(parse(&packet, unpadded, len), -ERR_PROTOCOL);
    assert_int_equal(parse(&packet, unpadded, 28), 0);
    assert_int_equal(packet.payload_len, 0);
}

static void T1_what_lies_of_its_length_is_refused(void **state)
{
    uint8_t bytes[sizeof(whole)];
    struct rtp_packet packet;

    (void)state;
    memcpy(bytes, whole, sizeof(whole));
    for (unsigned version = 0; version < 4; version++) {
        bytes[0] = (uint8_t)(version << 6 | (whole[0] & 0x3f));
        assert_int_equal(parse(&packet, bytes, sizeof(bytes)), version == 2 ? 0 : -ERR_PROTOCOL);
    }
    memcpy(bytes, whole, sizeof(whole));
    bytes[0] |= 0x0f; /* fifteen CSRCs */
    assert_int_equal(parse(&packet, bytes, sizeof(bytes)), -ERR_PROTOCOL);
    memcpy(bytes, whole, sizeof(whole));
    bytes[22] = 0xff; /* extension of 65281 words */
    assert_int_equal(parse(&packet, bytes, sizeof(bytes)), -ERR_PROTOCOL);
}

static void T1_padding_that_is_too_long_is_refused(void **state)
{
    uint8_t bytes[sizeof(whole)];
    struct rtp_packet packet;

    (void)state;
    memcpy(bytes, whole, sizeof(whole));
    for (unsigned padding = 0; padding < 256; padding++) {
        bytes[sizeof(bytes) - 1] = (uint8_t)padding;
        assert_int_equal(parse(&packet, bytes, sizeof(bytes)),
                         padding >= 1 && padding <= 7 ? 0 : -ERR_PROTOCOL);
    }
}

static void a_written_header_reads_the_same(void **state)
{
    struct rtp_packet packet = {
        .payload_type = 127, .marker = true, .seq = 65535, .timestamp = 1u << 31, .ssrc = 7};
    struct rtp_packet again;
    uint8_t bytes[RTP_HEADER_BYTES];

    (void)state;
    rtp_write_header(&packet, bytes);
    assert_int_equal(parse(&again, bytes, sizeof(bytes)), 0);
    assert_int_equal(again.payload_type, 127);
    assert_true(again.marker);
    assert_int_equal(again.seq, 65535);
    assert_int_equal(again.timestamp, 1u << 31);
    assert_int_equal(again.ssrc, 7);
}

static struct rtcp_sender a_sender(void)
{
    return (struct rtcp_sender){
        .ssrc = 0x11223344,
        .rtp_time = 90000,
        .packet_count = 10,
        .octet_count = 1000,
        .wall_us = INT64_C(1700000000123456),
        .cname = "camera",
    };
}

static void a_sender_report_reads_as_it_was_written(void **state)
{
    struct rtcp_sender sender = a_sender();
    struct rtcp_report report;
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    rtcp_write_sender_report(&writer, &sender);
    assert_int_equal(writer.len % 4, 0);
    assert_int_equal(rtcp_parse(&report, writer.bytes, writer.len), 0);
    assert_true(report.has_sender);
    assert_false(report.has_bye);
    assert_int_equal(report.ssrc, sender.ssrc);
    assert_int_equal(report.rtp_time, 90000);
    assert_int_equal(report.packet_count, 10);
    assert_int_equal(report.octet_count, 1000);
    assert_int_equal(wall_us_of_ntp(report.ntp), sender.wall_us);
    writer_fini(&writer);
}

static void every_length_of_cname_fills_whole_words(void **state)
{
    char cname[300];
    struct writer writer;
    struct rtcp_report report;

    (void)state;
    writer_init(&writer, 1000);
    for (size_t len = 0; len < sizeof(cname); len++) {
        struct rtcp_sender sender = a_sender();

        memset(cname, 'c', len);
        cname[len] = 0;
        sender.cname = cname;
        writer_reset(&writer);
        rtcp_write_sender_report(&writer, &sender);
        assert_int_equal(writer.len % 4, 0);
        assert_int_equal(rtcp_parse(&report, writer.bytes, writer.len), 0);
        if (len == sizeof(cname) - 2)
            break;
    }
    writer_fini(&writer);
}

static void a_receiver_report_and_a_bye_are_whole_compounds(void **state)
{
    struct rtcp_receiver receiver = {.ssrc = 1, .media_ssrc = 2, .lost = 1u << 30, .cname = "us"};
    struct rtcp_report report;
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    rtcp_write_receiver_report(&writer, &receiver);
    assert_int_equal(rtcp_parse(&report, writer.bytes, writer.len), 0);
    assert_false(report.has_sender);
    assert_int_equal(writer.bytes[12], 0); /* fraction; and lost held within its 24 bits */
    assert_int_equal(writer.bytes[13], 0x7f);
    writer_reset(&writer);
    rtcp_write_bye(&writer, 7);
    assert_int_equal(rtcp_parse(&report, writer.bytes, writer.len), 0);
    assert_true(report.has_bye);
    writer_fini(&writer);
}

static void T4_a_compound_cut_at_any_byte_is_refused(void **state)
{
    struct rtcp_sender sender = a_sender();
    struct rtcp_report report;
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    rtcp_write_sender_report(&writer, &sender);
    for (size_t len = 0; len < writer.len; len++) {
        struct buf *cut = buf_copy(writer.bytes, len);

        assert_non_null(cut);
        assert_int_equal(rtcp_parse(&report, cut->bytes, len), len == 28 ? 0 : -ERR_PROTOCOL);
        buf_unref(cut);
    }
    writer_fini(&writer);
}

static int parse_report(const uint8_t *bytes, size_t len)
{
    struct buf *copy = buf_copy(bytes, len);
    struct rtcp_report report;
    int err;

    assert_non_null(copy);
    err = rtcp_parse(&report, copy->bytes, len);
    buf_unref(copy);
    return err;
}

#define PARSE_REPORT(...)                                                                          \
    parse_report((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void T4_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    /* longer than the datagram; a BYE's reason past its end; more BYE sources than there are */
    assert_int_equal(PARSE_REPORT(0x80, 201, 0xff, 0xff, 0, 0, 0, 1), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0x81, 203, 0, 2, 0, 0, 0, 1, 200, 'b', 'y', 'e'), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0x9f, 203, 0, 1, 0, 0, 0, 1), -ERR_PROTOCOL);
    /* 31 report blocks in an RR of none; a sender report that is no longer than its SSRC */
    assert_int_equal(PARSE_REPORT(0x9f, 201, 0, 1, 0, 0, 0, 1), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0x80, 200, 0, 1, 0, 0, 0, 1), -ERR_PROTOCOL);
    /* padding: not in the last packet; of 0; past the packet; not whole words */
    assert_int_equal(PARSE_REPORT(0xa0, 201, 0, 1, 0, 0, 0, 4, 0x80, 201, 0, 0), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0xa0, 204, 0, 1, 0, 0, 0, 0), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0xa0, 204, 0, 1, 0, 0, 0, 8), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0xa0, 204, 0, 1, 0, 0, 0, 3), -ERR_PROTOCOL);
    assert_int_equal(PARSE_REPORT(0x40, 201, 0, 1, 0, 0, 0, 1), -ERR_PROTOCOL);
}

static void T4_what_we_do_not_read_is_passed_over(void **state)
{
    (void)state;
    /* SDES without an end; feedback (NACK of all, TWCC, REMB), APP, XR: none is looked into */
    assert_int_equal(PARSE_REPORT(0x9f, 202, 0, 1, 1, 255, 'x', 'x'), 0);
    assert_int_equal(PARSE_REPORT(0x81, 205, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), 0);
    assert_int_equal(PARSE_REPORT(0x8f, 206, 0, 1, 'R', 'E', 'M', 'B'), 0);
    assert_int_equal(PARSE_REPORT(0x8f, 205, 0, 0), 0);
    assert_int_equal(PARSE_REPORT(0x80, 204, 0, 1, 0, 0, 0, 1, 0x80, 207, 0, 0), 0);
}

static void ntp_times_go_both_ways(void **state)
{
    static const int64_t walls[] = {0,
                                    1,
                                    999999,
                                    1000000,
                                    INT64_C(1700000000999999),
                                    INT64_C(2085978495999999),
                                    INT64_C(2085978496000000),
                                    INT64_C(4000000000000001)};

    (void)state;
    for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
        if (walls[i] < INT64_C(4000000000000000))
            assert_true(wall_us_of_ntp(ntp_of_wall_us(walls[i])) == walls[i]);
    }
    assert_true(ntp_of_wall_us(-5) == ntp_of_wall_us(0));
    assert_true(ntp_of_wall_us(0) == UINT64_C(2208988800) << 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_loses_its_extension_and_padding),
        cmocka_unit_test(T1_a_packet_cut_at_any_byte_is_refused),
        cmocka_unit_test(T1_what_lies_of_its_length_is_refused),
        cmocka_unit_test(T1_padding_that_is_too_long_is_refused),
        cmocka_unit_test(a_written_header_reads_the_same),
        cmocka_unit_test(a_sender_report_reads_as_it_was_written),
        cmocka_unit_test(every_length_of_cname_fills_whole_words),
        cmocka_unit_test(a_receiver_report_and_a_bye_are_whole_compounds),
        cmocka_unit_test(T4_a_compound_cut_at_any_byte_is_refused),
        cmocka_unit_test(T4_lengths_that_lie_are_refused),
        cmocka_unit_test(T4_what_we_do_not_read_is_passed_over),
        cmocka_unit_test(ntp_times_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
