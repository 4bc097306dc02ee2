/* Every test of this file runs over TCP and over TLS. */
#include "net_pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

static bool over_tls;

static void begin(struct world *world)
{
    world_init(world);
    if (over_tls)
        world_use_tls(world, NULL, NULL);
}

static void both_ends_open_once_and_talk(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    assert_int_equal(conn_is_tls(world.client.conn), over_tls);
    assert_int_equal(conn_is_tls(world.server.conn), over_tls);
    say(&world.client, "ping");
    UNTIL(&world, has_got(&world.server, "ping"));
    say(&world.server, "pong");
    UNTIL(&world, has_got(&world.client, "pong"));
    assert_int_equal(world.client.opened, 1);
    assert_int_equal(world.server.opened, 1);
    assert_int_equal(conn_counters(world.client.conn).out_bytes, 4);
    assert_int_equal(conn_counters(world.client.conn).in_bytes, 4);
    assert_true(addr_is_same_host(conn_peer(world.client.conn), conn_local(world.server.conn)));
    assert_int_equal(addr_port(conn_local(world.client.conn)),
                     addr_port(conn_peer(world.server.conn)));
    world_fini(&world);
}

static void what_is_written_before_the_open_arrives(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world_connect(&world);
    say(&world.client, "early");
    UNTIL(&world, has_got(&world.server, "early"));
    world_fini(&world);
}

/* Pieces of many sizes, in order: what passes the writev limit, fills records, spans them. */
static void pieces_of_all_sizes_arrive_in_order(void **state)
{
    static const size_t sizes[] = {1, 2, 700, 16383, 16384, 16385, 40000, 3, 100000, 12, 8192};
    struct world world;
    size_t total = 0;

    (void)state;
    begin(&world);
    world_open(&world);
    for (size_t round = 0; round < 30; round++) {
        conn_cork(world.client.conn);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            size_t len = sizes[(i + round) % (sizeof(sizes) / sizeof(*sizes))];
            struct buf *buf = pattern_new(len + 7, total - 3);

            assert_int_equal(conn_write(world.client.conn, buf, 3, len), 0);
            buf_unref(buf);
            total += len;
        }
        conn_uncork(world.client.conn);
        if (conn_backlog(world.client.conn) > 1 << 20)
            UNTIL(&world, conn_backlog(world.client.conn) == 0);
    }
    UNTIL(&world, world.server.got.len == total);
    assert_pattern(&world.server.got, total);
    world_fini(&world);
}

static void a_thousand_small_pieces_go_out_under_one_cork(void **state)
{
    struct world world;
    size_t total = 0;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_cork(world.client.conn);
    for (size_t i = 0; i < 1000; i++) {
        struct buf *buf = pattern_new(i % 50 + 1, total);

        assert_int_equal(conn_write(world.client.conn, buf, 0, buf->len), 0);
        total += buf->len;
        buf_unref(buf);
    }
    assert_int_equal(conn_backlog(world.client.conn), total);
    conn_uncork(world.client.conn);
    assert_int_equal(conn_backlog(world.client.conn), 0);
    UNTIL(&world, world.server.got.len == total);
    assert_pattern(&world.server.got, total);
    world_fini(&world);
}

static void a_write_outside_the_buffer_is_refused(void **state)
{
    struct buf *buf = pattern_new(10, 0);
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    assert_int_equal(conn_write(world.client.conn, buf, 11, 0), -EINVAL);
    assert_int_equal(conn_write(world.client.conn, buf, 5, 6), -EINVAL);
    assert_int_equal(conn_write(world.client.conn, buf, SIZE_MAX, 2), -EINVAL);
    assert_int_equal(conn_write(world.client.conn, buf, 10, 0), 0);
    buf_unref(buf);
    world_fini(&world);
}

static const struct conn_limits small_limits = {.input_bytes = 100,
                                                .backlog_bytes = 1 << 20,
                                                .low_water_bytes = 64 << 10,
                                                .handshake_us = 5000000,
                                                .first_byte_us = 0};

/* Fills the way to a peer that doesn't read. How many bytes were taken. */
static size_t fill(struct end *end)
{
    size_t total = 0;
    int err = 0;

    while (err == 0) {
        struct buf *buf = pattern_new(50000, total);

        err = conn_write(end->conn, buf, 0, buf->len);
        total += err == 0 ? buf->len : 0;
        buf_unref(buf);
    }
    assert_int_equal(err, -ENOBUFS);
    return total;
}

