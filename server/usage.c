#include "server/usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/grant.h"

enum { ROWS_MAX = 256 };

struct usage {
    uint64_t sequence;
    size_t count;
    struct store_usage rows[ROWS_MAX];
};

int usage_new(struct usage **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void usage_free(struct usage *usage)
{
    free(usage);
}

static void usage_put(struct worker *worker)
{
    struct usage *usage = worker->usage;
    struct server *server = worker->server;
    /* Loops share a boot: the lowest digits of the sequence tell them apart. */
    struct store_usage_batch batch = {.node = server->node_id,
                                      .boot = (uint64_t)server->started_us,
                                      .sequence = usage->sequence * HUBS_MAX + worker->index,
                                      .rows = usage->rows,
                                      .count = usage->count};

    if (!usage->count)
        return;
    store_usage_put(server->store, &batch, (struct store_done){.loop = NULL});
    usage->sequence++;
    usage->count = 0;
}

static struct store_usage *usage_row(struct usage *usage, const struct grant *grant,
                                     const char *protocol)
{
    struct store_usage *row;

    for (size_t i = 0; i < usage->count; i++) {
        row = &usage->rows[i];
        if (strcmp(row->camera_id, grant->camera_id) == 0 &&
            strcmp(row->token_id, grant->token_id) == 0 && strcmp(row->protocol, protocol) == 0)
            return row;
    }
    row = &usage->rows[usage->count++];
    *row = (struct store_usage){.hour_s = 0};
    memcpy(row->camera_id, grant->camera_id, sizeof(row->camera_id));
    memcpy(row->token_id, grant->token_id, sizeof(row->token_id));
    snprintf(row->protocol, sizeof(row->protocol), "%s", protocol);
    return row;
}

void usage_add(struct grant *grant)
{
    struct worker *worker = grant->worker;
    struct admission *admission = grant->admission;
    int64_t now_us = loop_now_us(worker->loop), now_s = clock_wall_us() / 1000000;
    struct store_usage *row;

    if (worker->usage->count == ROWS_MAX)
        usage_put(worker);
    row = usage_row(worker->usage, grant, admission->egress->name);
    row->hour_s = now_s - now_s % 3600;
    row->bytes += admission->out_bytes - grant->metered_bytes;
    row->seconds_ms += (uint64_t)(now_us - grant->since_us) / 1000;
    grant->metered_bytes = admission->out_bytes;
    grant->since_us = now_us;
}

void usage_flush(struct worker *worker)
{
    list_for_each (link, after, &worker->grants) {
        struct grant *grant = list_entry(link, struct grant, link);

        if (grant->is_watching && grant->admission)
            usage_add(grant);
    }
    usage_put(worker);
}
