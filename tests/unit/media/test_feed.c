/* The ring and its cursors: who starts where, and what a slow viewer loses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/feed.h"

enum { PACKET_BYTES = 100, GROUP = 5 };

struct viewer {
    struct cursor cursor;
    unsigned ready_count, end_count, got_count;
    int64_t first_us, last_us;
    bool drains, leaves;
};

static struct viewer *viewer_of(struct cursor *cursor)
{
    return list_entry(cursor, struct viewer, cursor);
}

static void on_ready(struct cursor *cursor)
{
    struct viewer *viewer = viewer_of(cursor);
    struct packet *packet;

    viewer->ready_count++;
    if (viewer->leaves) {
        cursor_detach(cursor);
        return;
    }
    while (viewer->drains && (packet = cursor_next(cursor))) {
        if (!viewer->got_count++)
            viewer->first_us = packet->dts_us;
        viewer->last_us = packet->dts_us;
    }
}

static void on_end(struct cursor *cursor)
{
    viewer_of(cursor)->end_count++;
}

static struct viewer viewer_make(bool drains)
{
    return (struct viewer){.cursor = {.on_ready = on_ready, .on_end = on_end}, .drains = drains};
}

static struct feed *feed_make(size_t bytes, int64_t us)
{
    struct feed_limits limits = {bytes, us};
    struct feed *feed;

    assert_int_equal(feed_new(&feed, &limits), 0);
    return feed;
}

/* Packet number n of a stream with a key frame every GROUP, 40 ms apart. */
static void push(struct feed *feed, unsigned n)
{
    struct packet *packet = packet_new(PACKET_TS, buf_new(PACKET_BYTES), NULL, 0);

    assert_non_null(packet);
    packet->is_key = n % GROUP == 0;
    packet->dts_us = (int64_t)n * 40000;
    feed_push(feed, packet);
    packet_unref(packet);
}

static void push_range(struct feed *feed, unsigned first, unsigned end)
{
    for (unsigned n = first; n < end; n++)
        push(feed, n);
}

static void a_new_viewer_starts_at_the_newest_key_frame(void **state)
{
    struct feed *feed = feed_make(1 << 20, 10000000);
    struct viewer viewer = viewer_make(true);

    (void)state;
    push_range(feed, 0, 13);
    cursor_attach(&viewer.cursor, feed);
    assert_int_equal(viewer.first_us, 10 * 40000);
    assert_int_equal(viewer.got_count, 3);
    push(feed, 13);
    assert_int_equal(viewer.last_us, 13 * 40000);
    feed_free(feed);
    assert_int_equal(viewer.end_count, 1);
}

static void a_viewer_without_a_key_frame_waits_for_one(void **state)
{
    struct feed *feed = feed_make(1 << 20, 10000000);
    struct viewer viewer = viewer_make(true);

    (void)state;
    push_range(feed, 1, 4);
    cursor_attach(&viewer.cursor, feed);
    assert_int_equal(viewer.got_count, 0);
    push_range(feed, 4, 7);
    assert_int_equal(viewer.first_us, 5 * 40000);
    assert_int_equal(viewer.got_count, 2);
    feed_free(feed);
}

static void a_slow_cursor_resumes_at_a_key_frame(void **state)
{
    struct feed *feed = feed_make(8 * PACKET_BYTES, 10000000);
    struct viewer viewer = viewer_make(false);

    (void)state;
    push(feed, 0);
    cursor_attach(&viewer.cursor, feed);
    push_range(feed, 1, 23); /* overtaken: 15 to 22 are held */
    viewer.drains = true;
    on_ready(&viewer.cursor);
    assert_int_equal(viewer.first_us, 20 * 40000);
    assert_int_equal(viewer.last_us, 22 * 40000);
    assert_int_equal(viewer.cursor.skipped, 20);
    feed_free(feed);
}

static void a_ring_keeps_the_current_group_beyond_its_time(void **state)
{
    struct feed *feed = feed_make(1 << 20, 80000);

    (void)state;
    push_range(feed, 0, 4);
    assert_int_equal(feed_first(feed), 0);
    push_range(feed, 4, 7); /* the key frame 5 lets the old group go, but for 80 ms */
    assert_int_equal(feed_first(feed), 4);
    assert_int_equal(feed_newest_key(feed), 5);
    feed_free(feed);
}

static void a_group_larger_than_the_limit_is_cut(void **state)
{
    struct feed *feed = feed_make(3 * PACKET_BYTES, 10000000);

    (void)state;
    push_range(feed, 0, 5);
    assert_int_equal(feed_end(feed) - feed_first(feed), 3);
    assert_int_equal(feed_newest_key(feed), feed_end(feed));
    feed_free(feed);
}

