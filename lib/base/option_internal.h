/* base/option_internal.h: what the files of the option table share. */
#pragma once

#include "base/option.h"

struct option_item {
    struct option_item *before; /* owned */
    char text[];
};

struct option_value {
    char *text;               /* owned; TEXT, CHOICE */
    struct option_item *last; /* owned; LIST, from its end */
    char *origin;             /* owned; where it was given, NULL for the default */
    const struct option *row; /* borrowed */
    size_t item_count;
    int64_t number; /* BOOL, INT, DURATION, SIZE */
    bool is_preset; /* not given by any source yet */
    bool is_fresh;  /* given by the source that is being read */
};

struct options {
    struct option_value *values; /* owned */
    size_t count;
};

struct option_unit {
    const char *name;
    int64_t factor;
};

/* Ended by a row without a name. */
extern const struct option_unit option_duration_units[], option_size_units[];

enum { OPTION_ITEMS = 1024, OPTION_TEXT_BYTES = 4096 };

/* NULL when there is none. name need not end after len. */
struct option_value *option_find(const struct options *options, const char *name, size_t len);

/* Parses text into value, or adds it to a list. On failure error names origin and the reason. */
int option_value_set(struct option_value *value, const char *text, const char *origin,
                     struct option_error *error) MUST_CHECK;
int option_value_add(struct option_value *value, const char *text) MUST_CHECK;

/* NULL past the end. */
const char *option_value_item(const struct option_value *value, size_t index);

/* Drops a list's items. */
void option_value_empty(struct option_value *value);
void option_value_clear(struct option_value *value);

/* A source is read into a copy, which replaces the set when all of it was good. */
int options_copy(struct options **out, const struct options *options) MUST_CHECK;
void options_swap(struct options *a, struct options *b);
