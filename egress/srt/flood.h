/* egress/srt/flood.h: how many callers libsrt gets to see.
 *
 * libsrt makes an object of some 12 kB for each caller that it asks about, also for one that is
 * refused, and keeps it for a second or more. So when more call than anybody's viewers would, the
 * packet filter lets only a part of them through, until it is over.
 */
#pragma once

#include <stdatomic.h>

enum { FLOOD_PERIOD_MS = 500, FLOOD_CALLERS = 500 }; /* in one period: a flood */

struct flood {
    int fd; /* borrowed: the port's socket, with a filter */
    atomic_uint level;
    atomic_uint seen; /* callers in this period */
};

/* On libsrt's thread: one more caller came through. */
void flood_count(struct flood *flood);

/* On one loop, every FLOOD_PERIOD_MS. */
void flood_relax(struct flood *flood);
