/* media/view.h: what one loop knows of each stream: its tracks, and its feeds.
 *
 * A hub is a loop's table of views. A view exists for each camera that can be watched, also
 * while its stream is away: viewers stay attached, their feed is silent, and goes on at a key
 * frame when the stream is back.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "media/feed.h"
#include "media/packager.h"

struct hub;
struct view;

enum { SLUG_MAX = 72, HUBS_MAX = 64 }; /* of a stream's name: media/profile.h */

/* How a kind of packets is made and kept. The program gives one table, ended by a NULL kind. */
struct feed_kind {
    const struct packager_kind *packager;
    struct feed_limits limits;
    int64_t linger_us; /* the packager runs on for so long after its last viewer */
};

/* Told on the view's loop. */
struct view_watch {
    void (*on_live)(struct view_watch *watch); /* its stream has come, or its tracks changed */
    void (*on_away)(struct view_watch *watch); /* its stream has gone */
    struct list link;
};

/* A view's feed of one kind. */
struct view_feed {
    struct view *view; /* the one that embeds this */
    enum packet_kind kind;
    unsigned users;
    struct feed *feed;        /* owned; NULL while not in use */
    struct loop_timer linger; /* runs while a feed is there without users */
};

struct view {
    struct map_node node;
    char slug[SLUG_MAX];
    struct hub *hub;       /* borrowed */
    struct tracks *tracks; /* owned reference: the newest known, also while away; NULL before */
    bool is_live;          /* a stream feeds it */
    struct hub *home;      /* borrowed: whose loop the stream lives on, while live */
    unsigned user_count;   /* viewers and pending requests that hold it */
    bool is_removed;       /* no longer in the hub: freed with its last user */
    struct loop_task gone;
    struct view_feed feeds[PACKET_KINDS];
    struct list watches;
};

/* A hub on loop; hubs of one process are told of each other by hub_join before any is used.
 * kinds is borrowed for good. on_users is called when a view's user_count leaves or reaches 0. */
int hub_new(struct hub **out, struct loop *loop, const struct feed_kind *kinds) MUST_CHECK;
void hub_free(struct hub *hub);
void hub_join(struct hub *const *hubs, unsigned count);
void hub_on_users(struct hub *hub, void (*on_users)(void *owner, struct view *view), void *owner);
struct loop *hub_loop(const struct hub *hub);

/* A view for slug, made if there is none; or NULL without memory. */
struct view *hub_add(struct hub *hub, const char *slug);

/* Detaches its viewers (on_end), and frees it after the turn. */
void hub_remove(struct hub *hub, const char *slug);

/* NULL if there is none: nothing is made. */
struct view *hub_find(struct hub *hub, const char *slug);

/* Each after the other, in no order; NULL starts and ends. */
struct view *hub_next(struct hub *hub, struct view *view);

/* A hold keeps the camera pulled; each is given back once. */
void view_hold(struct view *view);
void view_release(struct view *view);

void view_watch_start(struct view *view, struct view_watch *watch);
void view_watch_stop(struct view_watch *watch);

/* The feed of that kind, with its packager asked for; NULL without memory or such a kind.
 * Each use is given back once. */
struct feed *view_feed_use(struct view *view, enum packet_kind kind);
void view_feed_leave(struct view *view, enum packet_kind kind);

/* For tracks known from before the first frame (the store's). Keeps its own reference. */
void view_set_tracks(struct view *view, struct tracks *tracks);
