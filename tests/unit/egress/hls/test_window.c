/* What the window keeps, for how long, and what it knows of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "egress/hls/window.h"

static struct window window;

static int begin(void **state)
{
    (void)state;
    window_init(&window);
    return 0;
}

static int end(void **state)
{
    (void)state;
    window_fini(&window);
    return 0;
}

/* Of len bytes, in tracks of that generation. */
static struct packet *packet_of(uint32_t generation, size_t len)
{
    struct tracks *tracks = tracks_new(1);
    struct buf *buf = buf_new(len);
    struct packet *packet;

    assert_non_null(tracks);
    assert_non_null(buf);
    memset(buf->bytes, 'x', len);
    tracks->generation = generation;
    packet = packet_new(PACKET_CMAF, buf, tracks, 0);
    assert_non_null(packet);
    tracks_unref(tracks);
    return packet;
}

static void push_init(uint32_t generation)
{
    struct packet *packet = packet_of(generation, 4);

    packet->is_init = true;
    window_push(&window, packet);
    packet_unref(packet);
}

struct part {
    uint64_t segment;
    uint32_t part;
    int64_t duration_us;
    bool is_last;
    size_t len;
};

static void push(struct part part)
{
    struct packet *packet = packet_of(1, part.len);

    packet->dts_us = (int64_t)part.segment * 1000000 + part.part * 100000;
    packet->cmaf = (struct cmaf_place){.segment = part.segment,
                                       .part = part.part,
                                       .duration_us = part.duration_us,
                                       .ends_segment = part.is_last,
                                       .is_independent = part.part == 0};
    window_push(&window, packet);
    packet_unref(packet);
}

/* A segment of one part. */
static void push_segment(uint64_t number)
{
    push((struct part){number, 0, 1000000, true, 100});
}

static void headers_are_kept_for_four_generations(void **state)
{
    (void)state;
    for (uint32_t generation = 1; generation <= WINDOW_INITS; generation++)
        push_init(generation);
    push_init(2); /* known: takes no place */
    for (uint32_t generation = 1; generation <= WINDOW_INITS; generation++)
        assert_non_null(window_find_init(&window, generation));
    push_init(9);
    assert_null(window_find_init(&window, 1));
    assert_non_null(window_find_init(&window, 2));
    assert_non_null(window_find_init(&window, 9));
    assert_int_equal(window.version, 0); /* headers alone change no playlist */
}

static void an_empty_window_has_nothing(void **state)
{
    (void)state;
    assert_null(window_newest(&window));
    assert_null(window_find(&window, 0));
    assert_null(window_find_init(&window, 0));
    assert_false(window_has(&window, 0, false, 0));
    assert_false(window_has_complete(&window));
}

static void a_segment_is_there_when_it_ends_and_a_part_when_it_comes(void **state)
{
    (void)state;
    push((struct part){5, 0, 200000, false, 10});
    assert_true(window_has(&window, 5, true, 0));
    assert_false(window_has(&window, 5, true, 1));
    assert_false(window_has(&window, 5, false, 0));
    assert_false(window_has_complete(&window));
    push((struct part){5, 1, 200000, true, 10});
    assert_true(window_has(&window, 5, false, 0));
    assert_true(window_has_complete(&window));
    assert_false(window_has(&window, 6, false, 0));
    assert_false(window_has(&window, 5, true, 2));
    assert_true(window_has(&window, 4, false, 0)); /* gone by: nobody waits for it */
    assert_int_equal(window.version, 2);
}

static void the_oldest_leave_and_what_was_put_together_goes_with_them(void **state)
{
    struct buf *whole;

    (void)state;
    push_segment(1);
    whole = buf_ref(window_whole(window_find(&window, 1)));
    assert_ptr_equal(whole, window_whole(window_find(&window, 1)));
    assert_int_equal(whole->len, 100);
    for (uint64_t number = 2; number <= WINDOW_SLOTS + 1; number++)
        push_segment(number);
    assert_null(window_find(&window, 1));
    assert_non_null(window_find(&window, 2));
    assert_int_equal(window.count, WINDOW_SLOTS);
    assert_int_equal(atomic_load(&whole->refs), 1);
    buf_unref(whole);
}

