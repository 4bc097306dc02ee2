/* What viewers say of what they get (hostile.md T4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/rtcp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct heard {
    struct rtcp_block block;
    unsigned block_count, nack_count, wish_count, arrival_count, lost_count, end_count, bye_count;
    unsigned remb_count;
    uint16_t nacks[RTCP_NACKS_MAX], first_seq, last_seq;
    uint32_t ssrc;
    int64_t arrivals[8192];
    uint64_t remb;
} heard;

static void on_block(void *owner, const struct rtcp_block *block)
{
    assert_ptr_equal(owner, &heard);
    heard.block = *block;
    heard.block_count++;
}

static void on_nack(void *owner, uint32_t ssrc, uint16_t seq)
{
    (void)owner;
    heard.ssrc = ssrc;
    assert_true(heard.nack_count < RTCP_NACKS_MAX);
    heard.nacks[heard.nack_count++] = seq;
}

static void on_key_wish(void *owner, uint32_t ssrc)
{
    (void)owner;
    heard.ssrc = ssrc;
    heard.wish_count++;
}

static void on_arrival(void *owner, uint16_t seq, int64_t arrival_us)
{
    (void)owner;
    assert_true(heard.arrival_count < COUNT(heard.arrivals));
    if (heard.arrival_count == 0)
        heard.first_seq = seq;
    heard.last_seq = seq;
    heard.lost_count += arrival_us < 0;
    assert_true(arrival_us >= -1);
    heard.arrivals[heard.arrival_count++] = arrival_us;
}

static void on_feedback_end(void *owner)
{
    (void)owner;
    heard.end_count++;
}

static void on_remb(void *owner, uint64_t bps)
{
    (void)owner;
    heard.remb = bps;
    heard.remb_count++;
}

static void on_bye(void *owner)
{
    (void)owner;
    heard.bye_count++;
}

static const struct rtcp_reader reader = {on_block,        on_nack, on_key_wish, on_arrival,
                                          on_feedback_end, on_remb, on_bye};

/* From memory of exactly that length, so that ASan sees a byte too far. */
static int read_bytes(const uint8_t *bytes, size_t len)
{
    static const struct rtcp_reader deaf;
    uint8_t *exact = malloc(len ? len : 1);
    int err;

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    memset(&heard, 0, sizeof(heard));
    err = rtcp_read(exact, len, &reader, &heard);
    assert_int_equal(rtcp_read(exact, len, &deaf, NULL), err);
    free(exact);
    return err;
}

/* clang-format off */
static const uint8_t receiver_report[] = {
    0x81, 201, 0, 7, 0, 0, 0, 1,
    0, 0, 0, 9, 0x40, 0xff, 0xff, 0xfe, 0, 1, 0, 2, 0, 0, 0, 90, 0x11, 0x22, 0x33, 0x44, 0, 1, 0, 0
};
static const uint8_t nack[] = {
    0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0x80, 0x01
};
static const uint8_t pli[] = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9};
static const uint8_t fir[] = {
    0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0
};
static const uint8_t bye[] = {0x81, 203, 0, 2, 0, 0, 0, 1, 3, 'b', 'y', 'e'};
static const uint8_t remb[] = {
    0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 0x0b, 0xd0, 0x90, 0, 0, 0, 9
};
/* Seven packets from 65534 on: a run of two small deltas, a vector of large, lost, small, 2 lost. */
static const uint8_t transport_feedback[] = {
    0x8f, 205, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9,
    0xff, 0xfe, 0, 7, 0, 0, 2, 5,
    0x20, 0x02, 0xe1, 0x00, /* run 1 × 2; 10 00 01 00 00 (00 00) */
    4, 8, 0xff, 0xf0, 16, 0, 0, 0
};
/* clang-format on */

