/* rtmp/chunk.c and chunk_reader.c: messages in chunks, there and back, and what hostile.md's M2
 * sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rtmp/chunk.h"
#include "rtmp/chunk_reader.h"

static uint8_t noise[RTMP_INPUT_MAX + 1];

static int set_up(void **state)
{
    static struct rtmp_chunk_reader reader;

    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)(i * 7 + i / 256);
    rtmp_chunk_reader_init(&reader);
    *state = &reader;
    return 0;
}

static int tear_down(void **state)
{
    rtmp_chunk_reader_fini(*state);
    return 0;
}

static struct writer write_message(uint32_t time_ms, size_t len, size_t chunk_bytes)
{
    struct rtmp_head head = {.chunk_stream = RTMP_CHUNKS_COMMAND,
                             .type = RTMP_COMMAND,
                             .message_stream = 0x01020304,
                             .time_ms = time_ms,
                             .len = len};
    struct rtmp_chunker chunker;
    struct writer out;

    writer_init(&out, 1 << 20);
    rtmp_begin(&chunker, &out, &head, chunk_bytes);
    rtmp_put(&chunker, noise, len / 3);
    rtmp_put(&chunker, noise + len / 3, len - len / 3);
    assert_int_equal(out.err, 0);
    return out;
}

/* Gives bytes in pieces of step, as a connection does, up to a message or an error. */
static int feed(struct rtmp_chunk_reader *reader, const void *bytes, size_t len, size_t step,
                struct rtmp_message *message)
{
    size_t given = 0, kept = 0;

    while (given < len) {
        size_t part = len - given < kept + step ? len - given : kept + step, used;
        uint8_t *exact = malloc(part); /* so that overruns show */
        int got;

        assert_non_null(exact);
        memcpy(exact, (const uint8_t *)bytes + given, part);
        got = rtmp_chunk_read(reader, exact, part, &used, message);
        free(exact);
        assert_true(used <= part);
        if (got != 0)
            return got;
        given += used;
        kept = part - used;
        if (given + kept == len)
            return 0;
    }
    return 0;
}

static void bytes_are_as_the_specification_has_them(void **state)
{
    static const uint8_t expected[] = {0x03, 0xff, 0xff, 0xff, 0, 0,  5,    20, 4, 3, 2, 1,  1,
                                       0,    0,    2,    0,    7, 14, 0xc3, 1,  0, 0, 2, 21, 28};
    struct writer out = write_message(0x01000002, 5, 3);

    (void)state;
    assert_int_equal(out.len, sizeof(expected));
    assert_memory_equal(out.bytes, expected, sizeof(expected));
    writer_fini(&out);
}

static void messages_come_back_however_they_are_cut(void **state)
{
    static const size_t lens[] = {0, 1, 127, 128, 129, 5000, RTMP_INPUT_MAX};
    static const uint32_t times[] = {0, 0xfffffe, 0xffffff, 0xfffffff0};
    static const size_t steps[] = {1, 11, 200, 1 << 20};

    for (unsigned i = 0; i < 7 * 4 * 4; i++) {
        struct writer out = write_message(times[i / 4 % 4], lens[i / 16], RTMP_CHUNK_FIRST);
        struct rtmp_message message;

        assert_int_equal(feed(*state, out.bytes, out.len, steps[i % 4], &message), 1);
        assert_int_equal(message.type, RTMP_COMMAND);
        assert_int_equal(message.stream_id, 0x01020304);
        assert_int_equal(message.time_ms, times[i / 4 % 4]);
        assert_int_equal(message.len, lens[i / 16]);
        if (message.len)
            assert_memory_equal(message.bytes, noise, message.len);
        writer_fini(&out);
    }
}

static void messages_of_two_chunk_streams_are_told_apart(void **state)
{
    struct writer a = write_message(0, 200, 128), b = write_message(9, 130, 128);
    struct rtmp_message message;

    b.bytes[0] = 5;
    b.bytes[12 + 128] = 0xc5;
    assert_int_equal(feed(*state, a.bytes, 140, 1 << 20, &message), 0);
    assert_int_equal(feed(*state, b.bytes, b.len, 1 << 20, &message), 1);
    assert_int_equal(message.len, 130);
    assert_int_equal(feed(*state, a.bytes + 140, a.len - 140, 1 << 20, &message), 1);
    assert_int_equal(message.len, 200);
    assert_memory_equal(message.bytes, noise, 200);
    writer_fini(&a);
    writer_fini(&b);
}

