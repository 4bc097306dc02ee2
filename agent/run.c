/* `culvert-agent run`: the agent from its start to its end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/camera.h"
#include "agent/run.h"
#include "agent/system.h"
#include "agent/uplink.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/digest.h"

enum { TICK_US = 500000, STATS_US = 10 * 1000000, BACKOFF_FIRST_US = 500000 };
enum { LAST_WORDS_US = 300000 };

const char *agent_device(const struct agent *agent)
{
    const char *device = option_text(agent->options, "bind-interface");

    return device[0] ? device : NULL;
}

int agent_parse_address(const char *text, char *host, size_t room, uint16_t *port)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : strrchr(text, ':');
    const char *begin = text[0] == '[' ? text + 1 : text;
    const char *digits = end && *end == ']' ? end + 1 : end;
    unsigned long number = 443;
    size_t len;
    char *rest;

    if (text[0] == '[' && !end)
        return -ERR_PROTOCOL;
    if (!end || (*end == ':' && strchr(text, ':') != end)) {
        end = text + strlen(text); /* no port: a name, or a bare IPv6 address */
        digits = end;
    }
    len = (size_t)(end - begin);
    if (len == 0 || len >= room)
        return -ERR_PROTOCOL;
    if (*digits == ':') {
        number = strtoul(digits + 1, &rest, 10);
        if (digits[1] < '0' || digits[1] > '9' || *rest)
            return -ERR_PROTOCOL;
    } else if (*digits) {
        return -ERR_PROTOCOL;
    }
    if (number == 0 || number > 65535)
        return -ERR_PROTOCOL;
    memmove(host, begin, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static void on_tick(struct loop_timer *timer)
{
    struct agent *agent = list_entry(timer, struct agent, tick);
    int64_t now_us = loop_now_us(agent->loop);

    uplink_tick(agent, now_us);
    if (now_us - agent->stats_us >= STATS_US) {
        agent->stats_us = now_us;
        agent->is_status_due = true;
        uplink_send_stats(agent);
    }
    if (agent->is_status_due)
        status_write(agent);
    agent->is_status_due = false;
    loop_timer_start(&agent->tick, TICK_US);
}

static void on_retry(struct loop_timer *timer)
{
    uplink_dial(list_entry(timer, struct agent, retry));
}

static void on_network(void *owner)
{
    struct agent *agent = owner;

    LOG(LOG_INFO, "agent", agent->identity.agent_id, "network-changed");
    uplink_network_changed(agent);
}

static void on_last_words(struct loop_timer *timer)
{
    struct agent *agent = list_entry(timer, struct agent, tick);

    loop_stop(agent->loop);
}

static void on_signal(struct loop_signal *watcher, int number)
{
    struct agent *agent = list_entry(watcher, struct agent, signals[number == SIGINT]);

    if (agent->is_stopping) {
        loop_stop(agent->loop);
        return;
    }
    LOG(LOG_INFO, "agent", agent->identity.agent_id, "stopping");
    agent->is_stopping = true;
    cameras_close(agent);
    uplink_hang_up(agent);
    loop_timer_stop(&agent->tick);
    loop_timer_init(&agent->tick, agent->loop, on_last_words);
    loop_timer_start(&agent->tick, LAST_WORDS_US);
}

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "culvert-agent: %s: %s\n", what, why);
    return 1;
}

static int read_allowed(struct agent *agent)
{
    for (size_t i = 0; i < option_count(agent->options, "allow-camera-net"); i++) {
        const char *net = option_item(agent->options, "allow-camera-net", i);

        if (allow_add_net(&agent->allow, net) < 0)
            return complain("allow-camera-net", net);
    }
    agent->allow.has_loopback = option_bool(agent->options, "allow-loopback");
    return 0;
}

bool run_is_root(void)
{
    return geteuid() == 0;
}

