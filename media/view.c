#include "media/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/hub.h"

static void view_free(struct loop_task *task)
{
    struct view *view = list_entry(task, struct view, gone);

    tracks_unref(view->tracks);
    free(view);
}

/* Asks the stream's home to send, or to stop sending, packets of a kind. */
static int view_ask(struct view *view, enum hub_verb verb, enum packet_kind kind)
{
    struct hub_message message = {.verb = verb, .from = view->hub, .to = view->home, .kind = kind};

    if (!view->home)
        return 0; /* asked again when the stream comes */
    memcpy(message.slug, view->slug, sizeof(message.slug));
    return hub_send(&message);
}

static void view_feed_close(struct view_feed *slot)
{
    struct feed *feed = slot->feed;

    if (!feed)
        return;
    slot->feed = NULL;
    loop_timer_stop(&slot->linger);
    if (view_ask(slot->view, HUB_UNSUBSCRIBE, slot->kind) < 0) {
        /* Without memory the home goes on sending; what has no feed is dropped here. */
    }
    feed_free(feed);
}

static void on_linger_over(struct loop_timer *timer)
{
    view_feed_close(list_entry(timer, struct view_feed, linger));
}

struct view *hub_add(struct hub *hub, const char *slug)
{
    struct view *view = hub_find(hub, slug);

    if (view || strlen(slug) >= SLUG_MAX)
        return view;
    view = calloc(1, sizeof(*view));
    if (!view)
        return NULL;
    memcpy(view->slug, slug, strlen(slug));
    view->hub = hub;
    list_init(&view->watches);
    for (unsigned i = 0; i < PACKET_KINDS; i++) {
        view->feeds[i].view = view;
        view->feeds[i].kind = (enum packet_kind)i;
        loop_timer_init(&view->feeds[i].linger, hub->loop, on_linger_over);
    }
    map_insert(&hub->views, &view->node, view->slug);
    return view;
}

void hub_remove(struct hub *hub, const char *slug)
{
    struct view *view = hub_find(hub, slug);

    if (!view)
        return;
    map_remove(&hub->views, &view->node);
    view->is_removed = true;
    view->gone.run = view_free;
    view->user_count++; /* ours: viewers may let go of it as they are told */
    for (unsigned i = 0; i < PACKET_KINDS; i++)
        view_feed_close(&view->feeds[i]);
    view_release(view);
}

struct view *hub_find(struct hub *hub, const char *slug)
{
    struct map_node *node = map_find(&hub->views, slug);

    return node ? map_entry(node, struct view, node) : NULL;
}

struct view *hub_next(struct hub *hub, struct view *view)
{
    struct map_node *node = map_next(&hub->views, view ? &view->node : NULL);

    return node ? map_entry(node, struct view, node) : NULL;
}

void view_hold(struct view *view)
{
    if (view->user_count++ == 0 && view->hub->on_users)
        view->hub->on_users(view->hub->owner, view);
}

void view_release(struct view *view)
{
    if (--view->user_count > 0)
        return;
    if (view->is_removed)
        loop_defer(view->hub->loop, &view->gone);
    else if (view->hub->on_users)
        view->hub->on_users(view->hub->owner, view);
}

void view_watch_start(struct view *view, struct view_watch *watch)
{
    list_append(&view->watches, &watch->link);
}

void view_watch_stop(struct view_watch *watch)
{
    if (watch->link.next)
        list_remove(&watch->link);
}

struct feed *view_feed_use(struct view *view, enum packet_kind kind)
{
    const struct feed_kind *row = hub_kind(view->hub, kind);
    struct view_feed *slot = &view->feeds[kind];

    if (!row || view->is_removed)
        return NULL;
    if (!slot->feed) {
        if (feed_new(&slot->feed, &row->limits) < 0)
            return NULL;
        if (view_ask(view, HUB_SUBSCRIBE, kind) < 0) {
            feed_free(slot->feed);
            slot->feed = NULL;
            return NULL;
        }
    }
    loop_timer_stop(&slot->linger);
    slot->users++;
    return slot->feed;
}

void view_feed_leave(struct view *view, enum packet_kind kind)
{
    const struct feed_kind *row = hub_kind(view->hub, kind);
    struct view_feed *slot = &view->feeds[kind];

    if (!slot->users || --slot->users > 0 || !slot->feed)
        return;
    loop_timer_start(&slot->linger, row->linger_us);
}

void view_set_tracks(struct view *view, struct tracks *tracks)
{
    struct tracks *old = view->tracks;

    view->tracks = tracks_ref(tracks);
    tracks_unref(old);
}

static void view_tell(struct view *view, bool is_live)
{
    struct list told;

    /* A watch may stop itself, or another, when told: walk a list of our own. */
    list_move(&told, &view->watches);
    while (!list_is_empty(&told)) {
        struct view_watch *watch = list_entry(told.next, struct view_watch, link);
        void (*call)(struct view_watch *) = is_live ? watch->on_live : watch->on_away;

        list_remove(&watch->link);
        list_append(&view->watches, &watch->link);
        if (call)
            call(watch);
    }
}

static void view_goes_live(struct view *view, const struct hub_message *message)
{
    bool is_new = view->home != message->from || !view->is_live;

    view_set_tracks(view, message->tracks);
    view->home = message->from;
    view->is_live = true;
    for (unsigned i = 0; is_new && i < PACKET_KINDS; i++) {
        if (!view->feeds[i].feed)
            continue;
        feed_reset(view->feeds[i].feed);
        if (view_ask(view, HUB_SUBSCRIBE, (enum packet_kind)i) < 0)
            view_feed_close(&view->feeds[i]); /* no memory: its viewers end, others go on */
    }
    view_tell(view, true);
}

void view_on_message(struct hub *hub, const struct hub_message *message)
{
    struct view *view = hub_find(hub, message->slug);
    struct feed *feed;

    if (!view)
        return;
    if (message->verb == HUB_LIVE) {
        view_goes_live(view, message);
        return;
    }
    if (view->home != message->from)
        return; /* a stream that another loop's newer one has replaced */
    if (message->verb == HUB_PACKET) {
        feed = view->feeds[message->kind].feed;
        if (feed)
            feed_push(feed, message->packet);
        return;
    }
    view->is_live = false;
    view->home = NULL;
    view_tell(view, false);
}
