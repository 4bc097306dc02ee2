/* culvert-agent: a table of subcommands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/run.h"
#include "base/log.h"

static int run_enroll(const struct options *options, int count, char **words);
static int run_run(const struct options *options, int count, char **words);
static int run_status(const struct options *options, int count, char **words);
static int run_config(const struct options *options, int count, char **words);
static int run_version(const struct options *options, int count, char **words);
static int run_help(const struct options *options, int count, char **words);

static const struct command {
    const char *name, *words, *help;
    int word_count;
    int (*run)(const struct options *options, int count, char **words);
} commands[] = {
    {"enroll", "CODE", "tie this machine to a server, with a code from its dashboard", 1,
     run_enroll},
    {"run", "", "connect, and bring cameras to the server", 0, run_run},
    {"status", "", "how the running agent is", 0, run_status},
    {"config", "", "print the configuration that run would use", 0, run_config},
    {"version", "", "print the version", 0, run_version},
    {"help", "", "print this", 0, run_help},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int run_enroll(const struct options *options, int count, char **words)
{
    (void)count;
    return enrol_run(options, words[0]);
}

static int run_run(const struct options *options, int count, char **words)
{
    (void)count;
    (void)words;
    return agent_run(options);
}

static int run_status(const struct options *options, int count, char **words)
{
    (void)count;
    (void)words;
    return status_print(options);
}

static int run_config(const struct options *options, int count, char **words)
{
    (void)count;
    (void)words;
    options_print(options, stdout);
    return 0;
}

static int run_version(const struct options *options, int count, char **words)
{
    (void)options;
    (void)count;
    (void)words;
    printf("culvert-agent %s\n", CULVERT_VERSION);
    return 0;
}

static int run_help(const struct options *options, int count, char **words)
{
    (void)count;
    (void)words;
    printf("Culvert's agent brings the RTSP cameras of its network to a Culvert server.\n\n"
           "usage: culvert-agent COMMAND [OPTIONS]\n\n");
    for (unsigned i = 0; i < COMMANDS; i++)
        printf("  %-7s %-5s %s\n", commands[i].name, commands[i].words, commands[i].help);
    printf(
        "\nOptions, each also as CULVERT_AGENT_NAME or as a line of the configuration file:\n\n");
    options_print_help(options, stdout);
    return 0;
}

static int read_sources(struct options *options, int argc, char **argv, struct option_error *error)
{
    char path[1100], directory[1024];
    const char *config;
    char **again = argv;
    int count = options_read_flags(options, argc, again, error);
    int err = count < 0 ? count : 0;

    if (err == 0)
        err = options_read_environment(options, "CULVERT_AGENT_", error);
    if (err < 0)
        return err;
    config = option_text(options, "config");
    if (run_state_dir(options, directory, sizeof(directory)) < 0)
        return -ENAMETOOLONG;
    (void)snprintf(path, sizeof(path), "%s/agent.conf", directory);
    if (config[0] || access(path, R_OK) == 0)
        err = options_read_file(options, config[0] ? config : path, error);
    return err < 0 ? err : count;
}

static void set_up_log(const struct options *options)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    const char *name = option_text(options, "log-level");
    enum log_level level = LOG_INFO;

    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcmp(names[i], name) == 0)
            level = (enum log_level)i;
    log_setup(level, strcmp(option_text(options, "log-format"), "json") == 0);
}

static const struct command *find_command(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "enrol") == 0)
        name = "enroll";
    for (unsigned i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct command *command = find_command(argc > 1 ? argv[1] : "help");
    struct option_error error = {.text = ""};
    struct options *options;
    int count, status;

    if (!command) {
        (void)fprintf(stderr, "culvert-agent: no command '%s': see culvert-agent help\n", argv[1]);
        return 2;
    }
    if (options_new(&options) < 0 || options_add(options, agent_options) < 0)
        return 1;
    count = read_sources(options, argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : argc), &error);
    if (count != command->word_count) {
        (void)fprintf(stderr, "culvert-agent: %s\n",
                      count < 0 ? error.text : "usage: culvert-agent help");
        options_free(options);
        return 2;
    }
    set_up_log(options);
    status = command->run(options, count, argv + 2);
    options_free(options);
    return status;
}