static void a_block_of_a_receiver_report_is_told(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(receiver_report, sizeof(receiver_report)), 0);
    assert_int_equal(heard.block_count, 1);
    assert_int_equal(heard.block.ssrc, 9);
    assert_int_equal(heard.block.fraction_lost, 0x40);
    assert_int_equal(heard.block.lost, -2);
    assert_int_equal(heard.block.highest_seq, 0x10002);
    assert_int_equal(heard.block.jitter, 90);
    assert_int_equal(heard.block.last_report, 0x11223344);
    assert_int_equal(heard.block.delay, 0x10000);
}

static void a_nack_names_its_packet_and_those_of_its_mask(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(nack, sizeof(nack)), 0);
    assert_int_equal(heard.ssrc, 9);
    assert_int_equal(heard.nack_count, 3);
    assert_int_equal(heard.nacks[0], 65535);
    assert_int_equal(heard.nacks[1], 0);
    assert_int_equal(heard.nacks[2], 15);
}

static void wishes_for_a_key_frame_are_each_told(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(pli, sizeof(pli)), 0);
    assert_int_equal(heard.wish_count, 1);
    assert_int_equal(heard.ssrc, 9);
    assert_int_equal(read_bytes(fir, sizeof(fir)), 0);
    assert_int_equal(heard.wish_count, 2);
    assert_int_equal(heard.ssrc, 8);
}

static void arrivals_add_up_their_deltas(void **state)
{
    const int64_t base = ((int64_t)(1 << 24) + 2) * 64000;

    (void)state;
    assert_int_equal(read_bytes(transport_feedback, sizeof(transport_feedback)), 0);
    assert_int_equal(heard.arrival_count, 7);
    assert_int_equal(heard.end_count, 1);
    assert_int_equal(heard.first_seq, 65534);
    assert_int_equal(heard.last_seq, 4);
    assert_int_equal(heard.lost_count, 3);
    assert_int_equal(heard.arrivals[0], base + 1000);
    assert_int_equal(heard.arrivals[1], base + 3000);
    assert_int_equal(heard.arrivals[2], base - 1000);
    assert_int_equal(heard.arrivals[3], -1);
    assert_int_equal(heard.arrivals[4], base + 3000);
}

static void a_vector_of_single_bits_speaks_of_fourteen(void **state)
{
    /* The first, the twelfth and the last arrived. */
    static const uint8_t bytes[28] = {0x8f, 205,  0,    6,    [12] = 0, 1,    0,
                                      14,   0xff, 0xff, 0xff, 1,        0xa0, 0x05};

    (void)state;
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.arrival_count, 14);
    assert_int_equal(heard.lost_count, 11);
    assert_true(heard.arrivals[0] > 0 && heard.arrivals[11] > 0 && heard.arrivals[13] > 0);
}

static void the_viewers_bound_is_mantissa_and_exponent(void **state)
{
    uint8_t bytes[sizeof(remb)];

    (void)state;
    assert_int_equal(read_bytes(remb, sizeof(remb)), 0);
    assert_true(heard.remb == (uint64_t)0x3d090 << 2); /* a million */
    memcpy(bytes, remb, sizeof(remb));
    bytes[17] = bytes[18] = bytes[19] = 0xff; /* T4: beyond 64 bits */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_true(heard.remb == UINT64_MAX);
    bytes[16] = 2; /* more sources than there are */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    assert_int_equal(heard.remb_count, 0);
}

static void parts_stand_alone_or_together_and_strangers_are_passed_over(void **state)
{
    static const uint8_t strangers[] = {0x80, 202, 0, 1, 'S',  'D', 'E', 'S', /* no end in it */
                                        0x80, 207, 0, 0, 0x83, 206, 0,   2,   /* XR, then RPSI */
                                        0,    0,   0, 1, 0,    0,   0,   9};
    uint8_t bytes[sizeof(receiver_report) + sizeof(strangers) + sizeof(pli)], *at = bytes;

    (void)state;
    at = (uint8_t *)memcpy(at, receiver_report, sizeof(receiver_report)) + sizeof(receiver_report);
    at = (uint8_t *)memcpy(at, strangers, sizeof(strangers)) + sizeof(strangers);
    memcpy(at, pli, sizeof(pli));
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.block_count, 1);
    assert_int_equal(heard.wish_count, 1);
}

