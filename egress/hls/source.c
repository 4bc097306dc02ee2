/* What a stream's viewers on this loop are served from: the window over its feed, CMAF or MPEG-TS.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "egress/hls/session.h"

enum { LINGER_US = 30 * 1000000 };

static void feed_free_task(struct loop_task *task)
{
    free(list_entry(task, struct hls_feed, gone));
}

static void playlist_forget(struct cached_playlist *playlist)
{
    buf_unref(playlist->plain);
    buf_unref(playlist->packed);
    *playlist = (struct cached_playlist){.plain = NULL};
}

/* Everything new in the ring, also what stands before a key frame. */
static void read_ring(struct hls_feed *feed)
{
    if (feed->seq < feed_first(feed->feed))
        feed->seq = feed_first(feed->feed);
    for (; feed->seq < feed_end(feed->feed); feed->seq++)
        window_push(&feed->window, feed_at(feed->feed, feed->seq));
}

static void on_ready(struct cursor *cursor)
{
    struct hls_feed *feed = list_entry(cursor, struct hls_feed, cursor);

    while (cursor_next(cursor))
        continue; /* only so that it idles, and wakes us again */
    read_ring(feed);
    answer_waiters(feed);
}

static void feed_close(struct hls_feed *feed)
{
    while (!list_is_empty(&feed->waiters))
        waiter_drop(list_entry(feed->waiters.next, struct hls_waiter, link), 404);
    map_remove(&feed->instance->feeds, &feed->node);
    if (feed->feed) {
        cursor_detach(&feed->cursor);
        view_feed_leave(feed->view, feed->kind);
    }
    view_release(feed->view);
    window_fini(&feed->window);
    playlist_forget(&feed->full);
    playlist_forget(&feed->delta);
    feed->gone.run = feed_free_task;
    loop_defer(feed->instance->env->loop, &feed->gone);
}

/* The camera was removed: its sessions are ended by their admissions. */
static void on_end(struct cursor *cursor)
{
    struct hls_feed *feed = list_entry(cursor, struct hls_feed, cursor);

    view_feed_leave(feed->view, feed->kind);
    feed->feed = NULL;
    feed->idle_since_us = 0;
}

/* A slug has no such letter in it, so nothing else has this key. */
static void write_key(char out[FEED_KEY], const struct hls_session *session)
{
    snprintf(out, FEED_KEY, "%s%s", session->slug, session->kind == PACKET_CMAF ? "" : "~");
}

static struct hls_feed *feed_open(const struct hls_session *session)
{
    struct egress_instance *instance = session->instance;
    struct view *view = instance->env->view(instance->env, session->slug);
    struct hls_feed *feed = view ? calloc(1, sizeof(*feed)) : NULL;

    if (!feed)
        return NULL;
    view_hold(view);
    feed->feed = view_feed_use(view, session->kind);
    if (!feed->feed) {
        view_release(view);
        free(feed);
        return NULL;
    }
    write_key(feed->key, session);
    feed->kind = session->kind;
    feed->instance = instance;
    feed->view = view;
    feed->cursor = (struct cursor){.on_ready = on_ready, .on_end = on_end};
    window_init(&feed->window);
    list_init(&feed->waiters);
    map_insert(&instance->feeds, &feed->node, feed->key);
    cursor_attach(&feed->cursor, feed->feed);
    if (feed_headers(feed->feed))
        window_push(&feed->window, feed_headers(feed->feed));
    read_ring(feed);
    return feed;
}

struct hls_feed *feed_use_by(struct hls_session *session)
{
    struct egress_instance *instance = session->instance;
    struct map_node *node;
    char key[FEED_KEY];

    if (session->feed)
        return session->feed;
    write_key(key, session);
    node = map_find(&instance->feeds, key);
    session->feed = node ? map_entry(node, struct hls_feed, node) : feed_open(session);
    if (session->feed)
        session->feed->session_count++;
    return session->feed;
}

void feed_leave(struct hls_session *session)
{
    struct hls_feed *feed = session->feed;

    session->feed = NULL;
    if (feed && --feed->session_count == 0)
        feed->idle_since_us = loop_now_us(feed->instance->env->loop);
}

void feed_tick(struct egress_instance *instance)
{
    int64_t now_us = loop_now_us(instance->env->loop);

    for (struct map_node *node = map_next(&instance->feeds, NULL), *next; node; node = next) {
        struct hls_feed *feed = map_entry(node, struct hls_feed, node);

        next = map_next(&instance->feeds, node);
        answer_overdue(feed);
        if (!feed->session_count && (!feed->feed || now_us - feed->idle_since_us > LINGER_US))
            feed_close(feed);
    }
}

void feed_close_all(struct egress_instance *instance)
{
    struct map_node *node;

    while (instance->feeds.count && (node = map_next(&instance->feeds, NULL)))
        feed_close(map_entry(node, struct hls_feed, node));
}
