/* How often one address may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "egress/srt/limit.h"

static struct limit limit;

static struct addr at(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(&addr, text), 0);
    return addr;
}

/* How many are let through at once. */
static unsigned take_all(const char *text, int64_t now_us)
{
    struct addr addr = at(text);
    unsigned taken = 0;

    while (limit_take(&limit, &addr, now_us))
        taken++;
    return taken;
}

static int setup(void **state)
{
    (void)state;
    limit = (struct limit){.seed = 0x1234567};
    return 0;
}

static void a_burst_is_taken_and_then_so_many_a_second(void **state)
{
    (void)state;
    assert_int_equal(take_all("192.0.2.1:5", 1000), LIMIT_BURST);
    assert_int_equal(take_all("192.0.2.1:6", 1000), 0);
    assert_int_equal(take_all("192.0.2.1:7", 1001000), LIMIT_PER_S);
    assert_int_equal(take_all("192.0.2.1:7", 3600 * 1000000LL), LIMIT_BURST);
}

static void another_address_is_not_held_back(void **state)
{
    (void)state;
    assert_int_equal(take_all("192.0.2.1:5", 0), LIMIT_BURST);
    assert_int_equal(take_all("192.0.2.2:5", 0), LIMIT_BURST);
    assert_int_equal(take_all("[2001:db8::1]:5", 0), LIMIT_BURST);
    assert_int_equal(take_all("[2001:db8:0:1::1]:5", 0), LIMIT_BURST);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
    (void)state;
    assert_int_equal(take_all("[2001:db8::1]:5", 0), LIMIT_BURST);
    assert_int_equal(take_all("[2001:db8::ffff:2]:9", 0), 0);
}

static void ipv4_in_ipv6_is_the_same_address(void **state)
{
    (void)state;
    assert_int_equal(take_all("192.0.2.1:5", 0), LIMIT_BURST);
    assert_int_equal(take_all("[::ffff:192.0.2.1]:5", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_burst_is_taken_and_then_so_many_a_second, setup),
        cmocka_unit_test_setup(another_address_is_not_held_back, setup),
        cmocka_unit_test_setup(a_network_of_ipv6_is_one_address, setup),
        cmocka_unit_test_setup(ipv4_in_ipv6_is_the_same_address, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