static void what_stood_before_a_malformed_part_was_told(void **state)
{
    uint8_t bytes[sizeof(pli) + 4] = {0};

    (void)state;
    memcpy(bytes, pli, sizeof(pli));
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    assert_int_equal(heard.wish_count, 1);
}

static void t4_parts_cut_at_every_byte_are_refused(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
    } parts[] = {{receiver_report, sizeof(receiver_report)},
                 {nack, sizeof(nack)},
                 {pli, sizeof(pli)},
                 {fir, sizeof(fir)},
                 {bye, sizeof(bye)},
                 {remb, sizeof(remb)},
                 {transport_feedback, sizeof(transport_feedback)}};

    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        assert_int_equal(read_bytes(parts[i].bytes, parts[i].len), 0);
        for (size_t len = 0; len < parts[i].len; len++)
            assert_int_equal(read_bytes(parts[i].bytes, len), -ERR_PROTOCOL);
    }
}

/* The same, but the length field tells the truth about what is left. */
static void t4_parts_too_short_for_their_contents_are_refused(void **state)
{
    static const uint8_t *const parts[] = {receiver_report, pli, fir, transport_feedback};
    static const uint8_t words[] = {7, 2, 6, 6};
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++)
        for (uint8_t left = 0; left < words[i]; left++) {
            size_t len = (size_t)(left + 1) * 4;

            memcpy(bytes, parts[i], len);
            bytes[3] = left;
            if (i == 2 && (left == 2 || left == 4))
                continue; /* a FIR of none, and of one */
            assert_int_equal(read_bytes(bytes, len), -ERR_PROTOCOL);
            assert_int_equal(heard.arrival_count, 0);
        }
}

static void t4_a_bye_is_told_unless_its_reason_lies(void **state)
{
    uint8_t bytes[sizeof(bye)];

    (void)state;
    assert_int_equal(read_bytes(bye, sizeof(bye)), 0);
    assert_int_equal(heard.bye_count, 1);
    memcpy(bytes, bye, sizeof(bye));
    bytes[8] = 4;
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    bytes[8] = 3;
    bytes[0] = 0x84; /* four sources, room for two */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    assert_int_equal(heard.bye_count, 0);
}

static void t4_a_storm_of_nacks_is_cut(void **state)
{
    static uint8_t bytes[2 * (12 + 4 * 400)];

    (void)state;
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t at = 0; at < sizeof(bytes); at += sizeof(bytes) / 2) {
        memcpy(bytes + at, nack, 12);
        bytes[at + 2] = 402 >> 8;
        bytes[at + 3] = 402 & 0xff;
    }
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.nack_count, RTCP_NACKS_MAX);
}

static void t4_a_run_length_bomb_is_refused_untold(void **state)
{
    uint8_t bytes[12 + 8 + 20] = {0x8f, 205, 0, 9};

    (void)state;
    for (size_t i = 20; i < 36; i += 2) /* not received, 8,191 times, again and again */
        bytes[i] = 0x1f, bytes[i + 1] = 0xff;
    bytes[14] = bytes[15] = 0xff;
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    assert_int_equal(heard.arrival_count, 0);
    bytes[14] = 0x20, bytes[15] = 0; /* 8,192 is what we take */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.arrival_count, 8192);
    memset(bytes + 20, 0, 20); /* runs of nothing come to an end */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    bytes[20] = 0x3f, bytes[21] = 0xff; /* arrivals without their deltas */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    bytes[20] = 0x60, bytes[21] = 1, bytes[14] = 0, bytes[15] = 1; /* the reserved symbol */
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    assert_int_equal(heard.arrival_count, 0);
}

