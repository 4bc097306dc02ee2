/* server/api/fields.h: the fields of a JSON object from outside, each with its limits.
 *
 * The first thing wrong sticks, with a sentence that names the field; check fields_end once,
 * after all fields were asked for: one that nobody asked for is wrong too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/store.h"

enum { FIELDS_BYTES = 65536, FIELDS_DEPTH = 32, FIELDS_KEYS = 256, FIELDS_KNOWN = 24 };

struct json_t;

struct fields {
    struct json_t *object; /* owned; wiped when freed */
    const char *known[FIELDS_KNOWN];
    size_t known_count;
    bool failed, is_json; /* is_json: it failed, but not for its form */
    char detail[256];
};

/* What is wrong with text as a sentence's end ("must be …"), or NULL. May rewrite text in a
 * normal form, not longer. */
struct field_check {
    const char *(*check)(char *text);
    size_t items_max; /* of a list */
};

/* Reads len bytes of JSON. Never fails at once: see fields_end. */
void fields_init(struct fields *fields, const void *bytes, size_t len);
void fields_fini(struct fields *fields);

/* Each says whether the field is there and right, and leaves out as it was if not. */
bool fields_text(struct fields *fields, const char *name, char *out, size_t room,
                 const struct field_check *check);
bool fields_bool(struct fields *fields, const char *name, bool *out);
bool fields_int(struct fields *fields, const char *name, int64_t *out, int64_t max);

/* An array of texts, as words with a space between. */
bool fields_list(struct fields *fields, const char *name, char out[STORE_LIST],
                 const struct field_check *check);

/* A text as it is, borrowed until fields_fini; NULL without one. For secrets. */
const char *fields_secret(struct fields *fields, const char *name);
bool fields_is_null(struct fields *fields, const char *name);

/* Fails unless the field is there. */
void fields_require(struct fields *fields, const char *name);

/* Fails with "NAME WRONG". */
void fields_fail(struct fields *fields, const char *name, const char *wrong);

/* True when all was right. */
bool fields_end(struct fields *fields);

/* checks.c */
extern const struct field_check check_slug, check_name, check_label, check_id, check_networks,
    check_origins, check_protocols, check_cameras, check_path;
