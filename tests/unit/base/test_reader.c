#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/reader.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void numbers_are_big_endian(void **state)
{
    struct reader reader = reader_of(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_u32(&reader), 0x04050607);
    assert_int_equal(reader_u64(&reader), 0x08090a0b0c0d0e0f);
    assert_true(reader_is_ok(&reader));
    assert_true(reader_is_done(&reader));
}

static void every_cut_fails_once_and_for_all(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        struct reader reader = reader_of(bytes, len);

        reader_u8(&reader);
        reader_u16(&reader);
        reader_u32(&reader);
        assert_int_equal(reader_u64(&reader), 0);
        assert_false(reader_is_ok(&reader));
        assert_int_equal(reader_left(&reader), 0);
        assert_null(reader_take(&reader, 0));
        assert_int_equal(reader_u8(&reader), 0);
    }
}

static void a_sub_reader_sees_its_part_alone(void **state)
{
    struct reader reader = reader_of(bytes, sizeof(bytes)), sub = reader_sub(&reader, 2);

    (void)state;
    assert_int_equal(reader_u16(&sub), 0x0102);
    assert_true(reader_is_done(&sub));
    assert_int_equal(reader_u8(&sub), 0);
    assert_false(reader_is_ok(&sub));
    assert_true(reader_is_ok(&reader));
    assert_int_equal(reader_u8(&reader), 3);
    sub = reader_sub(&reader, 13);
    assert_false(reader_is_ok(&sub));
    assert_false(reader_is_ok(&reader));
}

static void a_length_that_wraps_fails(void **state)
{
    struct reader reader = reader_of(bytes, sizeof(bytes));

    (void)state;
    assert_null(reader_take(&reader, SIZE_MAX));
    assert_false(reader_is_ok(&reader));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(every_cut_fails_once_and_for_all),
        cmocka_unit_test(a_sub_reader_sees_its_part_alone),
        cmocka_unit_test(a_length_that_wraps_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