static void a_slow_reader_costs_no_more_than_the_limit_and_is_told_when_drained(void **state)
{
    struct world world;
    size_t total;

    (void)state;
    begin(&world);
    world.client_limits = &small_limits;
    world_open(&world);
    conn_pause(world.server.conn, true);
    total = fill(&world.client);
    assert_true(conn_backlog(world.client.conn) <= small_limits.backlog_bytes);
    assert_true(conn_backlog(world.client.conn) > small_limits.backlog_bytes - 60000);
    assert_int_equal(world.client.drained, 0);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.got.len == total);
    assert_pattern(&world.server.got, total);
    UNTIL(&world, world.client.drained > 0);
    assert_int_equal(world.client.drained, 1);
    assert_int_equal(conn_backlog(world.client.conn), 0);
    world_fini(&world);
}

static void many_tiny_pieces_count_for_what_they_cost(void **state)
{
    struct buf *buf = pattern_new(1, 0);
    struct world world;
    size_t count = 0;

    (void)state;
    begin(&world);
    world.client_limits = &small_limits;
    world_open(&world);
    conn_cork(world.client.conn);
    while (conn_write(world.client.conn, buf, 0, 1) == 0)
        count++;
    assert_true(count < small_limits.backlog_bytes / 32);
    buf_unref(buf);
    world_fini(&world);
}

static void unused_input_is_kept_and_offered_longer(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world.server_limits = &small_limits;
    world.server.needs = 6;
    world_open(&world);
    say(&world.client, "abc");
    UNTIL(&world, world.server.inputs == 1);
    assert_int_equal(world.server.largest_offer, 3);
    world_turn(&world);
    assert_int_equal(world.server.inputs, 1); /* not again before more came */
    say(&world.client, "def");
    UNTIL(&world, world.server.inputs == 2);
    assert_int_equal(world.server.largest_offer, 6);
    assert_true(has_got(&world.server, "abcdef"));
    say(&world.client, "ghijkl");
    UNTIL(&world, has_got(&world.server, "abcdefghijkl"));
    assert_int_equal(world.server.largest_offer, 6);
    world_fini(&world);
}

static void a_part_of_the_input_may_be_used(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world.server.use_at_most = 2;
    world_open(&world);
    say(&world.client, "abcde");
    UNTIL(&world, world.server.inputs == 1);
    assert_true(has_got(&world.server, "ab"));
    say(&world.client, "f");
    UNTIL(&world, has_got(&world.server, "abcd"));
    assert_int_equal(world.server.largest_offer, 5);
    world_fini(&world);
}

static void more_unused_input_than_the_limit_closes(void **state)
{
    char text[102];
    struct world world;

    (void)state;
    memset(text, 'x', sizeof(text));
    begin(&world);
    world.server_limits = &small_limits;
    world.server.needs = SIZE_MAX;
    world_open(&world);
    assert_int_equal(conn_write_copy(world.client.conn, text, 100), 0);
    UNTIL(&world, world.server.inputs == 1);
    assert_int_equal(world.server.closed, 0);
    assert_int_equal(conn_write_copy(world.client.conn, text, 1), 0);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_TOO_LONG);
    UNTIL(&world, world.client.closed);
    world_fini(&world);
}

static void an_error_from_the_handler_closes_with_it(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world.server.refuse = -ERR_PROTOCOL;
    world_open(&world);
    say(&world.client, "junk");
    UNTIL(&world, world.server.closed && world.client.closed);
    assert_int_equal(world.server.closed_err, -ERR_PROTOCOL);
    assert_int_equal(world.client.closed_err, -ERR_CLOSED);
    world_fini(&world);
}

static void the_peers_last_bytes_come_before_its_end(void **state)
{
    struct buf *buf = pattern_new(300000, 0);
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    assert_int_equal(conn_write(world.client.conn, buf, 0, buf->len), 0);
    buf_unref(buf);
    conn_close_flushed(world.client.conn, 10000000);
    world.client.conn = NULL;
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_CLOSED);
    assert_pattern(&world.server.got, 300000);
    assert_int_equal(world.client.closed, 0);
    world_turn(&world);
    world_fini(&world);
}

static void a_flush_that_takes_too_long_is_given_up(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_pause(world.server.conn, true);
    fill(&world.client);
    conn_close_flushed(world.client.conn, 20000);
    world.client.conn = NULL;
    conn_pause(world.server.conn, true);
    for (int64_t end_us = clock_mono_us() + 40000; clock_mono_us() < end_us;)
        world_turn(&world);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.client.closed, 0);
    world_fini(&world);
}

