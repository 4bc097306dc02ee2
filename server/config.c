#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/server.h"

static int add_tables(struct options *options)
{
    int err = options_add(options, server_options);

    for (unsigned i = 0; egress_all[i] && err == 0; i++)
        if (egress_all[i]->options)
            err = options_add(options, egress_all[i]->options);
    return err;
}

/* The file is named by flag or environment, so those are read before it, and again after. */
static int read_file(struct options *options, const char *config, const char *data_dir,
                     struct option_error *error)
{
    char path[PATH_TEXT];

    if (*config)
        return options_read_file(options, config, error);
    if (snprintf(path, sizeof(path), "%s/culvert.conf", data_dir) >= PATH_TEXT)
        return 0;
    return access(path, F_OK) < 0 ? 0 : options_read_file(options, path, error);
}

static int read_flags(struct options *options, const struct command_line *line,
                      struct option_error *error)
{
    char **argv = calloc((size_t)line->argc + 1, sizeof(char *));
    int rest;

    if (!argv)
        return -ENOMEM;
    if (line->argc)
        memcpy(argv, line->argv, (size_t)line->argc * sizeof(char *));
    rest = options_read_flags(options, line->argc, argv, error);
    if (rest > 0)
        snprintf(error->text, sizeof(error->text), "unexpected word '%.64s'", argv[0]);
    free(argv);
    return rest > 0 ? -EINVAL : rest;
}

static int read_all(struct options *options, struct options *names, const struct command_line *line,
                    struct option_error *error)
{
    int err = options_read_environment(names, "CULVERT_", error);

    if (err == 0)
        err = read_flags(names, line, error);
    if (err == 0)
        err =
            read_file(options, option_text(names, "config"), option_text(names, "data-dir"), error);
    if (err == 0)
        err = options_read_environment(options, "CULVERT_", error);
    if (err == 0)
        err = read_flags(options, line, error);
    return err;
}

int config_read(struct options **out, const struct command_line *line)
{
    struct option_error error = {.text = ""};
    struct options *options = NULL, *names = NULL;
    int err = options_new(&options);

    if (err == 0)
        err = options_new(&names);
    if (err == 0)
        err = add_tables(options);
    if (err == 0)
        err = add_tables(names);
    if (err == 0)
        err = read_all(options, names, line, &error);
    options_free(names);
    if (err < 0) {
        fprintf(stderr, "culvert: %s\n", error.text[0] ? error.text : err_text(err));
        options_free(options);
        return err;
    }
    *out = options;
    return 0;
}

void options_apply_log(const struct options *options)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *level = option_text(options, "log-level");
    unsigned i = 0;

    while (i < 3 && strcmp(levels[i], level) != 0)
        i++;
    log_setup((enum log_level)i, strcmp(option_text(options, "log-format"), "json") == 0);
}
