/* The tree of routes, and the rules of RFC 9110 that pure functions decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/answer.h"
#include "http/h2_guard.h"
#include "http/range.h"
#include "http/router_private.h"
#include "unit/http/http_rig.h"

static void handle(void *owner, struct http_request *request)
{
    (void)owner;
    (void)request;
}

static const struct http_route rows[] = {
    {HTTP_GET, "/hls/{slug}/index.m3u8", handle, 1},
    {HTTP_GET, "/hls/{slug}/{file}", handle, 2},
    {HTTP_GET, "/hls/fixed/{file}", handle, 3},
    {HTTP_GET, "/hls/{slug}/{rest...}", handle, 4},
    {HTTP_POST, "/hls/{slug}/{file}", handle, 5},
    {HTTP_GET, "/ok", handle, 6}, /* the rig has it already */
    {HTTP_OTHER, NULL, NULL, 0},
};

static char allow[ROUTER_ALLOW_MAX], params[128];

/* The body_limit of the route that takes the path, which is its number here; or a status. */
static size_t match(enum http_method method, const char *path)
{
    struct conn *conn;
    struct http_request *request;
    size_t result;

    rig_open();
    if (http_router_add(rig.router, rows, NULL) != -ERR_EXISTS) /* the last row */
        abort();
    conn = fake_conn_new(rig.loop, "");
    request = request_new(rig.server, conn, NULL, NULL);
    request->method = method;
    request->path = path;
    result = router_match(rig.router, request, allow);
    params[0] = '\0';
    for (size_t i = 0; !result && i < request->param_count; i++)
        snprintf(params + strlen(params), sizeof(params) - strlen(params), "%s=%s ",
                 request->params[i].name, request->params[i].value);
    if (!result)
        result = request->route->body_limit;
    request_release(request);
    rig_close();
    fake_conn_free(conn);
    return result;
}

static void the_most_literal_route_wins(void **state)
{
    (void)state;
    assert_int_equal(match(HTTP_GET, "/hls/a/index.m3u8"), 1);
    assert_string_equal(params, "slug=a ");
    assert_int_equal(match(HTTP_GET, "/hls/a/b"), 2);
    assert_string_equal(params, "slug=a file=b ");
    assert_int_equal(match(HTTP_GET, "/hls/fixed/b"), 3);
    assert_int_equal(match(HTTP_GET, "/hls/fixed/b/c"), 4); /* back out of the literal */
    assert_string_equal(params, "slug=fixed rest=b/c ");
    assert_int_equal(match(HTTP_POST, "/hls/a/b"), 5);
    assert_int_equal(match(HTTP_HEAD, "/hls/a/b"), 2);
}

static void what_no_route_takes_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(match(HTTP_GET, "/hls"), 404);
    assert_int_equal(match(HTTP_GET, "/hls/"), 404);
    assert_int_equal(match(HTTP_GET, "/hls//b"), 404);
    assert_int_equal(match(HTTP_GET, "/hls/a/"), 404);
    assert_int_equal(match(HTTP_DELETE, "/hls/a/b"), 405);
    assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
    assert_int_equal(match(HTTP_OPTIONS, "/hls/a/b"), 204);
    assert_int_equal(match(HTTP_OTHER, "/hls/a/b"), 501);
    assert_int_equal(match(HTTP_OPTIONS, "*"), 204);
    assert_int_equal(match(HTTP_GET, "*"), 400);
}

static void a_path_of_a_thousand_segments_is_given_up(void **state)
{
    static char path[2001];

    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(path + i, "/a", 2);
    assert_int_equal(match(HTTP_GET, path), 404);
}

static void ranges_never_leave_the_body(void **state)
{
    static const struct {
        const char *value;
        enum range_result result;
        size_t offset, len;
    } table[] = {
        {"bytes=0-0", RANGE_ONE, 0, 1},
        {"bytes=9-", RANGE_ONE, 9, 1},
        {"bytes=-3", RANGE_ONE, 7, 3},
        {"bytes=-11", RANGE_ONE, 0, 10},
        {"bytes=0-18446744073709551615", RANGE_ONE, 0, 10},
        {"bytes=0-99999999999999999999999999", RANGE_ONE, 0, 10},
        {"bytes=-99999999999999999999999999", RANGE_ONE, 0, 10},
        {"bytes=10-", RANGE_OUTSIDE, 0, 0},
        {"bytes=18446744073709551615-", RANGE_OUTSIDE, 0, 0},
        {"bytes=-0", RANGE_OUTSIDE, 0, 0},
        {"bytes=", RANGE_NONE, 0, 0},
        {"bytes=-", RANGE_NONE, 0, 0},
        {"bytes=1", RANGE_NONE, 0, 0},
        {"bytes=1-2,3-4", RANGE_NONE, 0, 0},
        {"bytes=2-1", RANGE_NONE, 0, 0},
        {"bytes 1-2", RANGE_NONE, 0, 0},
        {"", RANGE_NONE, 0, 0},
    };
    size_t offset, len;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(range_parse(table[i].value, 10, &offset, &len), table[i].result);
        if (table[i].result != RANGE_ONE)
            continue;
        assert_int_equal(offset, table[i].offset);
        assert_int_equal(len, table[i].len);
    }
    assert_int_equal(range_parse("bytes=0-", 0, &offset, &len), RANGE_OUTSIDE);
    assert_int_equal(range_parse("bytes=-5", 0, &offset, &len), RANGE_OUTSIDE);
}