static void deltas_below_zero_leave_arrivals_above(void **state)
{
    static uint8_t bytes[20 + 2 + 2 + 2 * 8191 + 2];

    (void)state;
    memcpy(bytes, transport_feedback, 12);
    bytes[2] = (uint8_t)((sizeof(bytes) / 4 - 1) >> 8), bytes[3] = (sizeof(bytes) / 4 - 1) & 0xff;
    bytes[14] = 0x1f, bytes[15] = 0xff; /* reference time 0 */
    bytes[20] = 0x5f, bytes[21] = 0xff; /* all large */
    for (size_t i = 22; i < sizeof(bytes); i += 2)
        bytes[i] = 0x80;
    assert_int_equal(sizeof(bytes) % 4, 0);
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.arrival_count, 8191);
    assert_int_equal(heard.lost_count, 0);
}

static void padding_is_taken_off_and_must_be_true(void **state)
{
    uint8_t bytes[sizeof(nack) + 4] = {0};
    static const uint8_t lies[] = {0, 1, 6, 24};

    (void)state;
    memcpy(bytes, nack, sizeof(nack));
    bytes[0] |= 0x20;
    bytes[3]++;
    bytes[sizeof(bytes) - 1] = 4;
    assert_int_equal(read_bytes(bytes, sizeof(bytes)), 0);
    assert_int_equal(heard.nack_count, 3);
    for (size_t i = 0; i < COUNT(lies); i++) {
        bytes[sizeof(bytes) - 1] = lies[i];
        assert_int_equal(read_bytes(bytes, sizeof(bytes)), -ERR_PROTOCOL);
    }
    assert_int_equal(read_bytes((const uint8_t[]){0xa0, 200, 0, 0}, 4), -ERR_PROTOCOL);
}

static void the_round_trip_is_what_the_viewer_did_not_hold_back(void **state)
{
    struct rtcp_block block = {.last_report = 0xffff8000, .delay = 0x4000};
    uint64_t now = (uint64_t)0x0000c000 << 16; /* turned over since: 1.25 s later */

    (void)state;
    assert_int_equal(rtcp_round_trip_us(&block, now), 1000000);
    block.delay = 0x14000 + 10; /* the viewer's clock ticks coarsely */
    assert_int_equal(rtcp_round_trip_us(&block, now), 0);
    block.delay = 0x20000;
    assert_int_equal(rtcp_round_trip_us(&block, now), -1);
    block.last_report = 0;
    assert_int_equal(rtcp_round_trip_us(&block, now), -1);
    block.last_report = 0x70000000; /* hours */
    assert_int_equal(rtcp_round_trip_us(&block, now), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_a_receiver_report_is_told),
        cmocka_unit_test(a_nack_names_its_packet_and_those_of_its_mask),
        cmocka_unit_test(wishes_for_a_key_frame_are_each_told),
        cmocka_unit_test(arrivals_add_up_their_deltas),
        cmocka_unit_test(a_vector_of_single_bits_speaks_of_fourteen),
        cmocka_unit_test(the_viewers_bound_is_mantissa_and_exponent),
        cmocka_unit_test(parts_stand_alone_or_together_and_strangers_are_passed_over),
        cmocka_unit_test(what_stood_before_a_malformed_part_was_told),
        cmocka_unit_test(t4_parts_cut_at_every_byte_are_refused),
        cmocka_unit_test(t4_parts_too_short_for_their_contents_are_refused),
        cmocka_unit_test(t4_a_bye_is_told_unless_its_reason_lies),
        cmocka_unit_test(t4_a_storm_of_nacks_is_cut),
        cmocka_unit_test(t4_a_run_length_bomb_is_refused_untold),
        cmocka_unit_test(deltas_below_zero_leave_arrivals_above),
        cmocka_unit_test(padding_is_taken_off_and_must_be_true),
        cmocka_unit_test(the_round_trip_is_what_the_viewer_did_not_hold_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
