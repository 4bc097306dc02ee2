/* The estimate against a simulated path: a queue of a given rate and depth, and a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/estimate.h"

enum {
    MS = 1000,
    TICK_US = 5 * MS,
    FEEDBACK_US = 100 * MS,
    TRIP_US = 30 * MS, /* one way, with an empty queue */
    PACKET_BYTES = 1200,
    MBPS = 1000 * 1000,
    IN_FLIGHT = 4096
};

struct path {
    struct estimate estimate;
    int64_t now_us, free_us, queue_us, clock_us; /* clock: what the viewer's is ahead */
    uint32_t bps, most_bps, loss_permille;       /* most: what there is to send */
    uint32_t random;
    double budget;
    uint16_t seq, told;
    int64_t arrivals[IN_FLIGHT];
    bool sends_frames;
};

static uint32_t draw(struct path *path)
{
    path->random = path->random * 1664525 + 1013904223;
    return path->random >> 16;
}

static struct path *path_new(uint32_t bps, int64_t queue_us)
{
    struct path *path = calloc(1, sizeof(*path));

    assert_non_null(path);
    estimate_init(&path->estimate);
    path->now_us = 1000 * MS;
    path->clock_us = (int64_t)1 << 40;
    path->bps = bps;
    path->most_bps = UINT32_MAX;
    path->queue_us = queue_us;
    path->random = 1;
    path->seq = path->told = 65000;
    return path;
}

static void send_one(struct path *path)
{
    int64_t *arrival = &path->arrivals[path->seq % IN_FLIGHT];
    int64_t free_us = path->free_us > path->now_us ? path->free_us : path->now_us;

    estimate_sent(&path->estimate, path->seq++, PACKET_BYTES, path->now_us);
    *arrival = -1;
    if (draw(path) % 1000 < path->loss_permille || free_us - path->now_us > path->queue_us)
        return;
    path->free_us = free_us + (int64_t)PACKET_BYTES * 8 * MBPS / path->bps;
    *arrival = path->free_us + TRIP_US + draw(path) % (2 * MS);
}

static void send_some(struct path *path)
{
    uint32_t bps = path->estimate.bps < path->most_bps ? path->estimate.bps : path->most_bps;

    path->budget += (double)bps / 8 * TICK_US / MBPS;
    if (path->sends_frames && path->now_us % (40 * MS))
        return;
    for (; path->budget >= PACKET_BYTES; path->budget -= PACKET_BYTES)
        send_one(path);
}

/* Everything up to the newest that arrived by now; what is missing before it is lost. */
static void feed_back(struct path *path)
{
    uint16_t newest = path->told;

    for (uint16_t seq = path->told; seq != path->seq; seq++)
        if (path->arrivals[seq % IN_FLIGHT] > 0 &&
            path->arrivals[seq % IN_FLIGHT] + TRIP_US <= path->now_us)
            newest = (uint16_t)(seq + 1);
    for (; path->told != newest; path->told++) {
        int64_t arrival_us = path->arrivals[path->told % IN_FLIGHT];

        estimate_arrival(&path->estimate, path->told,
                         arrival_us < 0 ? -1 : arrival_us + path->clock_us);
    }
    estimate_update(&path->estimate, path->now_us);
}

static void run(struct path *path, unsigned seconds)
{
    int64_t end_us = path->now_us + (int64_t)seconds * MBPS;

    for (; path->now_us < end_us; path->now_us += TICK_US) {
        send_some(path);
        if (path->now_us % FEEDBACK_US == 0)
            feed_back(path);
    }
}

_Static_assert(sizeof(struct estimate) <= 12 * 1024, "a viewer costs too much");

static void assert_near(const struct path *path, uint32_t bps)
{
    assert_in_range(path->estimate.bps, bps - bps * 3 / 10, bps + bps * 3 / 10);
}

