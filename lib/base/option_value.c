/* Texts to values: the types of the option table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/option_internal.h"

const struct option_unit option_duration_units[] = {
    {"us", 1},         {"ms", 1000},       {"s", 1000000}, {"m", 60000000},
    {"h", 3600000000}, {"d", 86400000000}, {NULL, 0},
};

const struct option_unit option_size_units[] = {
    {"", 1}, {"k", 1 << 10}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
};

static const struct option_unit plain_units[] = {{"", 1}, {NULL, 0}};

/* A number and one of the units, nothing around them. */
static int parse_number(int64_t *out, const char *text, const struct option_unit *units)
{
    int64_t number = 0, sign = *text == '-' ? -1 : 1;
    size_t digits;

    text += *text == '-';
    digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18)
        return -ERR_PROTOCOL;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[i] - '0');
    if (number == 0 && !text[digits]) { /* zero needs no unit */
        *out = 0;
        return 0;
    }
    for (; units->name; units++)
        if (!strcmp(units->name, text + digits))
            return __builtin_mul_overflow(number * sign, units->factor, out) ? -ERR_PROTOCOL : 0;
    return -ERR_PROTOCOL;
}

static int parse_bool(int64_t *out, const char *text)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcmp(words[i], text)) {
            *out = (int64_t)(i & 1);
            return 0;
        }
    return -ERR_PROTOCOL;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && *choices) {
        size_t word = strcspn(choices, " ");

        if (word == len && !memcmp(choices, text, len))
            return true;
        choices += word;
        choices += strspn(choices, " ");
    }
    return false;
}

static int text_set(char **to, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

int option_value_add(struct option_value *value, const char *text)
{
    size_t len = strlen(text);
    struct option_item *item;

    if (value->item_count >= OPTION_ITEMS)
        return -ERR_TOO_MANY;
    item = malloc(sizeof(*item) + len + 1);
    if (!item)
        return -ENOMEM;
    memcpy(item->text, text, len + 1);
    item->before = value->last;
    value->last = item;
    value->item_count++;
    return 0;
}

const char *option_value_item(const struct option_value *value, size_t index)
{
    const struct option_item *item = value->last;

    if (index >= value->item_count)
        return NULL;
    for (size_t i = value->item_count - 1; item && i > index; i--)
        item = item->before;
    return item ? item->text : NULL;
}

void option_value_empty(struct option_value *value)
{
    while (value->last) {
        struct option_item *before = value->last->before;

        free(value->last);
        value->last = before;
    }
    value->item_count = 0;
}

/* What a good value looks like, for people. */
static void describe(const struct option *row, char *text, size_t room)
{
    switch (row->type) {
    case OPTION_BOOL:
        snprintf(text, room, "true or false");
        return;
    case OPTION_INT:
        snprintf(text, room, "a number from %lld to %lld", (long long)row->min,
                 (long long)row->max);
        return;
    case OPTION_DURATION:
        snprintf(text, room, "a time such as 500ms, 10s, 5m or 2h, from %lldms to %lldms",
                 (long long)row->min / 1000, (long long)row->max / 1000);
        return;
    case OPTION_SIZE:
        snprintf(text, room, "a size such as 64k, 8M or 1G, from %lld to %lld bytes",
                 (long long)row->min, (long long)row->max);
        return;
    case OPTION_CHOICE:
        snprintf(text, room, "one of: %s", row->choices);
        return;
    case OPTION_TEXT:
    case OPTION_URL:
        snprintf(text, room, "a text of at most %d bytes", OPTION_TEXT_BYTES);
        return;
    case OPTION_LIST:
        snprintf(text, room, "at most %d texts of at most %d bytes", OPTION_ITEMS,
                 OPTION_TEXT_BYTES);
        return;
    }
}

static int parse_in_range(int64_t *out, const char *text, const struct option *row,
                          const struct option_unit *units)
{
    int64_t number;

    if (parse_number(&number, text, units) < 0 || number < row->min || number > row->max)
        return -ERR_PROTOCOL;
    *out = number;
    return 0;
}

static int parse_value(struct option_value *value, const char *text)
{
    switch (value->row->type) {
    case OPTION_BOOL:
        return parse_bool(&value->number, text);
    case OPTION_INT:
        return parse_in_range(&value->number, text, value->row, plain_units);
    case OPTION_DURATION:
        return parse_in_range(&value->number, text, value->row, option_duration_units);
    case OPTION_SIZE:
        return parse_in_range(&value->number, text, value->row, option_size_units);
    case OPTION_TEXT:
    case OPTION_URL:
        return text_set(&value->text, text);
    case OPTION_CHOICE:
        return is_choice(value->row->choices, text) ? text_set(&value->text, text) : -ERR_PROTOCOL;
    case OPTION_LIST:
        return option_value_add(value, text);
    }
    return -ERR_PROTOCOL;
}

int option_value_set(struct option_value *value, const char *text, const char *origin,
                     struct option_error *error)
{
    char *place = strdup(origin), wanted[160];
    int err = place ? 0 : -ENOMEM;

    /* A list that is given anew by a later source replaces the earlier one's. */
    if (!value->is_fresh)
        option_value_empty(value);
    if (err == 0 && strlen(text) > OPTION_TEXT_BYTES)
        err = -ERR_TOO_LONG;
    if (err == 0)
        err = parse_value(value, text);
    if (err < 0) {
        describe(value->row, wanted, sizeof(wanted));
        snprintf(error->text, sizeof(error->text), "%.64s: %s must be %s", origin, value->row->name,
                 err == -ENOMEM ? "kept, but there is no memory" : wanted);
        free(place);
        return err;
    }
    free(value->origin);
    value->origin = place;
    value->is_fresh = true;
    value->is_preset = false;
    return 0;
}
