/* Which cameras an agent opens, whatever the server says (hostile.md XC4, A7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"

static const struct allow anywhere;

static bool is_refused(const struct allow *allow, const char *url)
{
    return allow_url_fault(allow, url) != NULL;
}

static void ordinary_cameras_are_fine(void **state)
{
    (void)state;
    assert_false(is_refused(&anywhere, "rtsp://192.168.1.10/stream1"));
    assert_false(is_refused(&anywhere, "rtsp://admin:secret@192.168.1.10:554/stream1?x=1"));
    assert_false(is_refused(&anywhere, "rtsps://camera.lan/live"));
    assert_false(is_refused(&anywhere, "rtsp://[2001:db8::5]:8554/a"));
}

static void other_schemes_are_refused(void **state)
{
    static const char *const urls[] = {
        "http://192.168.1.10/", "file:///etc/passwd", "rtsp:/x",   "rtsp://", "",
        "rtsp://a b/",          "rtsp://h/\r\nX: y",  "ftp://h/a",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_true(is_refused(&anywhere, urls[i]));
}

static void this_machine_and_the_metadata_service_are_refused_in_every_form(void **state)
{
    static const char *const urls[] = {
        "rtsp://127.0.0.1/",
        "rtsp://127.9.9.9:554/",
        "rtsp://localhost/",
        "rtsp://[::1]/",
        "rtsp://[::ffff:127.0.0.1]/",
        "rtsp://169.254.169.254/",
        "rtsp://[fe80::1]/",
        "rtsp://0.0.0.0/",
        "rtsp://[::]/",
        "rtsp://224.0.0.1/",
        "rtsp://[ff02::1]/",
        "rtsp://255.255.255.255/",
        "rtsp://[::ffff:169.254.169.254]/",
        "rtsp://[64:ff9b::127.0.0.1]/",
        "rtsp://admin@127.0.0.1/",
        "rtsp://x:y@127.0.0.1:554/a@b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_true(is_refused(&anywhere, urls[i]));
}

static void loopback_can_be_allowed(void **state)
{
    struct allow allow = {.has_loopback = true};

    (void)state;
    assert_false(is_refused(&allow, "rtsp://127.0.0.1:8554/cam"));
    assert_false(is_refused(&allow, "rtsp://localhost/cam"));
    assert_true(is_refused(&allow, "rtsp://169.254.169.254/"));
    assert_true(is_refused(&allow, "rtsp://224.0.0.1/"));
}

static void a_list_allows_only_what_is_on_it(void **state)
{
    struct allow allow = {.count = 0};

    (void)state;
    assert_int_equal(allow_add_net(&allow, "192.168.7.0/24"), 0);
    assert_int_equal(allow_add_net(&allow, "2001:db8:7::/48"), 0);
    assert_true(allow_add_net(&allow, "nonsense") < 0);
    assert_true(allow_add_net(&allow, "10.0.0.0/99") < 0);
    assert_false(is_refused(&allow, "rtsp://192.168.7.200/"));
    assert_false(is_refused(&allow, "rtsp://[2001:db8:7::9]/"));
    assert_false(is_refused(&allow, "rtsp://[::ffff:192.168.7.200]/"));
    assert_true(is_refused(&allow, "rtsp://192.168.8.200/"));
    assert_true(is_refused(&allow, "rtsp://[2001:db8:8::9]/"));
    assert_true(is_refused(&allow, "rtsp://127.0.0.1/"));
}

static void the_list_has_an_end(void **state)
{
    struct allow allow = {.count = 0};

    (void)state;
    for (int i = 0; i < ALLOW_NETS_MAX; i++)
        assert_int_equal(allow_add_net(&allow, "10.0.0.0/8"), 0);
    assert_int_equal(allow_add_net(&allow, "10.0.0.0/8"), -ERR_TOO_MANY);
}

static void server_addresses_are_read_in_every_form(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"relay.example.org", "relay.example.org", 443},
        {"relay:8443", "relay", 8443},
        {"192.0.2.1:1", "192.0.2.1", 1},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535},
        {"[2001:db8::1]", "2001:db8::1", 443},
        {"2001:db8::1", "2001:db8::1", 443},
    };
    static const char *const bad[] = {"",     ":443", "h:0",    "h:65536", "h:",  "h:4x",
                                      "[::1", "[]:1", "[::1]x", "h:-1",    "h: 1"};
    char host[32];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(agent_parse_address(good[i].text, host, sizeof(host), &port), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(agent_parse_address(bad[i], host, sizeof(host), &port), -ERR_PROTOCOL);
    assert_int_equal(
        agent_parse_address("a-name-that-is-longer-than-the-room", host, sizeof(host), &port),
        -ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_cameras_are_fine),
        cmocka_unit_test(other_schemes_are_refused),
        cmocka_unit_test(this_machine_and_the_metadata_service_are_refused_in_every_form),
        cmocka_unit_test(loopback_can_be_allowed),
        cmocka_unit_test(a_list_allows_only_what_is_on_it),
        cmocka_unit_test(the_list_has_an_end),
        cmocka_unit_test(server_addresses_are_read_in_every_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
