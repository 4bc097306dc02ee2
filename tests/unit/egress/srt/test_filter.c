/* What of the network libsrt gets to see: real packets, through the kernel. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "egress/srt/filter.h"

enum { HEADER = 16, HANDSHAKE_BYTES = 48, PACKET = 2000 };
enum { TYPE_HANDSHAKE, TYPE_KEEPALIVE, TYPE_ACK, TYPE_LOSS, TYPE_SHUTDOWN = 5, TYPE_ACKACK };
enum { TYPE_DROP = 7, TYPE_EXTENSION = 0x7fff, INDUCTION = 1 };
#define CONCLUSION 0xffffffffu
#define RANGE 0x80000000u

struct ends {
    int in, out;
};

static int setup(void **state)
{
    static struct ends ends;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    ends.in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ends.out = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(ends.in, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(ends.in, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(ends.out, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(filter_attach(ends.in, 0), 0);
    *state = &ends;
    return 0;
}

static int teardown(void **state)
{
    struct ends *ends = *state;

    close(ends->in);
    close(ends->out);
    return 0;
}

static bool comes_through(struct ends *ends, const void *packet, size_t len)
{
    char got[PACKET];

    assert_int_equal(send(ends->out, packet, len, 0), len);
    return recv(ends->in, got, sizeof(got), 0) == (ssize_t)len;
}

static void put(uint8_t *at, uint32_t word)
{
    word = htonl(word);
    memcpy(at, &word, sizeof(word));
}

/* A control packet with a body of len bytes. */
static bool control_comes(struct ends *ends, unsigned type, unsigned subtype, size_t len)
{
    uint8_t packet[PACKET] = {0};

    put(packet, 0x80000000u | type << 16 | subtype);
    return comes_through(ends, packet, HEADER + len);
}

struct handshake {
    uint32_t request, mss, window;
    size_t extra;
};

static bool handshake_comes(struct ends *ends, const struct handshake *handshake)
{
    uint8_t packet[PACKET] = {0x80};

    put(packet + HEADER + 12, handshake->mss);
    put(packet + HEADER + 16, handshake->window);
    put(packet + HEADER + 20, handshake->request);
    return comes_through(ends, packet, HEADER + HANDSHAKE_BYTES + handshake->extra);
}

static void what_viewers_send_comes_through(void **state)
{
    static const struct handshake begin = {INDUCTION, 1500, 25600, 0},
                                  end = {CONCLUSION, 1500, 8192, 0};

    assert_true(handshake_comes(*state, &begin));
    assert_true(handshake_comes(*state, &end));
    assert_true(control_comes(*state, TYPE_KEEPALIVE, 0, 4));
    assert_true(control_comes(*state, TYPE_SHUTDOWN, 0, 4));
    assert_true(control_comes(*state, TYPE_ACK, 0, 4));
    assert_true(control_comes(*state, TYPE_ACK, 0, 28));
    assert_true(control_comes(*state, TYPE_LOSS, 0, 4));
    assert_true(control_comes(*state, TYPE_LOSS, 0, 1456));
    assert_true(control_comes(*state, TYPE_EXTENSION, 4, 104));
    assert_true(control_comes(*state, TYPE_EXTENSION, 4, 4));
}

static void media_and_what_only_senders_say_is_dropped(void **state)
{
    uint8_t media[PACKET] = {0};

    assert_false(comes_through(*state, media, HEADER + 1316));
    assert_false(control_comes(*state, TYPE_ACKACK, 0, 4));
    assert_false(control_comes(*state, TYPE_DROP, 0, 8));
    assert_false(control_comes(*state, TYPE_EXTENSION, 1, 12)); /* an old handshake */
    assert_false(control_comes(*state, TYPE_EXTENSION, 3, 72)); /* new keys */
    assert_false(control_comes(*state, 0x123, 0, 4));
}

static void lengths_that_lie_are_dropped(void **state)
{
    uint8_t packet[PACKET] = {0x80};

    for (size_t len = 0; len < HEADER + HANDSHAKE_BYTES; len++)
        assert_false(comes_through(*state, packet, len));
    assert_false(control_comes(*state, TYPE_KEEPALIVE, 0, 200));
    assert_false(control_comes(*state, TYPE_ACK, 0, 0));
    assert_false(control_comes(*state, TYPE_ACK, 0, 5));
    assert_false(control_comes(*state, TYPE_ACK, 0, 36));
    assert_false(control_comes(*state, TYPE_LOSS, 0, 0));
    assert_false(control_comes(*state, TYPE_LOSS, 0, 1460));
    assert_false(control_comes(*state, TYPE_EXTENSION, 4, 108));
    assert_false(control_comes(*state, TYPE_EXTENSION, 4, 1456));
}

