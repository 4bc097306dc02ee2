/* Requests, responses and frames, cut, too long and malformed (hostile.md R1 to R4, R9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/message.h"

static const char request[] = "DESCRIBE rtsp://host:8554/door?token=x RTSP/1.0\r\n"
                              "CSeq: 7\r\n"
                              "Accept: application/sdp\r\n"
                              "\r\n";

/* The text exactly as long as it is, so that the sanitizer sees a read past its end. */
static struct rtsp_parsed parse_exact(const void *text, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct rtsp_parsed parsed;

    assert_non_null(copy);
    memcpy(copy, text, len);
    parsed = rtsp_parse(copy, len);
    free(copy);
    parsed.frame = NULL;
    return parsed;
}

static unsigned status_of(const char *text)
{
    struct rtsp_parsed parsed = parse_exact(text, strlen(text));

    if (parsed.piece == RTSP_MESSAGE)
        rtsp_message_free(parsed.message);
    return parsed.piece == RTSP_BAD ? parsed.status : 0;
}

static void a_request_is_read_whole(void **state)
{
    struct rtsp_parsed parsed = parse_exact(request, strlen(request));

    (void)state;
    assert_int_equal(parsed.piece, RTSP_MESSAGE);
    assert_int_equal(parsed.used, strlen(request));
    assert_true(parsed.message->is_request);
    assert_string_equal(parsed.message->method, "DESCRIBE");
    assert_string_equal(parsed.message->url, "rtsp://host:8554/door?token=x");
    assert_int_equal(rtsp_cseq(parsed.message), 7);
    assert_string_equal(rtsp_header(parsed.message, "ACCEPT"), "application/sdp");
    assert_null(rtsp_header(parsed.message, "Session"));
    rtsp_message_free(parsed.message);
}

static void a_message_cut_at_any_byte_waits_for_more(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < strlen(request); cut++)
        assert_int_equal(parse_exact(request, cut).piece, RTSP_NEEDS_MORE);
}

static void a_body_is_waited_for_and_belongs_to_its_message(void **state)
{
    static const char text[] = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\nNEXT";
    struct rtsp_parsed parsed;

    (void)state;
    for (size_t cut = 0; cut < strlen(text) - 4; cut++)
        assert_int_equal(parse_exact(text, cut).piece, RTSP_NEEDS_MORE);
    parsed = parse_exact(text, strlen(text));
    assert_int_equal(parsed.piece, RTSP_MESSAGE);
    assert_int_equal(parsed.used, strlen(text) - 4);
    assert_int_equal(parsed.message->status, 200);
    assert_string_equal(parsed.message->reason, "OK");
    assert_string_equal(parsed.message->body, "v=0\r\n");
    rtsp_message_free(parsed.message);
}

static void bare_line_feeds_are_read_as_cameras_write_them(void **state)
{
    struct rtsp_parsed parsed = parse_exact("\r\n\nRTSP/1.0 401\nCSeq:3\n\n", 24);

    (void)state;
    assert_int_equal(parsed.piece, RTSP_MESSAGE);
    assert_int_equal(parsed.used, 24);
    assert_int_equal(parsed.message->status, 401);
    assert_int_equal(rtsp_cseq(parsed.message), 3);
    rtsp_message_free(parsed.message);
}

static void repeated_headers_are_found_one_after_the_other(void **state)
{
    static const char text[] = "RTSP/1.0 401 No\r\nWWW-Authenticate: Basic realm=\"a\"\r\n"
                               "WWW-Authenticate: Digest realm=\"a\"\r\n\r\n";
    struct rtsp_parsed parsed = parse_exact(text, strlen(text));
    const char *first;

    (void)state;
    assert_int_equal(parsed.piece, RTSP_MESSAGE);
    first = rtsp_header(parsed.message, "www-authenticate");
    assert_string_equal(first, "Basic realm=\"a\"");
    assert_string_equal(rtsp_header_next(parsed.message, "www-authenticate", first),
                        "Digest realm=\"a\"");
    rtsp_message_free(parsed.message);
}

static void a_frame_is_told_from_a_message(void **state)
{
    static const uint8_t frame[] = {'$', 3, 0, 2, 0xaa, 0xbb, 'O'};
    struct rtsp_parsed parsed = rtsp_parse(frame, sizeof(frame));

    (void)state;
    for (size_t cut = 0; cut < 6; cut++)
        assert_int_equal(parse_exact(frame, cut).piece, RTSP_NEEDS_MORE);
    assert_int_equal(parsed.piece, RTSP_FRAME);
    assert_int_equal(parsed.used, 6);
    assert_int_equal(parsed.channel, 3);
    assert_int_equal(parsed.frame_len, 2);
    assert_ptr_equal(parsed.frame, frame + 4);
    assert_int_equal(parse_exact("$\0\0\0", 4).used, 4); /* R9: nothing in it */
}