/* Short queues and long, packets evenly and in frames. */
static void it_comes_near_a_bottleneck_and_climbs_when_that_widens(void **state)
{
    static const int64_t queues_us[] = {20 * MS, 50 * MS, 100 * MS, 500 * MS};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct path *path = path_new(1 * MBPS, queues_us[i / 2]);

        path->sends_frames = i % 2;
        run(path, 10);
        assert_near(path, 1 * MBPS);
        assert_true(path->estimate.has_feedback);
        path->bps = 2 * MBPS;
        run(path, 20);
        if (path->queue_us >= 50 * MS || !path->sends_frames) /* 20 ms don't hold a frame */
            assert_near(path, 2 * MBPS);
        assert_true(path->estimate.bps > 1200 * 1000);
        free(path);
    }
}

static void a_bottleneck_that_narrows_is_noticed_within_seconds(void **state)
{
    struct path *path = path_new(4 * MBPS, 300 * MS);

    (void)state;
    run(path, 20);
    assert_near(path, 4 * MBPS);
    path->bps = 1 * MBPS;
    run(path, 5);
    assert_near(path, 1 * MBPS);
    free(path);
}

static void a_deep_queue_is_not_left_full(void **state)
{
    struct path *path = path_new(1 * MBPS, 3000 * MS);

    (void)state;
    run(path, 10);
    assert_near(path, 1 * MBPS);
    for (unsigned i = 0; i < 20; i++) {
        run(path, 1);
        assert_true(path->free_us - path->now_us < 200 * MS);
    }
    free(path);
}

static void over_use_is_told_while_it_lasts(void **state)
{
    struct path *path = path_new(1 * MBPS, 2000 * MS);
    bool was_overused = false;

    (void)state;
    for (unsigned i = 0; i < 20 && !was_overused; i++) {
        path->estimate.bps = ESTIMATE_START_BPS;
        run(path, 1);
        was_overused = path->estimate.is_overused;
    }
    assert_true(was_overused);
    path->bps = 10 * MBPS;
    run(path, 3);
    assert_false(path->estimate.is_overused);
    free(path);
}

static void a_path_with_room_is_not_overused(void **state)
{
    struct path *path = path_new(20 * MBPS, 200 * MS);

    (void)state;
    path->most_bps = 4 * MBPS;
    run(path, 30);
    assert_in_range(path->estimate.bps, 4 * MBPS, 4 * MBPS * 17 / 10); /* what can be known */
    assert_in_range(path->estimate.acked_bps, 3600 * 1000, 4400 * 1000);
    assert_false(path->estimate.is_overused);
    assert_int_equal(path->estimate.loss_permille, 0);
    free(path);
}

static void random_loss_lowers_it(void **state)
{
    struct path *path = path_new(20 * MBPS, 200 * MS);
    uint32_t before;

    (void)state;
    path->most_bps = 2 * MBPS;
    run(path, 10);
    before = path->estimate.bps;
    path->loss_permille = 100;
    run(path, 10);
    assert_in_range(path->estimate.loss_permille, 60, 140);
    assert_true(path->estimate.bps < before * 9 / 10);
    before = path->estimate.bps;
    path->loss_permille = 0;
    run(path, 10);
    assert_true(path->estimate.bps > before);
    assert_in_range(path->estimate.loss_permille, 0, 2);
    free(path);
}

static void without_feedback_it_stays_a_guess(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        estimate_sent(&path->estimate, (uint16_t)i, PACKET_BYTES, path->now_us += MS);
        estimate_update(&path->estimate, path->now_us);
    }
    assert_int_equal(path->estimate.bps, ESTIMATE_START_BPS);
    assert_false(path->estimate.has_feedback);
    free(path);
}

/* What the estimate is must not change, in any byte. */
static void strange_numbers_change_nothing(void **state)
{
    struct path *path = path_new(4 * MBPS, 100 * MS);
    struct estimate before;

    (void)state;
    path->most_bps = 2 * MBPS;
    run(path, 5);
    feed_back(path);
    memcpy(&before, &path->estimate, sizeof(before));
    for (unsigned i = 1; i < 2000; i++) { /* told already, or never sent */
        estimate_arrival(&path->estimate, (uint16_t)(path->told - i), path->clock_us);
        estimate_arrival(&path->estimate, (uint16_t)(path->seq + i), i % 2 ? -1 : path->clock_us);
    }
    estimate_update(&path->estimate, path->now_us + 100 * MS);
    assert_memory_equal(&before, &path->estimate, sizeof(before));
    free(path);
}

