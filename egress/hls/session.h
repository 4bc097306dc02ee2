/* egress/hls/session.h: viewers, and what each loop serves them from; private to egress/hls/.
 *
 * A session is a capability: an unguessable path that the multivariant playlist names. A player's
 * connections may land on any loop, so every loop knows every session; the one that admitted it
 * owns it (and its admission), the others hold a copy and tell the owner that it is in use.
 */
#pragma once

#include "base/map.h"
#include "egress/egress.h"
#include "egress/hls/window.h"
#include "egress/hls/wire.h"
#include "media/feed.h"

struct arrival;
struct gzip;
struct http_request;

enum { FEED_KEY = SLUG_MAX + 1, SESSION_ID = 36, SESSION_WAITERS = 2, SESSIONS_MAX = 20000 };

/* All viewers of this protocol on one loop. */
struct egress_instance {
    struct egress_env *env; /* borrowed */
    struct map sessions;    /* by id: own and others' */
    struct map feeds;       /* by feed key */
    size_t own_count;
    struct loop_timer tick;
    struct gzip *gzip; /* owned */
    bool is_draining;
};

/* A playlist's text, made once for all viewers of this loop after each change. */
struct cached_playlist {
    uint64_t version;
    struct buf *plain, *packed; /* owned; packed NULL where it would not get shorter */
};

/* What a stream's viewers on this loop are served from. Lingers after the last of them. */
struct hls_feed {
    struct map_node node;
    char key[FEED_KEY];               /* in the map of feeds */
    enum packet_kind kind;            /* PACKET_CMAF or PACKET_TS_SEGMENT */
    struct egress_instance *instance; /* borrowed */
    struct view *view;                /* held */
    struct feed *feed;                /* in use; NULL once the camera is removed */
    struct cursor cursor;             /* wakes us; what is new is read from the ring itself */
    uint64_t seq;
    struct window window;
    struct cached_playlist full, delta;
    struct list waiters;
    unsigned session_count;
    int64_t idle_since_us;
    struct loop_task gone;
};

/* A request that waits for something that has not been made yet. */
struct hls_waiter {
    struct list link;
    struct http_request *request; /* borrowed; NULL: free */
    struct hls_session *session;
    struct hls_request wish;
    struct hls_directives directives;
    int64_t since_us;
};

struct hls_session {
    char *origins; /* owned: a copy of the owner's, on other loops; see session_origins */
    struct map_node node;
    char id[SESSION_ID];
    char slug[SLUG_MAX];
    enum packet_kind kind;            /* as its feed's */
    struct egress_instance *instance; /* borrowed */
    struct hls_feed *feed;            /* counted in its session_count; NULL before the first use */
    unsigned owner;                   /* index of the loop that admitted it */
    struct admission admission;       /* the owner's */
    struct arrival *arrival;          /* owns it until it is admitted; NULL from then on */
    int64_t used_us;
    int64_t told_us;     /* others': the use that the owner knows of */
    uint64_t sent_bytes; /* others': not told to the owner yet */
    struct hls_waiter waiters[SESSION_WAITERS];
    struct loop_task gone;
};

/* egress/hls/session.c */
struct hls_session *session_new(struct egress_instance *instance);
void session_begin(struct hls_session *session); /* admitted: every loop is told */
void session_end(struct hls_session *session);   /* owner: every loop is told */
struct hls_session *session_find(struct egress_instance *instance, const char *id);
/* Where pages may embed it, see struct admission. */
const char *session_origins(const struct hls_session *session);
void session_count(struct hls_session *session, size_t bytes);
void session_tick(struct egress_instance *instance);
void session_end_all(struct egress_instance *instance);

/* egress/hls/source.c: NULL without memory, or when the camera is not there. */
struct hls_feed *feed_use_by(struct hls_session *session);
void feed_leave(struct hls_session *session);
void feed_tick(struct egress_instance *instance);
void feed_close_all(struct egress_instance *instance);

/* egress/hls/answer.c: answers now, or keeps the request as a waiter. */
void answer_request(struct hls_session *session, struct http_request *request,
                    const struct hls_request *wish);
void answer_waiters(struct hls_feed *feed);
void answer_overdue(struct hls_feed *feed);
void waiter_drop(struct hls_waiter *waiter, unsigned status);

/* egress/hls/routes.c */
int routes_add(struct egress_instance *instance) MUST_CHECK;

/* egress/hls/server.c: the instance of the loop with that index, or NULL. */
struct egress_instance *instance_at(unsigned loop_index);
unsigned instance_count(void);
