/* culvert: a table of subcommands; each is elsewhere. */
#include <stdio.h>
#include <string.h>

#include "server/cli/cli.h"
#include "server/server.h"

static int run_serve(int argc, char **argv);
static int run_config(int argc, char **argv);
static int run_help(int argc, char **argv);
static int run_version(int argc, char **argv);

static const struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv); /* with the words from the subcommand on */
} commands[] = {
    {"serve", "run the server", run_serve},
    {"agent", "enrol, list and revoke agents", cli_run},
    {"camera", "add, show, change and remove cameras", cli_run},
    {"token", "make, show and revoke viewers' tokens", cli_run},
    {"status", "how the running server is", cli_run},
    {"backup", "copy the running server's database to a file", cli_run},
    {"config", "print the configuration that serve would use", run_config},
    {"version", "print the version", run_version},
    {"help", "print this", run_help},
};

static int run_serve(int argc, char **argv)
{
    struct command_line line = {argc - 1, argv + 1};
    struct options *options;
    int status;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return run_help(0, NULL);
    if (config_read(&options, &line) < 0)
        return 2;
    status = server_serve(options, &line);
    options_free(options);
    return status;
}

static int run_config(int argc, char **argv)
{
    struct command_line line = {argc - 1, argv + 1};
    struct options *options;

    if (config_read(&options, &line) < 0)
        return 2;
    options_print(options, stdout);
    options_free(options);
    return 0;
}

static int run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("culvert %s\n", CULVERT_VERSION);
    return 0;
}

static int run_help(int argc, char **argv)
{
    struct command_line none = {0, NULL};
    struct options *options;

    (void)argc;
    (void)argv;
    printf("Culvert relays RTSP cameras that nothing can reach from outside.\n\n"
           "usage: culvert COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\nOptions of serve, each also as CULVERT_NAME or as a line of the configuration "
           "file:\n\n");
    if (config_read(&options, &none) < 0)
        return 2;
    options_print_help(options, stdout);
    options_free(options);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "culvert: no command '%s': see culvert help\n", name);
    return 2;
}
