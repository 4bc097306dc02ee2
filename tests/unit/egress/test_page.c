/* Which website a request is held against. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "egress/page.h"

static const char own[] = "https://relay.example:8443", authority[] = "relay.example:8443";
static const char other[] = "https://site.example";

static void a_page_of_another_origin_is_that_page(void **state)
{
    (void)state;
    assert_string_equal(page_choose(other, NULL, authority), other);
    assert_string_equal(page_choose("null", NULL, authority), "null");
    assert_string_equal(page_choose("http://relay.example:8443", NULL, authority),
                        "http://relay.example:8443");
    assert_string_equal(page_choose("https://relay.example", NULL, authority),
                        "https://relay.example");
    assert_string_equal(page_choose(own, NULL, NULL), own);
}

static void it_cannot_call_itself_another(void **state)
{
    (void)state;
    assert_string_equal(page_choose(other, "https://allowed.example", authority), other);
}

static void our_own_page_is_none(void **state)
{
    (void)state;
    assert_null(page_choose(NULL, NULL, authority));
    assert_null(page_choose(own, NULL, authority));
    assert_null(page_choose("https://RELAY.example:8443", "", authority));
}

static void our_own_frame_is_the_page_around_it(void **state)
{
    (void)state;
    assert_string_equal(page_choose(NULL, other, authority), other);
    assert_string_equal(page_choose(own, other, authority), other);
    assert_string_equal(page_choose(own, "null", authority), "null");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_another_origin_is_that_page),
        cmocka_unit_test(it_cannot_call_itself_another),
        cmocka_unit_test(our_own_page_is_none),
        cmocka_unit_test(our_own_frame_is_the_page_around_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
