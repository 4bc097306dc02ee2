/* Lanes' tickets: good for one camera, one process, one minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ticket.h"

static const int64_t now_us = 5000000;

static void a_ticket_is_good_for_a_minute_and_its_camera(void **state)
{
    struct ticket_key key;
    uint8_t ticket[RELAY_TICKET];

    (void)state;
    ticket_key_init(&key);
    ticket_make(&key, "cam_a", now_us, ticket);
    assert_int_equal(ticket_check(&key, "cam_a", ticket, now_us), 0);
    assert_int_equal(ticket_check(&key, "cam_a", ticket, now_us + 59000000), 0);
    assert_int_equal(ticket_check(&key, "cam_a", ticket, now_us + 61000000), -ERR_DENIED);
    assert_int_equal(ticket_check(&key, "cam_b", ticket, now_us), -ERR_DENIED);
    assert_int_equal(ticket_check(&key, "cam_", ticket, now_us), -ERR_DENIED);
}

static void a_ticket_changed_at_any_bit_is_none(void **state)
{
    struct ticket_key key;
    uint8_t ticket[RELAY_TICKET];

    (void)state;
    ticket_key_init(&key);
    ticket_make(&key, "cam_a", now_us, ticket);
    for (unsigned bit = 0; bit < RELAY_TICKET * 8; bit++) {
        ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(ticket_check(&key, "cam_a", ticket, now_us), -ERR_DENIED);
        ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void another_process_takes_no_ticket_of_ours(void **state)
{
    struct ticket_key ours, theirs;
    uint8_t ticket[RELAY_TICKET];

    (void)state;
    ticket_key_init(&ours);
    ticket_key_init(&theirs);
    ticket_make(&ours, "cam_a", now_us, ticket);
    assert_int_equal(ticket_check(&theirs, "cam_a", ticket, now_us), -ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_good_for_a_minute_and_its_camera),
        cmocka_unit_test(a_ticket_changed_at_any_bit_is_none),
        cmocka_unit_test(another_process_takes_no_ticket_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
