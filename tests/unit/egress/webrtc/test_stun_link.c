/* STUN servers as a Link header, and what may not get into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "egress/webrtc/stun_link.h"

enum { ITEMS_MAX = 24 };

static const struct option rows[] = {
    {"stun", OPTION_LIST, "", 0, 0, NULL, false, "for the test"},
    {.name = NULL},
};

static char link_text[STUN_LINK_TEXT];
static char wrong_text[256];

/* What comes of these items; wrong_text is the one that was refused. */
static int make(const char *const *items, int count)
{
    char flags[ITEMS_MAX][256], *argv[ITEMS_MAX];
    struct options *options;
    struct option_error error;
    const char *wrong = "";
    int err;

    for (int i = 0; i < count; i++) {
        snprintf(flags[i], sizeof(flags[i]), "--stun=%s", items[i]);
        argv[i] = flags[i];
    }
    assert_int_equal(options_new(&options), 0);
    assert_int_equal(options_add(options, rows), 0);
    assert_int_equal(options_read_flags(options, count, argv, &error), 0);
    err = stun_link_make(options, "stun", link_text, &wrong);
    snprintf(wrong_text, sizeof(wrong_text), "%s", wrong);
    options_free(options);
    return err;
}

static void without_servers_there_is_no_link(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, 0), 0);
    assert_string_equal(link_text, "");
}

static void each_server_is_a_link(void **state)
{
    static const char *const items[] = {"stun:stun.example:3478", "stuns:[2001:db8::1]"};

    (void)state;
    assert_int_equal(make(items, 2), 0);
    assert_string_equal(link_text, "<stun:stun.example:3478>; rel=\"ice-server\", "
                                   "<stuns:[2001:db8::1]>; rel=\"ice-server\"");
}

static void what_is_no_stun_uri_is_named(void **state)
{
    static const char *const items[] = {"stun.example", "stun:",          "turn:a",
                                        "stun:a>; x=y", "stun:a\r\nx: y", "stun:a b"};

    (void)state;
    for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
        assert_int_equal(make(&items[i], 1), -ERR_PROTOCOL);
        assert_string_equal(wrong_text, items[i]);
    }
}

static void more_than_fit_are_refused(void **state)
{
    static const char longest[] =
        "stun:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const char *items[ITEMS_MAX];

    (void)state;
    for (int i = 0; i < ITEMS_MAX; i++)
        items[i] = longest;
    assert_int_equal(make(items, 2), 0);
    assert_int_equal(make(items, ITEMS_MAX), -ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_servers_there_is_no_link),
        cmocka_unit_test(each_server_is_a_link),
        cmocka_unit_test(what_is_no_stun_uri_is_named),
        cmocka_unit_test(more_than_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
