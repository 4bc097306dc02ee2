#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/err.h"
#include "base/log.h"

static char line[4096];

/* Standard error goes to a pipe for as long as one event is written. */
static int saved_fd, pipe_fds[2];

static void capture(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    saved_fd = dup(STDERR_FILENO);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
}

static void captured(void)
{
    ssize_t len;

    dup2(saved_fd, STDERR_FILENO);
    close(saved_fd);
    close(pipe_fds[1]);
    len = read(pipe_fds[0], line, sizeof(line) - 1);
    close(pipe_fds[0]);
    assert_true(len >= 0);
    line[len] = '\0';
}

#define CAPTURE(statement)                                                                         \
    do {                                                                                           \
        capture();                                                                                 \
        statement;                                                                                 \
        captured();                                                                                \
    } while (0)

static size_t count_lines(void)
{
    size_t count = 0;

    for (const char *at = line; *at; at++)
        count += *at == '\n';
    return count;
}

static void an_event_is_one_line_with_its_subject_first(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    CAPTURE(LOG(LOG_WARN, "viewer", "8f2", "closed", KV_S("protocol", "rtsp"), KV_I("port", -5),
                KV_ERR(-ERR_TIMEOUT), KV_S("path", NULL)));
    assert_int_equal(count_lines(), 1);
    assert_string_equal(line + strlen("2026-01-01T00:00:00.000Z "),
                        "warn  viewer 8f2 closed protocol=rtsp port=-5 error=timeout path=\"\"\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_setup(LOG_WARN, false);
    CAPTURE(LOG(LOG_INFO, "server", NULL, "started"));
    assert_string_equal(line, "");
    CAPTURE(LOG(LOG_WARN, "server", NULL, "started"));
    assert_non_null(strstr(line, "server - started\n"));
}

static void nobody_can_forge_a_line_or_a_field(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    CAPTURE(LOG(LOG_INFO, "viewer", "a b\nc", "opened",
                KV_S("agent", "x\r\n2026-01-01 error admin=1 \"\\\x1b[2J\x7f")));
    assert_int_equal(count_lines(), 1);
    assert_non_null(strstr(line, "\"a b\\u000ac\""));
    assert_non_null(strstr(
        line, "agent=\"x\\u000d\\u000a2026-01-01 error admin=1 \\\"\\\\\\u001b[2J\\u007f\""));
}

/* Every byte value, as JSON, is still JSON. */
static void any_bytes_are_json(void **state)
{
    char text[256];

    (void)state;
    log_setup(LOG_INFO, true);
    for (int from = 1; from < 256; from += 50) {
        json_t *json;
        size_t len = 0;

        for (int byte = from; byte < from + 50 && byte < 256; byte++)
            text[len++] = (char)byte;
        text[len] = '\0';
        CAPTURE(LOG(LOG_INFO, "viewer", text, "opened", KV_S("text", text), KV_I("n", INT64_MIN)));
        json = json_loads(line, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "event")), "opened");
        json_decref(json);
    }
}

static void good_utf8_stays_and_bad_is_escaped(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    CAPTURE(LOG(LOG_INFO, "camera", "x", "named", KV_S("name", "Tür ✓ 🎥")));
    assert_non_null(strstr(line, "name=\"Tür ✓ 🎥\""));
    CAPTURE(LOG(LOG_INFO, "camera", "x", "named", KV_S("name", "\xc3")));
    assert_non_null(strstr(line, "name=\"\\u00c3\""));
    CAPTURE(LOG(LOG_INFO, "camera", "x", "named", KV_S("name", "\xc0\xaf\xed\xa0\x80\xc2\x85")));
    assert_non_null(strstr(line, "\"\\u00c0\\u00af\\u00ed\\u00a0\\u0080\\u00c2\\u0085\""));
}

static void characters_that_turn_or_end_a_line_are_escaped(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    CAPTURE(LOG(LOG_INFO, "camera", "x", "named",
                KV_S("name", "a\u202e\u2028\u2029\u200b\u2066\ufeff\u2030\u20ac")));
    assert_int_equal(count_lines(), 1);
    for (const char *at = line; *at; at++)
        assert_int_not_equal((unsigned char)*at, 0xef);
    assert_null(strstr(line, "\u202e"));
    assert_non_null(strstr(line, "name=\"a\\u00e2\\u0080\\u00ae"));
    assert_non_null(strstr(line, "\u2030\u20ac\""));
}

static void a_line_that_is_too_long_loses_fields_and_stays_json(void **state)
{
    char text[2000];
    json_t *json;

    (void)state;
    log_setup(LOG_INFO, true);
    for (size_t len = 0; len < sizeof(text); len += 7) {
        memset(text, '\x01', len);
        text[len] = '\0';
        CAPTURE(LOG(LOG_INFO, "viewer", "v", "opened", KV_S("a", text), KV_S("b", text),
                    KV_S("c", "last")));
        assert_int_equal(count_lines(), 1);
        json = json_loads(line, 0, NULL);
        assert_non_null(json);
        json_decref(json);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_with_its_subject_first),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(nobody_can_forge_a_line_or_a_field),
        cmocka_unit_test(any_bytes_are_json),
        cmocka_unit_test(good_utf8_stays_and_bad_is_escaped),
        cmocka_unit_test(characters_that_turn_or_end_a_line_are_escaped),
        cmocka_unit_test(a_line_that_is_too_long_loses_fields_and_stays_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
