/* A camera of 2 Mbit/s on a path that takes less: a narrow place with a queue before it, whose
 * arrivals the viewer tells as browsers do (transport-wide feedback). */
#include "unit/egress/webrtc/send_rig.h"

enum {
    STEP_US = 5 * MS,
    TRIP_US = 20 * MS, /* one way */
    FEEDBACK_US = 50 * MS,
    QUEUE_US = 250 * MS,
    GROUP = 50,
    KEY_SPANS = 50, /* 60 kB */
    SPANS = 8,
    STREAM_BPS = 2100 * 1000
};

static struct path {
    uint32_t bps;
    int64_t free_us, worst_queue_us;
    unsigned taken, told, lost; /* of rig.sent */
    int64_t arrival_us[SENT_MAX];
    unsigned frame;
    int64_t frame_us; /* when the next is due */
} path;

static void begin(uint32_t bps)
{
    memset(&path, 0, sizeof(path));
    path.bps = bps;
    rig_picture(path.frame++, KEY_SPANS, true);
    rig_start();
    path.frame_us = rig_now_us + FRAME_US;
}

static void pass_on(void)
{
    for (; path.taken < rig.sent_count; path.taken++) {
        int64_t at_us = rig.sent[path.taken].at_us;
        int64_t begin_us = path.free_us > at_us ? path.free_us : at_us;

        path.arrival_us[path.taken] = -1;
        if (begin_us - at_us > QUEUE_US) {
            path.lost++;
            continue;
        }
        path.free_us = begin_us + (int64_t)SPAN_BYTES * 8 * 1000000 / path.bps;
        path.arrival_us[path.taken] = path.free_us + TRIP_US;
        if (path.free_us - at_us > path.worst_queue_us)
            path.worst_queue_us = path.free_us - at_us;
    }
}

/* Everything up to the newest that the viewer had told of by now. */
static void feed_back(void)
{
    unsigned end = path.told;

    for (unsigned i = path.told; i < path.taken; i++)
        if (path.arrival_us[i] > 0 && path.arrival_us[i] + TRIP_US <= rig_now_us)
            end = i + 1;
    for (; path.told < end; path.told++)
        estimate_arrival(&rig.peer.estimate, (uint16_t)rig_transport_seq(&rig.sent[path.told]),
                         path.arrival_us[path.told]);
    estimate_update(&rig.peer.estimate, rig_now_us);
}

static void play(double seconds)
{
    int64_t end_us = rig_now_us + (int64_t)(seconds * 1000000);

    while (rig_now_us < end_us) {
        rig_wait(STEP_US);
        if (rig_now_us >= path.frame_us) {
            rig_picture(path.frame, path.frame % GROUP ? SPANS : KEY_SPANS,
                        path.frame % GROUP == 0);
            path.frame++;
            path.frame_us += FRAME_US;
        }
        pass_on();
        if (rig_now_us % FEEDBACK_US == 0)
            feed_back();
    }
}

static unsigned arrived(unsigned from, unsigned frame)
{
    unsigned count = 0;

    for (unsigned i = from; i < path.taken; i++)
        count += rig.sent[i].frame == frame && path.arrival_us[i] > 0;
    return count;
}

static unsigned spans_of(unsigned frame)
{
    return frame % GROUP ? SPANS : KEY_SPANS;
}

/* How many pictures from a number on came whole; what comes after one that didn't is a key frame.
 */
static unsigned whole_pictures(unsigned sent_from, unsigned frame)
{
    bool was_whole = true;
    unsigned whole = 0;

    for (; frame + 2 * GROUP < path.frame; frame++) {
        unsigned count = arrived(sent_from, frame);

        assert_true(count == 0 || count == spans_of(frame));
        assert_true(count == 0 || was_whole || frame % GROUP == 0);
        was_whole = count > 0;
        whole += was_whole;
    }
    return whole;
}

static void settle(uint32_t bps)
{
    begin(bps);
    play(6);
    path.worst_queue_us = 0;
    path.lost = 0;
}

static void half_of_a_stream_comes_in_whole_groups(void **state)
{
    unsigned sent_from, frame, whole;

    (void)state;
    settle(1000 * 1000);
    sent_from = rig.sent_count;
    frame = path.frame / GROUP * GROUP + GROUP;
    play(14);
    whole = whole_pictures(sent_from, frame);
    assert_true(whole > (path.frame - 2 * GROUP - frame) / 8);
    assert_int_equal(path.lost, 0);
    assert_true(path.worst_queue_us < 200 * MS);
}

static void a_seventh_of_it_shows_key_frames(void **state)
{
    unsigned sent_from, frame, keys = 0;

    (void)state;
    settle(300 * 1000);
    sent_from = rig.sent_count;
    frame = path.frame / GROUP * GROUP + GROUP;
    play(20);
    for (unsigned key = frame; key + 2 * GROUP < path.frame; key += GROUP)
        keys += arrived(sent_from, key) == KEY_SPANS;
    assert_true(keys >= 5);
    assert_int_equal(path.lost, 0);
    assert_true(path.worst_queue_us < 350 * MS);
}

/* In media: what was sent last against the newest picture; while nothing is, the viewer's picture
 * stands, and is no later than when it came. */
static void what_comes_is_less_than_a_second_old(void **state)
{
    (void)state;
    settle(1000 * 1000);
    for (unsigned i = 0; i < 2000; i++) {
        unsigned before = rig.sent_count;

        play(0.005);
        if (rig.sent_count > before)
            assert_true((path.frame - rig_last()->frame) * FRAME_US < 900 * MS);
    }
}

static void a_path_that_widens_is_used_within_two_groups(void **state)
{
    unsigned sent_from, frame;

    (void)state;
    settle(500 * 1000);
    path.bps = 10 * 1000 * 1000;
    play(2 * GROUP * 0.04);
    sent_from = rig.sent_count;
    frame = path.frame + 1;
    play(8);
    for (; frame + GROUP < path.frame; frame++)
        assert_int_equal(arrived(sent_from, frame), spans_of(frame));
    assert_int_equal(path.lost, 0);
}

static void a_path_that_narrows_loses_no_more_than_a_queue(void **state)
{
    (void)state;
    settle(10 * 1000 * 1000);
    path.bps = 700 * 1000;
    play(10);
    assert_true(path.lost < 100);
    path.lost = 0;
    play(10);
    assert_int_equal(path.lost, 0);
}

static void a_path_with_room_delays_nothing(void **state)
{
    (void)state;
    settle(20 * 1000 * 1000);
    for (unsigned i = 0; i < 2000; i++) {
        play(0.005);
        assert_true(!rig.peer.pending || path.frame - rig.peer.pending_seq <= 2);
    }
    assert_int_equal(rig.peer.numbers.skipped_groups, 0);
    assert_int_equal(path.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(half_of_a_stream_comes_in_whole_groups),
        TEST(a_seventh_of_it_shows_key_frames),
        TEST(what_comes_is_less_than_a_second_old),
        TEST(a_path_that_widens_is_used_within_two_groups),
        TEST(a_path_that_narrows_loses_no_more_than_a_queue),
        TEST(a_path_with_room_delays_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
