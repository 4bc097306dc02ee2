#include "rtmp/amf.h"

#include <string.h>

enum marker {
    MARKER_NUMBER = 0,
    MARKER_BOOLEAN = 1,
    MARKER_STRING = 2,
    MARKER_OBJECT = 3,
    MARKER_NULL = 5,
    MARKER_UNDEFINED = 6,
    MARKER_REFERENCE = 7,
    MARKER_ECMA_ARRAY = 8,
    MARKER_END = 9,
    MARKER_STRICT_ARRAY = 10,
    MARKER_DATE = 11,
    MARKER_LONG_STRING = 12,
    MARKER_UNSUPPORTED = 13,
    MARKER_XML = 15,
    MARKER_TYPED_OBJECT = 16
};

static struct amf_value read_value(struct reader *reader, unsigned depth);

static struct amf_text read_text(struct reader *reader, size_t len_bytes)
{
    size_t len = (size_t)reader_uint(reader, len_bytes);

    return (struct amf_text){(const char *)reader_take(reader, len), reader->failed ? 0 : len};
}

static double read_number(struct reader *reader)
{
    uint64_t bits = reader_u64(reader);
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* The end of an object: an empty name and the marker. */
static bool is_end(const struct reader *reader)
{
    return reader_left(reader) >= 3 && reader->at[0] == 0 && reader->at[1] == 0 &&
           reader->at[2] == MARKER_END;
}

/* What lies between the two is all that is remembered: it is read again by who wants to know. */
static struct reader skip_members(struct reader *reader, unsigned depth)
{
    struct reader inside = *reader;

    while (!reader->failed && !is_end(reader)) {
        (void)read_text(reader, 2);
        if (read_value(reader, depth).type == AMF_UNKNOWN)
            reader->failed = true;
    }
    inside.end = reader->at;
    inside.failed = reader->failed;
    (void)reader_take(reader, 3);
    return inside;
}

static struct reader skip_values(struct reader *reader, unsigned depth)
{
    uint32_t count = reader_u32(reader);
    struct reader inside = *reader;

    for (; count && !reader->failed; count--)
        if (read_value(reader, depth).type == AMF_UNKNOWN)
            reader->failed = true;
    inside.end = reader->at;
    inside.failed = reader->failed;
    return inside;
}

static struct amf_value read_compound(struct reader *reader, enum marker marker, unsigned depth)
{
    struct amf_value value = {.type = AMF_OBJECT};

    if (depth == AMF_DEPTH_MAX) {
        reader->failed = true;
        return value;
    }
    if (marker == MARKER_STRICT_ARRAY) {
        value.type = AMF_ARRAY;
        value.inside = skip_values(reader, depth + 1);
        return value;
    }
    if (marker == MARKER_ECMA_ARRAY)
        (void)reader_u32(reader); /* a count that nobody keeps to */
    if (marker == MARKER_TYPED_OBJECT)
        (void)read_text(reader, 2);
    value.inside = skip_members(reader, depth + 1);
    return value;
}

static struct amf_value read_value(struct reader *reader, unsigned depth)
{
    struct amf_value value = {.type = AMF_OTHER};
    enum marker marker = (enum marker)reader_u8(reader);

    switch (marker) {
    case MARKER_NUMBER:
        value.type = AMF_NUMBER;
        value.number = read_number(reader);
        break;
    case MARKER_BOOLEAN:
        value.type = AMF_BOOLEAN;
        value.number = reader_u8(reader) != 0;
        break;
    case MARKER_STRING:
    case MARKER_LONG_STRING:
        value.type = AMF_STRING;
        value.text = read_text(reader, marker == MARKER_STRING ? 2 : 4);
        break;
    case MARKER_NULL:
    case MARKER_UNDEFINED:
    case MARKER_UNSUPPORTED:
        value.type = AMF_NULL;
        break;
    case MARKER_OBJECT:
    case MARKER_ECMA_ARRAY:
    case MARKER_STRICT_ARRAY:
    case MARKER_TYPED_OBJECT:
        value = read_compound(reader, marker, depth);
        break;
    case MARKER_REFERENCE:
        (void)reader_u16(reader);
        break;
    case MARKER_DATE:
        (void)reader_take(reader, 10);
        break;
    case MARKER_XML:
        (void)read_text(reader, 4);
        break;
    case MARKER_END:
    default: /* a byte from outside may be none of them */
        value.type = AMF_UNKNOWN;
        break;
    }
    if (reader->failed)
        value.type = AMF_UNKNOWN;
    return value;
}

struct amf_value amf_read(struct reader *reader)
{
    struct amf_value value = read_value(reader, 0);

    if (value.type == AMF_UNKNOWN)
        reader->failed = true;
    return value;
}

bool amf_next_member(struct reader *inside, struct amf_text *name, struct amf_value *value)
{
    if (reader_is_done(inside))
        return false;
    *name = read_text(inside, 2);
    *value = amf_read(inside);
    return reader_is_ok(inside);
}

bool amf_text_is(struct amf_text text, const char *other)
{
    return text.bytes && strlen(other) == text.len && memcmp(text.bytes, other, text.len) == 0;
}

bool amf_text_copy(struct amf_text text, char *out, size_t room)
{
    out[0] = '\0';
    if (!text.bytes || text.len >= room || memchr(text.bytes, 0, text.len))
        return false;
    memcpy(out, text.bytes, text.len);
    out[text.len] = '\0';
    return true;
}

void amf_write_number(struct writer *out, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    writer_uint(out, MARKER_NUMBER, 1);
    writer_uint(out, bits, 8);
}

void amf_write_boolean(struct writer *out, bool value)
{
    writer_uint(out, MARKER_BOOLEAN, 1);
    writer_uint(out, value, 1);
}

void amf_write_string(struct writer *out, const char *text)
{
    writer_uint(out, MARKER_STRING, 1);
    amf_write_name(out, text);
}

void amf_write_null(struct writer *out)
{
    writer_uint(out, MARKER_NULL, 1);
}

void amf_write_object(struct writer *out)
{
    writer_uint(out, MARKER_OBJECT, 1);
}

void amf_write_map(struct writer *out, unsigned count)
{
    writer_uint(out, MARKER_ECMA_ARRAY, 1);
    writer_uint(out, count, 4);
}

void amf_write_name(struct writer *out, const char *name)
{
    size_t len = strnlen(name, UINT16_MAX);

    writer_uint(out, len, 2);
    writer_put(out, name, len);
}

void amf_write_end(struct writer *out)
{
    writer_uint(out, 0, 2);
    writer_uint(out, MARKER_END, 1);
}

void amf_write_array(struct writer *out, unsigned count)
{
    writer_uint(out, MARKER_STRICT_ARRAY, 1);
    writer_uint(out, count, 4);
}