static void a_packet_that_was_late_was_not_lost(void **state)
{
    struct path *path = path_new(4 * MBPS, 100 * MS);

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        estimate_sent(&path->estimate, (uint16_t)i, PACKET_BYTES, path->now_us);
        estimate_arrival(&path->estimate, (uint16_t)i, i % 2 ? -1 : path->now_us);
        estimate_arrival(&path->estimate, (uint16_t)i, path->now_us + 20 * MS);
        path->now_us += 10 * MS;
    }
    estimate_update(&path->estimate, path->now_us);
    assert_int_equal(path->estimate.loss_permille, 0);
    free(path);
}

static void clocks_that_jump_are_survived(void **state)
{
    static const int64_t jumps_us[] = {10 * MBPS, -10 * MBPS, 1 * MBPS, -1 * MBPS,
                                       -((int64_t)1 << 39)};
    struct path *path = path_new(10 * MBPS, 200 * MS);

    (void)state;
    path->most_bps = 2 * MBPS;
    run(path, 5);
    for (unsigned i = 0; i < sizeof(jumps_us) / sizeof(jumps_us[0]); i++) {
        uint32_t before = path->estimate.bps;

        path->clock_us += jumps_us[i]; /* the viewer's */
        run(path, 1);
        if (jumps_us[i] > 3 * MBPS || jumps_us[i] < -3 * MBPS) /* less may be a delay */
            assert_true(path->estimate.bps >= before);
        run(path, 9);
        assert_in_range(path->estimate.acked_bps, 1800 * 1000, 2200 * 1000);
        assert_true(path->estimate.bps > 1600 * 1000);
    }
    estimate_update(&path->estimate, path->now_us - 1000 * (int64_t)MBPS); /* and ours */
    run(path, 10);
    assert_true(path->estimate.bps > 1600 * 1000);
    free(path);
}

/* Under UBSan: no call, with whatever numbers, computes what can't be. */
static void any_order_of_calls_stays_within_bounds(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);
    struct estimate *estimate = &path->estimate;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        int64_t at_us = (int64_t)draw(path) << draw(path) % 40;
        uint16_t seq = (uint16_t)(draw(path) % 1024);

        if (draw(path) % 3 == 0)
            estimate_sent(estimate, seq, (uint16_t)draw(path), at_us);
        estimate_arrival(estimate, seq, draw(path) % 5 ? at_us : -at_us);
        if (draw(path) % 10 == 0)
            estimate_update(estimate, draw(path) % 2 ? at_us : path->now_us);
        if (draw(path) % 100 == 0)
            estimate_limit(estimate, (uint64_t)at_us);
        assert_in_range(estimate->bps, ESTIMATE_MIN_BPS, ESTIMATE_MAX_BPS);
        assert_in_range(estimate->loss_permille, 0, 1000);
    }
    free(path);
}

static void receiver_reports_alone_move_it(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);
    uint32_t lowered;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        estimate_loss(&path->estimate, 51, path->now_us += MBPS); /* 20 % */
    lowered = path->estimate.bps;
    assert_true(lowered < ESTIMATE_START_BPS / 2);
    assert_in_range(path->estimate.loss_permille, 190, 200);
    for (unsigned i = 0; i < 10; i++)
        estimate_loss(&path->estimate, 0, path->now_us += MBPS);
    assert_true(path->estimate.bps > lowered * 2);
    free(path);
}

/* A second's worth at a rate, of which a report then says what was lost. */
static void send_a_second(struct path *path, uint32_t bps, uint32_t lost_permille)
{
    for (unsigned i = 0; i < 100; i++) {
        estimate_sent(&path->estimate, path->seq++, (uint16_t)(bps / 8 / 100), path->now_us);
        path->now_us += 10 * MS;
    }
    estimate_loss(&path->estimate, (uint8_t)(lost_permille * 256 / 1000), path->now_us);
}

