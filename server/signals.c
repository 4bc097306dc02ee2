#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/server.h"

enum { DRAIN_POLL_US = 200 * 1000, CERTIFICATE_POLL_US = 60 * 1000000 };

static void run_drain(struct worker *worker, const void *arg)
{
    (void)arg;
    worker_drain(worker);
}

static unsigned viewers_now(struct server *server)
{
    unsigned sum = 0;

    for (unsigned i = 0; egress_all[i]; i++)
        sum += atomic_load(&server->viewers[i]);
    return sum;
}

void server_stop(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_stop(server->workers[i].loop);
}

static void on_drain_poll(struct loop_timer *timer)
{
    struct server *server = list_entry(timer, struct server, drain);
    int64_t limit_us = option_int(server->options, "drain-time");

    if (viewers_now(server) == 0 || clock_mono_us() - server->draining_us > limit_us)
        server_stop(server);
    else
        loop_timer_start(&server->drain, DRAIN_POLL_US);
}

/* The first asks for an orderly end, the second for one now. */
static void on_stop_signal(struct loop_signal *watcher, int number)
{
    struct server *server = ((struct server_signal *)(void *)watcher)->server;

    LOG(LOG_INFO, "server", NULL, server->draining_us ? "stopping" : "draining",
        KV_S("signal", sigabbrev_np(number)), KV_I("viewers", viewers_now(server)));
    if (server->draining_us) {
        server_stop(server);
        return;
    }
    server->draining_us = clock_mono_us();
    server_tell_all(server, run_drain, NULL, 0);
    loop_timer_start(&server->drain, DRAIN_POLL_US);
}

static void reload_certificate(struct server *server, bool is_forced)
{
    int changed = tls_server_reload(server->tls, is_forced);

    if (changed < 0)
        LOG(LOG_ERROR, "server", NULL, "certificate-kept", KV_ERR(changed),
            KV_S("text", "the new certificate could not be loaded, the old one stays"));
    else if (changed)
        LOG(LOG_INFO, "server", NULL, "certificate-reloaded");
}

static void on_certificate_poll(struct loop_timer *timer)
{
    struct server *server = list_entry(timer, struct server, certificate);

    reload_certificate(server, false);
    loop_timer_start(&server->certificate, CERTIFICATE_POLL_US);
}

static void on_option_change(void *owner, const char *name, bool was_taken)
{
    (void)owner;
    LOG(was_taken ? LOG_INFO : LOG_WARN, "server", NULL,
        was_taken ? "option-reloaded" : "option-needs-restart", KV_S("option", name));
}

static void on_reload_signal(struct loop_signal *watcher, int number)
{
    struct server *server = ((struct server_signal *)(void *)watcher)->server;
    struct options *fresh;

    (void)number;
    reload_certificate(server, true);
    if (config_read(&fresh, server->line) < 0) {
        LOG(LOG_ERROR, "server", NULL, "options-kept", KV_S("text", "the new ones are wrong"));
        return;
    }
    options_reload(server->options, fresh, on_option_change, NULL);
    options_free(fresh);
    options_apply_log(server->options);
}

void signals_start(struct server *server)
{
    static const struct {
        int number;
        void (*on_signal)(struct loop_signal *watcher, int number);
    } rows[SIGNALS] = {
        {SIGTERM, on_stop_signal},
        {SIGINT, on_stop_signal},
        {SIGHUP, on_reload_signal},
    };
    struct loop *loop = server->workers[0].loop;

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < SIGNALS; i++) {
        server->signals[i].server = server;
        loop_signal_start(&server->signals[i].watcher, loop, rows[i].number, rows[i].on_signal);
    }
    loop_timer_init(&server->drain, loop, on_drain_poll);
    loop_timer_init(&server->certificate, loop, on_certificate_poll);
    loop_timer_start(&server->certificate, CERTIFICATE_POLL_US);
}

void signals_stop(struct server *server)
{
    for (unsigned i = 0; i < SIGNALS; i++)
        loop_signal_stop(&server->signals[i].watcher);
    loop_timer_stop(&server->drain);
    loop_timer_stop(&server->certificate);
}