static void gzip_is_sent_to_those_who_take_it(void **state)
{
    (void)state;
    assert_true(range_accepts_gzip("deflate, gzip"));
    assert_true(range_accepts_gzip("GZIP;q=0.001"));
    assert_true(range_accepts_gzip("*"));
    assert_true(range_accepts_gzip("x-gzip ; Q=1"));
    assert_false(range_accepts_gzip(NULL));
    assert_false(range_accepts_gzip(""));
    assert_false(range_accepts_gzip("gzip;q=0"));
    assert_false(range_accepts_gzip("gzip;q=0.000, *"));
    assert_false(range_accepts_gzip("gzip;q"));
    assert_false(range_accepts_gzip("*;q=0, br"));
}

static void entity_tags_match_weakly_and_whole(void **state)
{
    (void)state;
    assert_true(answer_etag_matches("W/\"a,b\" , \"c\"", "\"c\""));
    assert_true(answer_etag_matches("\"a,b\"", "W/\"a,b\""));
    assert_true(answer_etag_matches("*", "\"x\""));
    assert_false(answer_etag_matches("\"a", "\"a\""));
    assert_false(answer_etag_matches("a", "\"a\""));
    assert_false(answer_etag_matches("\"ab\"", "\"a\""));
    assert_false(answer_etag_matches("", "\"a\""));
    assert_false(answer_etag_matches("\"b\" junk \"a\"", "\"a\""));
}

static void floods_are_counted_within_ten_seconds(void **state)
{
    struct h2_guard guard;
    unsigned fine = 0;

    (void)state;
    h2_guard_init(&guard, 200, 0);
    for (int i = 0; i < 200; i++)
        assert_true(h2_guard_bad(&guard, 9 * 1000 * 1000));
    assert_false(h2_guard_bad(&guard, 9 * 1000 * 1000));
    assert_true(h2_guard_bad(&guard, 10 * 1000 * 1000));
    while (h2_guard_cheap(&guard, 10 * 1000 * 1000))
        fine++;
    assert_int_equal(fine, 1000);
    h2_guard_init(&guard, 200, 0);
    h2_guard_earn(&guard);
    for (fine = 0; h2_guard_cheap(&guard, 0);)
        fine++;
    assert_int_equal(fine, 1004);
}

static void frames_are_found_however_they_are_cut(void **state)
{
    static const uint8_t bytes[24 + 9 + 3 + 9 + 9 + 1] = {
        [24] = 0, 0, 3, 1, 5, 0, 0, 0, 1, 'a', 'b',  'c', 0, 0, 0,  4,
        1,        0, 0, 0, 0, 0, 0, 1, 0, 1,   0x80, 0,   0, 7, 'x'};

    (void)state;
    for (size_t piece = 1; piece <= sizeof(bytes); piece++) {
        struct h2_frame_head head, heads[4];
        struct h2_walk walk;
        size_t count = 0;
        bool has_head;

        h2_walk_init(&walk);
        for (size_t at = 0; at < sizeof(bytes);) {
            size_t room = sizeof(bytes) - at < piece ? sizeof(bytes) - at : piece;
            size_t used = h2_walk_next(&walk, bytes + at, room, &head, &has_head);

            assert_true(used > 0 && used <= room);
            at += used;
            if (has_head && count < 4)
                heads[count++] = head;
        }
        assert_int_equal(count, 3);
        assert_int_equal(heads[0].type, 1);
        assert_int_equal(heads[0].stream_id, 1);
        assert_int_equal(heads[1].type, 4);
        assert_int_equal(heads[1].flags, 1);
        assert_int_equal(heads[2].stream_id, 7); /* without the reserved bit */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_literal_route_wins),
        cmocka_unit_test(what_no_route_takes_is_told_apart),
        cmocka_unit_test(a_path_of_a_thousand_segments_is_given_up),
        cmocka_unit_test(ranges_never_leave_the_body),
        cmocka_unit_test(gzip_is_sent_to_those_who_take_it),
        cmocka_unit_test(entity_tags_match_weakly_and_whole),
        cmocka_unit_test(floods_are_counted_within_ten_seconds),
        cmocka_unit_test(frames_are_found_however_they_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
