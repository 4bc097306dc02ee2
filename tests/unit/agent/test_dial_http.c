#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dial_http.h"
#include "agent/proxy.h"

static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\n"
                               "upgrade: WebSocket\r\n"
                               "Connection: keep-alive, Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                               "Sec-WebSocket-Protocol: culvert.1\r\n"
                               "\r\n";
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

static ssize_t parse(struct http_reply *reply, const char *text)
{
    return http_reply_parse(reply, (const uint8_t *)text, strlen(text));
}

static void a_reply_is_read_and_what_follows_is_left(void **state)
{
    struct http_reply reply;
    char value[64];
    const char text[] =
        "HTTP/1.1 200 OK\r\nVia: 1.1 a\r\nvia : no\r\nX-Y:  two words \t\r\n\r\nrest";

    (void)state;
    assert_int_equal(parse(&reply, text), sizeof(text) - 1 - 4);
    assert_int_equal(reply.status, 200);
    assert_string_equal(http_reply_field(&reply, "via", value, sizeof(value)), "1.1 a");
    assert_string_equal(http_reply_field(&reply, "x-y", value, sizeof(value)), "two words");
    assert_string_equal(http_reply_field(&reply, "x-y", value, 9), "");
    assert_string_equal(http_reply_field(&reply, "x", value, sizeof(value)), "");
}

static void lax_proxies_are_understood(void **state)
{
    struct http_reply reply;

    (void)state;
    assert_true(parse(&reply, "HTTP/1.0 200\r\n\r\n") > 0);
    assert_int_equal(reply.status, 200);
    assert_true(parse(&reply, "HTTP/1.0 200 Connection established\n\n") > 0);
    assert_int_equal(reply.status, 200);
}

static void a_reply_cut_anywhere_waits_for_more(void **state)
{
    struct http_reply reply;
    size_t len = strlen(accepted);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = malloc(cut + 1); /* so that a byte too far is seen */

        memcpy(copy, accepted, cut);
        assert_int_equal(http_reply_parse(&reply, (uint8_t *)copy, cut), 0);
        free(copy);
    }
    assert_int_equal(parse(&reply, accepted), len);
}

static void what_is_no_reply_is_known_at_once(void **state)
{
    static const char *const rows[] = {"SSH",           "\r\n",         "HTTP/2.0 200 \r\n\r\n",
                                       "HTTP/1.1 2x0",  "HTTP/1.1  20", "HTTP/1.1 099 \r\n\r\n",
                                       "HTTP/1.1 2000", "http/1.1 200"};
    struct http_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(parse(&reply, rows[i]), -ERR_PROTOCOL);
}

static void a_head_without_an_end_is_too_long(void **state)
{
    static uint8_t bytes[REPLY_HEAD_MAX + 100];
    struct http_reply reply;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "HTTP/1.1 200 ", 13);
    assert_int_equal(http_reply_parse(&reply, bytes, REPLY_HEAD_MAX - 1), 0);
    assert_int_equal(http_reply_parse(&reply, bytes, REPLY_HEAD_MAX), -ERR_TOO_LONG);
    assert_int_equal(http_reply_parse(&reply, bytes, sizeof(bytes)), -ERR_TOO_LONG);
    memcpy(bytes + REPLY_HEAD_MAX - 2, "\r\n\r\n", 4);
    assert_int_equal(http_reply_parse(&reply, bytes, sizeof(bytes)), -ERR_TOO_LONG);
    memcpy(bytes + REPLY_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(http_reply_parse(&reply, bytes, sizeof(bytes)), REPLY_HEAD_MAX);
}

static void a_connect_names_the_server_and_the_login(void **state)
{
    struct proxy proxy = {.authorization = "Basic eDp5"};
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    connect_request(&writer, (struct http_authority){"2001:db8::1", 443}, &proxy);
    writer_uint(&writer, 0, 1);
    assert_string_equal((char *)writer.bytes,
                        "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
                        "Proxy-Authorization: Basic eDp5\r\nUser-Agent: culvert-agent\r\n\r\n");
    writer_fini(&writer);
}

static void every_refusal_of_a_proxy_has_words(void **state)
{
    struct proxy proxy = {.authorization = ""};
    struct http_reply reply = {.status = 200};

    (void)state;
    assert_null(connect_refusal(&reply, &proxy));
    for (reply.status = 300; reply.status < 1000; reply.status++)
        assert_non_null(connect_refusal(&reply, &proxy));
    reply.status = 407;
    assert_non_null(strstr(connect_refusal(&reply, &proxy), "asks for a user"));
    memcpy(proxy.authorization, "Basic eDp5", 11);
    assert_non_null(strstr(connect_refusal(&reply, &proxy), "refuses the user"));
}

static void an_upgrade_must_be_answered_to_the_letter(void **state)
{
    static const char *const lines[] = {"upgrade: WebSocket\r\n",
                                        "Connection: keep-alive, Upgrade\r\n",
                                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
                                        "Sec-WebSocket-Protocol: culvert.1\r\n"};
    struct http_reply reply;
    char text[512];

    (void)state;
    assert_true(parse(&reply, accepted) > 0);
    assert_null(upgrade_refusal(&reply, key));
    assert_non_null(upgrade_refusal(&reply, "AAAAAAAAAAAAAAAAAAAAAA=="));
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        const char *at = strstr(accepted, lines[i]);

        (void)snprintf(text, sizeof(text), "%.*s%s", (int)(at - accepted), accepted,
                       at + strlen(lines[i])); /* without it */
        assert_true(parse(&reply, text) > 0);
        assert_non_null(upgrade_refusal(&reply, key));
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - accepted), accepted, lines[i],
                       at); /* twice */
        assert_true(parse(&reply, text) > 0);
        assert_non_null(upgrade_refusal(&reply, key));
    }
    (void)snprintf(text, sizeof(text), "%.*sSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                   (int)strlen(accepted) - 2, accepted);
    assert_true(parse(&reply, text) > 0);
    assert_non_null(upgrade_refusal(&reply, key));
    assert_true(parse(&reply, "HTTP/1.1 404 Not Found\r\n\r\n") > 0);
    assert_non_null(upgrade_refusal(&reply, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read_and_what_follows_is_left),
        cmocka_unit_test(lax_proxies_are_understood),
        cmocka_unit_test(a_reply_cut_anywhere_waits_for_more),
        cmocka_unit_test(what_is_no_reply_is_known_at_once),
        cmocka_unit_test(a_head_without_an_end_is_too_long),
        cmocka_unit_test(a_connect_names_the_server_and_the_login),
        cmocka_unit_test(every_refusal_of_a_proxy_has_words),
        cmocka_unit_test(an_upgrade_must_be_answered_to_the_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
