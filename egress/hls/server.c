#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/hls/hls.h"
#include "egress/hls/session.h"
#include "egress/web.h"
#include "http/gzip.h"

enum { TICK_US = 1000 * 1000 };

/* By loop index: filled by start, before any loop runs, and only read from then on. */
static struct egress_instance *instances[HUBS_MAX];
static unsigned instances_count;

struct egress_instance *instance_at(unsigned loop_index)
{
    return instances[loop_index];
}

unsigned instance_count(void)
{
    return instances_count;
}

static void on_tick(struct loop_timer *timer)
{
    struct egress_instance *instance = list_entry(timer, struct egress_instance, tick);

    session_tick(instance);
    feed_tick(instance);
    loop_timer_start(&instance->tick, TICK_US);
}

static void hls_stop(struct egress_instance *instance)
{
    if (!instance)
        return;
    loop_timer_stop(&instance->tick);
    session_end_all(instance);
    feed_close_all(instance);
    map_fini(&instance->sessions);
    map_fini(&instance->feeds);
    gzip_free(instance->gzip);
    free(instance);
}

static int hls_start(struct egress_instance **out, struct egress_env *env)
{
    struct egress_instance *instance = calloc(1, sizeof(*instance));
    unsigned index = loop_index(env->loop);
    int err;

    if (!instance)
        return -ENOMEM;
    instance->env = env;
    loop_timer_init(&instance->tick, env->loop, on_tick);
    err = map_init(&instance->sessions);
    if (err == 0)
        err = map_init(&instance->feeds);
    if (err == 0)
        err = gzip_new(&instance->gzip);
    if (err == 0)
        err = routes_add(instance);
    if (err < 0) {
        hls_stop(instance);
        return err;
    }
    instances[index] = instance;
    if (instances_count <= index)
        instances_count = index + 1;
    loop_timer_start(&instance->tick, TICK_US);
    *out = instance;
    return 0;
}

/* Sessions have no connection to close: they end with the server. */
static void hls_drain(struct egress_instance *instance)
{
    instance->is_draining = true;
}

static size_t hls_count(const struct egress_instance *instance)
{
    return instance->own_count;
}

static int hls_url(const struct egress_env *env, unsigned i, const char *slug,
                   struct egress_url *out)
{
    static const char *const names[] = {"hls", "hls_ts"}, *const files[] = {"index", "ts"};
    char base[300];

    if (i >= 2)
        return -ERR_NOT_FOUND;
    if (web_base(env, base, sizeof(base)) < 0)
        return -ERR_TOO_LONG;
    out->name = names[i];
    snprintf(out->text, sizeof(out->text), "%s/hls/%s/%s.m3u8?token=%%s", base, slug, files[i]);
    return 0;
}

const struct egress egress_hls = {
    .name = "hls",
    .start = hls_start,
    .drain = hls_drain,
    .stop = hls_stop,
    .count = hls_count,
    .url = hls_url,
};
