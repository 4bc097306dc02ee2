#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/option_internal.h"

/* ---- the set -----------------------------------------------------------------------------------
 */

int options_new(struct options **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void option_value_clear(struct option_value *value)
{
    option_value_empty(value);
    free(value->text);
    free(value->origin);
    *value = (struct option_value){.row = value->row};
}

void options_free(struct options *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < options->count; i++)
        option_value_clear(&options->values[i]);
    free(options->values);
    free(options);
}

struct option_value *option_find(const struct options *options, const char *name, size_t len)
{
    for (size_t i = 0; i < options->count; i++) {
        const char *known = options->values[i].row->name;

        if (strlen(known) == len && !memcmp(known, name, len))
            return &options->values[i];
    }
    return NULL;
}

static int options_append(struct options *options, const struct option *row)
{
    struct option_value *values, *value;
    struct option_error error;
    int err;

    if (option_find(options, row->name, strlen(row->name)))
        return -ERR_EXISTS;
    values = realloc(options->values, (options->count + 1) * sizeof(*values));
    if (!values)
        return -ENOMEM;
    options->values = values;
    value = &values[options->count];
    *value = (struct option_value){.row = row};
    err = row->type == OPTION_LIST && !*row->preset
              ? 0
              : option_value_set(value, row->preset, "the default", &error);
    if (err < 0) {
        option_value_clear(value);
        return err;
    }
    value->is_preset = true;
    options->count++;
    return 0;
}

int options_add(struct options *options, const struct option *rows)
{
    for (; rows->name; rows++) {
        int err = options_append(options, rows);

        if (err < 0)
            return err;
    }
    return 0;
}

static int value_copy(struct option_value *to, const struct option_value *from)
{
    *to = (struct option_value){
        .row = from->row, .number = from->number, .is_preset = from->is_preset};
    to->text = from->text ? strdup(from->text) : NULL;
    to->origin = from->origin ? strdup(from->origin) : NULL;
    if ((from->text && !to->text) || (from->origin && !to->origin))
        return -ENOMEM;
    for (size_t i = 0; i < from->item_count; i++)
        if (option_value_add(to, option_value_item(from, i)) < 0)
            return -ENOMEM;
    return 0;
}

int options_copy(struct options **out, const struct options *options)
{
    struct options *copy;
    int err = options_new(&copy);

    if (err < 0)
        return err;
    copy->values = calloc(options->count ? options->count : 1, sizeof(*copy->values));
    if (!copy->values)
        err = -ENOMEM;
    for (size_t i = 0; err == 0 && i < options->count; i++) {
        copy->count = i + 1;
        err = value_copy(&copy->values[i], &options->values[i]);
    }
    if (err < 0) {
        options_free(copy);
        return err;
    }
    *out = copy;
    return 0;
}

