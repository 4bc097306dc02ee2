#include "server/cli/cli.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "server/cli/commands.h"

static const struct option common_options[] = {
    {.name = "data-dir",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "The server's folder: its socket api.sock is in it."},
    {.name = "json", .type = OPTION_BOOL, .preset = "false", .help = "Print the API's JSON."},
    {.name = "help", .type = OPTION_BOOL, .preset = "false", .help = "Print this."},
    {.name = NULL},
};

int cli_fail(const char *sentence)
{
    fputs("culvert: ", stderr);
    print_safe(stderr, sentence);
    fputc('\n', stderr);
    return 1;
}

/* What a failed answer says, in one line. */
static int refuse(const struct reply *reply)
{
    const char *detail = json_string_value(json_object_get(reply->json, "detail"));
    char line[400];

    if (detail)
        snprintf(line, sizeof(line), "%s", detail);
    else
        snprintf(line, sizeof(line), "the server answered %u: %s", reply->status,
                 reply->status < 500 ? "check what you named" : "see its log");
    return cli_fail(line);
}

int cli_ask(const struct cli *cli, const char *method, const char *target, json_t *body,
            struct reply *reply)
{
    int err = client_ask(cli->socket, method, target, body, reply);
    int status = 0;

    json_decref(body);
    if (err)
        status = cli_fail(reply->error);
    else if (reply->status >= 400)
        status = refuse(reply);
    if (status)
        reply_fini(reply);
    return status;
}

void cli_print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}

bool cli_target(char *out, size_t room, const char *path, const char *word)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = (size_t)snprintf(out, room, "%s", path);

    for (; *word; word++) {
        unsigned char byte = (unsigned char)*word;

        if (len + 4 > room)
            return false;
        if (isalnum(byte) || strchr("-_.~", byte)) {
            out[len++] = (char)byte;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[byte >> 4];
        out[len++] = digits[byte & 15];
    }
    out[len] = 0;
    return true;
}

/* Every page of a list, joined; NULL after the error was printed. */
json_t *cli_list(const struct cli *cli, const char *path, const char *name)
{
    json_t *all = json_array();
    char target[160], after[64] = "";

    do {
        struct reply reply;
        const char *next;

        snprintf(target, sizeof(target), "%s?limit=1000%s%s", path, after[0] ? "&after=" : "",
                 after);
        if (cli_ask(cli, "GET", target, NULL, &reply)) {
            json_decref(all);
            return NULL;
        }
        json_array_extend(all, json_object_get(reply.json, name));
        next = json_string_value(json_object_get(reply.json, "next"));
        snprintf(after, sizeof(after), "%s", next ? next : "");
        reply_fini(&reply);
    } while (after[0]);
    return all;
}

int cli_run_list(const struct cli *cli, const char *path, const char *name,
                 const struct column *columns)
{
    json_t *rows = cli_list(cli, path, name);

    if (!rows)
        return 1;
    if (cli->as_json)
        cli_print_json(rows);
    else
        table_print(stdout, rows, columns);
    json_decref(rows);
    return 0;
}

int cli_run_show(const struct cli *cli, const char *path, const char *suffix,
                 const struct column *columns)
{
    char target[512], whole[600];
    struct reply reply;

    if (!cli_target(target, sizeof(target), path, cli->words[0]))
        return cli_fail("the name is too long");
    snprintf(whole, sizeof(whole), "%s%s", target, suffix);
    if (cli_ask(cli, "GET", whole, NULL, &reply))
        return 1;
    if (cli->as_json)
        cli_print_json(reply.json);
    else
        table_print_one(stdout, reply.json, columns);
    reply_fini(&reply);
    return 0;
}

int cli_run_delete(const struct cli *cli, const char *path, const char *done)
{
    char target[512];
    struct reply reply;

    if (!cli_target(target, sizeof(target), path, cli->words[0]))
        return cli_fail("the name is too long");
    if (cli_ask(cli, "DELETE", target, NULL, &reply))
        return 1;
    reply_fini(&reply);
    if (cli->as_json)
        printf("{}\n");
    else
        printf("%s\n", done);
    return 0;
}

void cli_set_text(const struct cli *cli, json_t *body, const char *name, const char *option)
{
    const char *text = option_text(cli->options, option);

    if (text[0])
        json_object_set_new(body, name, json_string(text));
}

void cli_set_list(const struct cli *cli, json_t *body, const char *name, const char *option)
{
    size_t count = option_count(cli->options, option);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(option_item(cli->options, option, i)));
    if (count)
        json_object_set(body, name, list);
    json_decref(list);
}

static const struct command *const groups[] = {agent_commands, camera_commands, token_commands,
                                               status_commands, backup_commands};

static int print_help(const char *group, const struct command *commands,
                      const struct options *options, FILE *out)
{
    fprintf(out, "usage:\n");
    for (; commands->group; commands++)
        fprintf(out, "  culvert %s%s%s %s\n      %s\n", group, commands->verb[0] ? " " : "",
                commands->verb, commands->words, commands->help);
    if (options) {
        fprintf(out, "\noptions:\n");
        options_print_help(options, out);
    }
    return out == stdout ? 0 : 2;
}

static const struct command *find_group(const char *name)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (!strcmp(groups[i]->group, name))
            return groups[i];
    }
    return NULL;
}

static const struct command *find_command(const struct command *group, int *argc, char ***argv)
{
    if (!group->verb[0])
        return group;
    for (; group->group && *argc > 0; group++) {
        if (strcmp(group->verb, (*argv)[0]))
            continue;
        (*argc)--;
        (*argv)++;
        return group;
    }
    return NULL;
}

static bool find_socket(struct cli *cli)
{
    const char *folder = option_text(cli->options, "data-dir");

    if (!folder[0])
        folder = getenv("CULVERT_DATA_DIR");
    if (!folder || !folder[0])
        folder = "/var/lib/culvert";
    return snprintf(cli->socket, sizeof(cli->socket), "%s/api.sock", folder) <
           (int)sizeof(cli->socket);
}

static int run_command(struct cli *cli, const struct command *group, int argc, char **argv)
{
    const struct command *command;
    struct option_error error = {.text = ""};
    int words;

    words = options_read_flags(cli->options, argc, argv, &error);
    if (words < 0) {
        cli_fail(error.text);
        return 2;
    }
    if (option_bool(cli->options, "help"))
        return print_help(group->group, group, cli->options, stdout);
    command = find_command(group, &words, &argv);
    if (!command || words != command->word_count)
        return print_help(group->group, group, NULL, stderr);
    if (!find_socket(cli))
        return cli_fail("the data-dir's path is too long");
    cli->as_json = option_bool(cli->options, "json");
    cli->words = argv;
    return command->run(cli);
}

int cli_run(int argc, char **argv)
{
    const struct command *group = argc > 0 ? find_group(argv[0]) : NULL;
    struct cli cli = {.as_json = false};
    int status = 1;

    if (!group) {
        cli_fail("there is no such command: see culvert help");
        return 2;
    }
    if (options_new(&cli.options) || options_add(cli.options, common_options) ||
        options_add(cli.options, group->options))
        cli_fail("there is no memory");
    else
        status = run_command(&cli, group, argc - 1, argv + 1);
    options_free(cli.options);
    if (fflush(stdout) || ferror(stdout))
        return status ? status : cli_fail("could not write the output");
    return status;
}
