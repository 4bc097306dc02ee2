/* server/cli/token.c: culvert token … */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "server/cli/commands.h"

static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},
    {"LABEL", "label", COLUMN_TEXT},
    {"CAMERAS", "cameras", COLUMN_WORDS},
    {"AGENT", "agent_id", COLUMN_TEXT},
    {"PROTOCOLS", "protocols", COLUMN_WORDS},
    {"NETWORKS", "networks", COLUMN_WORDS},
    {"ORIGINS", "origins", COLUMN_WORDS},
    {"VIEWERS", "viewers_max", COLUMN_NUMBER},
    {"NOT BEFORE", "not_before", COLUMN_TIME},
    {"EXPIRES", "expires", COLUMN_TIME},
    {"REVOKED", "revoked", COLUMN_TIME},
    {NULL, NULL, COLUMN_TEXT},
};

static const struct option options[] = {
    {.name = "camera",
     .type = OPTION_LIST,
     .preset = "",
     .help = "add: only this camera, by id or slug; without any: all."},
    {.name = "agent",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "add: only cameras of the agent with this id."},
    {.name = "protocol",
     .type = OPTION_LIST,
     .preset = "",
     .help = "add: only this protocol (rtsp, hls ...)."},
    {.name = "network",
     .type = OPTION_LIST,
     .preset = "",
     .help = "add: only viewers from this network, like 192.0.2.0/24."},
    {.name = "origin",
     .type = OPTION_LIST,
     .preset = "",
     .help = "add: only web pages of this origin, like https://example.org."},
    {.name = "valid-for",
     .type = OPTION_DURATION,
     .preset = "0s",
     .min = 0,
     .max = INT64_MAX / 1000,
     .help = "add: expires after this time, like 24h; 0s is never."},
    {.name = "viewers",
     .type = OPTION_INT,
     .preset = "0",
     .min = 0,
     .max = 1000000,
     .help = "add: viewers at once; 0 is no limit."},
    {.name = "srt-passphrase",
     .type = OPTION_BOOL,
     .preset = "false",
     .help = "add: encrypts what viewers get by SRT; prints the passphrase."},
    {.name = NULL},
};

static void print_token(const json_t *token)
{
    const char *passphrase = json_string_value(json_object_get(token, "srt_passphrase"));
    const json_t *cameras = json_object_get(token, "urls");
    const char *slug, *name;
    json_t *urls, *url;

    print_safe(stdout, json_string_value(json_object_get(token, "token")));
    printf("\n");
    if (passphrase)
        printf("SRT passphrase: %s\n", passphrase);
    json_object_foreach((json_t *)(uintptr_t)cameras, slug, urls)
    {
        json_object_foreach(urls, name, url)
        {
            printf("%s %-6s ", slug, name);
            print_safe(stdout, json_string_value(url));
            printf("\n");
        }
    }
}

static int run_add(struct cli *cli)
{
    int64_t seconds = option_int(cli->options, "valid-for") / 1000000;
    int64_t viewers = option_int(cli->options, "viewers");
    json_t *body = json_pack("{s:s}", "label", cli->words[0]);
    struct reply reply;

    cli_set_list(cli, body, "cameras", "camera");
    cli_set_list(cli, body, "protocols", "protocol");
    cli_set_list(cli, body, "networks", "network");
    cli_set_list(cli, body, "origins", "origin");
    cli_set_text(cli, body, "agent_id", "agent");
    if (seconds)
        json_object_set_new(body, "expires", json_integer((json_int_t)time(NULL) + seconds));
    if (viewers)
        json_object_set_new(body, "viewers_max", json_integer(viewers));
    if (option_bool(cli->options, "srt-passphrase"))
        json_object_set_new(body, "srt_passphrase", json_true());
    if (cli_ask(cli, "POST", "/api/v1/tokens", body, &reply))
        return 1;
    if (cli->as_json)
        cli_print_json(reply.json);
    else
        print_token(reply.json);
    reply_fini(&reply);
    return 0;
}

static int run_list(struct cli *cli)
{
    return cli_run_list(cli, "/api/v1/tokens", "tokens", columns);
}

static int run_show(struct cli *cli)
{
    char target[512], whole[520];
    struct reply reply;

    if (!cli_target(target, sizeof(target), "/api/v1/tokens/", cli->words[0]))
        return cli_fail("the id is too long");
    snprintf(whole, sizeof(whole), "%s?show=1", target);
    if (cli_ask(cli, "GET", whole, NULL, &reply))
        return 1;
    if (cli->as_json) {
        cli_print_json(reply.json);
    } else {
        table_print_one(stdout, reply.json, columns);
        print_token(reply.json);
    }
    reply_fini(&reply);
    return 0;
}

static int run_revoke(struct cli *cli)
{
    return cli_run_delete(cli, "/api/v1/tokens/", "revoked: its viewers end now");
}

const struct command token_commands[] = {
    {"token", "add", 1, "LABEL", "make a token for viewers and print it", run_add, options},
    {"token", "list", 0, "", "show every token, not its text", run_list, NULL},
    {"token", "show", 1, "ID", "show one, its text again, and addresses", run_show, NULL},
    {"token", "revoke", 1, "ID", "refuse it from now on", run_revoke, NULL},
    {.group = NULL},
};
