/* server/cli/status.c: culvert status */
#include <jansson.h>

#include "server/cli/commands.h"

static const struct option options[] = {{.name = NULL}};

static void print_counts(const char *title, const json_t *counts)
{
    const char *name;
    json_t *count;

    printf("%s", title);
    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
        printf("  %s %lld", name, (long long)json_integer_value(count));
    printf("\n");
}

static long long number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static int run(struct cli *cli)
{
    struct reply reply;
    const json_t *agents, *cameras, *viewers;
    const char *version;

    if (cli_ask(cli, "GET", "/api/v1/status", NULL, &reply))
        return 1;
    if (cli->as_json) {
        cli_print_json(reply.json);
        reply_fini(&reply);
        return 0;
    }
    version = json_string_value(json_object_get(reply.json, "version"));
    agents = json_object_get(reply.json, "agents");
    cameras = json_object_get(reply.json, "cameras");
    viewers = json_object_get(reply.json, "viewers");
    printf("culvert %s, up %lld s, %lld loops\n", version ? version : "?",
           number(reply.json, "uptime"), number(reply.json, "loops"));
    printf("agents   %lld, %lld online\n", number(agents, "total"), number(agents, "online"));
    printf("cameras  %lld", number(cameras, "total"));
    print_counts("", json_object_get(cameras, "by_state"));
    printf("viewers  %lld", number(viewers, "total"));
    print_counts("", json_object_get(viewers, "by_protocol"));
    reply_fini(&reply);
    return 0;
}

const struct command status_commands[] = {
    {"status", "", 0, "", "show how the running server is", run, options},
    {.group = NULL},
};