static void a_ring_of_many_packets_keeps_their_order(void **state)
{
    struct feed *feed = feed_make(1 << 30, INT64_MAX);

    (void)state;
    push_range(feed, 0, 1000);
    for (unsigned n = 0; n < 1000; n++)
        assert_int_equal(feed_at(feed, n)->dts_us, (int64_t)n * 40000);
    assert_null(feed_at(feed, 1000));
    feed_free(feed);
}

static void a_viewer_may_leave_when_told_and_others_go_on(void **state)
{
    struct feed *feed = feed_make(1 << 20, 10000000);
    struct viewer leaver = viewer_make(true), stayer = viewer_make(true);

    (void)state;
    cursor_attach(&leaver.cursor, feed);
    cursor_attach(&stayer.cursor, feed);
    leaver.leaves = true;
    push_range(feed, 0, 3);
    assert_int_equal(leaver.ready_count, 1);
    assert_int_equal(stayer.got_count, 3);
    cursor_detach(&leaver.cursor);
    feed_free(feed);
    assert_int_equal(leaver.end_count, 0);
    assert_int_equal(stayer.end_count, 1);
}

static void an_idle_viewer_is_woken_once_until_it_drains(void **state)
{
    struct feed *feed = feed_make(1 << 20, 10000000);
    struct viewer viewer = viewer_make(false);

    (void)state;
    cursor_attach(&viewer.cursor, feed);
    push_range(feed, 0, 4);
    assert_int_equal(viewer.ready_count, 1);
    feed_free(feed);
}

/* A packet of audio beside video, at ms. */
static void push_audio(struct feed *feed, int64_t ms)
{
    struct packet *packet = packet_new(PACKET_TS, buf_new(PACKET_BYTES), NULL, 0);

    assert_non_null(packet);
    packet->can_wait = true;
    packet->dts_us = ms * 1000;
    feed_push(feed, packet);
    packet_unref(packet);
}

static void a_patient_viewer_takes_audio_with_the_next_picture(void **state)
{
    struct feed *feed = feed_make(100000, 0);
    struct viewer patient = viewer_make(true), eager = viewer_make(true);

    (void)state;
    patient.cursor.patience_us = 60000;
    cursor_attach(&patient.cursor, feed);
    cursor_attach(&eager.cursor, feed);
    push(feed, 0);
    push_audio(feed, 20);
    push_audio(feed, 40);
    assert_int_equal(patient.got_count, 1);
    assert_int_equal(eager.got_count, 3);
    push(feed, 1);
    assert_int_equal(patient.got_count, 4);
    assert_int_equal(patient.ready_count, 2);
    for (int64_t ms = 60; ms < 100; ms += 20)
        push_audio(feed, ms);
    assert_int_equal(patient.got_count, 4);
    push_audio(feed, 100); /* 60 ms after the picture */
    assert_int_equal(patient.got_count, 7);
    push_audio(feed, 120);
    assert_int_equal(patient.got_count, 7);
    feed_free(feed);
    assert_int_equal(patient.end_count, 1);
}

static void a_reset_feed_goes_on_at_the_next_key_frame(void **state)
{
    struct feed *feed = feed_make(1 << 20, 10000000);
    struct viewer viewer = viewer_make(true);

    (void)state;
    push_range(feed, 0, 3);
    feed_reset(feed);
    cursor_attach(&viewer.cursor, feed);
    push_range(feed, 3, 6);
    assert_int_equal(viewer.first_us, 5 * 40000);
    feed_free(feed);
}

static void headers_are_kept_after_the_ring_let_them_go(void **state)
{
    struct feed *feed = feed_make(3 * PACKET_BYTES, 10000000);
    struct packet *headers = packet_new(PACKET_CMAF, buf_new(10), NULL, 0);

    (void)state;
    assert_non_null(headers);
    assert_null(feed_headers(feed));
    headers->is_init = true;
    feed_push(feed, headers);
    push_range(feed, 0, 10);
    assert_ptr_not_equal(feed_at(feed, feed_first(feed)), headers);
    assert_ptr_equal(feed_headers(feed), headers);
    packet_unref(headers);
    feed_free(feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_viewer_starts_at_the_newest_key_frame),
        cmocka_unit_test(a_viewer_without_a_key_frame_waits_for_one),
        cmocka_unit_test(a_slow_cursor_resumes_at_a_key_frame),
        cmocka_unit_test(a_ring_keeps_the_current_group_beyond_its_time),
        cmocka_unit_test(a_group_larger_than_the_limit_is_cut),
        cmocka_unit_test(a_ring_of_many_packets_keeps_their_order),
        cmocka_unit_test(a_viewer_may_leave_when_told_and_others_go_on),
        cmocka_unit_test(an_idle_viewer_is_woken_once_until_it_drains),
        cmocka_unit_test(a_patient_viewer_takes_audio_with_the_next_picture),
        cmocka_unit_test(headers_are_kept_after_the_ring_let_them_go),
        cmocka_unit_test(a_reset_feed_goes_on_at_the_next_key_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
