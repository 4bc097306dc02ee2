#include "server/api/fields.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"

static void wipe_free(void *memory)
{
    if (memory)
        secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

/* JSON holds camera passwords for a moment. */
__attribute__((constructor)) static void wipe_all_json(void)
{
    json_set_alloc_funcs(malloc, wipe_free);
}

static void fail_whole(struct fields *fields, const char *detail)
{
    fields->failed = true;
    snprintf(fields->detail, sizeof(fields->detail), "%s", detail);
}

/* How deep and how many keys, before anything is allocated for them. */
static const char *find_excess(const char *at, const char *end)
{
    size_t depth = 0, keys = 0;
    bool is_text = false;

    for (; at < end; at++) {
        if (is_text && *at == '\\')
            at++;
        else if (*at == '"')
            is_text = !is_text;
        else if (!is_text && (*at == '{' || *at == '['))
            depth++;
        else if (!is_text && (*at == '}' || *at == ']') && depth)
            depth--;
        else if (!is_text && *at == ':')
            keys++;
        if (depth > FIELDS_DEPTH)
            return "The JSON is nested more than 32 levels deep.";
        if (keys > FIELDS_KEYS)
            return "The JSON has more than 256 keys.";
    }
    return NULL;
}

void fields_init(struct fields *fields, const void *bytes, size_t len)
{
    const char *text = bytes, *excess;
    json_error_t error;

    memset(fields, 0, sizeof(*fields));
    if (!len || len > FIELDS_BYTES) {
        fail_whole(fields, len ? "The body is longer than 64 KiB." : "A JSON body is missing.");
        return;
    }
    excess = find_excess(text, text + len);
    if (excess) {
        fail_whole(fields, excess);
        return;
    }
    fields->object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!fields->object) /* not jansson's text, which quotes what it could not read */
        fail_whole(fields, json_error_code(&error) == json_error_duplicate_key
                               ? "The JSON has a key twice."
                               : "The body is not JSON.");
    else if (!json_is_object(fields->object))
        fail_whole(fields, "The JSON is not an object.");
    else
        fields->is_json = true;
}

void fields_fini(struct fields *fields)
{
    json_decref(fields->object);
    fields->object = NULL;
}

void fields_fail(struct fields *fields, const char *name, const char *wrong)
{
    if (fields->failed)
        return;
    fields->failed = true;
    snprintf(fields->detail, sizeof(fields->detail), "%s %s.", name, wrong);
}

static const json_t *find(struct fields *fields, const char *name)
{
    if (fields->failed)
        return NULL;
    for (size_t i = 0; i < fields->known_count; i++) {
        if (!strcmp(fields->known[i], name))
            return json_object_get(fields->object, name);
    }
    if (fields->known_count < FIELDS_KNOWN)
        fields->known[fields->known_count++] = name;
    return json_object_get(fields->object, name);
}

static const char *find_text(struct fields *fields, const char *name)
{
    const json_t *value = find(fields, name);

    if (value && !json_is_string(value))
        fields_fail(fields, name, "must be a text");
    return value ? json_string_value(value) : NULL;
}

/* 0, or what is wrong with it. */
static const char *take_text(const char *text, char *out, size_t room,
                             const struct field_check *check)
{
    char copy[STORE_LIST];
    const char *wrong;

    if (strlen(text) >= sizeof(copy))
        return "is too long";
    snprintf(copy, sizeof(copy), "%s", text);
    wrong = check->check(copy);
    if (wrong)
        return wrong;
    if (strlen(copy) >= room)
        return "is too long";
    snprintf(out, room, "%s", copy);
    return NULL;
}

bool fields_text(struct fields *fields, const char *name, char *out, size_t room,
                 const struct field_check *check)
{
    const char *text = find_text(fields, name);
    const char *wrong;

    if (!text)
        return false;
    wrong = take_text(text, out, room, check);
    if (wrong)
        fields_fail(fields, name, wrong);
    return !wrong;
}

bool fields_bool(struct fields *fields, const char *name, bool *out)
{
    const json_t *value = find(fields, name);

    if (!value)
        return false;
    if (!json_is_boolean(value)) {
        fields_fail(fields, name, "must be true or false");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

bool fields_int(struct fields *fields, const char *name, int64_t *out, int64_t max)
{
    const json_t *value = find(fields, name);
    char wrong[80];

    if (!value)
        return false;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > max) {
        snprintf(wrong, sizeof(wrong), "must be a whole number from 0 to %lld", (long long)max);
        fields_fail(fields, name, wrong);
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

/* Appends the words of a list to out; NULL or what is wrong. */
static const char *take_list(const json_t *list, char out[STORE_LIST],
                             const struct field_check *check)
{
    size_t len = 0;

    if (!json_is_array(list))
        return "must be a list of texts";
    if (!json_array_size(list))
        return "must not be empty: leave it out for no limit";
    if (json_array_size(list) > check->items_max)
        return "has too many items";
    out[0] = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        const char *wrong;

        if (!text)
            return "must be a list of texts";
        if (len + 2 >= STORE_LIST)
            return "has too many items";
        if (i)
            out[len++] = ' ';
        wrong = take_text(text, out + len, STORE_LIST - len, check);
        if (wrong)
            return wrong;
        len += strlen(out + len);
    }
    return NULL;
}

bool fields_list(struct fields *fields, const char *name, char out[STORE_LIST],
                 const struct field_check *check)
{
    const json_t *value = find(fields, name);
    char list[STORE_LIST];
    const char *wrong;

    if (!value)
        return false;
    wrong = take_list(value, list, check);
    if (wrong) {
        fields_fail(fields, name, wrong);
        return false;
    }
    memcpy(out, list, strlen(list) + 1);
    return true;
}

const char *fields_secret(struct fields *fields, const char *name)
{
    return find_text(fields, name);
}

bool fields_is_null(struct fields *fields, const char *name)
{
    const json_t *value = find(fields, name);

    return value && json_is_null(value);
}

void fields_require(struct fields *fields, const char *name)
{
    if (!find(fields, name))
        fields_fail(fields, name, "is missing");
}

static bool is_known(const struct fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->known_count; i++) {
        if (!strcmp(fields->known[i], name))
            return true;
    }
    return false;
}

bool fields_end(struct fields *fields)
{
    const char *name;
    json_t *value;

    if (fields->failed)
        return false;
    json_object_foreach(fields->object, name, value)
    {
        if (!is_known(fields, name)) {
            char shown[64];

            (void)value;
            snprintf(shown, sizeof(shown), "\"%.40s\"", name);
            fields_fail(fields, shown, "is not a field of this");
            return false;
        }
    }
    return true;
}
