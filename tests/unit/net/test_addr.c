#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "net/addr.h"

static struct addr parse(const char *text)
{
    struct addr addr;

    if (addr_parse(&addr, text) != 0)
        fail_msg("%s is not taken", text);
    return addr;
}

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *host, *whole;
        uint16_t port;
    } cases[] = {
        {"192.168.1.10:554", "192.168.1.10", "192.168.1.10:554", 554},
        {"192.168.1.10", "192.168.1.10", "192.168.1.10:0", 0},
        {"0.0.0.0:65535", "0.0.0.0", "0.0.0.0:65535", 65535},
        {"[::1]:443", "::1", "[::1]:443", 443},
        {"[::]", "::", "[::]:0", 0},
        {"::", "::", "[::]:0", 0},
        {"2001:db8::5", "2001:db8::5", "[2001:db8::5]:0", 0},
        {"[2001:DB8:0:0:0:0:0:5]:1", "2001:db8::5", "[2001:db8::5]:1", 1},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:0", 0},
        {"fe80::1%lo", "fe80::1", "[fe80::1]:0", 0},
    };
    char text[ADDR_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct addr addr = parse(cases[i].text);

        assert_string_equal(addr_format_host(&addr, text), cases[i].host);
        assert_string_equal(addr_format(&addr, text), cases[i].whole);
        assert_int_equal(addr_port(&addr), cases[i].port);
    }
}

static void what_is_not_an_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "localhost",
        "localhost:80",
        "1.2.3",
        "127.1",
        "0x7f.0.0.1",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4:65536",
        "1.2.3.4:000080",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4:80:80",
        "[1.2.3.4]:80",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[]:80",
        "[",
        ":80",
        "01.2.3.4",
        "1.2.3.256",
        "::1::",
        "fe80::1%",
        "fe80::1%nonexistent-0",
        "2130706433",
        "1.2.3.4:4294967297",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:0000:1111",
    };
    struct addr addr;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (addr_parse(&addr, texts[i]) != -ERR_PROTOCOL)
            fail_msg("%s is taken", texts[i]);
}

static void an_address_cut_short_never_harms(void **state)
{
    static const char whole[] = "[2001:db8:1:2:3:4:5:6]:65535";
    char text[sizeof(whole)];
    struct addr addr;

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        memcpy(text, whole, len);
        text[len] = '\0';
        (void)!addr_parse(&addr, text);
    }
}

