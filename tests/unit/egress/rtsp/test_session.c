#include "rtsp_rig.h"

#include <sys/socket.h>
#include <unistd.h>

enum { SECOND_US = 1000000, NOT_SET = -1 };

static const char over_tcp[] = "RTP/AVP/TCP;unicast;interleaved=0-1";

static void half_a_request_has_ten_seconds_however_many_pieces_come(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    assert_int_equal(conn->deadline_us, 60 * SECOND_US);
    assert_string_equal(rig_say(conn, "OPTIONS * RTS"), "");
    assert_int_equal(conn->deadline_us, 10 * SECOND_US);
    conn->deadline_us = NOT_SET;
    assert_string_equal(rig_say(conn, "P/1.0\r\nCSeq: "), "");
    assert_int_equal(conn->deadline_us, NOT_SET);
    assert_int_equal(rig_status(rig_say(conn, "3\r\n\r\n")), 200);
    assert_int_equal(conn->deadline_us, 60 * SECOND_US);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void half_a_request_has_its_deadline_while_media_plays_too(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    rig_go_playing(conn, over_tcp);
    assert_int_equal(conn->deadline_us, 0);
    rig_say(conn, "GET_PARAMETER rtsp");
    assert_int_equal(conn->deadline_us, 10 * SECOND_US);
    assert_int_equal(rig_status(rig_say(conn, "://127.0.0.1/door RTSP/1.0\r\nCSeq: 1\r\n\r\n$")),
                     200);
    assert_int_equal(conn->deadline_us, 10 * SECOND_US); /* half a frame */
    fake_input(conn, "\1\0\2ab", 5);
    assert_int_equal(conn->deadline_us, 0);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void line_ends_between_requests_are_part_of_none(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    rig_go_playing(conn, over_tcp);
    rig_say(conn, "\r\n\n");
    assert_int_equal(conn->deadline_us, 0);
    assert_int_equal(conn->in.len, 0);
    assert_int_equal(rig_status(rig_ask(conn, "OPTIONS", "", "")), 200);
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

/* A socket of the viewer's, and its port. */
static int open_viewer_port(uint16_t *port)
{
    struct addr addr;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(addr_parse(&addr, "127.0.0.1:0"), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr.storage, &addr.len), 0);
    *port = addr_port(&addr);
    return fd;
}

/* PLAY over that transport; the server's port. */
static uint16_t play_over_udp(struct conn *conn, const char *transport)
{
    char header[128];
    const char *answer, *port;

    snprintf(header, sizeof(header), "Transport: %s\r\n", transport);
    answer = rig_ask(conn, "SETUP", "/trackID=0?token=t", header);
    assert_int_equal(rig_status(answer), 200);
    port = strstr(answer, "server_port=");
    assert_non_null(port);
    snprintf(header, sizeof(header), "%s", port + strlen("server_port="));
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", rig_session(conn))), 200);
    return (uint16_t)strtoul(header, NULL, 10);
}

/* Sends a packet, and lets the loop hear it. */
static void knock(int fd, const struct addr *to)
{
    assert_int_equal(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to->storage, to->len), 1);
    loop_stop(rig.loop);
    loop_run(rig.loop);
}

static void packets_over_udp_are_life_but_do_not_put_off_half_a_request(void **state)
{
    struct conn *conn = rig_viewer();
    struct addr server;
    char transport[80];
    uint16_t port, server_port;
    int fd = open_viewer_port(&port);

    (void)state;
    snprintf(transport, sizeof(transport), "RTP/AVP;unicast;client_port=%u-%u", port, port + 1u);
    server_port = play_over_udp(conn, transport);
    assert_int_equal(conn->deadline_us, 60 * SECOND_US);
    assert_int_equal(addr_parse(&server, "127.0.0.1"), 0);
    addr_set_port(&server, server_port);
    conn->deadline_us = NOT_SET;
    knock(fd, &server);
    assert_int_equal(conn->deadline_us, 60 * SECOND_US);

    rig_say(conn, "OPTIONS");
    conn->deadline_us = NOT_SET;
    knock(fd, &server);
    assert_int_equal(conn->deadline_us, NOT_SET);
    fake_peer_closes(conn);
    fake_conn_free(conn);
    close(fd);
}

static void input_waits_for_the_verdict_and_is_answered_in_order(void **state)
{
    struct conn *conn = rig_viewer();
    const char *answer, *second;

    (void)state;
    rig.is_asked_later = true;
    assert_string_equal(rig_say(conn, "DESCRIBE rtsp://h/door?token=abc RTSP/1.0\r\nCSeq: 1\r\n\r\n"
                                      "OPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n"),
                        "");
    assert_string_equal(rig.token, "abc");
    assert_int_equal(conn->deadline_us, 0); /* the admission has its own */
    rig_decide(VERDICT_ALLOW);
    fake_resume(conn);
    answer = rig_say(conn, "");
    second = strstr(answer + 1, "RTSP/1.0 200 OK\r\nCSeq: 2\r\n");
    assert_int_equal(strncmp(answer, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n", 26), 0);
    assert_non_null(second);
    assert_non_null(strstr(second, "Public: "));
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void each_refusal_has_its_status_and_may_be_followed_by_another_try(void **state)
{
    static const struct {
        enum verdict verdict;
        unsigned status;
    } rows[] = {
        {VERDICT_NO_CREDENTIAL, 401}, {VERDICT_BAD_CREDENTIAL, 401}, {VERDICT_DENIED, 403},
        {VERDICT_TOO_MANY, 453},      {VERDICT_AWAY, 503},           {VERDICT_OVERLOADED, 503},
        {VERDICT_ALLOW, 200},
    };
    struct conn *conn = rig_viewer();

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *answer;

        rig.verdict = rows[i].verdict;
        answer = rig_ask(conn, "DESCRIBE", "?token=t", "");
        assert_int_equal(rig_status(answer), rows[i].status);
        assert_int_equal(strstr(answer, "WWW-Authenticate: Digest") != NULL, rows[i].status == 401);
        assert_int_equal(strstr(answer, "Retry-After: ") != NULL, rows[i].status == 503);
        assert_false(conn->is_closed);
    }
    fake_peer_closes(conn);
    fake_conn_free(conn);
}

static void basic_is_offered_over_tls_only(void **state)
{
    struct conn *plain = rig_viewer(), *secure = rig_viewer();

    (void)state;
    rig.verdict = VERDICT_NO_CREDENTIAL;
    secure->is_tls = true;
    assert_null(strstr(rig_ask(plain, "DESCRIBE", "", ""), "Basic"));
    assert_non_null(strstr(rig_ask(secure, "DESCRIBE", "", ""), "Basic"));
    assert_int_equal(
        rig_status(rig_ask(plain, "DESCRIBE", "", "Authorization: Basic eDp0b2s=\r\n")), 401);
    assert_int_equal(rig.admit_count, 2); /* that one was not even asked about */
    rig.verdict = VERDICT_ALLOW;
    assert_int_equal(
        rig_status(rig_ask(secure, "DESCRIBE", "", "Authorization: Basic eDp0b2s=\r\n")), 200);
    assert_string_equal(rig.token, "tok");
    fake_peer_closes(plain);
    fake_peer_closes(secure);
    fake_conn_free(plain);
    fake_conn_free(secure);
}

static void a_viewer_that_goes_while_it_is_asked_about_is_given_back(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    rig.is_asked_later = true;
    rig_ask(conn, "DESCRIBE", "?token=t", "");
    assert_non_null(rig.asked);
    assert_int_equal(egress_rtsp.count(rig.instance), 1);
    fake_peer_closes(conn);
    assert_null(rig.asked);
    assert_int_equal(rig.leave_count, 1);
    assert_int_equal(egress_rtsp.count(rig.instance), 0);
    fake_conn_free(conn);
}

static void a_revoked_viewer_is_closed_and_its_hold_given_back(void **state)
{
    struct conn *conn = rig_viewer();
    struct admission *admission;

    (void)state;
    rig.is_asked_later = true;
    rig_ask(conn, "SETUP", "/trackID=0?token=t", "Transport: RTP/AVP/TCP\r\n");
    admission = rig.asked;
    rig_decide(VERDICT_ALLOW);
    assert_int_equal(rig.view->user_count, 1);
    admission->on_revoked(admission, "revoked");
    assert_true(conn->is_flushed);
    assert_int_equal(rig.view->user_count, 0);
    assert_int_equal(rig.leave_count, 1);
    fake_conn_free(conn);
}

static void a_session_is_for_one_stream_and_its_own_id(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", "Session: 1\r\n")), 454);
    rig_go_ready(conn, over_tcp);
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", "")), 454);
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", "Session: 0123456789abcdef\r\n")), 454);
    assert_int_equal(
        rig_status(rig_say(conn, "DESCRIBE rtsp://h/other RTSP/1.0\r\nCSeq: 1\r\n\r\n")), 459);
    assert_int_equal(rig_status(rig_ask(conn, "PLAY", "", rig_session(conn))), 200);
    assert_int_equal(rig_status(rig_ask(conn, "TEARDOWN", "", rig_session(conn))), 200);
    assert_true(conn->is_flushed);
    fake_conn_free(conn);
}

static void what_is_not_rtsp_is_answered_and_closed(void **state)
{
    struct conn *conn = rig_viewer();

    (void)state;
    assert_int_equal(rig_status(rig_say(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")), 400);
    assert_true(conn->is_flushed);
    assert_int_equal(egress_rtsp.count(rig.instance), 0);
    fake_conn_free(conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(half_a_request_has_ten_seconds_however_many_pieces_come),
        TEST(half_a_request_has_its_deadline_while_media_plays_too),
        TEST(line_ends_between_requests_are_part_of_none),
        TEST(packets_over_udp_are_life_but_do_not_put_off_half_a_request),
        TEST(input_waits_for_the_verdict_and_is_answered_in_order),
        TEST(each_refusal_has_its_status_and_may_be_followed_by_another_try),
        TEST(basic_is_offered_over_tls_only),
        TEST(a_viewer_that_goes_while_it_is_asked_about_is_given_back),
        TEST(a_revoked_viewer_is_closed_and_its_hold_given_back),
        TEST(a_session_is_for_one_stream_and_its_own_id),
        TEST(what_is_not_rtsp_is_answered_and_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