static void much_loss_shows_what_there_is_room_for(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);

    (void)state;
    send_a_second(path, 2 * MBPS, 500);
    assert_near(path, 1 * MBPS);
    assert_true(path->estimate.is_tight);
    for (unsigned i = 0; i < 9; i++) {
        send_a_second(path, path->estimate.bps, 0);
        assert_true(path->estimate.is_tight);
    }
    assert_true(path->estimate.bps > 2 * MBPS);
    send_a_second(path, 2 * MBPS, 0);
    send_a_second(path, 2 * MBPS, 0);
    assert_false(path->estimate.is_tight);
    free(path);
}

static void a_little_loss_is_no_tight_path(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        send_a_second(path, 2 * MBPS, 60);
        assert_false(path->estimate.is_tight);
    }
    assert_true(path->estimate.bps >= ESTIMATE_START_BPS);
    free(path);
}

static void what_is_missing_counts_before_the_first_report_only(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);
    uint32_t lowered;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        estimate_sent(&path->estimate, path->seq++, PACKET_BYTES, path->now_us);
    for (unsigned i = 0; i < 19; i++)
        estimate_missing(&path->estimate, path->now_us);
    assert_false(path->estimate.has_feedback);
    estimate_missing(&path->estimate, path->now_us);
    assert_true(path->estimate.has_feedback);
    assert_true(path->estimate.is_tight);
    lowered = path->estimate.bps;
    assert_true(lowered < ESTIMATE_START_BPS);
    for (unsigned i = 0; i < 100; i++)
        estimate_missing(&path->estimate, path->now_us);
    assert_int_equal(path->estimate.bps, lowered);
    free(path);
}

static void what_was_sent_bounds_growth_without_transport_feedback(void **state)
{
    struct path *path = path_new(1 * MBPS, 100 * MS);

    (void)state;
    for (unsigned i = 0; i < 60 * 100; i++) { /* 2.4 Mbit/s for a minute */
        for (unsigned k = 0; k < 3; k++)
            estimate_sent(&path->estimate, (uint16_t)(i * 3 + k), 1000, path->now_us);
        path->now_us += 10 * MS;
        if (i % 100 == 0)
            estimate_loss(&path->estimate, 0, path->now_us);
    }
    assert_in_range(path->estimate.bps, 3 * MBPS, 4 * MBPS);
    free(path);
}

static void the_viewers_own_bound_holds_until_the_next(void **state)
{
    struct path *path = path_new(10 * MBPS, 100 * MS);

    (void)state;
    estimate_limit(&path->estimate, 600 * 1000);
    assert_int_equal(path->estimate.bps, 600 * 1000);
    run(path, 5);
    assert_int_equal(path->estimate.bps, 600 * 1000);
    estimate_limit(&path->estimate, 0);
    assert_int_equal(path->estimate.bps, ESTIMATE_MIN_BPS);
    estimate_limit(&path->estimate, UINT64_MAX);
    assert_true(path->estimate.bps >= ESTIMATE_START_BPS);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_near_a_bottleneck_and_climbs_when_that_widens),
        cmocka_unit_test(a_bottleneck_that_narrows_is_noticed_within_seconds),
        cmocka_unit_test(a_deep_queue_is_not_left_full),
        cmocka_unit_test(over_use_is_told_while_it_lasts),
        cmocka_unit_test(a_path_with_room_is_not_overused),
        cmocka_unit_test(random_loss_lowers_it),
        cmocka_unit_test(without_feedback_it_stays_a_guess),
        cmocka_unit_test(strange_numbers_change_nothing),
        cmocka_unit_test(a_packet_that_was_late_was_not_lost),
        cmocka_unit_test(clocks_that_jump_are_survived),
        cmocka_unit_test(any_order_of_calls_stays_within_bounds),
        cmocka_unit_test(receiver_reports_alone_move_it),
        cmocka_unit_test(much_loss_shows_what_there_is_room_for),
        cmocka_unit_test(a_little_loss_is_no_tight_path),
        cmocka_unit_test(what_is_missing_counts_before_the_first_report_only),
        cmocka_unit_test(what_was_sent_bounds_growth_without_transport_feedback),
        cmocka_unit_test(the_viewers_own_bound_holds_until_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
