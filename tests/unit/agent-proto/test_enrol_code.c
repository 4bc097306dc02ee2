/* The text of an enrolment code: there and back, mistyped, cut, too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent-proto/enrol_code.h"

static struct enrol_code code_for(const char *host)
{
    struct enrol_code code = {.port = 8443};

    for (unsigned i = 0; i < ENROL_SECRET; i++)
        code.secret[i] = (uint8_t)(i * 17 + 1);
    for (unsigned i = 0; i < ENROL_PIN; i++)
        code.pin[i] = (uint8_t)(255 - i);
    memcpy(code.host, host, strlen(host) + 1);
    return code;
}

static void a_code_goes_there_and_back(void **state)
{
    static const char *const hosts[] = {"a", "relay.example.org", "192.0.2.7", "2001:db8::1"};
    char text[ENROL_CODE_TEXT];
    struct enrol_code got;

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct enrol_code code = code_for(hosts[i]);

        assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
        assert_memory_equal(text, "CULVERT-", 8);
        assert_int_equal(enrol_code_parse(&got, text), 0);
        assert_memory_equal(&got, &code, sizeof(got));
    }
}

static void the_longest_host_fits(void **state)
{
    char host[ENROL_HOST], text[ENROL_CODE_TEXT];
    struct enrol_code code, got;

    (void)state;
    memset(host, 'h', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    code = code_for(host);
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
    assert_int_equal(enrol_code_parse(&got, text), 0);
    assert_string_equal(got.host, host);
    memset(code.host, 'h', sizeof(code.host)); /* no end */
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), -ERR_PROTOCOL);
}

static void case_and_spaces_do_not_matter(void **state)
{
    struct enrol_code code = code_for("relay.example.org"), got;
    char text[ENROL_CODE_TEXT], mangled[2 * ENROL_CODE_TEXT] = "  ";
    size_t len = 2;

    (void)state;
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
    for (const char *at = text; *at; at++) {
        mangled[len++] = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
        if (at - text > 8 && (at - text) % 5 == 0)
            mangled[len++] = ' ';
    }
    mangled[len++] = '\n';
    assert_int_equal(enrol_code_parse(&got, mangled), 0);
    assert_memory_equal(&got, &code, sizeof(got));
}

static void a_code_cut_anywhere_is_none(void **state)
{
    struct enrol_code code = code_for("relay.example.org"), got;
    char text[ENROL_CODE_TEXT], cut[ENROL_CODE_TEXT];
    size_t len;

    (void)state;
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        memcpy(cut, text, i);
        cut[i] = '\0';
        assert_int_equal(enrol_code_parse(&got, cut), -ERR_PROTOCOL);
    }
}

static void a_mistyped_letter_anywhere_is_seen(void **state)
{
    struct enrol_code code = code_for("relay.example.org"), got;
    char text[ENROL_CODE_TEXT];

    (void)state;
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];

        text[i] = was == 'Q' ? 'R' : 'Q';
        assert_true(enrol_code_parse(&got, text) < 0);
        text[i] = '!';
        assert_int_equal(enrol_code_parse(&got, text), -ERR_PROTOCOL);
        text[i] = was;
    }
}

static void far_too_long_a_text_is_refused(void **state)
{
    static char text[100000] = "CULVERT-";
    struct enrol_code got;

    (void)state;
    memset(text + 8, 'A', sizeof(text) - 9);
    assert_int_equal(enrol_code_parse(&got, text), -ERR_PROTOCOL);
}

static void a_host_or_port_that_is_none_is_not_written(void **state)
{
    static const char *const hosts[] = {"", "a b", "a/b", "user@host", "a\nb", "\xc3\xa9"};
    char text[ENROL_CODE_TEXT];
    struct enrol_code code;

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        code = code_for(hosts[i]);
        assert_int_equal(enrol_code_make(&code, text, sizeof(text)), -ERR_PROTOCOL);
    }
    code = code_for("host");
    code.port = 0;
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), -ERR_PROTOCOL);
}

static void a_room_too_small_is_not_written_past(void **state)
{
    struct enrol_code code = code_for("host");
    char text[ENROL_CODE_TEXT];
    size_t need;

    (void)state;
    assert_int_equal(enrol_code_make(&code, text, sizeof(text)), 0);
    need = strlen(text) + 1;
    for (size_t room = 0; room < need; room++) {
        memset(text, '#', sizeof(text));
        assert_int_equal(enrol_code_make(&code, text, room), -ERR_TOO_LONG);
        assert_int_equal(text[room], '#');
    }
    assert_int_equal(enrol_code_make(&code, text, need), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_goes_there_and_back),
        cmocka_unit_test(the_longest_host_fits),
        cmocka_unit_test(case_and_spaces_do_not_matter),
        cmocka_unit_test(a_code_cut_anywhere_is_none),
        cmocka_unit_test(a_mistyped_letter_anywhere_is_seen),
        cmocka_unit_test(far_too_long_a_text_is_refused),
        cmocka_unit_test(a_host_or_port_that_is_none_is_not_written),
        cmocka_unit_test(a_room_too_small_is_not_written_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
