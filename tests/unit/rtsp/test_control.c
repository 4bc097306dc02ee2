#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rtsp/control.h"

static const char *joined(const char *asked, const char *base, const char *control)
{
    static char out[RTSP_URL_MAX * 2];
    struct rtsp_url url;

    assert_int_equal(rtsp_url_parse(&url, asked), 0);
    assert_int_equal(rtsp_control_url(&url, base, control, out, sizeof(out)), 0);
    return out;
}

static void a_relative_control_hangs_on_the_base(void **state)
{
    (void)state;
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h:554/cam/", "trackID=1"),
                        "rtsp://h:554/cam/trackID=1");
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h/cam", "trackID=1"),
                        "rtsp://h:554/cam/trackID=1");
    assert_string_equal(joined("rtsp://h/cam", NULL, "trackID=1"), "rtsp://h:554/cam/trackID=1");
    assert_string_equal(joined("rtsp://h/cam?ch=1", NULL, "trackID=1"),
                        "rtsp://h:554/cam?ch=1/trackID=1");
}

static void a_control_that_is_missing_or_a_star_is_the_base(void **state)
{
    (void)state;
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h/cam/", ""), "rtsp://h:554/cam/");
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h/cam/", "*"), "rtsp://h:554/cam/");
    assert_string_equal(joined("rtsp://h/cam", NULL, "*"), "rtsp://h:554/cam");
}

static void an_absolute_control_stays_on_the_host_that_we_reached(void **state)
{
    (void)state;
    assert_string_equal(joined("rtsp://h:8554/cam", NULL, "rtsp://192.168.0.9/cam/trackID=1"),
                        "rtsp://h:8554/cam/trackID=1");
    assert_string_equal(joined("rtsps://h/cam", NULL, "rtsp://u:p@10.0.0.1:554/a?b=c"),
                        "rtsps://h:322/a?b=c");
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h/cam/", "http://evil/"),
                        "rtsp://h:554/cam/");
}

static void a_wrong_base_is_passed_over_or_put_right(void **state)
{
    (void)state;
    assert_string_equal(joined("rtsp://h:8554/cam", "rtsp://0.0.0.0:554/cam/", "track1"),
                        "rtsp://h:8554/cam/track1");
    assert_string_equal(joined("rtsp://h/cam", "nonsense", "track1"), "rtsp://h:554/cam/track1");
    assert_string_equal(joined("rtsp://h/cam", "rtsp://host:badport/x/", "track1"),
                        "rtsp://h:554/cam/track1");
    assert_string_equal(joined("rtsp://h/cam", "", "track1"), "rtsp://h:554/cam/track1");
}

static void roots_queries_and_trailing_words_are_understood(void **state)
{
    (void)state;
    assert_string_equal(joined("rtsp://h/cam", "rtsp://h/cam/", "/live/track1"),
                        "rtsp://h:554/live/track1");
    assert_string_equal(joined("rtsp://h/cam?a=b", NULL, "?ctype=video"),
                        "rtsp://h:554/cam?ctype=video");
    assert_string_equal(joined("rtsp://h/cam", NULL, "track1 junk"), "rtsp://h:554/cam/track1");
}

static void what_does_not_fit_is_an_error(void **state)
{
    char out[64], control[1024];
    struct rtsp_url url;

    (void)state;
    assert_int_equal(rtsp_url_parse(&url, "rtsp://h/cam"), 0);
    memset(control, 'a', sizeof(control) - 1);
    control[sizeof(control) - 1] = '\0';
    assert_int_equal(rtsp_control_url(&url, NULL, control, out, sizeof(out)), -ERR_TOO_LONG);
    control[0] = '/';
    assert_int_equal(rtsp_control_url(&url, NULL, control, out, sizeof(out)), -ERR_TOO_LONG);
    for (size_t room = 1; room < strlen("rtsp://h:554/cam/t") + 1; room++)
        assert_int_equal(rtsp_control_url(&url, NULL, "t", out, room), -ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relative_control_hangs_on_the_base),
        cmocka_unit_test(a_control_that_is_missing_or_a_star_is_the_base),
        cmocka_unit_test(an_absolute_control_stays_on_the_host_that_we_reached),
        cmocka_unit_test(a_wrong_base_is_passed_over_or_put_right),
        cmocka_unit_test(roots_queries_and_trailing_words_are_understood),
        cmocka_unit_test(what_does_not_fit_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
