#include "egress/srt/flood.h"

#include "base/log.h"
#include "egress/srt/filter.h"

enum { STEP = 1 << FILTER_LEVEL_BITS };

/* A filter that can't be changed goes on as it was. */
static void set_level(struct flood *flood, unsigned level)
{
    unsigned before = atomic_exchange(&flood->level, level);

    if (filter_attach(flood->fd, level) < 0)
        atomic_store(&flood->level, before);
    else if (before == 0 || level == 0)
        LOG(LOG_WARN, "srt", NULL, level ? "flood-of-callers" : "flood-over",
            KV_I("callers", FLOOD_CALLERS), KV_I("within_ms", FLOOD_PERIOD_MS));
}

void flood_count(struct flood *flood)
{
    unsigned level = atomic_load(&flood->level);
    unsigned limit = level ? FLOOD_CALLERS / STEP : FLOOD_CALLERS;

    if (atomic_fetch_add(&flood->seen, 1) + 1 < limit || level == FILTER_LEVEL_MAX)
        return;
    atomic_store(&flood->seen, 0);
    set_level(flood, level + 1);
}

/* The level below lets STEP times as many through: it must not be a flood at once. */
void flood_relax(struct flood *flood)
{
    unsigned level = atomic_load(&flood->level);

    if (atomic_exchange(&flood->seen, 0) < FLOOD_CALLERS / STEP / STEP && level > 0)
        set_level(flood, level - 1);
}