int run_open_state(struct state **out, const struct options *options)
{
    char directory[1024];
    int err = run_state_dir(options, directory, sizeof(directory));

    if (err == 0)
        err = state_open(out, directory);
    if (err == -ERR_EXISTS)
        complain(directory, "another culvert-agent runs with this state directory");
    else if (err < 0)
        complain(directory, err_text(err));
    return err;
}

int run_state_dir(const struct options *options, char *out, size_t room)
{
    const char *given = option_text(options, "state-dir");
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len;

    if (given[0])
        len = snprintf(out, room, "%s", given);
    else if (run_is_root())
        len = snprintf(out, room, "/var/lib/culvert-agent");
    else if (xdg && xdg[0] == '/')
        len = snprintf(out, room, "%s/culvert-agent", xdg);
    else
        len = snprintf(out, room, "%s/.local/state/culvert-agent", home ? home : "");
    return len > 0 && (size_t)len < room ? 0 : -ENAMETOOLONG;
}

static int read_identity(struct agent *agent)
{
    const char *server = option_text(agent->options, "server");
    int err = state_read_identity(agent->state, &agent->identity);

    if (err == -ENOENT)
        return complain("not enrolled", "make a code in the dashboard (or with culvert agent "
                                        "code), then: culvert-agent enroll CODE");
    if (err < 0)
        return complain("the identity file in the state directory", err_text(err));
    (void)snprintf(agent->host, sizeof(agent->host), "%s", agent->identity.host);
    agent->port = agent->identity.port;
    if (server[0] &&
        agent_parse_address(server, agent->host, sizeof(agent->host), &agent->port) < 0)
        return complain("server", "must be host or host:port");
    return 0;
}

static int open_parts(struct agent *agent)
{
    char way[STATE_TEXT];
    int err = ways_init(&agent->ways, agent->options, agent->identity.pin);

    if (err == -ERR_PROTOCOL)
        return err; /* and it was said what is wrong with the proxy */
    if (err == 0)
        err = loop_new(&agent->loop, 0);
    if (err < 0)
        return complain("can't start", err_text(err));
    if (state_read_way(agent->state, way, sizeof(way)) == 0)
        ways_prefer(&agent->ways, way);
    loop_timer_init(&agent->tick, agent->loop, on_tick);
    loop_timer_init(&agent->retry, agent->loop, on_retry);
    loop_signal_start(&agent->signals[0], agent->loop, SIGTERM, on_signal);
    loop_signal_start(&agent->signals[1], agent->loop, SIGINT, on_signal);
    err = network_watch_open(&agent->network, agent->loop, on_network, agent);
    if (err < 0)
        LOG(LOG_INFO, "agent", NULL, "no-network-watch", KV_ERR(err)); /* a retry comes anyway */
    return 0;
}

static void close_parts(struct agent *agent)
{
    if (agent->loop) {
        agent->is_stopping = true;
        cameras_close(agent);
        uplink_hang_up(agent);
        network_watch_close(agent->network);
        loop_timer_stop(&agent->tick);
        loop_timer_stop(&agent->retry);
        loop_signal_stop(&agent->signals[0]);
        loop_signal_stop(&agent->signals[1]);
        loop_free(agent->loop);
    }
    ways_fini(&agent->ways);
    state_close(agent->state);
    secret_wipe(&agent->identity, sizeof(agent->identity));
}

int agent_run(const struct options *options)
{
    struct agent agent = {.options = options, .backoff_us = BACKOFF_FIRST_US};
    int status = 1;

    list_init(&agent.cameras);
    (void)signal(SIGPIPE, SIG_IGN);
    if (read_allowed(&agent) == 0 && run_open_state(&agent.state, options) == 0 &&
        read_identity(&agent) == 0 && open_parts(&agent) == 0) {
        loop_timer_start(&agent.tick, 0);
        uplink_dial(&agent);
        loop_run(agent.loop);
        status = 0;
    }
    close_parts(&agent);
    return status;
}