static void r1_lines_headers_and_bodies_have_limits(void **state)
{
    static char text[128 * 1024];
    size_t len;

    (void)state;
    memset(text, 'a', RTSP_LINE_MAX + 1);
    assert_int_equal(parse_exact(text, RTSP_LINE_MAX + 1).status, 414);
    len = (size_t)snprintf(text, sizeof(text), "OPTIONS * RTSP/1.0\r\n");
    for (unsigned i = 0; i <= RTSP_HEADERS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X-%u: y\r\n", i);
    snprintf(text + len, sizeof(text) - len, "\r\n");
    assert_int_equal(status_of(text), 431);
    len = (size_t)snprintf(text, sizeof(text), "OPTIONS * RTSP/1.0\r\nX: ");
    memset(text + len, 'b', RTSP_LINE_MAX + 1);
    snprintf(text + len + RTSP_LINE_MAX + 1, 8, "\r\n\r\n");
    assert_int_equal(status_of(text), 431);
    memset(text, '\n', 1);
    len = (size_t)snprintf(text, sizeof(text), "OPTIONS * RTSP/1.0\r\n");
    while (len <= RTSP_HEAD_MAX)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X: yyyyyyyyyyyyyyyyyyyyyyyy\r\n");
    assert_int_equal(parse_exact(text, len).status, 431);
    assert_int_equal(status_of("SET_PARAMETER * RTSP/1.0\r\nContent-Length: 65537\r\n\r\n"), 413);
}

static void r2_a_length_that_is_none_is_refused(void **state)
{
    static const char *const lengths[] = {"-1", "+1", "1x", "", "0x10", " ", "1 2"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        snprintf(text, sizeof(text), "SET_PARAMETER * RTSP/1.0\r\nContent-Length: %s\r\n\r\nab",
                 lengths[i]);
        assert_int_equal(status_of(text), 400);
    }
    assert_int_equal(status_of("SET_PARAMETER * RTSP/1.0\r\nContent-Length: "
                               "9223372036854775808\r\n\r\n"),
                     413);
    assert_int_equal(status_of("SET_PARAMETER * RTSP/1.0\r\nContent-Length: 1\r\n"
                               "Content-Length: 2\r\n\r\nab"),
                     400);
}

static void r3_what_is_no_request_is_refused(void **state)
{
    static const char *const bad[] = {"GARBAGE\r\n\r\n",
                                      "OPTIONS *\r\n\r\n",
                                      "OPTIONS  RTSP/1.0\r\n\r\n",
                                      "OPTIONS a b RTSP/1.0\r\n\r\n",
                                      "OPTIONS * HTTP/1.1\r\n\r\n",
                                      "OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n",
                                      "OPTIONS * RTSP/1.0\r\n: empty\r\n\r\n",
                                      "OPTIONS * RTSP/1.0\r\n folded first\r\n\r\n",
                                      "RTSP/1.0 20 OK\r\n\r\n",
                                      "RTSP/1.0 0x1\r\n\r\n",
                                      "\x01\x02\x03\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(status_of(bad[i]), 400);
    assert_int_equal(parse_exact("OPTIONS \0 RTSP/1.0\r\n\r\n", 23).status, 400);
    assert_int_equal(status_of("OPTIONS * RTSP/3.0\r\n\r\n"), 505);
}

static void r4_a_cseq_that_is_no_number_is_none(void **state)
{
    static const char *const bad[] = {"", "x", "-1", "18446744073709551616", "1 2"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct rtsp_parsed parsed;

        snprintf(text, sizeof(text), "OPTIONS * RTSP/1.0\r\nCSeq: %s\r\n\r\n", bad[i]);
        parsed = parse_exact(text, strlen(text));
        assert_int_equal(parsed.piece, RTSP_MESSAGE);
        assert_int_equal(rtsp_cseq(parsed.message), -1);
        rtsp_message_free(parsed.message);
    }
}

static void what_is_written_can_be_read_and_forges_no_line(void **state)
{
    struct rtsp_parsed parsed;
    struct writer out;

    (void)state;
    writer_init(&out, 4096);
    rtsp_write_response(&out, 200, 12);
    rtsp_write_header(&out, "Session", "%s", "abc\r\nX-Evil: 1");
    rtsp_write_end(&out, "text/plain", "hello", 5);
    assert_int_equal(out.err, 0);
    parsed = parse_exact(out.bytes, out.len);
    assert_int_equal(parsed.piece, RTSP_MESSAGE);
    assert_int_equal(rtsp_cseq(parsed.message), 12);
    assert_string_equal(rtsp_header(parsed.message, "Session"), "abc");
    assert_null(rtsp_header(parsed.message, "X-Evil"));
    assert_string_equal(parsed.message->body, "hello");
    rtsp_message_free(parsed.message);
    writer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_whole),
        cmocka_unit_test(a_message_cut_at_any_byte_waits_for_more),
        cmocka_unit_test(a_body_is_waited_for_and_belongs_to_its_message),
        cmocka_unit_test(bare_line_feeds_are_read_as_cameras_write_them),
        cmocka_unit_test(repeated_headers_are_found_one_after_the_other),
        cmocka_unit_test(a_frame_is_told_from_a_message),
        cmocka_unit_test(r1_lines_headers_and_bodies_have_limits),
        cmocka_unit_test(r2_a_length_that_is_none_is_refused),
        cmocka_unit_test(r3_what_is_no_request_is_refused),
        cmocka_unit_test(r4_a_cseq_that_is_no_number_is_none),
        cmocka_unit_test(what_is_written_can_be_read_and_forges_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
