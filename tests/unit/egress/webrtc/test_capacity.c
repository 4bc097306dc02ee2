/* What arrivals say of a narrow place, and of what stands before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "egress/webrtc/capacity.h"

enum { MS = 1000, SECOND = 1000 * MS, BYTES = 1200, TRIP_US = 20 * MS };

static const int64_t ahead_us = (int64_t)1 << 40; /* the viewer's clock */

static struct path {
    struct capacity capacity;
    uint32_t bps;
    int64_t now_us, free_us, jitter_us;
    uint32_t random;
} path;

static int set_up(void **state)
{
    (void)state;
    path = (struct path){.bps = 1000 * 1000, .now_us = SECOND, .random = 1};
    return 0;
}

static void send(unsigned packets)
{
    for (; packets > 0; packets--) {
        int64_t begin_us = path.free_us > path.now_us ? path.free_us : path.now_us;

        path.random = path.random * 1664525 + 1013904223;
        path.free_us = begin_us + (int64_t)BYTES * 8 * SECOND / path.bps;
        capacity_arrival(&path.capacity, path.now_us,
                         path.free_us + TRIP_US + ahead_us +
                             (path.jitter_us ? (path.random >> 8) % path.jitter_us : 0),
                         BYTES);
    }
}

/* Pictures of so many packets at 25 a second; a report after each second one. */
static void play(unsigned pictures, unsigned packets)
{
    for (unsigned i = 0; i < pictures; i++) {
        send(packets);
        path.now_us += 40 * MS;
        if (i % 2)
            capacity_update(&path.capacity);
    }
}

static void assert_near(uint32_t bps)
{
    assert_in_range(path.capacity.bps, bps - bps / 5, bps + bps / 5);
}

static void nothing_is_known_of_packets_that_come_one_by_one(void **state)
{
    (void)state;
    play(100, 1);
    assert_int_equal(path.capacity.bps, 0);
    assert_true(path.capacity.standing_us < MS);
}

static void pictures_of_some_packets_show_the_rate_with_room_to_spare(void **state)
{
    (void)state;
    play(100, 3); /* 0.72 Mbit/s */
    assert_near(1000 * 1000);
    path.bps = 30 * 1000 * 1000;
    play(25, 3);
    assert_near(30 * 1000 * 1000);
    path.bps = 2 * 1000 * 1000;
    play(25, 3);
    assert_near(2 * 1000 * 1000);
}

static void jitter_blurs_it_a_little(void **state)
{
    (void)state;
    path.jitter_us = 2 * MS;
    play(100, 3);
    assert_near(1000 * 1000);
    path.bps = 10 * 1000 * 1000;
    play(25, 8);
    assert_true(path.capacity.bps > 4 * 1000 * 1000);
}

static void what_stands_before_us_is_told(void **state)
{
    (void)state;
    play(20, 3);
    assert_true(path.capacity.standing_us < 15 * MS);
    path.free_us = path.now_us + 100 * MS; /* somebody else's */
    send(3);
    capacity_update(&path.capacity);
    assert_in_range(path.capacity.standing_us, 90 * MS, 120 * MS);
    path.now_us += SECOND;
    play(2, 3);
    assert_true(path.capacity.standing_us < 15 * MS);
}

/* What is too much all the time is measured without pauses. */
static void a_full_queue_shows_the_rate_too(void **state)
{
    (void)state;
    play(50, 8);
    assert_near(1000 * 1000);
    assert_true(path.capacity.standing_us > 500 * MS);
}

/* Ten seconds later it is how the path is. */
static void a_longer_way_is_no_queue_for_ever(void **state)
{
    (void)state;
    play(50, 3);
    for (unsigned i = 0; i < 500; i++) {
        int64_t sent_us = path.now_us;

        capacity_arrival(&path.capacity, sent_us, sent_us + 200 * MS + ahead_us, BYTES);
        path.now_us += 40 * MS;
        capacity_update(&path.capacity);
    }
    assert_true(path.capacity.standing_us < 5 * MS);
}

static void clocks_that_are_set_begin_anew(void **state)
{
    static const int64_t jumps_us[] = {100 * (int64_t)SECOND, -50 * (int64_t)SECOND,
                                       -((int64_t)1 << 41)};

    (void)state;
    for (unsigned i = 0; i < sizeof(jumps_us) / sizeof(*jumps_us); i++) {
        play(50, 3);
        path.now_us += jumps_us[i];
        path.free_us = 0;
        play(10, 3);
        assert_near(1000 * 1000);
        assert_true(path.capacity.standing_us < 15 * MS);
    }
}

static void what_was_overtaken_is_left_out(void **state)
{
    struct capacity before;

    (void)state;
    play(50, 3);
    before = path.capacity;
    capacity_arrival(&path.capacity, path.now_us - SECOND, path.now_us + ahead_us, BYTES);
    capacity_arrival(&path.capacity, path.now_us, before.arrival_us - 1, BYTES);
    assert_memory_equal(&before, &path.capacity, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_of_packets_that_come_one_by_one),
        TEST(pictures_of_some_packets_show_the_rate_with_room_to_spare),
        TEST(jitter_blurs_it_a_little),
        TEST(what_stands_before_us_is_told),
        TEST(a_full_queue_shows_the_rate_too),
        TEST(a_longer_way_is_no_queue_for_ever),
        TEST(clocks_that_are_set_begin_anew),
        TEST(what_was_overtaken_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
