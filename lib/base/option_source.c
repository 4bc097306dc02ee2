/* Where options come from: a file, the environment, the command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/option_internal.h"

enum { LINE_BYTES = 8192, NAME_BYTES = 64 };

/* A copy for one source to write to. */
static int source_begin(struct options **draft, const struct options *options,
                        struct option_error *error)
{
    int err = options_copy(draft, options);

    if (err < 0)
        snprintf(error->text, sizeof(error->text), "no memory for the options");
    for (size_t i = 0; err == 0 && i < (*draft)->count; i++)
        (*draft)->values[i].is_fresh = false;
    return err;
}

/* Takes draft: what was read counts when all of it was good. */
static int source_end(struct options *draft, struct options *options, int err)
{
    if (err == 0)
        options_swap(draft, options);
    options_free(draft);
    return err;
}

/* ---- file --------------------------------------------------------------------------------------
 */

static char *skip_space(char *text)
{
    return text + strspn(text, " \t\r\n");
}

static void trim_end(char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
}

/* Undoes the quotes of "a \"b\"" in place; what follows them may only be a comment. */
static int unquote(char *text)
{
    char *from = text + 1, *to = text;

    for (; *from && *from != '"'; from++) {
        if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
            from++;
        *to++ = *from;
    }
    if (*from != '"')
        return -ERR_PROTOCOL;
    from = skip_space(from + 1);
    if (*from && *from != '#')
        return -ERR_PROTOCOL;
    *to = '\0';
    return 0;
}

/* A # begins a comment only after a space, so that colours and URLs survive. */
static int clean_value(char *text)
{
    if (*text == '"')
        return unquote(text);
    for (char *at = text; *at; at++)
        if (*at == '#' && (at == text || strchr(" \t", at[-1]))) {
            *at = '\0';
            break;
        }
    trim_end(text, strlen(text));
    return 0;
}

static int set_line(struct options *draft, char *line, const char *origin,
                    struct option_error *error)
{
    char *name = skip_space(line), *equals = strchr(name, '='), *text;
    struct option_value *value;
    size_t len;

    if (!*name || *name == '#')
        return 0;
    len = strcspn(name, " \t\r\n=");
    value = option_find(draft, name, len);
    if (!value) {
        snprintf(error->text, sizeof(error->text), "%.128s: there is no option %.*s", origin,
                 len > NAME_BYTES ? NAME_BYTES : (int)len, name);
        return -ERR_NOT_FOUND;
    }
    if (!equals || skip_space(name + len) != equals) {
        snprintf(error->text, sizeof(error->text), "%.128s: write %s = VALUE", origin,
                 value->row->name);
        return -ERR_PROTOCOL;
    }
    text = skip_space(equals + 1);
    if (clean_value(text) < 0) {
        snprintf(error->text, sizeof(error->text), "%.128s: %s has a quote that doesn't end",
                 origin, value->row->name);
        return -ERR_PROTOCOL;
    }
    return option_value_set(value, text, origin, error);
}

static int read_lines(struct options *draft, FILE *file, const char *path,
                      struct option_error *error)
{
    char line[LINE_BYTES], origin[160];
    unsigned number = 0;
    int err = 0;

    while (err == 0 && fgets(line, sizeof(line), file)) {
        size_t len = strlen(line);

        snprintf(origin, sizeof(origin), "%.128s:%u", path, ++number);
        if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
            snprintf(error->text, sizeof(error->text), "%s: the line is too long", origin);
            return -ERR_TOO_LONG;
        }
        err = set_line(draft, line, origin, error);
    }
    if (err == 0 && ferror(file)) {
        snprintf(error->text, sizeof(error->text), "%.128s: can't be read", path);
        err = -EIO;
    }
    return err;
}

int options_read_file(struct options *options, const char *path, struct option_error *error)
{
    FILE *file = fopen(path, "re");
    struct options *draft;
    int err;

    if (!file) {
        err = -errno;
        snprintf(error->text, sizeof(error->text), "%.128s: %s", path, err_text(err));
        return err;
    }
    err = source_begin(&draft, options, error);
    if (err == 0)
        err = source_end(draft, options, read_lines(draft, file, path, error));
    fclose(file);
    return err;
}

/* ---- environment -------------------------------------------------------------------------------
 */

