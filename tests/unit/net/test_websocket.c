/* The WebSocket layer on real connections: both ends of ours, and one end that breaks rules. */
#include "net_pair.h"

#include <errno.h>

#include "net/websocket.h"

static bool over_tls;

/* An open pair: the server speaks WebSocket, the client is bare. */
static void begin_bare(struct world *world)
{
    world_init(world);
    if (over_tls)
        world_use_tls(world, NULL, NULL);
    world_open(world);
    assert_int_equal(websocket_attach(world->server.conn, WEBSOCKET_SERVER), 0);
}

static void begin(struct world *world)
{
    begin_bare(world);
    assert_int_equal(websocket_attach(world->client.conn, WEBSOCKET_CLIENT), 0);
}

static void both_ends_talk_and_nothing_is_added(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    say(&world.client, "ping");
    UNTIL(&world, has_got(&world.server, "ping"));
    say(&world.server, "pong");
    UNTIL(&world, has_got(&world.client, "pong"));
    assert_int_equal(conn_counters(world.client.conn).out_bytes, 2 + 4 + 4);
    assert_int_equal(conn_counters(world.server.conn).out_bytes, 2 + 4);
    world_fini(&world);
}

/* Lengths of 7, 16 and 64 bits; pieces larger than what one read takes. */
static void pieces_of_all_sizes_arrive_in_order(void **state)
{
    static const size_t sizes[] = {1, 125, 126, 65535, 65536, 3, 300000, 4096, 4083};
    struct world world;

    (void)state;
    begin(&world);
    for (int way = 0; way < 2; way++) {
        struct end *from = way ? &world.server : &world.client, *to = from->other;
        size_t total = 0;

        conn_cork(from->conn);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            struct buf *buf = pattern_new(sizes[i] + 2, total - 1);

            assert_int_equal(conn_write(from->conn, buf, 1, sizes[i]), 0);
            buf_unref(buf);
            total += sizes[i];
        }
        conn_uncork(from->conn);
        UNTIL(&world, to->got.len == total);
        assert_pattern(&to->got, total);
    }
    world_fini(&world);
}

static void what_a_handler_leaves_is_offered_again_longer(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    world.server.needs = 6;
    say(&world.client, "abc");
    UNTIL(&world, world.server.inputs == 1);
    say(&world.client, "def");
    UNTIL(&world, has_got(&world.server, "abcdef"));
    assert_int_equal(world.server.largest_offer, 6);
    world_fini(&world);
}

static void more_than_the_input_limit_unused_ends_it(void **state)
{
    static const struct conn_limits small = {
        .input_bytes = 100, .backlog_bytes = 1 << 20, .low_water_bytes = 1 << 10};
    struct world world;
    struct buf *buf = pattern_new(101, 0);

    (void)state;
    begin(&world);
    conn_set_limits(world.server.conn, &small);
    world.server.needs = 1000;
    assert_int_equal(conn_write(world.client.conn, buf, 0, 100), 0);
    UNTIL(&world, world.server.inputs);
    assert_int_equal(world.server.closed, 0);
    assert_int_equal(conn_write(world.client.conn, buf, 0, 1), 0);
    UNTIL(&world, world.server.closed);
    assert_int_equal(world.server.closed_err, -ERR_TOO_LONG);
    buf_unref(buf);
    world_fini(&world);
}

static void a_full_backlog_refuses_a_whole_frame(void **state)
{
    static const struct conn_limits small = {
        .input_bytes = 100, .backlog_bytes = 200000, .low_water_bytes = 1 << 10};
    struct world world;
    size_t total = 0;
    int err = 0;

    (void)state;
    begin(&world);
    conn_set_limits(world.client.conn, &small);
    conn_pause(world.server.conn, true);
    while (err == 0) {
        struct buf *buf = pattern_new(50000, total);

        err = conn_write(world.client.conn, buf, 0, buf->len);
        total += err == 0 ? buf->len : 0;
        buf_unref(buf);
    }
    assert_int_equal(err, -ENOBUFS);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.got.len == total);
    assert_pattern(&world.server.got, total);
    UNTIL(&world, world.client.drained);
    world_fini(&world);
}

static void set_layer_on_input(struct end *end, enum seen what)
{
    if (what == SEEN_INPUT && end->step++ == 0) {
        assert_true(has_got(end, "upgrade!"));
        assert_int_equal(websocket_attach(end->conn, WEBSOCKET_SERVER), 0);
        end->use_at_most = 0;
    }
}

