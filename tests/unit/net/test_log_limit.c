#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/log_limit.h"

static struct log_limit limit;
static int64_t now_us;

static int reset(void **state)
{
    (void)state;
    memset(&limit, 0, sizeof(limit));
    now_us = INT64_C(65530) * 1000000; /* the seconds soon wrap */
    return 0;
}

static struct addr host(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(&addr, text), 0);
    return addr;
}

static int take(const char *event, const char *text)
{
    struct addr addr = host(text);

    return log_limit_take(&limit, event, &addr, now_us);
}

static void five_lines_are_written_and_the_next_says_what_was_held_back(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("refused", "192.0.2.1:5"), 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(take("refused", "192.0.2.1:6"), -1);
    now_us += 30 * 1000000;
    assert_int_equal(take("refused", "192.0.2.1"), -1);
    now_us += 1000000;
    assert_int_equal(take("refused", "192.0.2.1"), 8);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take("refused", "192.0.2.1"), 0);
    assert_int_equal(take("refused", "192.0.2.1"), -1);
}

/* Whatever the rhythm: no 30 s have more than five lines. */
static void no_30_seconds_have_more_than_five_lines(void **state)
{
    static const int64_t steps_us[] = {1000, 700000, 4900000, 6100000, 29900000};
    int64_t written[4096];
    int count;

    for (size_t i = 0; i < sizeof(steps_us) / sizeof(steps_us[0]); i++) {
        reset(state);
        count = 0;
        for (int64_t end_us = now_us + 200 * INT64_C(1000000); now_us < end_us;
             now_us += steps_us[i])
            if (take("refused", "192.0.2.1") >= 0)
                written[count++] = now_us;
        assert_true(count >= 5);
        for (int first = 0; first + 5 < count; first++)
            assert_true(written[first + 5] - written[first] >= 30 * 1000000);
    }
}

static void each_event_and_each_address_has_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("refused", "192.0.2.1"), 0);
    assert_int_equal(take("refused", "192.0.2.1"), -1);
    assert_int_equal(take("refused", "192.0.2.2"), 0);
    assert_int_equal(take("malformed", "192.0.2.1"), 0);
    assert_int_equal(log_limit_take(&limit, "refused", NULL, now_us), 0);
}

static void one_source_has_many_ports_forms_and_ipv6_addresses(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("refused", "192.0.2.1:80"), 0);
    assert_int_equal(take("refused", "[::ffff:192.0.2.1]:81"), -1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("refused", "2001:db8:1:2::1"), 0);
    assert_int_equal(take("refused", "2001:db8:1:2:3:4:5:6"), -1);
    assert_int_equal(take("refused", "2001:db8:1:3::1"), 0);
}

static void a_great_many_addresses_share_what_there_is(void **state)
{
    int written = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char text[32];

        snprintf(text, sizeof(text), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        written += take("refused", text) >= 0;
    }
    assert_true(written <= LOG_LIMIT_SLOTS * LOG_LIMIT_LINES);
    now_us += 31 * 1000000;
    assert_true(take("refused", "192.0.2.1") >= 0);
}

static void a_count_does_not_run_over(void **state)
{
    (void)state;
    for (int i = 0; i < 70000; i++)
        (void)take("refused", "192.0.2.1");
    now_us += 31 * 1000000;
    assert_int_equal(take("refused", "192.0.2.1"), 65530);
}

static void the_line_says_it_only_when_something_was_held_back(void **state)
{
    char text[4096];
    int pipe_fds[2], saved_fd = dup(STDERR_FILENO);
    ssize_t len;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    log_setup(LOG_INFO, false);
    for (int i = 0; i < 10; i++)
        LOG_STRANGER(NULL, LOG_INFO, "viewer", "x", "refused", KV_S("rule", "no"));
    LOG_STRANGER(NULL, LOG_INFO, "viewer", "x", "other");
    dup2(saved_fd, STDERR_FILENO);
    close(saved_fd);
    close(pipe_fds[1]);
    len = read(pipe_fds[0], text, sizeof(text) - 1);
    close(pipe_fds[0]);
    assert_true(len > 0);
    text[len] = '\0';
    assert_null(strstr(text, "held_back"));
    assert_non_null(strstr(text, "viewer x other\n"));
    len = 0;
    for (const char *at = text; (at = strstr(at, "viewer x refused rule=no\n")); at++)
        len++;
    assert_int_equal(len, 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(five_lines_are_written_and_the_next_says_what_was_held_back, reset),
        cmocka_unit_test_setup(no_30_seconds_have_more_than_five_lines, reset),
        cmocka_unit_test_setup(each_event_and_each_address_has_its_own, reset),
        cmocka_unit_test_setup(one_source_has_many_ports_forms_and_ipv6_addresses, reset),
        cmocka_unit_test_setup(a_great_many_addresses_share_what_there_is, reset),
        cmocka_unit_test_setup(a_count_does_not_run_over, reset),
        cmocka_unit_test_setup(the_line_says_it_only_when_something_was_held_back, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