static void short_headers_count_from_the_message_before(void **state)
{
    static const uint8_t first[] = {0x03, 0, 0, 10, 0, 0, 1, 20, 1, 0, 0, 0, 'a'};
    static const uint8_t type1[] = {0x43, 0, 0, 5, 0, 0, 2, 18, 'b', 'c'};
    static const uint8_t type2[] = {0x83, 0, 0, 7, 'd', 'e'};
    static const uint8_t type3[] = {0xc3, 'f', 'g'};
    struct rtmp_message message;

    assert_int_equal(feed(*state, first, sizeof(first), 1, &message), 1);
    assert_int_equal(feed(*state, type1, sizeof(type1), 1, &message), 1);
    assert_int_equal(message.time_ms, 15);
    assert_int_equal(message.type, 18);
    assert_int_equal(message.stream_id, 1);
    assert_int_equal(feed(*state, type2, sizeof(type2), 1, &message), 1);
    assert_int_equal(message.time_ms, 22);
    assert_int_equal(feed(*state, type3, sizeof(type3), 1, &message), 1);
    assert_int_equal(message.time_ms, 29);
    assert_memory_equal(message.bytes, "fg", 2);
}

static void long_ids_of_chunk_streams_are_read(void **state)
{
    static const uint8_t two[] = {0x00, 6, 0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, 'a'};
    static const uint8_t three[] = {0x01, 6, 1, 0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, 'b'};
    struct rtmp_message message;

    assert_int_equal(feed(*state, two, sizeof(two), 1, &message), 1);
    assert_int_equal(feed(*state, three, sizeof(three), 1, &message), 1);
    assert_int_equal(((struct rtmp_chunk_reader *)*state)->lane[0].id, 70);
    assert_int_equal(((struct rtmp_chunk_reader *)*state)->lane[1].id, 64 + 6 + 256);
}

