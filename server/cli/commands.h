/* server/cli/commands.h: the subcommands as rows, one file a noun, and what they share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/option.h"
#include "server/cli/client.h"
#include "server/cli/table.h"

/* One run. */
struct cli {
    struct options *options;
    char socket[1024];
    char **words; /* those of the command */
    bool as_json;
};

struct command {
    const char *group, *verb; /* "camera", "add"; verb "": the group has no verbs */
    int word_count;
    const char *words; /* as help shows them */
    const char *help;
    int (*run)(struct cli *cli);  /* the exit status */
    const struct option *options; /* of the group; in its first row */
};

/* Tables end with a row without a group. */
extern const struct command agent_commands[], camera_commands[], token_commands[],
    status_commands[], backup_commands[];

/* Prints "culvert: sentence" to standard error; gives 1. */
int cli_fail(const char *sentence);

/* Asks and takes body (NULL: none). 0 and a good answer in reply, to be freed by reply_fini; else
 * the exit status, after the error was printed. */
int cli_ask(const struct cli *cli, const char *method, const char *target, struct json_t *body,
            struct reply *reply) MUST_CHECK;

/* Every page of a list, joined and owned; NULL after the error was printed. */
struct json_t *cli_list(const struct cli *cli, const char *path, const char *name);
void cli_print_json(const struct json_t *json);

/* path and the percent-encoded word; false when it does not fit. */
bool cli_target(char *out, size_t room, const char *path, const char *word);

/* The three things that most nouns can do; name is the list's, path ends with a /. */
int cli_run_list(const struct cli *cli, const char *path, const char *name,
                 const struct column *columns);
int cli_run_show(const struct cli *cli, const char *path, const char *suffix,
                 const struct column *columns);
int cli_run_delete(const struct cli *cli, const char *path, const char *done);

/* Sets name in body if the option was given. */
void cli_set_text(const struct cli *cli, struct json_t *body, const char *name, const char *option);
void cli_set_list(const struct cli *cli, struct json_t *body, const char *name, const char *option);
