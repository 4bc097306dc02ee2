/* agent/agent.h: the running agent: its cameras, and its way to the server. One loop.
 */
#pragma once

#include "agent/allow.h"
#include "agent/state.h"
#include "agent/ways.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/option.h"

struct network_watch;
struct uplink;

struct agent {
    struct loop *loop;
    struct ways ways;
    struct network_watch *network; /* owned; NULL where there is none */
    struct state *state;           /* owned */
    struct identity identity;
    struct list cameras;    /* struct camera, owned */
    struct uplink *current; /* owned: the control connection in use; NULL while there is none */
    struct uplink *next;    /* owned: one on its way */

    const struct options *options; /* borrowed */
    struct allow allow;
    struct loop_timer tick, retry;
    struct loop_signal signals[2];
    int64_t backoff_us;
    int64_t online_us; /* since when, monotonic; 0 while offline */
    char host[256];    /* the server's, without brackets */
    uint16_t port;
    const struct way *way; /* of the connection in use; NULL before the first */
    char words[512];       /* how the connection is, for people */
    bool is_status_due;    /* the status file is older than the truth */
    bool is_stopping;
    int64_t stats_us; /* when stats were last sent */
};

extern const struct option agent_options[];

/* Runs until SIGTERM or SIGINT; an exit status. Says why on standard error. */
int agent_run(const struct options *options);

/* "host:port", "[::1]:443", or a host alone (port 443). 0 or -ERR_PROTOCOL. */
int agent_parse_address(const char *text, char *host, size_t room, uint16_t *port) MUST_CHECK;

/* --bind-interface, or NULL. */
const char *agent_device(const struct agent *agent);

/* agent/status.c: what `culvert-agent status` shows of a running agent. */
void status_write(const struct agent *agent);
int status_print(const struct options *options);

/* agent/enrol.c: an exit status; says what happened on standard error and output. */
int enrol_run(const struct options *options, const char *code);
