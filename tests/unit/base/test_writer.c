#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"

static void what_is_written_is_read(void **state)
{
    struct writer writer;
    struct reader reader;

    (void)state;
    writer_init(&writer, 1 << 20);
    writer_uint(&writer, 0x0102030405060708, 8);
    writer_uint(&writer, 0xabcdef, 2); /* the lowest bytes */
    writer_text(&writer, "text");
    writer_printf(&writer, "%d-%s", 42, "x");
    writer_put(&writer, "\0\1", 2);
    assert_int_equal(writer.err, 0);
    reader = reader_of(writer.bytes, writer.len);
    assert_int_equal(reader_u64(&reader), 0x0102030405060708);
    assert_int_equal(reader_u16(&reader), 0xcdef);
    assert_memory_equal(reader_take(&reader, 8), "text42-x", 8);
    assert_int_equal(reader_u16(&reader), 1);
    assert_true(reader_is_done(&reader));
    writer_fini(&writer);
}

static void it_grows_to_the_limit_and_not_past_it(void **state)
{
    struct writer writer;

    (void)state;
    writer_init(&writer, 1000);
    for (int i = 0; i < 1000; i++)
        writer_uint(&writer, (uint64_t)i, 1);
    assert_int_equal(writer.err, 0);
    assert_int_equal(writer.len, 1000);
    writer_uint(&writer, 1, 1);
    assert_int_equal(writer.err, -ERR_TOO_LONG);
    assert_int_equal(writer.len, 1000);
    writer_reset(&writer);
    assert_int_equal(writer.err, 0);
    writer_put(&writer, "x", 1);
    assert_int_equal(writer.len, 1);
    writer_fini(&writer);
}

static void the_error_is_sticky(void **state)
{
    struct writer writer;
    struct buf *buf = NULL;

    (void)state;
    writer_init(&writer, 4);
    writer_text(&writer, "12345");
    writer_text(&writer, "1");
    assert_int_equal(writer.len, 0);
    assert_int_equal(writer_to_buf(&writer, &buf), -ERR_TOO_LONG);
    assert_null(buf);
    writer_fini(&writer);
}

static void a_length_that_wraps_is_too_long(void **state)
{
    struct writer writer;

    (void)state;
    writer_init(&writer, SIZE_MAX / 2);
    writer_text(&writer, "abc");
    writer_put(&writer, "x", SIZE_MAX - 1);
    assert_int_equal(writer.err, -ERR_TOO_LONG);
    writer_fini(&writer);
}

static void a_printf_fits_its_limit_exactly(void **state)
{
    struct writer writer;

    (void)state;
    writer_init(&writer, 6);
    writer_printf(&writer, "%s", "12345");
    assert_int_equal(writer.err, 0);
    assert_int_equal(writer.len, 5);
    writer_printf(&writer, "%s", "67");
    assert_int_equal(writer.err, -ERR_TOO_LONG);
    writer_fini(&writer);
}

static void the_front_is_consumed(void **state)
{
    struct writer writer;
    struct buf *buf;

    (void)state;
    writer_init(&writer, 100);
    writer_text(&writer, "abcdef");
    writer_consume(&writer, 2);
    writer_consume(&writer, 0);
    assert_int_equal(writer_to_buf(&writer, &buf), 0);
    assert_int_equal(buf->len, 4);
    assert_memory_equal(buf->bytes, "cdef", 4);
    writer_consume(&writer, 100);
    assert_int_equal(writer.len, 0);
    buf_unref(buf);
    writer_fini(&writer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(it_grows_to_the_limit_and_not_past_it),
        cmocka_unit_test(the_error_is_sticky),
        cmocka_unit_test(a_length_that_wraps_is_too_long),
        cmocka_unit_test(a_printf_fits_its_limit_exactly),
        cmocka_unit_test(the_front_is_consumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
