/* base/option.h: options as rows of tables.
 *
 * From the rows come the configuration file, CULVERT_NAME in the environment, --name flags,
 * --help and the printed configuration. Later sources win: default, file, environment, flag.
 * A program joins several tables (its own, and one an egress); names are unique over all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum option_type {
    OPTION_BOOL,
    OPTION_INT,      /* within [min, max] */
    OPTION_DURATION, /* written 500ms, 10s, 5m, 2h; kept in microseconds, within [min, max] */
    OPTION_SIZE,     /* written 64k, 8M, 1G or bytes; kept in bytes, within [min, max] */
    OPTION_TEXT,
    OPTION_LIST,   /* texts; a flag or line that is given again adds one */
    OPTION_CHOICE, /* one of the words in choices */
    OPTION_URL     /* a text that is printed without the user and password in it */
};

struct option {
    const char *name; /* "rtsp-port": --rtsp-port, CULVERT_RTSP_PORT, rtsp-port = 8554 */
    enum option_type type;
    const char *preset; /* the default, as one would write it; "" for an empty text or list */
    int64_t min, max;
    const char *choices; /* "tcp udp"; NULL but for OPTION_CHOICE */
    bool is_reloadable;  /* SIGHUP takes a new value */
    const char *help;    /* a sentence, with the unit */
};

struct options;

struct option_error {
    char text[256]; /* names the option and where it was given: file and line, variable, flag */
};

/* An empty set in *out. */
int options_new(struct options **out) MUST_CHECK;
void options_free(struct options *options);

/* Adds the rows (borrowed for good, ended by a row without a name) with their defaults. */
int options_add(struct options *options, const struct option *rows) MUST_CHECK;

/* Each reads one source; on failure nothing of that source counts and error says why. */
int options_read_file(struct options *options, const char *path,
                      struct option_error *error) MUST_CHECK;
int options_read_environment(struct options *options, const char *prefix,
                             struct option_error *error) MUST_CHECK;
/* Takes --name value, --name=value, --name and --no-name (bool). Words that are not options
 * are left, in order, at the front of argv; returns how many, or a negative error. */
int options_read_flags(struct options *options, int argc, char **argv,
                       struct option_error *error) MUST_CHECK;

/* By name; the name must be in a table, of that type (else the process aborts: a bug). */
bool option_bool(const struct options *options, const char *name);
int64_t option_int(const struct options *options, const char *name);      /* INT, DURATION, SIZE */
const char *option_text(const struct options *options, const char *name); /* TEXT, CHOICE, URL */
size_t option_count(const struct options *options, const char *name);     /* LIST */
const char *option_item(const struct options *options, const char *name, size_t index);

/* The rows as --help shows them. */
void options_print_help(const struct options *options, FILE *out);

/* Every value as a configuration file, with where it came from as a comment. */
void options_print(const struct options *options, FILE *out);

/* Moves the reloadable values of fresh into options; calls on_change for each name whose
 * value differs, and says whether it was taken. */
void options_reload(struct options *options, struct options *fresh,
                    void (*on_change)(void *owner, const char *name, bool was_taken), void *owner);
