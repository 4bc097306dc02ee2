/* server/grant.h: one admission's private side: what it was allowed by; private to admit. */
#pragma once

#include "server/server.h"

struct grant {
    char *origins;               /* owned: the token's; NULL before it was checked */
    struct list link;            /* on the worker's grants */
    struct worker *worker;       /* borrowed */
    struct admission *admission; /* borrowed; NULL once it left while being counted */
    struct view *view;           /* held from the token's check on */
    struct view_watch watch;     /* while waiting for the camera */
    struct loop_timer wait;
    struct loop_task gone;
    char token_id[STORE_ID], camera_id[STORE_ID];
    int64_t expires_s;    /* 0: never */
    uint32_t viewers_max; /* 0: no limit, not counted */
    bool is_counting;     /* the first loop was asked, the answer is on its way */
    bool is_counted;
    bool is_watching;
    bool is_told;           /* on_revoked was called: once is enough */
    unsigned egress_index;  /* in egress_all */
    int64_t since_us;       /* watching since, or since the last metering */
    uint64_t metered_bytes; /* of admission->out_bytes */
};

/* server/viewer_count.c: asks the first loop whether one more may watch by this token;
 * on_counted follows on the grant's loop. Given back by viewer_count_leave. */
int viewer_count_ask(struct grant *grant,
                     void (*on_counted)(struct grant *grant, bool is_allowed)) MUST_CHECK;
void viewer_count_leave(struct grant *grant);
