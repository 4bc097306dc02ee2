/* Names of a camera's two streams, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/profile.h"

static void viewers_ask_for_main_or_sub(void **state)
{
    enum profile profile;

    (void)state;
    assert_int_equal(profile_parse(&profile, NULL), 0);
    assert_int_equal(profile, PROFILE_MAIN);
    assert_int_equal(profile_parse(&profile, ""), 0);
    assert_int_equal(profile, PROFILE_MAIN);
    assert_int_equal(profile_parse(&profile, "main"), 0);
    assert_int_equal(profile, PROFILE_MAIN);
    assert_int_equal(profile_parse(&profile, "sub"), 0);
    assert_int_equal(profile, PROFILE_SUB);
    assert_int_equal(profile_parse(&profile, "Sub"), -ERR_NOT_FOUND);
    assert_int_equal(profile_parse(&profile, "subs"), -ERR_NOT_FOUND);
}

static void names_come_back_as_they_were(void **state)
{
    char name[16];
    size_t len;

    (void)state;
    assert_int_equal(profile_stream(name, sizeof(name), "door", PROFILE_SUB), 0);
    assert_string_equal(name, "door/sub");
    assert_int_equal(profile_of_stream(name, &len), PROFILE_SUB);
    assert_int_equal(len, 4);
    assert_int_equal(profile_stream(name, sizeof(name), "door", PROFILE_MAIN), 0);
    assert_string_equal(name, "door");
    assert_int_equal(profile_of_stream(name, &len), PROFILE_MAIN);
    assert_int_equal(len, 4);
    assert_int_equal(profile_source(name, sizeof(name), "cam_1", PROFILE_SUB), 0);
    assert_string_equal(name, "cam_1_sub");
    assert_int_equal(profile_of_source(name, &len), PROFILE_SUB);
    assert_int_equal(len, 5);
    assert_int_equal(profile_of_source("cam_1", &len), PROFILE_MAIN);
    assert_int_equal(len, 5);
}

static void the_end_alone_is_a_name_like_any_other(void **state)
{
    size_t len;

    (void)state;
    assert_int_equal(profile_of_stream("/sub", &len), PROFILE_MAIN);
    assert_int_equal(profile_of_stream("sub", &len), PROFILE_MAIN);
    assert_int_equal(profile_of_stream("door/subs", &len), PROFILE_MAIN);
    assert_int_equal(profile_of_stream("", &len), PROFILE_MAIN);
    assert_int_equal(len, 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    char name[8];

    (void)state;
    assert_int_equal(profile_stream(name, sizeof(name), "1234567", PROFILE_MAIN), 0);
    assert_int_equal(profile_stream(name, sizeof(name), "12345678", PROFILE_MAIN), -ERR_TOO_LONG);
    assert_int_equal(profile_stream(name, sizeof(name), "1234", PROFILE_SUB), -ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(viewers_ask_for_main_or_sub),
        cmocka_unit_test(names_come_back_as_they_were),
        cmocka_unit_test(the_end_alone_is_a_name_like_any_other),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
