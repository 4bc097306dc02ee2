#include "egress/srt/figures.h"

#include <inttypes.h>
#include <stdlib.h>

struct figures_place {
    _Atomic uint64_t viewer; /* 0: free */
    _Atomic int64_t sent, retransmitted, dropped, rtt_us;
};

static struct figures_place places[FIGURES_PLACES];

struct figures_place *figures_enter(const char *viewer_id)
{
    uint64_t viewer = strtoull(viewer_id, NULL, 16);

    for (unsigned i = 0; viewer && i < FIGURES_PLACES; i++) {
        uint64_t none = 0;

        if (atomic_compare_exchange_strong(&places[i].viewer, &none, viewer)) {
            figures_show(&places[i], &(struct figures){.sent = 0});
            return &places[i];
        }
    }
    return NULL;
}

void figures_show(struct figures_place *place, const struct figures *figures)
{
    if (!place)
        return;
    atomic_store(&place->sent, figures->sent);
    atomic_store(&place->retransmitted, figures->retransmitted);
    atomic_store(&place->dropped, figures->dropped);
    atomic_store(&place->rtt_us, figures->rtt_us);
}

void figures_leave(struct figures_place *place)
{
    if (place)
        atomic_store(&place->viewer, 0);
}

enum figure { SENT, RETRANSMITTED, DROPPED, RTT, FIGURES };

static int64_t value_of(const struct figures_place *place, enum figure figure)
{
    switch (figure) {
    case SENT:
        return atomic_load(&place->sent);
    case RETRANSMITTED:
        return atomic_load(&place->retransmitted);
    case DROPPED:
        return atomic_load(&place->dropped);
    case RTT:
        return atomic_load(&place->rtt_us);
    case FIGURES:
        break;
    }
    return 0;
}

void figures_write(struct writer *out)
{
    static const char *const names[] = {"packets_total", "retransmitted_total", "dropped_total",
                                        "round_trip_us"};

    for (unsigned figure = 0; figure < FIGURES; figure++) {
        writer_printf(out, "# TYPE culvert_srt_viewer_%s %s\n", names[figure],
                      figure == RTT ? "gauge" : "counter");
        for (unsigned i = 0; i < FIGURES_PLACES; i++) {
            uint64_t viewer = atomic_load(&places[i].viewer);

            if (viewer)
                writer_printf(out, "culvert_srt_viewer_%s{viewer=\"%016" PRIx64 "\"} %" PRId64 "\n",
                              names[figure], viewer, value_of(&places[i], (enum figure)figure));
        }
    }
}
