/* server/cli/table.h: JSON for people: columns, or a line a field. */
#pragma once

#include <stdio.h>

struct json_t;

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME, COLUMN_BOOL, COLUMN_WORDS };

struct column {
    const char *title; /* "AGENT" */
    const char *field; /* "agent_id" */
    enum column_kind kind;
};

/* rows: an array of objects. columns end with a row without a title. */
void table_print(FILE *out, const struct json_t *rows, const struct column *columns);

/* One object, a line a column. */
void table_print_one(FILE *out, const struct json_t *object, const struct column *columns);

/* Text from outside, without what could steer a terminal. */
void print_safe(FILE *out, const char *text);