static void a_range_without_its_end_is_dropped(void **state)
{
    uint8_t packet[HEADER + 12] = {0x80, TYPE_LOSS};

    put(packet + HEADER, RANGE | 5);
    assert_true(comes_through(*state, packet, HEADER + 8));
    put(packet + HEADER + 8, RANGE | 9);
    assert_false(comes_through(*state, packet, HEADER + 12));
    assert_false(comes_through(*state, packet, HEADER + 4));
}

static void handshakes_that_ask_for_the_impossible_are_dropped(void **state)
{
    static const struct handshake rows[] = {
        {CONCLUSION, 76, 8192, 0},          {CONCLUSION, FILTER_MSS_MIN - 1, 8192, 0},
        {CONCLUSION, 0, 8192, 0},           {CONCLUSION, 1500, FILTER_WINDOW_MIN - 1, 0},
        {CONCLUSION, 1500, 0, 0},           {CONCLUSION, 1500, FILTER_WINDOW_MAX + 1, 0},
        {CONCLUSION, 1500, 0x80000000u, 0}, {0, 1500, 8192, 0}, /* rendezvous */
        {0xfffffffeu, 1500, 8192, 0},       {1008, 1500, 8192, 0},
    };
    static const struct handshake jumbo = {CONCLUSION, 65535, FILTER_WINDOW_MAX, 0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_false(handshake_comes(*state, &rows[i]));
    assert_true(handshake_comes(*state, &jumbo)); /* libsrt takes the smaller of both ends' */
}

/* Handshakes with extensions; each is its type and length in words, and as many words. */
static bool extensions_come(struct ends *ends, const uint32_t *heads, unsigned count, int beyond)
{
    uint8_t packet[PACKET] = {0x80};
    size_t at = HEADER + HANDSHAKE_BYTES;

    put(packet + HEADER + 12, 1500);
    put(packet + HEADER + 16, 8192);
    put(packet + HEADER + 20, CONCLUSION);
    for (unsigned i = 0; i < count; i++) {
        put(packet + at, heads[i]);
        at += 4 + (heads[i] & 0xffff) * 4;
        if (at > PACKET)
            at = PACKET;
    }
    return comes_through(ends, packet, (size_t)((int)at + beyond));
}

enum { HSREQ_3 = 1 << 16 | 3, KEYS = 3 << 16, STREAM = 5 << 16, GROUP_2 = 8 << 16 | 2 };

static void extensions_must_fit_the_packet_and_their_kind(void **state)
{
    static const uint32_t good[] = {HSREQ_3, KEYS | 26, STREAM | 128, 6 << 16 | 1, 7 << 16 | 9};
    static const uint32_t bad[][2] = {{HSREQ_3, STREAM},           {HSREQ_3, STREAM | 129},
                                      {HSREQ_3, KEYS | 27},        {HSREQ_3, GROUP_2},
                                      {HSREQ_3, 1 << 16},          {0, HSREQ_3},
                                      {HSREQ_3, 0x7fff << 16 | 1}, {HSREQ_3, STREAM | 0xffff}};
    static const uint32_t many[] = {HSREQ_3, HSREQ_3, HSREQ_3, HSREQ_3, HSREQ_3, HSREQ_3};

    for (unsigned count = 1; count <= 5; count++) {
        assert_true(extensions_come(*state, good, count, 0));
        assert_false(extensions_come(*state, good, count, -4));
        assert_false(extensions_come(*state, good, count, 4));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(extensions_come(*state, bad[i], 2, 0));
    assert_false(extensions_come(*state, many, 6, 0));
}

static void of_a_flood_a_part_comes_through_and_of_cookies_all(void **state)
{
    static const struct handshake begin = {INDUCTION, 1500, 8192, 0},
                                  end = {CONCLUSION, 1500, 8192, 0};
    struct ends *ends = *state;
    unsigned through[FILTER_LEVEL_MAX + 1] = {0};

    for (unsigned level = 0; level <= FILTER_LEVEL_MAX; level += 2) {
        assert_int_equal(filter_attach(ends->in, level), 0);
        assert_true(handshake_comes(ends, &begin));
        for (unsigned i = 0; i < 320; i++)
            through[level] += handshake_comes(ends, &end);
    }
    assert_int_equal(through[0], 320);
    assert_in_range(through[2], 2, 70); /* 20 on average */
    assert_in_range(through[FILTER_LEVEL_MAX], 0, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_viewers_send_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(media_and_what_only_senders_say_is_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lengths_that_lie_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_without_its_end_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(extensions_must_fit_the_packet_and_their_kind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_a_flood_a_part_comes_through_and_of_cookies_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(handshakes_that_ask_for_the_impossible_are_dropped, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