/* The upgrade and the first frames may come in one piece. */
static void what_follows_the_upgrade_at_once_goes_through_the_layer(void **state)
{
    static const uint8_t bytes[] = "upgrade!\x82\x83\0\0\0\0one\x82\x83\0\0\0\0two\x82\x85\0\0\0";
    static const uint8_t rest[] = "\0three";
    struct world world;

    (void)state;
    world_init(&world);
    if (over_tls)
        world_use_tls(&world, NULL, NULL);
    world_open(&world);
    world.server.hook = set_layer_on_input;
    world.server.use_at_most = 8;
    assert_int_equal(conn_write_copy(world.client.conn, bytes, sizeof(bytes) - 1), 0);
    UNTIL(&world, has_got(&world.server, "upgrade!onetwo"));
    assert_int_equal(conn_write_copy(world.client.conn, rest, sizeof(rest) - 1), 0);
    UNTIL(&world, has_got(&world.server, "upgrade!onetwothree"));
    world_fini(&world);
}

static void both_ends_have_the_same_keying_material(void **state)
{
    uint8_t a[32], b[32];
    struct world world;

    (void)state;
    begin(&world);
    if (over_tls) {
        assert_int_equal(conn_exporter(world.client.conn, "EXPORTER-test", a, sizeof(a)), 0);
        assert_int_equal(conn_exporter(world.server.conn, "EXPORTER-test", b, sizeof(b)), 0);
        assert_memory_equal(a, b, sizeof(a));
    } else {
        assert_int_equal(conn_exporter(world.client.conn, "EXPORTER-test", a, sizeof(a)), -ERR_TLS);
    }
    world_fini(&world);
}

static void an_orderly_end_comes_after_all_that_was_written(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    say(&world.client, "last words");
    conn_close_flushed(world.client.conn, 1000000);
    world.client.conn = NULL;
    UNTIL(&world, world.server.closed);
    assert_true(has_got(&world.server, "last words"));
    assert_int_equal(world.server.closed_err, -ERR_CLOSED);
    world_fini(&world);
}

/* ---- a client that breaks rules (hostile.md W1) ------------------------------------------------
 */

/* A masked frame's bytes; the mask is zero, so that the payload is as it is. */
static void put_frame(struct writer *to, uint8_t first, const void *payload, size_t len)
{
    writer_uint(to, first, 1);
    if (len < 126) {
        writer_uint(to, 0x80 | len, 1);
    } else {
        writer_uint(to, 0x80 | 126, 1);
        writer_uint(to, len, 2);
    }
    writer_uint(to, 0, 4);
    writer_put(to, payload, len);
}

/* Sends the bytes to a server, which must answer with Close and this code (0: none), and end. */
static void expect_close(const void *bytes, size_t len, unsigned code, int err)
{
    struct world world;
    const uint8_t *at;

    begin_bare(&world);
    assert_int_equal(conn_write_copy(world.client.conn, bytes, len), 0);
    UNTIL(&world, world.server.closed && world.client.closed);
    assert_int_equal(world.server.closed_err, err);
    assert_int_equal(world.client.closed_err, -ERR_CLOSED);
    assert_true(world.client.got.len >= (code ? 4 : 2));
    at = world.client.got.bytes + world.client.got.len - (code ? 4 : 2);
    assert_int_equal(at[0], 0x88);
    assert_int_equal(at[1], code ? 2 : 0);
    if (code)
        assert_int_equal(at[2] << 8 | at[3], code);
    world_fini(&world);
}

