/* server/server.h: the process: what all loops share, and one worker a loop.
 *
 * Shared things are made before the workers' threads start and freed after they ended; while
 * they run, each is either immutable or says itself how other threads may use it.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/option.h"
#include "db/store.h"
#include "egress/egress.h"
#include "media/view.h"
#include "net/listener.h"
#include "net/tls.h"
#include "server/relay.h"

enum { SIGNALS = 3, EGRESS_MAX = 8, NODE_ID = 17, PATH_TEXT = 1024 };

struct http_router;
struct http_server;
struct local_api;
struct server;
struct tunnel;
struct usage;
struct web;

struct server_signal {
    struct loop_signal watcher; /* first: a watcher's server_signal */
    struct server *server;
};

/* Where options come from, so that a reload can read them again. */
struct command_line {
    int argc;
    char **argv;
};

/* One loop and all that lives on it. */
struct worker {
    unsigned index;
    struct server *server; /* borrowed */
    struct loop *loop;
    pthread_t thread;
    struct hub *hub;
    struct store_reader *reader;
    struct map directory; /* cameras' states by slug (server/directory.h) */
    struct http_router *router, *plain_router;
    struct http_server *https, *http;
    struct tunnel *tunnel;
    struct egress_env env;
    struct egress_instance *egress[EGRESS_MAX];
    struct list grants; /* server/admit.h: viewers, and those who wait to be */
    struct loop_timer tick;
    struct usage *usage; /* owned: server/usage.h */
    struct listener_list listeners;
    bool is_draining;
};

struct server {
    struct options *options;
    struct store *store;
    struct auth *auth;
    struct tls_server *tls;
    struct relay *relay;
    struct web *web; /* owned: server/web.h */
    struct hub **hubs;
    struct worker *workers;
    unsigned worker_count;
    struct map token_viewers; /* first loop: how many watch by each limited token */
    uint64_t last_change;     /* first loop: followed in the change log so far */
    struct local_api *local_api;
    const struct command_line *line; /* borrowed: what a reload reads again */
    struct server_signal signals[SIGNALS];
    struct loop_timer drain;
    struct loop_timer certificate;   /* looks for a renewed one */
    int64_t started_us, draining_us; /* monotonic; 0: not draining */
    char node_id[NODE_ID];
    char data_dir[PATH_TEXT];
    char public_authority[300];      /* host, and :port where it isn't 443: of https:// addresses */
    char public_address[300];        /* host:port, for agents */
    atomic_uint viewers[EGRESS_MAX]; /* by protocol, over all loops; each worker adds its own */
};

extern const struct option server_options[];

/* server/config.c: default, file, environment, flags; the error is printed. */
int config_read(struct options **out, const struct command_line *line) MUST_CHECK;
void options_apply_log(const struct options *options);

/* server/serve.c: what `culvert serve` is: 0 after an orderly end, else an exit status. */
int server_serve(struct options *options, const struct command_line *line);

/* server/signals.c: SIGTERM and SIGINT drain, then stop; SIGHUP reloads. First loop. */
void signals_start(struct server *server);
void signals_stop(struct server *server);

/* Every loop ends its run. From any thread. */
void server_stop(struct server *server);

/* server/worker.c. First open all, so that their hubs can be joined; then their parts. */
int worker_open(struct worker *worker, struct server *server, unsigned index) MUST_CHECK;
int worker_open_parts(struct worker *worker) MUST_CHECK;
int worker_start(struct worker *worker) MUST_CHECK;
void worker_drain(struct worker *worker);
void worker_close(struct worker *worker);
/* Once every worker is closed and drained. */
void worker_free_hub(struct worker *worker);

/* Runs call(worker, arg) on every worker's loop; arg_len bytes at arg are copied. */
void server_tell_all(struct server *server, void (*call)(struct worker *worker, const void *arg),
                     const void *arg, size_t arg_len);

/* server/follow.c: what changed in the store reaches the relay and the workers. */
int follow_start(struct server *server) MUST_CHECK;

/* server/mux.c: who speaks on the TLS port? Takes the connection. */
struct conn;
void mux_accept(struct worker *worker, struct conn *conn);
