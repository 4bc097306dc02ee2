/* server/cli/agent.c: culvert agent … */
#include <jansson.h>

#include "server/cli/commands.h"

static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},           {"NAME", "name", COLUMN_TEXT},
    {"ONLINE", "online", COLUMN_BOOL},   {"LAST SEEN", "seen", COLUMN_TIME},
    {"REVOKED", "revoked", COLUMN_TIME}, {"VERSION", "version", COLUMN_TEXT},
    {"SYSTEM", "system", COLUMN_TEXT},   {NULL, NULL, COLUMN_TEXT},
};

static const struct option options[] = {{.name = NULL}};

static int run_code(struct cli *cli)
{
    struct reply reply;

    if (cli_ask(cli, "POST", "/api/v1/agents/codes", json_pack("{s:s}", "name", cli->words[0]),
                &reply))
        return 1;
    if (cli->as_json) {
        cli_print_json(reply.json);
    } else {
        print_safe(stdout, json_string_value(json_object_get(reply.json, "code")));
        printf("\n");
        fprintf(stderr, "Good for 15 minutes and one agent; there: culvert-agent enroll CODE\n");
    }
    reply_fini(&reply);
    return 0;
}

static int run_list(struct cli *cli)
{
    return cli_run_list(cli, "/api/v1/agents", "agents", columns);
}

static int run_show(struct cli *cli)
{
    return cli_run_show(cli, "/api/v1/agents/", "", columns);
}

static int run_revoke(struct cli *cli)
{
    return cli_run_delete(cli, "/api/v1/agents/", "revoked: its connections end now");
}

const struct command agent_commands[] = {
    {"agent", "code", 1, "NAME", "make a one-time code that enrols a new agent", run_code, options},
    {"agent", "list", 0, "", "show every agent", run_list, NULL},
    {"agent", "show", 1, "AGENT", "show one, by id or name", run_show, NULL},
    {"agent", "revoke", 1, "AGENT", "refuse its key from now on", run_revoke, NULL},
    {.group = NULL},
};