static void rules_that_are_broken_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        unsigned code;
    } rows[] = {
#define ROW(text, code) {text, sizeof(text) - 1, code}
        ROW("\x82\x01x", 1002),                           /* not masked */
        ROW("\xc2\x81\0\0\0\0x", 1002),                   /* RSV1: permessage-deflate */
        ROW("\xa2\x81\0\0\0\0x", 1002),                   /* RSV2 */
        ROW("\x92\x81\0\0\0\0x", 1002),                   /* RSV3 */
        ROW("\x83\x81\0\0\0\0x", 1002),                   /* opcodes 3 to 7 */
        ROW("\x84\x81\0\0\0\0x", 1002),                   /* … */
        ROW("\x85\x81\0\0\0\0x", 1002),                   /* … */
        ROW("\x86\x81\0\0\0\0x", 1002),                   /* … */
        ROW("\x87\x81\0\0\0\0x", 1002),                   /* … */
        ROW("\x8b\x80\0\0\0\0", 1002),                    /* opcodes 11 to 15 */
        ROW("\x8c\x80\0\0\0\0", 1002),                    /* … */
        ROW("\x8d\x80\0\0\0\0", 1002),                    /* … */
        ROW("\x8e\x80\0\0\0\0", 1002),                    /* … */
        ROW("\x8f\x80\0\0\0\0", 1002),                    /* … */
        ROW("\x09\x80\0\0\0\0", 1002),                    /* a ping in fragments */
        ROW("\x08\x80\0\0\0\0", 1002),                    /* a Close in fragments */
        ROW("\x89\xfe\0\x7e\0\0\0\0", 1002),              /* a ping of 126 bytes */
        ROW("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0x", 1002), /* a length of 2^63 */
        ROW("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", 1009), /* of 2^63 - 1 */
        ROW("\x82\xff\0\0\0\0\0\x80\0\x01\0\0\0\0x", 1009),             /* one byte too long */
        ROW("\x82\xfe\0\x01\0\0\0\0x", 1002),                  /* a length in too many bytes */
        ROW("\x82\xff\0\0\0\0\0\0\0\x01\0\0\0\0x", 1002),      /* the same */
        ROW("\x80\x81\0\0\0\0x", 1002),                        /* continues nothing */
        ROW("\x02\x81\0\0\0\0x\x82\x81\0\0\0\0y", 1002),       /* begins within another */
        ROW("\x81\x81\0\0\0\0x", 1003),                        /* text */
        ROW("\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0\x28", 1003), /* … cut in a character */
        ROW("\x88\x81\0\0\0\0x", 1002),                        /* half a close code */
        ROW("\x88\x82\0\0\0\0\x03\xed", 1002),                 /* 1005 */
        ROW("\x88\x82\0\0\0\0\x03\xee", 1002),                 /* 1006 */
        ROW("\x88\x82\0\0\0\0\x03\xe7", 1002),                 /* 999 */
        ROW("\x88\x82\0\0\0\0\x03\xf7", 1002),                 /* 1015 */
        ROW("\x88\x82\0\0\0\0\xff\xff", 1002),                 /* 65535 */
        ROW("\x88\x84\0\0\0\0\x03\xe8\xc3\x28", 1007),         /* a reason that is no UTF-8 */
        ROW("\x88\x85\0\0\0\0\x03\xe8\xed\xa0\x80", 1007),     /* a surrogate */
        ROW("\x88\x84\0\0\0\0\x03\xe8\xe2\x82", 1007),         /* cut in a character */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect_close(rows[i].bytes, rows[i].len, rows[i].code,
                     rows[i].code == 1009 ? -ERR_TOO_LONG : -ERR_PROTOCOL);
}

static void a_close_is_answered_with_its_own_code(void **state)
{
    (void)state;
    expect_close("\x88\x80\0\0\0\0", 6, 0, -ERR_CLOSED);
    expect_close("\x88\x82\0\0\0\0\x03\xe8", 8, 1000, -ERR_CLOSED);
    expect_close("\x88\x82\0\0\0\0\x0f\xa0", 8, 4000, -ERR_CLOSED);
    expect_close("\x88\x85\0\0\0\0\x03\xe9\xe2\x82\xac", 11, 1001, -ERR_CLOSED);
}

static void data_after_a_close_is_not_heard(void **state)
{
    static const char bytes[] = "\x82\x83\0\0\0\0one\x88\x80\0\0\0\0\x82\x83\0\0\0\0two";
    struct world world;

    (void)state;
    begin_bare(&world);
    assert_int_equal(conn_write_copy(world.client.conn, bytes, sizeof(bytes) - 1), 0);
    UNTIL(&world, world.server.closed);
    assert_true(has_got(&world.server, "one"));
    assert_int_equal(world.server.closed_err, -ERR_CLOSED);
    world_fini(&world);
}

static void a_ping_between_fragments_is_answered(void **state)
{
    struct world world;
    struct writer bytes;

    (void)state;
    begin_bare(&world);
    writer_init(&bytes, 1000);
    put_frame(&bytes, 0x02, "one", 3);
    put_frame(&bytes, 0x89, "echo", 4);
    put_frame(&bytes, 0x00, "two", 3);
    put_frame(&bytes, 0x8a, "nobody asked", 12);
    put_frame(&bytes, 0x80, "three", 5);
    for (size_t i = 0; i < bytes.len; i++) {
        assert_int_equal(conn_write_copy(world.client.conn, bytes.bytes + i, 1), 0);
        world_turn(&world);
    }
    UNTIL(&world, has_got(&world.server, "onetwothree"));
    UNTIL(&world, has_got(&world.client, "\x8a\x04"
                                         "echo"));
    writer_fini(&bytes);
    world_fini(&world);
}

static void a_flood_of(uint8_t first, unsigned count, unsigned code)
{
    struct writer bytes;

    writer_init(&bytes, 1 << 20);
    for (unsigned i = 0; i < count; i++)
        put_frame(&bytes, first, "", 0);
    expect_close(bytes.bytes, bytes.len, code, -ERR_TOO_MANY);
    writer_fini(&bytes);
}