void options_swap(struct options *a, struct options *b)
{
    struct options kept = *a;

    *a = *b;
    *b = kept;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

/* A name that isn't there, or of another type, is a bug in this program. */
static const struct option_value *value_of(const struct options *options, const char *name,
                                           unsigned types)
{
    const struct option_value *value = option_find(options, name, strlen(name));

    if (!value || !(types & 1u << value->row->type)) {
        fprintf(stderr, "culvert: no option %s of that type\n", name);
        abort();
    }
    return value;
}

bool option_bool(const struct options *options, const char *name)
{
    return value_of(options, name, 1u << OPTION_BOOL)->number != 0;
}

int64_t option_int(const struct options *options, const char *name)
{
    return value_of(options, name, 1u << OPTION_INT | 1u << OPTION_DURATION | 1u << OPTION_SIZE)
        ->number;
}

const char *option_text(const struct options *options, const char *name)
{
    return value_of(options, name, 1u << OPTION_TEXT | 1u << OPTION_CHOICE | 1u << OPTION_URL)
        ->text;
}

size_t option_count(const struct options *options, const char *name)
{
    return value_of(options, name, 1u << OPTION_LIST)->item_count;
}

const char *option_item(const struct options *options, const char *name, size_t index)
{
    const struct option_value *value = value_of(options, name, 1u << OPTION_LIST);

    return option_value_item(value, index);
}

/* ---- showing -----------------------------------------------------------------------------------
 */

static const char *const type_hints[] = {
    [OPTION_BOOL] = "",          [OPTION_INT] = " N",     [OPTION_DURATION] = " TIME",
    [OPTION_SIZE] = " SIZE",     [OPTION_TEXT] = " TEXT", [OPTION_LIST] = " TEXT",
    [OPTION_CHOICE] = " CHOICE", [OPTION_URL] = " URL",
};

static void print_row(const struct option *row, FILE *out)
{
    fprintf(out, "  --%s%s\n      %s", row->name, type_hints[row->type], row->help);
    if (row->type == OPTION_CHOICE)
        fprintf(out, " [%s]", row->choices);
    if (row->type == OPTION_LIST)
        fprintf(out, " (can be given again)");
    if (*row->preset)
        fprintf(out, " (default: %s)", row->preset);
    fprintf(out, "\n");
}

void options_print_help(const struct options *options, FILE *out)
{
    for (size_t i = 0; i < options->count; i++)
        print_row(options->values[i].row, out);
}

/* In the largest unit that leaves nothing over, as one would write it. */
static void print_unit(int64_t number, const struct option_unit *units, FILE *out)
{
    const struct option_unit *best = units;

    for (; number != 0 && units->name; units++)
        if (number % units->factor == 0 && units->factor >= best->factor)
            best = units;
    fprintf(out, "%" PRId64 "%s", number / best->factor, best->name);
}

/* Quoted where the file's reader would take a part for something else. */
static void print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* What stands before the last '@' is nobody's business, however it is written. */
static void print_url(const char *url, FILE *out)
{
    const char *login_end = strrchr(url, '@');
    char shown[OPTION_TEXT_BYTES + 8];

    snprintf(shown, sizeof(shown), "%s%s%s",
             login_end && strncmp(url, "http://", 7) == 0 ? "http://" : "", login_end ? "***" : "",
             login_end ? login_end : url);
    print_text(shown, out);
}

static void print_scalar(const struct option_value *value, FILE *out)
{
    switch (value->row->type) {
    case OPTION_BOOL:
        fputs(value->number ? "true" : "false", out);
        return;
    case OPTION_INT:
        fprintf(out, "%" PRId64, value->number);
        return;
    case OPTION_DURATION:
        print_unit(value->number, option_duration_units, out);
        return;
    case OPTION_SIZE:
        print_unit(value->number, option_size_units, out);
        return;
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_LIST:
        print_text(value->text, out);
        return;
    case OPTION_URL:
        print_url(value->text, out);
        return;
    }
}

static void print_value(const struct option_value *value, FILE *out)
{
    const char *name = value->row->name;
    const char *origin = value->origin ? value->origin : "the default";

    if (value->row->type != OPTION_LIST) {
        fprintf(out, "%s = ", name);
        print_scalar(value, out);
        fprintf(out, " # %s\n", origin);
        return;
    }
    if (value->item_count == 0)
        fprintf(out, "# %s: none\n", name);
    for (size_t i = 0; i < value->item_count; i++) {
        fprintf(out, "%s = ", name);
        print_text(option_value_item(value, i), out);
        fprintf(out, " # %s\n", origin);
    }
}

void options_print(const struct options *options, FILE *out)
{
    for (size_t i = 0; i < options->count; i++)
        print_value(&options->values[i], out);
}

/* ---- reloading ---------------------------------------------------------------------------------
 */

static bool is_same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static bool is_same_value(const struct option_value *a, const struct option_value *b)
{
    if (a->number != b->number || a->item_count != b->item_count || !is_same_text(a->text, b->text))
        return false;
    for (size_t i = 0; i < a->item_count; i++)
        if (!is_same_text(option_value_item(a, i), option_value_item(b, i)))
            return false;
    return true;
}

void options_reload(struct options *options, struct options *fresh,
                    void (*on_change)(void *owner, const char *name, bool was_taken), void *owner)
{
    for (size_t i = 0; i < options->count; i++) {
        struct option_value *old = &options->values[i], kept = *old;
        const char *name = old->row->name;
        struct option_value *new = option_find(fresh, name, strlen(name));

        if (!new || is_same_value(old, new))
            continue;
        if (old->row->is_reloadable) {
            *old = *new;
            *new = kept;
        }
        if (on_change)
            on_change(owner, name, old->row->is_reloadable);
    }
}
