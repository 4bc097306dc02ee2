#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "egress/hls/wire.h"

static void names_of_ours_are_read(void **state)
{
    struct hls_request request;

    (void)state;
    assert_int_equal(hls_file_parse(&request, "media.m3u8"), 0);
    assert_int_equal(request.file, HLS_MEDIA_PLAYLIST);
    assert_int_equal(hls_file_parse(&request, "init-7.mp4"), 0);
    assert_int_equal(request.file, HLS_INIT);
    assert_int_equal(request.segment, 7);
    assert_int_equal(hls_file_parse(&request, "seg-5.ts"), 0);
    assert_true(request.file == HLS_SEGMENT && request.segment == 5 && request.is_ts);
    assert_int_equal(hls_file_parse(&request, "init-1.ts"), -ERR_NOT_FOUND);
    assert_int_equal(hls_file_parse(&request, "part-1-1.ts"), -ERR_NOT_FOUND);
    assert_int_equal(hls_file_parse(&request, "seg-897731646.mp4"), 0);
    assert_false(request.is_ts);
    assert_int_equal(request.file, HLS_SEGMENT);
    assert_int_equal(request.segment, 897731646);
    assert_int_equal(hls_file_parse(&request, "part-897731646-4294967295.mp4"), 0);
    assert_int_equal(request.file, HLS_PART);
    assert_int_equal(request.part, 4294967295);
}

static void other_names_are_refused(void **state)
{
    static const char *const names[] = {
        "",
        "media.m3u8x",
        "seg-.mp4",
        "seg--1.mp4",
        "seg-+1.mp4",
        "seg-01.mp4",
        "seg- 1.mp4",
        "seg-1.mp4 ",
        "seg-1.tss",
        "seg-9999999999999999999.mp4",
        "part-1.mp4",
        "part-1-.mp4",
        "part-1-4294967296.mp4",
        "part-1-2-3.mp4",
        "init-1-2.mp4",
        "../seg-1.mp4",
    };
    struct hls_request request;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_int_equal(hls_file_parse(&request, names[i]), -ERR_NOT_FOUND);
}

static void a_name_cut_short_anywhere_is_refused(void **state)
{
    static const char name[] = "part-897731646-12.mp4";
    char cut[sizeof(name)];
    struct hls_request request;

    (void)state;
    for (size_t len = 0; len < sizeof(name) - 1; len++) {
        snprintf(cut, sizeof(cut), "%.*s", (int)len, name);
        assert_int_equal(hls_file_parse(&request, cut), -ERR_NOT_FOUND);
    }
    assert_int_equal(hls_file_parse(&request, name), 0);
}

static void directives_are_read_among_others_in_any_order(void **state)
{
    struct hls_directives directives;

    (void)state;
    assert_int_equal(
        hls_directives_parse(&directives, "a=b&_HLS_part=3&_HLS_skip=YES&&_HLS_msn=12"), 0);
    assert_true(directives.has_segment && directives.has_part && directives.is_delta);
    assert_int_equal(directives.segment, 12);
    assert_int_equal(directives.part, 3);
    assert_int_equal(hls_directives_parse(&directives, ""), 0);
    assert_false(directives.has_segment || directives.has_part || directives.is_delta);
    assert_int_equal(hls_directives_parse(&directives, "x_HLS_msn=12"), 0);
    assert_false(directives.has_segment);
}

static void directives_that_are_no_numbers_are_refused(void **state)
{
    static const char *const queries[] = {
        "_HLS_msn=",
        "_HLS_msn=-1",
        "_HLS_msn=1x",
        "_HLS_msn=01",
        "_HLS_msn=9999999999999999999",
        "_HLS_part=1",
        "_HLS_msn=1&_HLS_part=4294967296",
        "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=1&_HLS_msn=-1",
    };
    struct hls_directives directives;

    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++)
        assert_int_equal(hls_directives_parse(&directives, queries[i]), -ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_ours_are_read),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(a_name_cut_short_anywhere_is_refused),
        cmocka_unit_test(directives_are_read_among_others_in_any_order),
        cmocka_unit_test(directives_that_are_no_numbers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