static void close_self(struct end *end, enum seen what)
{
    if ((int)what != end->step)
        return;
    conn_close(end->conn);
    conn_close(end->conn); /* idempotent within the turn */
    assert_int_equal(conn_write_copy(end->conn, "x", 1), -ERR_CLOSED);
    end->conn = NULL;
}

static void a_close_inside_a_callback_is_the_last_of_it(void **state)
{
    static const enum seen moments[] = {SEEN_OPEN, SEEN_INPUT, SEEN_DRAINED};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world world;

        begin(&world);
        world.client.hook = close_self;
        world.client.step = (int)moments[i];
        world.client.use_at_most = 1;
        world_connect(&world);
        UNTIL(&world, world.server.opened);
        if (moments[i] != SEEN_OPEN)
            say(&world.server, "text");
        if (moments[i] == SEEN_DRAINED) {
            UNTIL(&world, world.client.inputs);
            conn_pause(world.server.conn, true);
            fill(&world.client);
            conn_pause(world.server.conn, false);
        }
        UNTIL(&world, world.server.closed);
        assert_null(world.client.conn);
        assert_int_equal(world.client.closed, 0);
        world_fini(&world);
    }
}

static void close_other(struct end *end, enum seen what)
{
    if (what != SEEN_INPUT || !end->other->conn)
        return;
    conn_close(end->other->conn);
    end->other->conn = NULL;
}

static void one_connection_may_close_another(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world.server.hook = close_other;
    world_open(&world);
    say(&world.client, "bye");
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_CLOSED);
    assert_int_equal(world.client.closed, 0);
    world_fini(&world);
}

/* The handler that gets the connection from another. */
static ssize_t second_on_input(void *owner, struct conn *conn, const uint8_t *bytes, size_t len)
{
    (void)conn;
    writer_put(owner, bytes, len);
    return (ssize_t)len;
}

static void second_on_closed(void *owner, struct conn *conn, int err)
{
    (void)owner;
    (void)conn;
    (void)err;
}

static const struct conn_handler second_handler = {NULL, second_on_input, NULL, second_on_closed};
static struct writer second_got;

static void hand_on(struct end *end, enum seen what)
{
    if (what == SEEN_INPUT)
        conn_set_handler(end->conn, &second_handler, &second_got);
}

static void a_sniffer_hands_the_connection_on_with_its_input(void **state)
{
    struct world world;

    (void)state;
    writer_init(&second_got, 100);
    begin(&world);
    world.server.hook = hand_on;
    world.server.needs = SIZE_MAX;
    world_open(&world);
    say(&world.client, "hello");
    UNTIL(&world, second_got.len == 5);
    assert_int_equal(world.server.inputs, 1);
    say(&world.client, "again");
    UNTIL(&world, second_got.len == 10);
    assert_memory_equal(second_got.bytes, "helloagain", 10);
    assert_int_equal(world.server.inputs, 1);
    world_fini(&world);
    writer_fini(&second_got);
}

static void kept_input_is_offered_to_a_handler_set_from_outside(void **state)
{
    struct world world;

    (void)state;
    writer_init(&second_got, 100);
    begin(&world);
    world.server.needs = SIZE_MAX;
    world_open(&world);
    say(&world.client, "hello");
    UNTIL(&world, world.server.inputs == 1);
    conn_set_handler(world.server.conn, &second_handler, &second_got);
    UNTIL(&world, second_got.len == 5);
    world_fini(&world);
    writer_fini(&second_got);
}

static void pause_self(struct end *end, enum seen what)
{
    if (what == SEEN_INPUT)
        conn_pause(end->conn, true);
}

static void a_pause_keeps_input_and_its_end_offers_it(void **state)
{
    struct buf *buf = pattern_new(200000, 0);
    struct world world;

    (void)state;
    begin(&world);
    world.server.hook = pause_self;
    world.server.use_at_most = 10000;
    world_open(&world);
    assert_int_equal(conn_write(world.client.conn, buf, 0, buf->len), 0);
    buf_unref(buf);
    UNTIL(&world, world.server.inputs == 1);
    world_turn(&world);
    world_turn(&world);
    assert_int_equal(world.server.inputs, 1);
    world.server.hook = NULL;
    world.server.use_at_most = 0;
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.got.len == 200000);
    assert_pattern(&world.server.got, 200000);
    world_fini(&world);
}

static void a_deadline_closes_and_a_later_one_postpones(void **state)
{
    struct world world;
    int64_t began_us;

    (void)state;
    begin(&world);
    world_open(&world);
    began_us = clock_mono_us();
    conn_set_deadline(world.server.conn, 5000);
    conn_set_deadline(world.server.conn, 40000);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_TIMEOUT);
    assert_true(clock_mono_us() - began_us >= 35000);
    world_fini(&world);
}

