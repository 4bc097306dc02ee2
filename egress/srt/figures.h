/* egress/srt/figures.h: what libsrt counts for each viewer: for the log, and for /metrics, which
 * any loop writes. One table for the process, without a lock; viewers beyond its places are logged
 * only.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/writer.h"

enum { FIGURES_PLACES = 512 };

/* In packets, since the viewer came. */
struct figures {
    int64_t sent, retransmitted, dropped, rtt_us;
};

struct figures_place;

/* For the viewer with this id of 16 hex digits, until figures_leave; NULL when all are taken. */
struct figures_place *figures_enter(const char *viewer_id);
void figures_show(struct figures_place *place, const struct figures *figures);
void figures_leave(struct figures_place *place);

/* In Prometheus' text format. */
void figures_write(struct writer *out);
