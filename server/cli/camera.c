/* server/cli/camera.c: culvert camera … */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"
#include "server/cli/commands.h"

enum { URL_LINE = 2048 };

static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},       {"SLUG", "slug", COLUMN_TEXT},
    {"NAME", "name", COLUMN_TEXT},   {"AGENT", "agent_id", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT}, {"SOURCE", "url_shown", COLUMN_TEXT},
    {"", "state_text", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT},
};

static const struct option options[] = {
    {.name = "slug",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "set: the name in addresses, of a-z, 0-9 and -."},
    {.name = "name", .type = OPTION_TEXT, .preset = "", .help = "add, set: the name for people."},
    {.name = "url",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "set: the camera's URL; - reads it from standard input."},
    {.name = "sub-url",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "add, set: the URL of its lower resolution; set: none removes it."},
    {.name = "always-on",
     .type = OPTION_TEXT,
     .preset = "",
     .help = "add, set: yes or no: pull it also while nobody watches."},
    {.name = NULL},
};

/* A URL holds a password: from standard input it does not show in the list of processes. */
static bool set_url(json_t *body, const char *url)
{
    char line[URL_LINE] = "";

    if (!strcmp(url, "-")) {
        if (!fgets(line, sizeof(line), stdin))
            return cli_fail("no URL came on standard input") == 0;
        line[strcspn(line, "\r\n")] = 0;
        url = line;
    }
    json_object_set_new(body, "url", json_string(url));
    secret_wipe(line, sizeof(line));
    return true;
}

static bool set_options(const struct cli *cli, json_t *body)
{
    const char *always_on = option_text(cli->options, "always-on");

    cli_set_text(cli, body, "name", "name");
    cli_set_text(cli, body, "sub_url", "sub-url");
    if (!strcmp(option_text(cli->options, "sub-url"), "none"))
        json_object_set_new(body, "sub_url", json_null());
    if (!always_on[0])
        return true;
    if (strcmp(always_on, "yes") && strcmp(always_on, "no"))
        return cli_fail("--always-on is yes or no") == 0;
    json_object_set_new(body, "always_on", json_boolean(!strcmp(always_on, "yes")));
    return true;
}

/* Takes body. */
static int send(const struct cli *cli, const char *method, const char *target, json_t *body)
{
    struct reply reply;

    if (cli_ask(cli, method, target, body, &reply))
        return 1;
    if (cli->as_json)
        cli_print_json(reply.json);
    else
        table_print_one(stdout, reply.json, columns);
    reply_fini(&reply);
    return 0;
}

static int run_add(struct cli *cli)
{
    json_t *body = json_pack("{s:s, s:s}", "agent_id", cli->words[0], "slug", cli->words[1]);

    if (!set_options(cli, body) || !set_url(body, cli->words[2])) {
        json_decref(body);
        return 1;
    }
    return send(cli, "POST", "/api/v1/cameras", body);
}

static int run_set(struct cli *cli)
{
    const char *url = option_text(cli->options, "url");
    json_t *body = json_object();
    char target[512];

    cli_set_text(cli, body, "slug", "slug");
    if (!set_options(cli, body) || (url[0] && !set_url(body, url))) {
        json_decref(body);
        return 1;
    }
    if (!cli_target(target, sizeof(target), "/api/v1/cameras/", cli->words[0])) {
        json_decref(body);
        return cli_fail("the name is too long");
    }
    return send(cli, "PATCH", target, body);
}

static int run_list(struct cli *cli)
{
    return cli_run_list(cli, "/api/v1/cameras", "cameras", columns);
}

static void print_urls(const json_t *urls)
{
    const char *name;
    json_t *url;

    json_object_foreach((json_t *)(uintptr_t)urls, name, url)
    {
        printf("  %-6s ", name);
        print_safe(stdout, json_string_value(url) ? json_string_value(url) : "");
        printf("\n");
    }
}

static int run_show(struct cli *cli)
{
    char target[512];
    struct reply reply;

    if (!cli_target(target, sizeof(target), "/api/v1/cameras/", cli->words[0]))
        return cli_fail("the name is too long");
    if (cli_ask(cli, "GET", target, NULL, &reply))
        return 1;
    if (cli->as_json) {
        cli_print_json(reply.json);
    } else {
        table_print_one(stdout, reply.json, columns);
        print_urls(json_object_get(reply.json, "urls"));
    }
    reply_fini(&reply);
    return 0;
}

static int run_remove(struct cli *cli)
{
    return cli_run_delete(cli, "/api/v1/cameras/", "removed: its viewers end now");
}

const struct command camera_commands[] = {
    {"camera", "add", 3, "AGENT SLUG URL", "add one; URL - reads it from standard input", run_add,
     options},
    {"camera", "list", 0, "", "show every camera and how it is", run_list, NULL},
    {"camera", "show", 1, "CAMERA", "show one and its addresses, by id or slug", run_show, NULL},
    {"camera", "set", 1, "CAMERA", "change what the options name", run_set, NULL},
    {"camera", "remove", 1, "CAMERA", "remove it", run_remove, NULL},
    {.group = NULL},
};