static int set_chunk_size(struct rtmp_chunk_reader *reader, uint32_t size)
{
    uint8_t bytes[] = {2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    struct rtmp_message message;

    for (unsigned i = 0; i < 4; i++)
        bytes[12 + i] = (uint8_t)(size >> (24 - 8 * i));
    return feed(reader, bytes, sizeof(bytes), 1 << 20, &message);
}

static void a_chunk_size_is_obeyed_within_reason(void **state)
{
    static const uint32_t sizes[] = {1, 128, 4096, 65536, INT32_MAX};
    struct rtmp_message message;

    for (unsigned i = 0; i < 5; i++) {
        struct writer out = write_message(0, 6000, sizes[i]);

        rtmp_chunk_reader_fini(*state);
        rtmp_chunk_reader_init(*state);
        if (i) /* in chunks of a byte it could not even be said */
            assert_int_equal(set_chunk_size(*state, sizes[i]), 1);
        else
            ((struct rtmp_chunk_reader *)*state)->chunk_bytes = 1;
        assert_int_equal(feed(*state, out.bytes, out.len, 999, &message), 1);
        assert_int_equal(message.len, 6000);
        assert_memory_equal(message.bytes, noise, 6000);
        writer_fini(&out);
    }
    assert_int_equal(set_chunk_size(*state, 0x80000000u), -ERR_PROTOCOL);
    assert_int_equal(set_chunk_size(*state, 0), -ERR_PROTOCOL);
}

static void a_chunk_size_may_change_within_a_message(void **state)
{
    struct writer first = write_message(0, 1000, 128), rest = write_message(0, 1000, 1000);
    struct rtmp_message message;
    uint8_t tail[1 + 1000 - 128];

    assert_int_equal(feed(*state, first.bytes, 140, 1 << 20, &message), 0);
    assert_int_equal(set_chunk_size(*state, 1000), 1);
    tail[0] = 0xc3;
    memcpy(tail + 1, noise + 128, sizeof(tail) - 1);
    assert_int_equal(feed(*state, tail, sizeof(tail), 1 << 20, &message), 1);
    assert_memory_equal(message.bytes, noise, 1000);
    writer_fini(&first);
    writer_fini(&rest);
}

static void what_has_no_predecessor_is_an_error(void **state)
{
    struct rtmp_message message;

    assert_int_equal(feed(*state, "\xc3xxxxxxxxxxxxxx", 12, 12, &message), -ERR_PROTOCOL);
    assert_int_equal(feed(*state, "\x83\0\0\0xxxxxxxxx", 12, 12, &message), -ERR_PROTOCOL);
    /* librtmp's first ping is of type 1. */
    assert_int_equal(feed(*state, "\x42\0\0\0\0\0\1\x04x", 9, 9, &message), 1);
}

static void a_new_header_within_a_message_is_an_error(void **state)
{
    struct writer out = write_message(0, 200, 128);
    struct rtmp_message message;

    assert_int_equal(feed(*state, out.bytes, 140, 1 << 20, &message), 0);
    assert_int_equal(feed(*state, out.bytes, 140, 1 << 20, &message), -ERR_PROTOCOL);
    writer_fini(&out);
}

static void a_message_beyond_the_limit_is_refused_by_its_header(void **state)
{
    static const uint8_t heads[][12] = {{3, 0, 0, 0, 1, 0, 1, 20}, {4, 0, 0, 0, 255, 255, 255, 9}};
    struct rtmp_message message;

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(feed(*state, heads[i], 12, 1, &message), -ERR_TOO_LONG);
}

static void parts_are_bounded_over_all_chunk_streams(void **state)
{
    struct writer out = write_message(0, RTMP_INPUT_MAX, RTMP_INPUT_MAX - 1);
    struct rtmp_message message;
    int got = 0;

    assert_int_equal(set_chunk_size(*state, RTMP_INPUT_MAX - 1), 1);
    assert_int_equal(feed(*state, out.bytes, 12 + RTMP_INPUT_MAX - 1, 1 << 20, &message), 0);
    out.bytes[0] = 4;
    got = feed(*state, out.bytes, 12 + RTMP_INPUT_MAX - 1, 1 << 20, &message);
    assert_int_equal(got, -ERR_TOO_LONG);
    assert_true(((struct rtmp_chunk_reader *)*state)->kept_bytes <= RTMP_INPUT_MAX);
    writer_fini(&out);
}

static void there_are_at_most_thirty_two_chunk_streams(void **state)
{
    uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, 'x'};
    struct rtmp_message message;

    for (unsigned i = 0; i < 64; i++) {
        int expected = i < RTMP_CHUNK_STREAMS_MAX ? 1 : -ERR_TOO_MANY;

        bytes[0] = (uint8_t)(2 + i % 62);
        if (i < 62)
            assert_int_equal(feed(*state, bytes, sizeof(bytes), 1 << 20, &message), expected);
    }
}

static void an_abort_drops_what_has_come(void **state)
{
    uint8_t abort_bytes[] = {2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 3};
    struct writer out = write_message(0, 200, 128);
    struct rtmp_message message;

    assert_int_equal(feed(*state, out.bytes, 140, 1 << 20, &message), 0);
    assert_int_equal(feed(*state, abort_bytes, sizeof(abort_bytes), 1, &message), 1);
    assert_int_equal(feed(*state, out.bytes, out.len, 1, &message), 1);
    assert_memory_equal(message.bytes, noise, 200);
    abort_bytes[15] = 99; /* unknown, and its own */
    assert_int_equal(feed(*state, abort_bytes, sizeof(abort_bytes), 1, &message), 1);
    abort_bytes[15] = 2;
    assert_int_equal(feed(*state, abort_bytes, sizeof(abort_bytes), 1, &message), 1);
    writer_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_as_the_specification_has_them),
        TEST(messages_come_back_however_they_are_cut),
        TEST(messages_of_two_chunk_streams_are_told_apart),
        TEST(short_headers_count_from_the_message_before),
        TEST(long_ids_of_chunk_streams_are_read),
        TEST(a_chunk_size_is_obeyed_within_reason),
        TEST(a_chunk_size_may_change_within_a_message),
        TEST(what_has_no_predecessor_is_an_error),
        TEST(a_new_header_within_a_message_is_an_error),
        TEST(a_message_beyond_the_limit_is_refused_by_its_header),
        TEST(parts_are_bounded_over_all_chunk_streams),
        TEST(there_are_at_most_thirty_two_chunk_streams),
        TEST(an_abort_drops_what_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
