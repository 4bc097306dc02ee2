/* What browsers are served: each file with its type, policy, gzip and ETag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/router.h"
#include "http/server.h"
#include "server/web.h"
#include "unit/http/fake_conn.h"

enum { PLAYER_MAX = 30 * 1024 };

static struct {
    struct loop *loop;
    struct http_router *router;
    struct http_server *server;
    struct web *web;
    struct conn *conn;
} rig;

static int open_rig(void **state)
{
    static const struct http_header defaults[] = {{"content-security-policy", "default-src 'none'"},
                                                  {NULL, NULL}};

    (void)state;
    return loop_new(&rig.loop, 0) || http_router_new(&rig.router) || web_new(&rig.web) ||
           web_add(rig.web, rig.router) ||
           http_server_new(&rig.server, rig.loop, rig.router, &http_limits_default, defaults);
}

static int close_rig(void **state)
{
    (void)state;
    http_server_free(rig.server);
    http_router_free(rig.router);
    web_free(rig.web);
    loop_free(rig.loop);
    return 0;
}

/* The answer's head as text, and in *len its body's length. headers: whole lines. */
static char *get(const char *target, const char *headers, size_t *len)
{
    static char head[4096];
    char request[1024];
    const char *end;

    rig.conn = fake_conn_new(rig.loop, "");
    http_server_accept(rig.server, rig.conn);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, headers);
    fake_input(rig.conn, request, strlen(request));
    loop_stop(rig.loop);
    loop_run(rig.loop);
    end = memmem(rig.conn->out.bytes, rig.conn->out.len, "\r\n\r\n", 4);
    assert_non_null(end);
    *len = rig.conn->out.len - (size_t)(end + 4 - (const char *)rig.conn->out.bytes);
    snprintf(head, sizeof(head), "%.*s", (int)(rig.conn->out.len - *len),
             (const char *)rig.conn->out.bytes);
    fake_peer_closes(rig.conn);
    loop_stop(rig.loop);
    loop_run(rig.loop);
    fake_conn_free(rig.conn);
    return head;
}

static void assert_has(const char *head, const char *text)
{
    if (!strstr(head, text))
        fail_msg("no %s in\n%s", text, head);
}

static void the_player_is_a_module_for_any_website(void **state)
{
    size_t len, packed_len;
    const char *head = get("/player.js", "", &len);

    (void)state;
    assert_has(head, "HTTP/1.1 200 ");
    assert_has(head, "content-type: text/javascript; charset=utf-8\r\n");
    assert_has(head, "access-control-allow-origin: *\r\n");
    assert_has(head, "vary: accept-encoding\r\n");
    assert_null(strstr(head, "content-encoding"));
    head = get("/player.js", "Accept-Encoding: gzip\r\n", &packed_len);
    assert_has(head, "content-encoding: gzip\r\n");
    assert_true(packed_len < len);
    assert_true(packed_len <= PLAYER_MAX);
}

static void what_is_known_already_is_not_sent_again(void **state)
{
    static const char *const encodings[] = {"", "Accept-Encoding: gzip\r\n"};
    char etags[2][64], headers[256];
    size_t len;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *etag = strstr(get("/player.js", encodings[i], &len), "etag: \"");

        assert_non_null(etag);
        assert_int_equal(sscanf(etag, "etag: %63s", etags[i]), 1);
        snprintf(headers, sizeof(headers), "%sIf-None-Match: %s\r\n", encodings[i], etags[i]);
        assert_has(get("/player.js", headers, &len), "HTTP/1.1 304 ");
        assert_int_equal(len, 0);
    }
    assert_string_not_equal(etags[0], etags[1]);
    assert_has(get("/player.js", "If-None-Match: \"other\"\r\n", &len), "HTTP/1.1 200 ");
}

static void a_page_runs_our_scripts_only_and_in_no_frame(void **state)
{
    size_t len;
    const char *head = get("/s/front-door", "", &len);

    (void)state;
    assert_has(head, "content-type: text/html; charset=utf-8\r\n");
    assert_has(head, "content-security-policy: default-src 'none'; script-src 'self'; ");
    assert_has(head, "frame-ancestors 'none'\r\n");
    assert_null(strstr(head, "default-src 'none'\r\n")); /* the server's default gives way */
    assert_null(strstr(head, "unsafe"));
    assert_null(strstr(head, "access-control-allow-origin"));
}

static void a_frame_is_for_all_or_for_the_site_that_is_named(void **state)
{
    size_t len;

    (void)state;
    assert_has(get("/embed/front-door", "", &len), "frame-ancestors *\r\n");
    assert_has(get("/embed/front-door?o=https://a.example:8443", "", &len),
               "frame-ancestors https://a.example:8443\r\n");
    assert_has(get("/embed/front-door?o=https%3A%2F%2F*.a.example", "", &len),
               "frame-ancestors https://*.a.example\r\n");
}

static void a_frame_for_no_origin_is_refused(void **state)
{
    static const char *const wrong[] = {
        "a.example",        "javascript:alert(1)",         "https://",
        "https://a/path",   "https://a;script-src%20*",    "https://a%20*",
        "https://a%0d%0ax", "https://a%2Cdefault-src%20*", "'none'"};
    char target[256];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *head;

        snprintf(target, sizeof(target), "/embed/a?o=%s", wrong[i]);
        head = get(target, "", &len);
        assert_has(head, "HTTP/1.1 400 ");
        assert_null(strstr(head, "frame-ancestors"));
    }
}

static void an_origin_has_a_greatest_length(void **state)
{
    char text[WEB_ORIGIN + 1], policy[WEB_POLICY];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    text[WEB_ORIGIN] = '\0';
    assert_false(web_is_origin(text));
    text[WEB_ORIGIN - 1] = '\0';
    assert_true(web_is_origin(text));
    web_write_policy(policy, text);
    assert_string_equal(policy + strlen(policy) - strlen(text), text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_player_is_a_module_for_any_website),
        cmocka_unit_test(what_is_known_already_is_not_sent_again),
        cmocka_unit_test(a_page_runs_our_scripts_only_and_in_no_frame),
        cmocka_unit_test(a_frame_is_for_all_or_for_the_site_that_is_named),
        cmocka_unit_test(a_frame_for_no_origin_is_refused),
        cmocka_unit_test(an_origin_has_a_greatest_length),
    };

    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
