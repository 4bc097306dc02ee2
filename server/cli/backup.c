/* server/cli/backup.c: culvert backup FILE. The server writes the file, so its path is made whole.
 */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "server/cli/commands.h"

static const struct option options[] = {{.name = NULL}};

static int run(struct cli *cli)
{
    char folder[1024] = "", path[2100];
    struct reply reply;

    if (cli->words[0][0] != '/' && !getcwd(folder, sizeof(folder)))
        return cli_fail("give the file's whole path, from / on");
    snprintf(path, sizeof(path), "%s%s%.1024s", folder, folder[0] ? "/" : "", cli->words[0]);
    if (cli_ask(cli, "POST", "/api/v1/backup", json_pack("{s:s}", "path", path), &reply))
        return 1;
    if (cli->as_json)
        cli_print_json(reply.json);
    else
        printf("copied to %s\n", path);
    reply_fini(&reply);
    return 0;
}

const struct command backup_commands[] = {
    {"backup", "", 1, "FILE", "copy the running server's database to a new file", run, options},
    {.group = NULL},
};
