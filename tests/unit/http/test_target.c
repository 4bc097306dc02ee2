/* Request targets, authorities, queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/target.h"

/* "PATH?QUERY", or NULL when the target is refused. */
static const char *parsed(const char *text)
{
    static char room[512], out[600];
    struct target target;

    snprintf(room, sizeof(room), "%s", text);
    if (target_parse(&target, room) < 0)
        return NULL;
    snprintf(out, sizeof(out), "%s?%s", target.path, target.query);
    return out;
}

static void paths_are_decoded_once_and_lose_their_dots(void **state)
{
    static const char *const rows[][2] = {
        {"/", "/?"},
        {"/a/b?c=d?e", "/a/b?c=d?e"},
        {"/a%20b%2525", "/a b%25?"},
        {"/a/./b/../c", "/a/c?"},
        {"/a/b/..", "/a/?"},
        {"/a/b/.", "/a/b/?"},
        {"/a/%2e%2e/b", "/b?"},
        {"/a%2f..%2fb", "/b?"},
        {"/..a/b..", "/..a/b..?"},
        {"//a//b", "//a//b?"},
        {"/?", "/?"},
        {"*", "*?"},
        {"http://host/a", "/a?"},
        {"HTTPS://host:1?q", "/?q"},
        {"http://host", "/?"},
        {"/%C3%A9", "/\xc3\xa9?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_non_null(parsed(rows[i][0]));
        assert_string_equal(parsed(rows[i][0]), rows[i][1]);
    }
}

static void targets_that_lie_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "a",
        "/..",
        "/a/../..",
        "/%2e%2e",
        "/a b",
        "/a#b",
        "/a\\b",
        "/%5c",
        "/%00",
        "/%0a",
        "/%7f",
        "/%",
        "/%4",
        "/%zz",
        "/\x01",
        "/\xc3\xa9",
        "ftp://h/a",
        "http://",
        "http:///a",
        "http://a@b/",
        "http://:1",
        "https:/a",
        "http://a b/",
        "**",
        "/a/b/../../..",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_null(parsed(rows[i]));
}

static void a_target_cut_short_anywhere_is_parsed_or_refused(void **state)
{
    static const char whole[] = "http://host/a/%2e%2e/b%41?q=%42#";
    char cut[sizeof(whole)];

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        memcpy(cut, whole, len);
        cut[len] = '\0';
        (void)parsed(cut);
    }
    assert_null(parsed(whole));
}

static void authorities_are_hosts_and_ports_alone(void **state)
{
    char long_name[300];

    (void)state;
    assert_true(target_is_authority("example.org:8443"));
    assert_true(target_is_authority("[::1]:443"));
    assert_false(target_is_authority(""));
    assert_false(target_is_authority(":443"));
    assert_false(target_is_authority("a@b"));
    assert_false(target_is_authority("a/b"));
    assert_false(target_is_authority("a, b"));
    memset(long_name, 'a', sizeof(long_name));
    long_name[262] = '\0';
    assert_true(target_is_authority(long_name));
    long_name[262] = 'a';
    long_name[263] = '\0';
    assert_false(target_is_authority(long_name));
}

static void query_values_are_decoded_or_absent(void **state)
{
    char out[8];

    (void)state;
    assert_true(target_query_value("a=1&b=%41+c&b=2", "b", out, sizeof(out)));
    assert_string_equal(out, "A c");
    assert_true(target_query_value("a=&b", "a", out, sizeof(out)));
    assert_string_equal(out, "");
    assert_true(target_query_value("t=1234567", "t", out, sizeof(out)));
    assert_false(target_query_value("t=12345678", "t", out, sizeof(out))); /* one too long */
    assert_string_equal(out, "");
    assert_false(target_query_value("b", "b", out, sizeof(out)));
    assert_false(target_query_value("ab=1", "b", out, sizeof(out)));
    assert_false(target_query_value("b=%00", "b", out, sizeof(out)));
    assert_false(target_query_value("b=%4", "b", out, sizeof(out)));
    assert_false(target_query_value("b=%", "b", out, sizeof(out)));
    assert_false(target_query_value("b=1%4&c=41", "b", out, sizeof(out)));
    assert_false(target_query_value("&&=&", "b", out, sizeof(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_decoded_once_and_lose_their_dots),
        cmocka_unit_test(targets_that_lie_are_refused),
        cmocka_unit_test(a_target_cut_short_anywhere_is_parsed_or_refused),
        cmocka_unit_test(authorities_are_hosts_and_ports_alone),
        cmocka_unit_test(query_values_are_decoded_or_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
