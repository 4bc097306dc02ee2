/* HTTP/1.1 on a conn that is memory: lives, deadlines, backlogs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/http/http_rig.h"

enum { SECOND_US = 1000 * 1000 };

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

static void say(struct conn *conn, const char *text)
{
    fake_input(conn, text, strlen(text));
}

/* How often text is in what the conn was given to write. */
static unsigned count_of(struct conn *conn, const char *text)
{
    size_t len = strlen(text);
    unsigned count = 0;

    for (size_t at = 0; at + len <= conn->out.len; at++)
        count += memcmp(conn->out.bytes + at, text, len) == 0;
    return count;
}

static void a_request_cut_at_every_byte_is_answered_once(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

    (void)state;
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        struct conn *conn = rig_connect("");

        fake_input(conn, text, cut);
        assert_int_equal(conn->out.len, 0);
        fake_input(conn, text + cut, sizeof(text) - 1 - cut);
        assert_int_equal(count_of(conn, "HTTP/1.1 200 OK\r\n"), 1);
        assert_int_equal(count_of(conn, "\r\n\r\nhello"), 1);
        fake_peer_closes(conn);
        rig_turn();
        fake_conn_free(conn);
    }
    assert_int_equal(http_server_connections(rig.server), 0);
}

static void what_is_pipelined_behind_a_held_request_waits_in_the_conn(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /items/two HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(rig.calls, 1);
    assert_true(conn->is_paused);
    assert_int_equal(http_server_requests(rig.server), 1);
    http_respond_text(rig.held, 200, "text/plain", "one");
    assert_false(conn->is_paused);
    fake_resume(conn);
    assert_int_equal(rig.calls, 2);
    assert_string_equal(rig.value, "two");
    assert_int_equal(conn->in.len, 0);
    assert_int_equal(http_server_requests(rig.server), 0);
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

static void a_handler_that_asked_is_told_that_its_peer_went(void **state)
{
    struct conn *conn = rig_connect("");
    struct http_request *request;

    (void)state;
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    request = rig.held;
    fake_peer_closes(conn);
    assert_int_equal(rig.gone, 1);
    http_respond_text(request, 200, "text/plain", "nobody hears it"); /* still the same turn */
    assert_int_equal(conn->out.len, 0);
    rig_turn();
    fake_conn_free(conn);
}

static void a_handler_that_did_not_ask_may_answer_late(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
    assert_int_equal(http_server_requests(rig.server), 0);
    assert_string_equal(http_path(rig.held), "/wait");
    assert_int_equal(addr_port(http_peer(rig.held)), 1234);
    assert_null(http_conn(rig.held));
    http_respond_text(rig.held, 200, "text/plain", "too late");
    rig_turn();
}

static void a_second_answer_is_ignored(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_respond_text(rig.held, 200, "text/plain", "one");
    http_respond_text(rig.held, 500, "text/plain", "two");
    assert_int_equal(count_of(conn, "HTTP/1.1 "), 1);
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

static void deadlines_answer_408_or_close(void **state)
{
    struct conn *half = rig_connect(""), *idle = rig_connect(""), *held = rig_connect("");
    int64_t now_us = loop_now_us(rig.loop);

    (void)state;
    say(half, "GET /ok HTT");
    say(held, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    server_sweep(rig.server, now_us + 9 * SECOND_US);
    assert_false(half->is_closed);
    server_sweep(rig.server, now_us + 11 * SECOND_US);
    assert_true(half->is_flushed);
    assert_int_equal(count_of(half, "HTTP/1.1 408 Request Timeout\r\n"), 1);
    assert_int_equal(count_of(half, "connection: close\r\n"), 1);
    assert_false(idle->is_closed);
    server_sweep(rig.server, now_us + 61 * SECOND_US);
    assert_true(idle->is_closed);
    assert_int_equal(idle->out.len, 0);
    assert_false(held->is_closed); /* the handler decides how long it takes */
    fake_peer_closes(held);
    rig_turn();
    fake_conn_free(half);
    fake_conn_free(idle);
    fake_conn_free(held);
}

static void a_long_answer_is_queued_in_measure(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    conn->room = 1000;
    say(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(conn->most_backlog <= 2 * OUTPUT_HIGH_BYTES);
    assert_true(conn->is_paused);
    for (int i = 0; i < 100 && rig.calls < 2; i++) {
        fake_take(conn, 100 * 1024);
        fake_resume(conn);
    }
    assert_int_equal(rig.calls, 2);
    assert_true(conn->most_backlog <= 2 * OUTPUT_HIGH_BYTES);
    assert_true(conn->out.len > 3 << 20);
    assert_int_equal(count_of(conn, "HTTP/1.1 200 OK\r\n"), 2);
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

static void a_peer_that_takes_too_little_is_cut(void **state)
{
    struct conn *still = rig_connect(""), *sips = rig_connect(""), *drinks = rig_connect("");
    int64_t now_us = loop_now_us(rig.loop);

    (void)state;
    still->room = sips->room = drinks->room = 1000;
    say(still, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    say(sips, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    say(drinks, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int second = 1; second <= 12; second++) {
        server_sweep(rig.server, now_us + second * SECOND_US);
        fake_take(sips, 100);
        fake_take(drinks, 5000);
    }
    assert_true(still->is_closed);
    assert_true(sips->is_closed);
    assert_false(drinks->is_closed);
    fake_peer_closes(drinks);
    rig_turn();
    fake_conn_free(still);
    fake_conn_free(sips);
    fake_conn_free(drinks);
}

static void an_upgraded_conn_has_a_new_owner_and_its_bytes(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn,
        "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nraw");
    assert_ptr_equal(rig.upgraded, conn);
    assert_int_equal(count_of(conn, "HTTP/1.1 101 Switching Protocols\r\n"), 1);
    assert_int_equal(count_of(conn, "\r\n\r\nraw"), 1);
    assert_int_equal(http_server_connections(rig.server), 0);
    rig_turn();
    say(conn, " bytes");
    assert_int_equal(count_of(conn, "raw bytes"), 1);
    fake_conn_free(conn);
}

static void draining_lets_the_busy_finish(void **state)
{
    struct conn *idle = rig_connect(""), *busy = rig_connect("");

    (void)state;
    say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_server_drain(rig.server);
    assert_true(idle->is_closed);
    assert_false(busy->is_closed);
    http_respond_text(rig.held, 200, "text/plain", "last");
    assert_true(busy->is_flushed);
    assert_int_equal(count_of(busy, "connection: close\r\n"), 1);
    rig_turn();
    fake_conn_free(idle);
    fake_conn_free(busy);
}

static void a_header_with_a_line_end_is_left_out(void **state)
{
    static const struct http_header headers[] = {{"location", "/a\r\nset-cookie: b=c"},
                                                 {"x-good", "yes"},
                                                 {"content-length", "99"},
                                                 {"bad name", "x"},
                                                 {NULL, NULL}};
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_add_header(rig.held, "x-added", "too");
    http_respond(rig.held, 302, headers, NULL);
    assert_int_equal(count_of(conn, "set-cookie"), 0);
    assert_int_equal(count_of(conn, "bad name"), 0);
    assert_int_equal(count_of(conn, "content-length: 0\r\n"), 1);
    assert_int_equal(count_of(conn, "content-length: 99"), 0);
    assert_int_equal(count_of(conn, "x-good: yes\r\n"), 1);
    assert_int_equal(count_of(conn, "x-added: too\r\n"), 1);
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

static void a_problem_is_json_whatever_it_says(void **state)
{
    struct conn *conn = rig_connect("");

    (void)state;
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_respond_problem(rig.held, 403, "expired", "a \"quote\"\n and \xff", 7);
    assert_int_equal(count_of(conn, "content-type: application/problem+json\r\n"), 1);
    assert_int_equal(count_of(conn, "retry-after: 7\r\n"), 1);
    assert_int_equal(count_of(conn, "\"rule\":\"expired\""), 1);
    say(conn, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    http_respond_problem(rig.held, 404, NULL, "a \"quote\"\n", 0);
    assert_int_equal(count_of(conn, "\"detail\":\"a \\\"quote\\\"\\n\""), 1);
    fake_peer_closes(conn);
    rig_turn();
    fake_conn_free(conn);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_request_cut_at_every_byte_is_answered_once),
        RIG_TEST(what_is_pipelined_behind_a_held_request_waits_in_the_conn),
        RIG_TEST(a_handler_that_asked_is_told_that_its_peer_went),
        RIG_TEST(a_handler_that_did_not_ask_may_answer_late),
        RIG_TEST(a_second_answer_is_ignored),
        RIG_TEST(deadlines_answer_408_or_close),
        RIG_TEST(a_long_answer_is_queued_in_measure),
        RIG_TEST(a_peer_that_takes_too_little_is_cut),
        RIG_TEST(an_upgraded_conn_has_a_new_owner_and_its_bytes),
        RIG_TEST(draining_lets_the_busy_finish),
        RIG_TEST(a_header_with_a_line_end_is_left_out),
        RIG_TEST(a_problem_is_json_whatever_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