/* CULVERT_RTSP_PORT is rtsp-port. How long the name is; 0 when it can't be one of ours. */
static size_t name_of_variable(char name[NAME_BYTES], const char *variable, const char *prefix)
{
    size_t skip = strlen(prefix), len;

    if (strncmp(variable, prefix, skip) != 0)
        return 0;
    variable += skip;
    if (skip > 0 && prefix[skip - 1] != '_' && *variable++ != '_')
        return 0;
    len = strcspn(variable, "=");
    if (len >= NAME_BYTES || variable[len] != '=')
        return 0;
    for (size_t i = 0; i < len; i++) {
        char byte = variable[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte - 'A' + 'a');
        name[i] = byte == '_' ? '-' : byte;
    }
    return len;
}

static int set_variable(struct options *draft, const char *variable, const char *prefix,
                        struct option_error *error)
{
    char name[NAME_BYTES], origin[NAME_BYTES * 2];
    size_t len = name_of_variable(name, variable, prefix);
    struct option_value *value = len ? option_find(draft, name, len) : NULL;

    if (len == 0)
        return 0;
    snprintf(origin, sizeof(origin), "%.*s", (int)strcspn(variable, "="), variable);
    if (!value) {
        snprintf(error->text, sizeof(error->text), "%s: there is no option %.*s", origin, (int)len,
                 name);
        return -ERR_NOT_FOUND;
    }
    return option_value_set(value, strchr(variable, '=') + 1, origin, error);
}

int options_read_environment(struct options *options, const char *prefix,
                             struct option_error *error)
{
    struct options *draft;
    int err = source_begin(&draft, options, error);

    if (err < 0)
        return err;
    for (char **variable = environ; err == 0 && *variable; variable++)
        err = set_variable(draft, *variable, prefix, error);
    return source_end(draft, options, err);
}

/* ---- command line ------------------------------------------------------------------------------
 */

struct flags {
    struct options *draft;
    struct option_error *error;
    char **argv;
    int argc, at;
};

/* --no-name: the bool that it switches off, or NULL. */
static struct option_value *find_negated(const struct options *draft, const char *name, size_t len)
{
    struct option_value *value =
        len > 3 && !memcmp(name, "no-", 3) ? option_find(draft, name + 3, len - 3) : NULL;

    return value && value->row->type == OPTION_BOOL ? value : NULL;
}

/* The flag at flags->at, and its value, which may be the next word. */
static int set_flag(struct flags *flags)
{
    const char *name = flags->argv[flags->at] + 2, *text = strchr(name, '=');
    size_t len = text ? (size_t)(text - name) : strlen(name);
    struct option_value *value = option_find(flags->draft, name, len);
    char origin[NAME_BYTES + 3];

    snprintf(origin, sizeof(origin), "--%.*s", len > NAME_BYTES ? NAME_BYTES : (int)len, name);
    if (!value && !text) {
        value = find_negated(flags->draft, name, len);
        if (value)
            return option_value_set(value, "false", origin, flags->error);
    }
    if (!value) {
        snprintf(flags->error->text, sizeof(flags->error->text), "%s: there is no such option",
                 origin);
        return -ERR_NOT_FOUND;
    }
    if (text)
        return option_value_set(value, text + 1, origin, flags->error);
    if (value->row->type == OPTION_BOOL)
        return option_value_set(value, "true", origin, flags->error);
    if (flags->at + 1 >= flags->argc) {
        snprintf(flags->error->text, sizeof(flags->error->text), "%s: the value is missing",
                 origin);
        return -ERR_PROTOCOL;
    }
    return option_value_set(value, flags->argv[++flags->at], origin, flags->error);
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

/* Sets all flags and marks in words what is left; how many words, or an error. */
static int read_flags(struct flags *flags, char **words)
{
    int count = 0;

    for (; flags->at < flags->argc; flags->at++) {
        char *word = flags->argv[flags->at];
        int err;

        if (!strcmp(word, "--")) { /* everything after it is a word */
            while (++flags->at < flags->argc)
                words[count++] = flags->argv[flags->at];
            return count;
        }
        if (!is_flag(word)) {
            words[count++] = word;
            continue;
        }
        err = set_flag(flags);
        if (err < 0)
            return err;
    }
    return count;
}

int options_read_flags(struct options *options, int argc, char **argv, struct option_error *error)
{
    struct flags flags = {.error = error, .argv = argv, .argc = argc};
    char **words = calloc((size_t)argc + 1, sizeof(*words));
    int count, err;

    if (!words)
        return -ENOMEM;
    err = source_begin(&flags.draft, options, error);
    if (err < 0) {
        free(words);
        return err;
    }
    count = read_flags(&flags, words);
    err = source_end(flags.draft, options, count < 0 ? count : 0);
    if (err == 0 && count > 0)
        memcpy(argv, words, (size_t)count * sizeof(*words));
    free(words);
    return err < 0 ? err : count;
}