static void floods_of_frames_that_bring_nothing_end_it(void **state)
{
    (void)state;
    a_flood_of(0x89, 1000, 1008);
    a_flood_of(0x8a, 1000, 1008);
    a_flood_of(0x82, 1000, 1008);
}

static void a_million_frames_of_a_byte_cost_nothing_but_time(void **state)
{
    enum { COUNT = 1000000, BATCH = 10000 };
    struct world world;
    struct writer bytes;
    int64_t until_us = clock_mono_us() + 10 * PATIENCE_US;

    (void)state;
    begin_bare(&world);
    writer_init(&bytes, 7 * BATCH);
    for (unsigned i = 0; i < BATCH; i++)
        put_frame(&bytes, 0x82, "x", 1);
    for (unsigned i = 0; i < COUNT / BATCH; i++) {
        assert_int_equal(conn_write_copy(world.client.conn, bytes.bytes, bytes.len), 0);
        while (conn_backlog(world.client.conn) > 1 << 20) {
            assert_true(clock_mono_us() < until_us);
            world_turn(&world);
        }
    }
    UNTIL(&world, world.server.got.len == COUNT);
    writer_fini(&bytes);
    world_fini(&world);
}

static void a_server_that_masks_is_refused(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    if (over_tls)
        world_use_tls(&world, NULL, NULL);
    world_open(&world);
    assert_int_equal(websocket_attach(world.client.conn, WEBSOCKET_CLIENT), 0);
    assert_int_equal(conn_write_copy(world.server.conn, "\x82\x81\0\0\0\0x", 7), 0);
    UNTIL(&world, world.client.closed);
    assert_int_equal(world.client.closed_err, -ERR_PROTOCOL);
    assert_int_equal(world.client.got.len, 0);
    world_fini(&world);
}

static void nothing_is_written_once_it_is_over(void **state)
{
    struct world world;

    (void)state;
    begin_bare(&world);
    conn_pause(world.server.conn, true);
    assert_int_equal(conn_write_copy(world.client.conn, "\x88\x80\0\0\0\0", 6), 0);
    conn_pause(world.server.conn, false);
    UNTIL(&world, world.server.closed);
    assert_null(world.server.conn);
    world_fini(&world);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static void a_key_is_answered_as_the_rfc_does(void **state)
{
    char answer[WEBSOCKET_ACCEPT], key[WEBSOCKET_KEY], other[WEBSOCKET_KEY];

    (void)state;
    assert_int_equal(websocket_answer_key("dGhlIHNhbXBsZSBub25jZQ==", answer), 0);
    assert_string_equal(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    websocket_make_key(key);
    websocket_make_key(other);
    assert_true(websocket_is_key(key));
    assert_string_not_equal(key, other);
}

static void what_is_no_key_is_known(void **state)
{
    static const char *const rows[] = {"",
                                       "dGhlIHNhbXBsZSBub25jZQ=",
                                       "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
                                       "dGhlIHNhbXBsZSBub25jZQAA",
                                       "dGhlIHNhbXBsZSBub25jZ===",
                                       "dGhlIHNh*XBsZSBub25jZQ=="};

    (void)state;
    assert_true(websocket_is_key("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_false(websocket_is_key(NULL));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_false(websocket_is_key(rows[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_talk_and_nothing_is_added),
        cmocka_unit_test(pieces_of_all_sizes_arrive_in_order),
        cmocka_unit_test(what_a_handler_leaves_is_offered_again_longer),
        cmocka_unit_test(more_than_the_input_limit_unused_ends_it),
        cmocka_unit_test(a_full_backlog_refuses_a_whole_frame),
        cmocka_unit_test(what_follows_the_upgrade_at_once_goes_through_the_layer),
        cmocka_unit_test(both_ends_have_the_same_keying_material),
        cmocka_unit_test(an_orderly_end_comes_after_all_that_was_written),
        cmocka_unit_test(rules_that_are_broken_are_named),
        cmocka_unit_test(a_close_is_answered_with_its_own_code),
        cmocka_unit_test(data_after_a_close_is_not_heard),
        cmocka_unit_test(a_ping_between_fragments_is_answered),
        cmocka_unit_test(floods_of_frames_that_bring_nothing_end_it),
        cmocka_unit_test(a_million_frames_of_a_byte_cost_nothing_but_time),
        cmocka_unit_test(a_server_that_masks_is_refused),
        cmocka_unit_test(nothing_is_written_once_it_is_over),
        cmocka_unit_test(a_key_is_answered_as_the_rfc_does),
        cmocka_unit_test(what_is_no_key_is_known),
    };
    int failed = cmocka_run_group_tests_name("over TCP", tests, NULL, NULL);

    over_tls = true;
    return failed + cmocka_run_group_tests_name("over TLS", tests, NULL, NULL);
}
