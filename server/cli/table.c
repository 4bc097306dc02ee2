#include "server/cli/table.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { CELL = 256, COLUMNS_MAX = 16 };

static void make_words(char out[CELL], const json_t *words)
{
    size_t len = 0;

    out[0] = 0;
    for (size_t i = 0; i < json_array_size(words) && len < CELL - 1; i++) {
        const char *word = json_string_value(json_array_get(words, i));

        len += (size_t)snprintf(out + len, CELL - len, "%s%s", i ? " " : "", word ? word : "");
    }
}

static void make_time(char out[CELL], int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm parts;

    if (!seconds || !gmtime_r(&when, &parts) || !strftime(out, CELL, "%F %TZ", &parts))
        snprintf(out, CELL, "-");
}

static void make_cell(char out[CELL], const json_t *object, const struct column *column)
{
    const json_t *value = json_object_get(object, column->field);
    const char *text = json_string_value(value);

    switch (column->kind) {
    case COLUMN_TEXT:
        snprintf(out, CELL, "%s", text ? text : "");
        break;
    case COLUMN_NUMBER:
        snprintf(out, CELL, "%" PRId64, (int64_t)json_integer_value(value));
        break;
    case COLUMN_TIME:
        make_time(out, json_integer_value(value));
        break;
    case COLUMN_BOOL:
        snprintf(out, CELL, "%s", json_is_true(value) ? "yes" : "no");
        break;
    case COLUMN_WORDS:
        make_words(out, value);
        break;
    }
    if (!out[0])
        snprintf(out, CELL, "-");
}

void print_safe(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_c1 =
            byte == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;

        fputc(byte < 0x20 || byte == 0x7f || is_c1 ? '?' : byte, out);
        text += is_c1;
    }
}

/* How wide a text is when each code point takes one place. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(FILE *out, const char *text, size_t width, bool is_last)
{
    print_safe(out, text);
    for (size_t at = width_of(text); !is_last && at < width + 2; at++)
        fputc(' ', out);
    if (is_last)
        fputc('\n', out);
}

void table_print(FILE *out, const json_t *rows, const struct column *columns)
{
    size_t widths[COLUMNS_MAX], count = 0;
    char cell[CELL];

    for (; columns[count].title && count < COLUMNS_MAX; count++) {
        widths[count] = width_of(columns[count].title);
        for (size_t i = 0; i < json_array_size(rows); i++) {
            make_cell(cell, json_array_get(rows, i), &columns[count]);
            if (width_of(cell) > widths[count])
                widths[count] = width_of(cell);
        }
    }
    for (size_t k = 0; k < count; k++)
        print_cell(out, columns[k].title, widths[k], k + 1 == count);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (size_t k = 0; k < count; k++) {
            make_cell(cell, json_array_get(rows, i), &columns[k]);
            print_cell(out, cell, widths[k], k + 1 == count);
        }
    }
}

void table_print_one(FILE *out, const json_t *object, const struct column *columns)
{
    size_t width = 0;
    char cell[CELL];

    for (size_t k = 0; columns[k].title; k++) {
        if (width_of(columns[k].title) > width)
            width = width_of(columns[k].title);
    }
    for (size_t k = 0; columns[k].title; k++) {
        make_cell(cell, object, &columns[k]);
        print_cell(out, columns[k].title, width, false);
        print_cell(out, cell, 0, true);
    }
}