static void an_earlier_deadline_counts_and_zero_is_never(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_set_deadline(world.server.conn, 3600000000);
    conn_set_deadline(world.server.conn, 5000);
    conn_set_deadline(world.client.conn, 5000);
    conn_set_deadline(world.client.conn, 0);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_TIMEOUT);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_CLOSED);
    world_fini(&world);
}

static void a_peer_that_says_nothing_is_closed(void **state)
{
    static const struct conn_limits limits = {.input_bytes = 100,
                                              .backlog_bytes = 1000,
                                              .handshake_us = 10000000,
                                              .first_byte_us = 20000};
    struct world world;

    (void)state;
    begin(&world);
    world.server_limits = &limits;
    world_open(&world);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_TIMEOUT);
    world_fini(&world);
}

static void a_first_byte_in_time_ends_that_deadline(void **state)
{
    static const struct conn_limits limits = {.input_bytes = 100,
                                              .backlog_bytes = 1000,
                                              .handshake_us = 10000000,
                                              .first_byte_us = 50000};
    struct world world;
    int64_t began_us;

    (void)state;
    begin(&world);
    world.server_limits = &limits;
    world_open(&world);
    say(&world.client, "x");
    began_us = clock_mono_us();
    UNTIL(&world, clock_mono_us() > began_us + 80000);
    assert_int_equal(world.server.closed, 0);
    world_fini(&world);
}

static void a_write_to_a_dead_peer_is_told_by_on_closed_alone(void **state)
{
    struct linger hard = {.l_onoff = 1};
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_pause(world.client.conn, true); /* so that only the write can notice */
    setsockopt(conn_fd(world.server.conn), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    conn_close(world.server.conn);
    world.server.conn = NULL;
    world_turn(&world);
    while (conn_write_copy(world.client.conn, "x", 1) == 0)
        assert_int_equal(world.client.closed, 0);
    assert_int_equal(world.client.closed, 0);
    assert_int_equal(conn_write_copy(world.client.conn, "x", 1), -ERR_CLOSED);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed, 1);
    world_fini(&world);
}

static void the_last_words_of_a_peer_come_before_the_failed_write(void **state)
{
    struct linger hard = {.l_onoff = 1};
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    for (int i = 0; i < 4; i++)
        world_turn(&world); /* the session ticket is through */
    say(&world.server, "453 bye");
    setsockopt(conn_fd(world.server.conn), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    conn_close(world.server.conn);
    world.server.conn = NULL;
    (void)!conn_write_copy(world.client.conn, "x", 1);
    assert_int_equal(conn_write_copy(world.client.conn, "x", 1), -ERR_CLOSED);
    UNTIL(&world, world.client.closed);
    if (!over_tls) /* OpenSSL says no more after a failure */
        assert_true(has_got(&world.client, "453 bye"));
    world_fini(&world);
}

static void what_is_being_flushed_ends_with_its_loop(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_pause(world.server.conn, true);
    fill(&world.client);
    conn_close_flushed(world.client.conn, 3600000000);
    world.client.conn = NULL;
    conn_close_ownerless(world.loop);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.closed);
    world_fini(&world);
}

static void one_busy_peer_does_not_starve_the_loop(void **state)
{
    struct buf *buf = pattern_new(3 << 20, 0);
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    conn_pause(world.server.conn, true);
    assert_int_equal(conn_write(world.client.conn, buf, 0, buf->len), 0);
    buf_unref(buf);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.got.len == 3 << 20);
    assert_pattern(&world.server.got, 3 << 20);
    assert_true(world.server.largest_offer <= 64 << 10);
    world_fini(&world);
}

static void nagle_is_off(void **state)
{
    int is_on = 0;
    socklen_t len = sizeof(is_on);
    struct world world;

    (void)state;
    begin(&world);
    world_open(&world);
    assert_int_equal(getsockopt(conn_fd(world.server.conn), IPPROTO_TCP, TCP_NODELAY, &is_on, &len),
                     0);
    assert_true(is_on);
    conn_set_low_latency(world.server.conn, 16384);
    assert_int_equal(
        getsockopt(conn_fd(world.server.conn), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &is_on, &len), 0);
    assert_int_equal(is_on, 16384);
    world_fini(&world);
}

/* A small generator with a seed, so that a failure can be repeated. */
static uint64_t dice_state;

