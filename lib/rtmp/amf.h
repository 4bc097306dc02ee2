/* rtmp/amf.h: AMF0 (Adobe's "AMF 0", 2007), read where it lies and written. Pure.
 *
 * AMF3 is not read: a value of it ends what can be known of its message (AMF_UNKNOWN).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/reader.h"
#include "base/writer.h"

enum amf_type {
    AMF_NUMBER,
    AMF_BOOLEAN,
    AMF_STRING, /* long strings too */
    AMF_NULL,   /* undefined too */
    AMF_OBJECT, /* ECMA arrays and typed objects too */
    AMF_ARRAY,  /* strict */
    AMF_OTHER,  /* a date, XML, a reference: skipped */
    AMF_UNKNOWN /* nothing after it can be read */
};

enum { AMF_DEPTH_MAX = 16 };

struct amf_text {
    const char *bytes; /* borrowed, no NUL at its end */
    size_t len;
};

struct amf_value {
    enum amf_type type;
    double number;        /* AMF_NUMBER; AMF_BOOLEAN as 0 or 1 */
    struct amf_text text; /* AMF_STRING */
    struct reader inside; /* AMF_OBJECT: for amf_next_member; AMF_ARRAY: for amf_read */
};

/* The next value; reader fails when there is none, or nested deeper than AMF_DEPTH_MAX. */
struct amf_value amf_read(struct reader *reader);

/* The next member of an object; false at the end, or where it can't be read. */
bool amf_next_member(struct reader *inside, struct amf_text *name, struct amf_value *value);

bool amf_text_is(struct amf_text text, const char *other);

/* A copy with its NUL; false, and "" in out, when it is too long for room or holds a NUL. */
bool amf_text_copy(struct amf_text text, char *out, size_t room);

void amf_write_number(struct writer *out, double number);
void amf_write_boolean(struct writer *out, bool value);
void amf_write_string(struct writer *out, const char *text);
void amf_write_null(struct writer *out);

/* Then members, each a name and a value, then the end. */
void amf_write_object(struct writer *out);
void amf_write_map(struct writer *out, unsigned count); /* an ECMA array */
void amf_write_name(struct writer *out, const char *name);
void amf_write_end(struct writer *out);

/* Then count values. */
void amf_write_array(struct writer *out, unsigned count);
