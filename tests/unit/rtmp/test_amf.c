/* rtmp/amf.c: what is written can be read; what is cut, nested or forged is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "rtmp/amf.h"

static void write_sample(struct writer *out)
{
    writer_init(out, 1024);
    amf_write_object(out);
    amf_write_name(out, "app");
    amf_write_string(out, "live");
    amf_write_name(out, "speed");
    amf_write_number(out, -2.5);
    amf_write_name(out, "list");
    amf_write_array(out, 2);
    amf_write_boolean(out, true);
    amf_write_null(out);
    amf_write_name(out, "map");
    amf_write_map(out, 77); /* a count that is wrong, as encoders' are */
    amf_write_name(out, "x");
    amf_write_number(out, 1);
    amf_write_end(out);
    amf_write_end(out);
    assert_int_equal(out->err, 0);
}

static void what_is_written_is_read(void **state)
{
    struct writer out;
    struct reader in;
    struct amf_value object, value;
    struct amf_text name;
    char text[8];

    (void)state;
    write_sample(&out);
    in = reader_of(out.bytes, out.len);
    object = amf_read(&in);
    assert_int_equal(object.type, AMF_OBJECT);
    assert_true(reader_is_done(&in) && reader_is_ok(&in));

    assert_true(amf_next_member(&object.inside, &name, &value));
    assert_true(amf_text_is(name, "app"));
    assert_true(amf_text_copy(value.text, text, sizeof(text)));
    assert_string_equal(text, "live");
    assert_true(amf_next_member(&object.inside, &name, &value));
    assert_true(value.number == -2.5);
    assert_true(amf_next_member(&object.inside, &name, &value));
    assert_int_equal(value.type, AMF_ARRAY);
    assert_true(amf_read(&value.inside).number == 1);
    assert_int_equal(amf_read(&value.inside).type, AMF_NULL);
    assert_true(reader_is_done(&value.inside));
    assert_true(amf_next_member(&object.inside, &name, &value));
    assert_true(amf_next_member(&value.inside, &name, &value));
    assert_true(amf_text_is(name, "x"));
    assert_false(amf_next_member(&object.inside, &name, &value));
    writer_fini(&out);
}

static void what_is_cut_at_any_byte_is_an_error(void **state)
{
    struct writer out;

    (void)state;
    write_sample(&out);
    for (size_t len = 0; len < out.len; len++) {
        struct reader in = reader_of(out.bytes, len);

        assert_int_equal(amf_read(&in).type, AMF_UNKNOWN);
        assert_false(reader_is_ok(&in));
    }
    writer_fini(&out);
}

static bool is_read_nested(unsigned depth)
{
    struct writer out;
    struct reader in;
    bool is_ok;

    writer_init(&out, 1 << 20);
    for (unsigned i = 0; i < depth; i++) {
        amf_write_object(&out);
        amf_write_name(&out, "a");
    }
    amf_write_null(&out);
    for (unsigned i = 0; i < depth; i++)
        amf_write_end(&out);
    in = reader_of(out.bytes, out.len);
    is_ok = amf_read(&in).type == AMF_OBJECT && reader_is_ok(&in);
    writer_fini(&out);
    return is_ok;
}

static void nesting_ends_at_sixteen(void **state)
{
    (void)state;
    assert_true(is_read_nested(AMF_DEPTH_MAX));
    assert_false(is_read_nested(AMF_DEPTH_MAX + 1));
    assert_false(is_read_nested(10000));
}

static void counts_and_lengths_that_lie_are_errors(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
        {"\x0a\xff\xff\xff\xff\x05", 6}, /* an array of four thousand million */
        {"\x02\xff\xff short", 9},       /* a string past the end */
        {"\x0c\xff\xff\xff\xff x", 7},   /* a long one */
        {"\x03\x00\x01"
         "a\x11\x00\x00\x09",
         8}, /* a value of AMF3 */
        {"\x09", 1},
        {"\x04", 1},
        {"\xff", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        struct reader in = reader_of(lies[i].bytes, lies[i].len);

        assert_int_equal(amf_read(&in).type, AMF_UNKNOWN);
        assert_false(reader_is_ok(&in));
    }
}

static void other_kinds_are_passed_over(void **state)
{
    /* A date, a reference, XML, undefined, a typed object, a long string. */
    static const char bytes[] = "\x0b\0\0\0\0\0\0\0\0\0\0"
                                "\x07\0\1"
                                "\x0f\0\0\0\1x"
                                "\x06"
                                "\x10\0\1t\0\0\x09"
                                "\x0c\0\0\0\2hi";
    static const enum amf_type types[] = {AMF_OTHER, AMF_OTHER,  AMF_OTHER,
                                          AMF_NULL,  AMF_OBJECT, AMF_STRING};
    struct reader in = reader_of(bytes, sizeof(bytes) - 1);

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        assert_int_equal(amf_read(&in).type, types[i]);
    assert_true(reader_is_ok(&in) && reader_is_done(&in));
}

static void a_text_that_does_not_fit_is_none(void **state)
{
    char out[5];

    (void)state;
    assert_true(amf_text_copy((struct amf_text){"four", 4}, out, sizeof(out)));
    assert_false(amf_text_copy((struct amf_text){"fiver", 5}, out, sizeof(out)));
    assert_string_equal(out, "");
    assert_false(amf_text_copy((struct amf_text){"a\0b", 3}, out, sizeof(out)));
    assert_false(amf_text_copy((struct amf_text){NULL, 0}, out, sizeof(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_cut_at_any_byte_is_an_error),
        cmocka_unit_test(nesting_ends_at_sixteen),
        cmocka_unit_test(counts_and_lengths_that_lie_are_errors),
        cmocka_unit_test(other_kinds_are_passed_over),
        cmocka_unit_test(a_text_that_does_not_fit_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