static void ipv4_inside_ipv6_becomes_plain(void **state)
{
    static const char *const cases[][2] = {
        {"[::ffff:10.1.2.3]:80", "10.1.2.3:80"},
        {"[2002:0a01:0203::1]:80", "10.1.2.3:80"},
        {"[64:ff9b::10.1.2.3]:80", "10.1.2.3:80"},
        {"[::10.1.2.3]:80", "10.1.2.3:80"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:80", "[::]:80"},
        {"[2001:db8::a01:203]:80", "[2001:db8::a01:203]:80"},
        {"10.1.2.3:80", "10.1.2.3:80"},
    };
    char text[ADDR_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct addr addr = parse(cases[i][0]), plain = addr_canonical(&addr);

        assert_string_equal(addr_format(&plain, text), cases[i][1]);
    }
}

static void the_same_host_is_known_in_every_form(void **state)
{
    struct addr plain = parse("127.0.0.1:1"), mapped = parse("[::ffff:127.0.0.1]:2");
    struct addr other = parse("127.0.0.2:1"), v6 = parse("[::1]:1"), unix_addr = {.len = 2};

    (void)state;
    unix_addr.storage.ss_family = AF_UNIX;
    assert_true(addr_is_same_host(&plain, &mapped));
    assert_false(addr_is_same_host(&plain, &other));
    assert_false(addr_is_same_host(&plain, &v6));
    assert_false(addr_is_same_host(&unix_addr, &unix_addr));
    assert_false(addr_is_same_host(&unix_addr, &plain));
}

static void the_same_place_is_known_mapped_or_not(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"1.2.3.4:5", "1.2.3.4:5", true},
        {"1.2.3.4:5", "1.2.3.4:6", false},
        {"1.2.3.4:5", "1.2.3.5:5", false},
        {"1.2.3.4:5", "[::ffff:1.2.3.4]:5", true},
        {"[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5", true},
        {"1.2.3.4:5", "[::ffff:1.2.3.4]:6", false},
        {"1.2.3.4:5", "[64:ff9b::1.2.3.4]:5", false},
        {"1.2.3.4:5", "[2002:102:304::]:5", false},
        {"1.2.3.4:5", "[::1.2.3.4]:5", false},
        {"[2001:db8::1]:5", "[2001:db8::1]:5", true},
        {"[2001:db8::1]:5", "[2001:db8::2]:5", false},
        {"[fe80::1%1]:5", "[fe80::1%1]:5", true},
        {"[fe80::1%1]:5", "[fe80::1%2]:5", false},
        {"[2001:db8::1%1]:5", "[2001:db8::1%2]:5", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct addr a = parse(cases[i].a), b = parse(cases[i].b);

        if (addr_is_same(&a, &b) != cases[i].is_same || addr_is_same(&b, &a) != cases[i].is_same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    assert_false(addr_is_same(&(struct addr){0}, &(struct addr){0}));
}

static void each_kind_of_address_is_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool loopback, multicast, link_local, private;
    } cases[] = {
        {"127.0.0.1", 1, 0, 0, 1},
        {"127.255.255.255", 1, 0, 0, 1},
        {"::1", 1, 0, 0, 1},
        {"::ffff:127.0.0.1", 1, 0, 0, 1},
        {"2002:7f00:1::", 1, 0, 0, 1},
        {"64:ff9b::7f00:1", 1, 0, 0, 1},
        {"0.0.0.0", 1, 0, 0, 1},
        {"::", 1, 0, 0, 1},
        {"128.0.0.1", 0, 0, 0, 0},
        {"126.255.255.255", 0, 0, 0, 0},
        {"224.0.0.1", 0, 1, 0, 0},
        {"239.255.255.255", 0, 1, 0, 0},
        {"240.0.0.1", 0, 0, 0, 0},
        {"255.255.255.255", 0, 1, 0, 0},
        {"ff02::1", 0, 1, 0, 0},
        {"169.254.169.254", 0, 0, 1, 1},
        {"::ffff:169.254.1.1", 0, 0, 1, 1},
        {"fe80::1", 0, 0, 1, 1},
        {"febf::1", 0, 0, 1, 1},
        {"fec0::1", 0, 0, 0, 0},
        {"10.0.0.1", 0, 0, 0, 1},
        {"11.0.0.0", 0, 0, 0, 0},
        {"172.16.0.1", 0, 0, 0, 1},
        {"172.31.255.255", 0, 0, 0, 1},
        {"172.32.0.0", 0, 0, 0, 0},
        {"172.15.255.255", 0, 0, 0, 0},
        {"192.168.0.1", 0, 0, 0, 1},
        {"192.169.0.1", 0, 0, 0, 0},
        {"100.64.0.1", 0, 0, 0, 1},
        {"100.127.255.255", 0, 0, 0, 1},
        {"100.128.0.0", 0, 0, 0, 0},
        {"fc00::1", 0, 0, 0, 1},
        {"fdff::1", 0, 0, 0, 1},
        {"fe00::1", 0, 0, 0, 0},
        {"8.8.8.8", 0, 0, 0, 0},
        {"2001:4860::1", 0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct addr addr = parse(cases[i].text);

        if (addr_is_loopback(&addr) != cases[i].loopback ||
            addr_is_multicast(&addr) != cases[i].multicast ||
            addr_is_link_local(&addr) != cases[i].link_local ||
            addr_is_private(&addr) != cases[i].private)
            fail_msg("%s is taken for something else", cases[i].text);
    }
}

static void a_network_has_its_addresses_and_no_others(void **state)
{
    static const struct {
        const char *net, *addr;
        bool is_in;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"10.1.2.3/8", "10.9.9.9", true}, /* host bits are not looked at */
        {"192.168.1.128/25", "192.168.1.128", true},
        {"192.168.1.128/25", "192.168.1.127", false},
        {"192.168.1.7", "192.168.1.7", true},
        {"192.168.1.7", "192.168.1.6", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"::ffff:10.0.0.0/104", "10.5.5.5", true},
        {"::ffff:10.0.0.0/104", "11.5.5.5", false},
        {"2002::/16", "2002:a01:203::1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct addr addr = parse(cases[i].addr);
        struct addr_net net;

        assert_int_equal(addr_net_parse(&net, cases[i].net), 0);
        if (addr_net_has(&net, &addr) != cases[i].is_in)
            fail_msg("%s and %s", cases[i].net, cases[i].addr);
    }
}

static void what_is_not_a_network_is_refused(void **state)
{
    static const char *const texts[] = {
        "",         "/",           "/8",           "10.0.0.0/",   "10.0.0.0/33",
        "::/129",   "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/ 8", "10.0.0.0/8x",
        "10.0.0/8", "1.2.3.4:80",  "[::1]/128",    "any"};
    struct addr_net net;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (addr_net_parse(&net, texts[i]) != -ERR_PROTOCOL)
            fail_msg("%s is taken", texts[i]);
}

static void a_port_is_set_in_both_families(void **state)
{
    struct addr v4 = parse("1.2.3.4:5"), v6 = parse("[::1]:5");

    (void)state;
    addr_set_port(&v4, 443);
    addr_set_port(&v6, 443);
    assert_int_equal(addr_port(&v4), 443);
    assert_int_equal(addr_port(&v6), 443);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(what_is_not_an_address_is_refused),
        cmocka_unit_test(an_address_cut_short_never_harms),
        cmocka_unit_test(ipv4_inside_ipv6_becomes_plain),
        cmocka_unit_test(the_same_host_is_known_in_every_form),
        cmocka_unit_test(the_same_place_is_known_mapped_or_not),
        cmocka_unit_test(each_kind_of_address_is_told_apart),
        cmocka_unit_test(a_network_has_its_addresses_and_no_others),
        cmocka_unit_test(what_is_not_a_network_is_refused),
        cmocka_unit_test(a_port_is_set_in_both_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
