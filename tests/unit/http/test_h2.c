/* HTTP/2 on a conn that is memory: lives, deadlines, backlogs. The frames that well-behaved
 * clients never send are in tests/integration/test_http2.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/http/http_rig.h"

enum { SECOND_US = 1000 * 1000, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, WINDOW = 8 };

static int open_rig(void **state)
{
    (void)state;
    rig_open();
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close();
    return 0;
}

/* kind: the frame's type, and its flags in the byte above. */
static void put_frame(struct conn *conn, unsigned kind, uint32_t stream, const void *payload,
                      size_t len)
{
    struct writer frame;

    writer_init(&frame, 4096);
    writer_uint(&frame, len, 3);
    writer_uint(&frame, kind, 1);
    writer_uint(&frame, kind >> 8, 1);
    writer_uint(&frame, stream, 4);
    writer_put(&frame, payload, len);
    fake_input(conn, frame.bytes, frame.len);
    writer_fini(&frame);
}

static struct conn *connect_h2(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t window[] = {0, 4, 0x7f, 0xff, 0xff, 0xff}, more[] = {0x7f, 0, 0, 0};
    struct conn *conn = rig_connect("h2");

    fake_input(conn, preface, sizeof(preface) - 1);
    put_frame(conn, SETTINGS, 0, window, sizeof(window));
    put_frame(conn, WINDOW, 0, more, sizeof(more));
    return conn;
}

/* GET path, no Huffman: a literal path, then indexed rows, then a literal authority. */
static void get(struct conn *conn, uint32_t stream, const char *path)
{
    struct writer block;

    writer_init(&block, 256);
    writer_uint(&block, 0x828704, 3);
    writer_uint(&block, strlen(path), 1);
    writer_text(&block, path);
    writer_uint(&block, 0x01017a, 3); /* :authority z */
    put_frame(conn, HEADERS | 5 << 8, stream, block.bytes, block.len);
    writer_fini(&block);
}

/* Frames of a type and stream in what was written; stream 0: of any. */
static unsigned count_frames(struct conn *conn, uint8_t type, uint32_t stream)
{
    unsigned count = 0;

    for (size_t at = 0; at + 9 <= conn->out.len;) {
        const uint8_t *head = conn->out.bytes + at;
        uint32_t id =
            (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];

        count += head[3] == type && (stream == 0 || id == stream);
        at += 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
    }
    return count;
}

static void leave(struct conn *conn)
{
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

static void requests_are_answered_as_they_are_ready(void **state)
{
    struct conn *conn = connect_h2();

    (void)state;
    get(conn, 1, "/hold");
    get(conn, 3, "/items/two");
    assert_int_equal(rig.calls, 2);
    assert_string_equal(rig.value, "two");
    assert_int_equal(count_frames(conn, HEADERS, 3), 1);
    assert_int_equal(count_frames(conn, HEADERS, 1), 0);
    assert_int_equal(http_server_requests(rig.server), 1);
    http_respond_text(rig.held, 200, "text/plain", "one");
    rig_turn(); /* answers given in one turn travel together, at its end */
    assert_int_equal(count_frames(conn, HEADERS, 1), 1);
    assert_int_equal(http_server_requests(rig.server), 0);
    leave(conn);
}

static void a_reset_tells_the_handler(void **state)
{
    static const uint8_t cancel[] = {0, 0, 0, 8};
    struct conn *conn = connect_h2();

    (void)state;
    get(conn, 1, "/hold");
    put_frame(conn, RST_STREAM, 1, cancel, sizeof(cancel));
    assert_int_equal(rig.gone, 1);
    assert_int_equal(http_server_requests(rig.server), 0);
    leave(conn);
    assert_int_equal(rig.gone, 1);
}

static void a_peer_that_leaves_takes_all_its_requests_along(void **state)
{
    struct conn *conn = connect_h2();
    struct http_request *waiting;

    (void)state;
    get(conn, 1, "/hold");
    get(conn, 3, "/hold");
    get(conn, 5, "/wait");
    waiting = rig.held;
    fake_peer_closes(conn);
    assert_int_equal(rig.gone, 2);
    assert_int_equal(http_server_requests(rig.server), 0);
    assert_int_equal(http_server_connections(rig.server), 0);
    http_respond_text(waiting, 200, "text/plain", "late");
    rig_turn();
    fake_conn_free(conn);
}

static void a_late_answer_to_a_peer_that_left_goes_nowhere(void **state)
{
    struct conn *conn = connect_h2();
    struct http_request *request;

    (void)state;
    get(conn, 1, "/wait");
    request = rig.held;
    leave(conn);
    http_respond_text(request, 200, "text/plain", "late");
    rig_turn();
}

static void long_answers_are_queued_in_measure(void **state)
{
    struct conn *conn = connect_h2();

    (void)state;
    conn->room = 1000;
    for (uint32_t stream = 1; stream < 20; stream += 2)
        get(conn, stream, "/large");
    assert_int_equal(rig.calls, 10);
    for (int i = 0; i < 1000 && conn->backlog; i++)
        fake_take(conn, 100 * 1024);
    assert_true(conn->most_backlog <= 2 * OUTPUT_HIGH_BYTES);
    assert_true(conn->out.len > 30 << 20);
    assert_int_equal(count_frames(conn, HEADERS, 0), 10);
    leave(conn);
}

static void a_stream_whose_window_stays_shut_is_reset(void **state)
{
    static const uint8_t shut[] = {0, 4, 0, 0, 0, 0};
    struct conn *conn = connect_h2();
    int64_t now_us = loop_now_us(rig.loop);

    (void)state;
    put_frame(conn, SETTINGS, 0, shut, sizeof(shut));
    get(conn, 1, "/large");
    server_sweep(rig.server, now_us + 9 * SECOND_US);
    rig_turn();
    assert_int_equal(count_frames(conn, RST_STREAM, 1), 0);
    server_sweep(rig.server, now_us + 11 * SECOND_US);
    rig_turn();
    assert_int_equal(count_frames(conn, RST_STREAM, 1), 1);
    assert_false(conn->is_closed);
    leave(conn);
}

static void an_idle_connection_says_goodbye(void **state)
{
    struct conn *conn = connect_h2();
    int64_t now_us = loop_now_us(rig.loop);

    (void)state;
    server_sweep(rig.server, now_us + 59 * SECOND_US);
    rig_turn();
    assert_false(conn->is_closed);
    server_sweep(rig.server, now_us + 61 * SECOND_US);
    rig_turn();
    assert_int_equal(count_frames(conn, GOAWAY, 0), 1);
    assert_true(conn->is_flushed);
    rig_turn();
    fake_conn_free(conn);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

static void leave_open(struct conn **conn)
{
    *conn = connect_h2();
    get(*conn, 1, "/hold");
    get(*conn, 3, "/large");
}

static void freeing_the_server_ends_everything(void **state)
{
    struct conn *conn;

    (void)state;
    rig_open();
    leave_open(&conn);
    rig_close();
    assert_int_equal(rig.gone, 1);
    assert_true(conn->is_closed);
    fake_conn_free(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(requests_are_answered_as_they_are_ready),
        RIG_TEST(a_reset_tells_the_handler),
        RIG_TEST(a_peer_that_leaves_takes_all_its_requests_along),
        RIG_TEST(a_late_answer_to_a_peer_that_left_goes_nowhere),
        RIG_TEST(long_answers_are_queued_in_measure),
        RIG_TEST(a_stream_whose_window_stays_shut_is_reset),
        RIG_TEST(an_idle_connection_says_goodbye),
        cmocka_unit_test(freeing_the_server_ends_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
