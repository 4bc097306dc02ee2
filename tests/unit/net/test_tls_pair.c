/* The first certificate, made by wall clocks that are wrong. clock_wall_us is wrapped by the
 * linker (tests/unit/sources.mk). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/tls.h"

int64_t __wrap_clock_wall_us(void);

static int64_t wall_us;

int64_t __wrap_clock_wall_us(void)
{
    return wall_us;
}

/* When a certificate made at that second runs out. */
static int64_t expiry_when_made_at(int64_t second)
{
    static const char *const hosts[] = {"relay.example"};
    char folder[] = "/tmp/culvert-pair-XXXXXX", cert[64], key[64];
    struct tls_server *server;
    int64_t expiry_s;

    wall_us = second * 1000000;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert", folder);
    (void)snprintf(key, sizeof(key), "%s/key", folder);
    assert_int_equal(tls_make_pair(cert, key, hosts, 1), 0);
    assert_int_equal(tls_server_new(&server, cert, key, NULL), 0);
    expiry_s = tls_server_expiry(server);
    tls_server_free(server);
    unlink(cert);
    unlink(key);
    rmdir(folder);
    return expiry_s;
}

static void a_certificate_made_in_1970_is_good_today(void **state)
{
    enum { DAYS = 3650, DAY = 86400 };
    const int64_t year_2026 = 1767225600, today = 1795000000;

    (void)state;
    assert_int_equal(expiry_when_made_at(0), year_2026 + (int64_t)DAYS * DAY);
    assert_int_equal(expiry_when_made_at(year_2026 - 1), year_2026 + (int64_t)DAYS * DAY);
    assert_int_equal(expiry_when_made_at(today), today + (int64_t)DAYS * DAY);
    assert_int_equal(expiry_when_made_at(2 * today), 2 * today + (int64_t)DAYS * DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_made_in_1970_is_good_today),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
