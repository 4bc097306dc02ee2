#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/proxy.h"

static void proxies_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *url, *host, *authorization;
        uint16_t port;
    } rows[] = {
        {"http://proxy.example:3128", "proxy.example", "", 3128},
        {"HTTP://proxy.example:3128/", "proxy.example", "", 3128},
        {"proxy.example:80", "proxy.example", "", 80},
        {"http://[2001:db8::1]:8080", "2001:db8::1", "", 8080},
        {"http://user:word@10.0.0.1:1", "10.0.0.1", "Basic dXNlcjp3b3Jk", 1},
        {"http://user@10.0.0.1:1", "10.0.0.1", "Basic dXNlcjo=", 1},
        {"user:w@rd:%40%3a%2F@h:1", "h", "Basic dXNlcjp3QHJkOkA6Lw==", 1},
    };
    struct proxy proxy;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(proxy_parse(&proxy, rows[i].url), 0);
        assert_string_equal(proxy.host, rows[i].host);
        assert_int_equal(proxy.port, rows[i].port);
        assert_string_equal(proxy.authorization, rows[i].authorization);
    }
}

static void what_is_no_proxy_leaves_nothing_behind(void **state)
{
    static const char *const rows[] = {"",
                                       "http://",
                                       "http://h",
                                       "http://h:",
                                       "http://h:0",
                                       "http://h:65536",
                                       "http://h:1/path",
                                       "http://h:1x",
                                       "http://[::1]",
                                       "http://::1",
                                       "http://h h:1",
                                       "http://h\r\nX:1",
                                       "http://a:b%0d%0aX@h:1",
                                       "http://a:b%4@h:1",
                                       "http://a:b%@h:1",
                                       "http://a%3ab:c@h:1",
                                       "https://u:p@h:1",
                                       "socks5://u:p@h:1"};
    static const struct proxy none;
    struct proxy proxy;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_true(proxy_parse(&proxy, rows[i]) < 0);
        if (proxy.host[0] || proxy.authorization[0])
            fail_msg("%s", rows[i]);
    }
    assert_false(proxy_is_for(&none, "example.org"));
}

static void what_is_too_long_is_refused(void **state)
{
    char url[2000];
    struct proxy proxy;

    (void)state;
    for (size_t len = 1; len < 1500; len++) {
        (void)snprintf(url, sizeof(url), "http://%0*d:x@h:1", (int)len, 0);
        assert_int_equal(proxy_parse(&proxy, url) == 0, len < 256);
        (void)snprintf(url, sizeof(url), "http://x:%0*d@h:1", (int)len, 0);
        assert_int_equal(proxy_parse(&proxy, url) == 0, len < 256);
        (void)snprintf(url, sizeof(url), "http://%0*d:1", (int)len, 0);
        assert_int_equal(proxy_parse(&proxy, url) == 0, len < 256);
    }
}

static void no_proxy_names_hosts_and_networks(void **state)
{
    static const struct {
        const char *except, *host;
        bool is_for;
    } rows[] = {
        {NULL, "example.org", true},
        {"", "example.org", true},
        {" , ,", "example.org", true},
        {"*", "example.org", false},
        {"example.org", "example.org", false},
        {"EXAMPLE.org", "example.ORG", false},
        {"example.org:443", "example.org", false},
        {"example.org", "cam.example.org", false},
        {".example.org", "cam.example.org", false},
        {".example.org", "example.org", false},
        {"example.org", "badexample.org", true},
        {"a.example.org", "example.org", true},
        {"localhost,other.net, example.org", "example.org", false},
        {"10.0.0.0/8", "10.1.2.3", false},
        {"10.0.0.0/8", "11.1.2.3", true},
        {"192.0.2.1", "192.0.2.1", false},
        {"2001:db8::/32", "2001:db8::7", false},
        {"2001:db8::/32", "2001:db9::7", true},
        {"10.0.0.0/8", "example.org", true},
    };
    struct proxy proxy = {.host = "proxy", .port = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        proxy.except = rows[i].except;
        if (proxy_is_for(&proxy, rows[i].host) != rows[i].is_for)
            fail_msg("%s for %s", rows[i].except, rows[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_are_read_as_people_write_them),
        cmocka_unit_test(what_is_no_proxy_leaves_nothing_behind),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(no_proxy_names_hosts_and_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