static unsigned dice(unsigned sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice_state >> 33) % sides;
}

static void anything_at_all(struct end *end, enum seen what)
{
    struct end *at = dice(4) ? end : end->other;
    struct buf *buf;

    (void)what;
    if (!at->conn)
        return;
    switch (dice(12)) {
    case 0:
    case 1:
    case 2:
        buf = pattern_new(dice(60000) + 1, 0);
        (void)!conn_write(at->conn, buf, 0, buf->len);
        buf_unref(buf);
        break;
    case 3:
        conn_pause(at->conn, dice(2));
        break;
    case 4:
        conn_cork(at->conn);
        break;
    case 5:
    case 6:
        conn_uncork(at->conn);
        break;
    case 7:
        conn_set_deadline(at->conn, dice(3) * 2000);
        break;
    case 8:
        at->use_at_most = dice(2000);
        break;
    case 9:
        conn_set_handler(at->conn, &end_handler, at);
        break;
    case 10:
        if (dice(6) == 0) {
            conn_close(at->conn);
            at->conn = NULL;
        }
        break;
    case 11:
        if (dice(6) == 0) {
            conn_close_flushed(at->conn, dice(2) * 2000);
            at->conn = NULL;
        }
        break;
    }
}

/* Whatever the owner does, in whatever callback: no harm, and on_closed at most once. */
static void any_order_of_calls_is_safe(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 150; seed++) {
        struct world world;

        dice_state = seed;
        begin(&world);
        world.client_limits = dice(2) ? &small_limits : NULL;
        world_connect(&world);
        world.client.hook = anything_at_all;
        world.server.hook = anything_at_all;
        for (unsigned turn = 0; turn < 30; turn++) {
            anything_at_all(dice(2) ? &world.client : &world.server, SEEN_INPUT);
            world_turn(&world);
        }
        assert_true(world.client.closed <= 1 && world.server.closed <= 1);
        assert_true(world.client.opened <= 1 && world.server.opened <= 1);
        world.client.hook = world.server.hook = NULL;
        for (unsigned turn = 0; turn < 10; turn++) /* what is flushed ends */
            world_turn(&world);
        world_fini(&world);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_ends_open_once_and_talk),
    cmocka_unit_test(what_is_written_before_the_open_arrives),
    cmocka_unit_test(pieces_of_all_sizes_arrive_in_order),
    cmocka_unit_test(a_thousand_small_pieces_go_out_under_one_cork),
    cmocka_unit_test(a_write_outside_the_buffer_is_refused),
    cmocka_unit_test(a_slow_reader_costs_no_more_than_the_limit_and_is_told_when_drained),
    cmocka_unit_test(many_tiny_pieces_count_for_what_they_cost),
    cmocka_unit_test(unused_input_is_kept_and_offered_longer),
    cmocka_unit_test(a_part_of_the_input_may_be_used),
    cmocka_unit_test(more_unused_input_than_the_limit_closes),
    cmocka_unit_test(an_error_from_the_handler_closes_with_it),
    cmocka_unit_test(the_peers_last_bytes_come_before_its_end),
    cmocka_unit_test(a_flush_that_takes_too_long_is_given_up),
    cmocka_unit_test(a_close_inside_a_callback_is_the_last_of_it),
    cmocka_unit_test(one_connection_may_close_another),
    cmocka_unit_test(a_sniffer_hands_the_connection_on_with_its_input),
    cmocka_unit_test(kept_input_is_offered_to_a_handler_set_from_outside),
    cmocka_unit_test(a_pause_keeps_input_and_its_end_offers_it),
    cmocka_unit_test(a_deadline_closes_and_a_later_one_postpones),
    cmocka_unit_test(an_earlier_deadline_counts_and_zero_is_never),
    cmocka_unit_test(a_peer_that_says_nothing_is_closed),
    cmocka_unit_test(a_first_byte_in_time_ends_that_deadline),
    cmocka_unit_test(a_write_to_a_dead_peer_is_told_by_on_closed_alone),
    cmocka_unit_test(the_last_words_of_a_peer_come_before_the_failed_write),
    cmocka_unit_test(what_is_being_flushed_ends_with_its_loop),
    cmocka_unit_test(one_busy_peer_does_not_starve_the_loop),
    cmocka_unit_test(nagle_is_off),
    cmocka_unit_test(any_order_of_calls_is_safe),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("conn over TCP", tests, NULL, NULL);

    over_tls = true;
    return failed + cmocka_run_group_tests_name("conn over TLS", tests, NULL, NULL);
}
