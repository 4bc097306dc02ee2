/* URLs: what is secret is split off, what is no URL is refused (hostile.md R5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/url.h"

static struct rtsp_url url;

static void user_and_password_are_split_off_and_decoded_once(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(rtsp_url_parse(&url, "rtsp://ad%6din:p%40ss%2541@192.168.1.9/live?x=1#f"), 0);
    assert_string_equal(url.user, "admin");
    assert_string_equal(url.password, "p@ss%41");
    assert_string_equal(url.host, "192.168.1.9");
    assert_int_equal(url.port, 554);
    assert_string_equal(url.path, "/live");
    assert_string_equal(url.query, "x=1");
    assert_int_equal(rtsp_url_format(&url, text, sizeof(text)), 0);
    assert_string_equal(text, "rtsp://192.168.1.9:554/live?x=1");
}

static void a_password_may_hold_what_ends_others(void **state)
{
    (void)state;
    assert_int_equal(rtsp_url_parse(&url, "rtsp://u:p@ss:w%zz@host:99/"), 0);
    assert_string_equal(url.user, "u");
    assert_string_equal(url.password, "p@ss:w%zz");
    assert_int_equal(url.port, 99);
}

static void ipv6_and_tls_have_their_own_forms(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(rtsp_url_parse(&url, "RTSPS://[2001:db8::1]/a"), 0);
    assert_true(url.is_tls);
    assert_string_equal(url.host, "2001:db8::1");
    assert_int_equal(url.port, 322);
    assert_int_equal(rtsp_url_format(&url, text, sizeof(text)), 0);
    assert_string_equal(text, "rtsps://[2001:db8::1]:322/a");
}

static void r5_what_is_no_url_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "*",
                                      "http://x/",
                                      "rtsp://",
                                      "rtsp:///path",
                                      "rtsp://x:0/",
                                      "rtsp://x:99999/",
                                      "rtsp://x:1x/",
                                      "rtsp://[::1/",
                                      "rtsp://[::1]x/",
                                      "rtsp://u:%00@x/",
                                      "rtsp://x/a b",
                                      "rtsp://x/\r\nX: y",
                                      "rtsp://x%41/"};
    static char longer[RTSP_URL_MAX + 16];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(rtsp_url_parse(&url, bad[i]), -ERR_PROTOCOL);
    memset(longer, 'a', sizeof(longer) - 1);
    memcpy(longer, "rtsp://", 7);
    assert_int_equal(rtsp_url_parse(&url, longer), -ERR_TOO_LONG);
}

static void a_query_gives_its_values_and_lets_them_go(void **state)
{
    char query[64] = "a=1&token=x%2By&b", value[16];

    (void)state;
    assert_true(rtsp_query_value(query, "token", value, sizeof(value)));
    assert_string_equal(value, "x+y");
    assert_true(rtsp_query_value(query, "b", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(rtsp_query_value(query, "tok", value, sizeof(value)));
    assert_false(rtsp_query_value(query, "token", value, 3));
    rtsp_query_remove(query, "token");
    assert_string_equal(query, "a=1&b");
    rtsp_query_remove(query, "b");
    assert_string_equal(query, "a=1");
    rtsp_query_remove(query, "a");
    assert_string_equal(query, "");
}

static void a_track_named_behind_the_query_is_no_part_of_the_token(void **state)
{
    char value[16];

    (void)state;
    assert_true(rtsp_query_value("token=abc/trackID=1", "token", value, sizeof(value)));
    assert_string_equal(value, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_password_are_split_off_and_decoded_once),
        cmocka_unit_test(a_password_may_hold_what_ends_others),
        cmocka_unit_test(ipv6_and_tls_have_their_own_forms),
        cmocka_unit_test(r5_what_is_no_url_is_refused),
        cmocka_unit_test(a_query_gives_its_values_and_lets_them_go),
        cmocka_unit_test(a_track_named_behind_the_query_is_no_part_of_the_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
