#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/srt/gate.h"
#include "egress/srt/port.h"
#include "egress/srt/session.h"
#include "egress/srt/srt.h"

enum { TICK_US = FLOOD_PERIOD_MS * 1000 };

static const struct option srt_options[] = {
    {"srt-port", OPTION_INT, "8890", 0, 65535, NULL, false, "UDP port for SRT (0: none)"},
    {"srt-key-bits", OPTION_CHOICE, "256", 0, 0, "128 192 256", false,
     "length of the AES key of SRT with a passphrase; callers may ask for another"},
    {"srt-latency-min", OPTION_INT, "120", 20, 8000, NULL, false,
     "least latency of SRT viewers, in ms: they may wish for more"},
    {"srt-latency-max", OPTION_INT, "8000", 20, 60000, NULL, false,
     "most latency that an SRT viewer may wish for, in ms"},
    {.name = NULL},
};

/* By loop index: filled by start, before any loop runs, and emptied by stop, when none does. */
static struct egress_instance *instances[HUBS_MAX];
static unsigned instance_total;
static bool is_open;

struct egress_instance *instance_for(unsigned loop_index)
{
    return loop_index < HUBS_MAX ? instances[loop_index] : NULL;
}

unsigned instance_count_all(void)
{
    return instance_total;
}

static void on_tick(struct loop_timer *timer)
{
    struct egress_instance *instance = list_entry(timer, struct egress_instance, tick);

    if (loop_index(instance->env->loop) == 0)
        port_relax();
    gate_open(); /* every loop has its instance: they are made before any runs */
    srt_session_tick(instance);
    loop_timer_start(&instance->tick, TICK_US);
}

/* The ports go first, with whichever instance goes first; libsrt last. */
static void srt_egress_stop(struct egress_instance *instance)
{
    if (!instance)
        return;
    gate_close();
    port_shut();
    list_for_each (link, after, &instance->sessions) {
        srt_session_abort(list_entry(link, struct session, link));
    }
    loop_timer_stop(&instance->tick);
    instances[loop_index(instance->env->loop)] = NULL;
    if (--instance_total == 0 && is_open) {
        is_open = false;
        port_close();
    }
    free(instance);
}

static int srt_egress_start(struct egress_instance **out, struct egress_env *env)
{
    struct egress_instance *instance = calloc(1, sizeof(*instance));
    int err = 0;

    if (!instance)
        return -ENOMEM;
    instance->env = env;
    list_init(&instance->sessions);
    loop_timer_init(&instance->tick, env->loop, on_tick);
    instances[loop_index(env->loop)] = instance;
    if (instance_total++ == 0 && option_int(env->options, "srt-port")) {
        is_open = true;
        err = port_open(env->options);
    }
    if (err < 0) {
        srt_egress_stop(instance);
        return err;
    }
    loop_timer_start(&instance->tick, 0);
    *out = instance;
    return 0;
}

static void srt_drain(struct egress_instance *instance)
{
    instance->is_draining = true;
}

static size_t srt_count(const struct egress_instance *instance)
{
    return instance->session_count;
}

static int srt_url(const struct egress_env *env, unsigned i, const char *slug,
                   struct egress_url *out)
{
    const char *host = env->public_host;
    bool is_v6 = strchr(host, ':') != NULL;
    int64_t port = option_int(env->options, "srt-port");

    if (i > 0 || !port)
        return -ERR_NOT_FOUND;
    out->name = "srt";
    out->passphrase = "&passphrase=";
    snprintf(out->text, sizeof(out->text),
             is_v6 ? "srt://[%s]:%d?streamid=read:%s:token:%%s"
                   : "srt://%s:%d?streamid=read:%s:token:%%s",
             host, (int)port, slug);
    return 0;
}

const struct egress egress_srt = {
    .name = "srt",
    .options = srt_options,
    .start = srt_egress_start,
    .drain = srt_drain,
    .stop = srt_egress_stop,
    .count = srt_count,
    .url = srt_url,
    .measure = figures_write,
};
