/* Packets behind their lengths (RFC 4571): cut anywhere, they are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "egress/webrtc/framing.h"

enum { PACKETS = 4, STREAM_MAX = 8192 };

static const size_t lengths[PACKETS] = {20, 0, 1, FRAMING_PACKET_MAX};

struct stream {
    uint8_t bytes[STREAM_MAX];
    size_t len;
};

static struct stream stream_make(void)
{
    struct stream stream = {.len = 0};

    for (unsigned i = 0; i < PACKETS; i++) {
        stream.bytes[stream.len++] = (uint8_t)(lengths[i] >> 8);
        stream.bytes[stream.len++] = (uint8_t)lengths[i];
        memset(stream.bytes + stream.len, 'a' + (int)i, lengths[i]);
        stream.len += lengths[i];
    }
    return stream;
}

/* From memory that ends where the bytes do, so that a look beyond is found. */
static ssize_t next(struct framed *out, const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    ssize_t taken;

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    taken = framing_next(out, exact, len);
    if (taken > 0) {
        assert_int_equal(out->bytes - exact, FRAMING_BYTES);
        assert_int_equal(out->len + FRAMING_BYTES, taken);
        out->bytes = bytes + FRAMING_BYTES;
    }
    free(exact);
    return taken;
}

static void assert_is(const struct framed *packet, unsigned index)
{
    assert_int_equal(packet->len, lengths[index]);
    for (size_t i = 0; i < packet->len; i++)
        assert_int_equal(packet->bytes[i], 'a' + (int)index);
}

/* Takes what is whole of the first len bytes; returns how many those are. */
static size_t take(const struct stream *stream, size_t used, size_t len, unsigned *count)
{
    struct framed packet;
    ssize_t taken;

    while ((taken = next(&packet, stream->bytes + used, len - used)) > 0) {
        assert_is(&packet, (*count)++);
        used += (size_t)taken;
    }
    assert_int_equal(taken, 0);
    return used;
}

static void a_stream_cut_at_any_byte_holds_the_same_packets(void **state)
{
    const struct stream stream = stream_make();

    (void)state;
    for (size_t cut = 0; cut <= stream.len; cut++) {
        unsigned count = 0;
        size_t used = take(&stream, 0, cut, &count);

        assert_int_equal(take(&stream, used, stream.len, &count), stream.len);
        assert_int_equal(count, PACKETS);
    }
}

static void a_packet_comes_with_its_last_byte_and_not_before(void **state)
{
    const struct stream stream = stream_make();
    struct framed packet;

    (void)state;
    for (size_t len = 0; len < FRAMING_BYTES + lengths[0]; len++)
        assert_int_equal(next(&packet, stream.bytes, len), 0);
    assert_int_equal(next(&packet, stream.bytes, FRAMING_BYTES + lengths[0]),
                     FRAMING_BYTES + lengths[0]);
}

static void an_empty_packet_is_a_packet(void **state)
{
    struct framed packet = {.len = 1};

    (void)state;
    assert_int_equal(next(&packet, (const uint8_t *)"\0\0", 2), FRAMING_BYTES);
    assert_int_equal(packet.len, 0);
}

static void one_that_is_too_long_is_refused_by_its_length_alone(void **state)
{
    const size_t too_long[] = {FRAMING_PACKET_MAX + 1, 0x4000, 0xffff};
    struct framed packet;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint8_t head[] = {(uint8_t)(too_long[i] >> 8), (uint8_t)too_long[i]};

        assert_int_equal(next(&packet, head, 1), 0);
        assert_int_equal(next(&packet, head, 2), -ERR_TOO_LONG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_cut_at_any_byte_holds_the_same_packets),
        cmocka_unit_test(a_packet_comes_with_its_last_byte_and_not_before),
        cmocka_unit_test(an_empty_packet_is_a_packet),
        cmocka_unit_test(one_that_is_too_long_is_refused_by_its_length_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