static void the_peak_is_the_densest_segments(void **state)
{
    (void)state;
    push((struct part){1, 0, 1000000, true, 1000});
    assert_int_equal(window.peak_bps, 8000);
    push((struct part){2, 0, 500000, true, 1000});
    push((struct part){3, 0, 1000000, true, 100});
    assert_int_equal(window.peak_bps, 16000);
    assert_int_equal(window.bytes, 2100);
    assert_int_equal(window.bytes_us, 2500000);
    push((struct part){4, 0, 0, true, 1000}); /* of no length: no rate */
    assert_int_equal(window.peak_bps, 16000);
}

static void targets_grow_to_what_came_and_never_shrink(void **state)
{
    (void)state;
    assert_int_equal(window.part_target_us, 200000);
    assert_int_equal(window.segment_target_us, 2000000);
    push((struct part){1, 0, 233333, false, 10});
    assert_int_equal(window.part_target_us, 240000);
    push((struct part){1, 1, 4000000, true, 10});
    assert_int_equal(window.part_target_us, 4000000);
    assert_int_equal(window.segment_target_us, 4233333);
    push_segment(2);
    assert_int_equal(window.part_target_us, 4000000);
    assert_int_equal(window.segment_target_us, 4233333);
}

static void a_segment_has_at_most_sixty_four_parts(void **state)
{
    (void)state;
    for (uint32_t part = 0; part < WINDOW_PARTS + 10; part++)
        push((struct part){1, part, 100000, false, 10});
    assert_int_equal(window_newest(&window)->part_count, WINDOW_PARTS);
    assert_int_equal(window.version, WINDOW_PARTS);
    push_segment(2);
    assert_true(window_find(&window, 1)->is_cut);
    assert_true(window_find(&window, 2)->is_discontinuous);
}

static void parts_out_of_order_are_dropped(void **state)
{
    (void)state;
    push((struct part){1, 1, 100000, false, 10});
    assert_int_equal(window.count, 0);
    push((struct part){1, 0, 100000, false, 10});
    push((struct part){1, 2, 100000, false, 10});
    push((struct part){2, 1, 100000, false, 10});
    push((struct part){1, 0, 100000, false, 10});
    push((struct part){0, 0, 100000, false, 10});
    assert_int_equal(window.count, 1);
    assert_int_equal(window_newest(&window)->part_count, 1);
    push((struct part){1, 1, 100000, true, 10});
    push((struct part){1, 2, 100000, false, 10}); /* it has ended */
    assert_int_equal(window_newest(&window)->part_count, 2);
}

static void gaps_stand_where_the_missing_would_and_lie_within_the_time_there_was(void **state)
{
    (void)state;
    push_segment(10);
    push_segment(13);
    assert_int_equal(window.count, 4);
    for (uint64_t number = 11; number <= 12; number++) {
        const struct window_segment *gap = window_find(&window, number);

        assert_true(gap->is_gap && gap->is_complete);
        assert_int_equal(gap->part_count, 0);
        assert_int_equal(gap->start_us, (int64_t)number * 1000000);
        assert_int_equal(gap->duration_us, 1000000);
    }
    assert_false(window_find(&window, 10)->is_discontinuous);
    assert_true(window_find(&window, 13)->is_discontinuous);
}

/* The farthest numbers there are neither loop for ever nor wrap. */
static void a_number_far_away_begins_anew(void **state)
{
    (void)state;
    push_segment(10);
    push_segment(10 + WINDOW_SEGMENTS + 2);
    assert_int_equal(window.count, 1);
    push((struct part){UINT64_MAX / 2000000, 0, 100000, true, 10});
    assert_int_equal(window.count, 1);
    assert_int_equal(window_newest(&window)->number, UINT64_MAX / 2000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(headers_are_kept_for_four_generations),
        TEST(an_empty_window_has_nothing),
        TEST(a_segment_is_there_when_it_ends_and_a_part_when_it_comes),
        TEST(the_oldest_leave_and_what_was_put_together_goes_with_them),
        TEST(the_peak_is_the_densest_segments),
        TEST(targets_grow_to_what_came_and_never_shrink),
        TEST(a_segment_has_at_most_sixty_four_parts),
        TEST(parts_out_of_order_are_dropped),
        TEST(gaps_stand_where_the_missing_would_and_lie_within_the_time_there_was),
        TEST(a_number_far_away_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
