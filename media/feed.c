#include "media/feed.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

struct feed {
    struct packet **ring; /* owned; room is a power of two, a packet stands at seq % room */
    size_t room;
    struct feed_limits limits;
    uint64_t first, end; /* sequence numbers held: [first, end) */
    uint64_t newest_key; /* where, while has_key */
    bool has_key;
    size_t bytes;
    struct packet *headers;          /* owned: the newest that is_init */
    int64_t now_us;                  /* of the packet that came last */
    struct list idle, patient, busy; /* cursors; patient: idle, those that idled first in front */
};

static struct packet **feed_slot(const struct feed *feed, uint64_t seq)
{
    return &feed->ring[seq & (feed->room - 1)];
}

int feed_new(struct feed **out, const struct feed_limits *limits)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (!feed)
        return -ENOMEM;
    feed->ring = calloc(FIRST_ROOM, sizeof(struct packet *));
    if (!feed->ring) {
        free(feed);
        return -ENOMEM;
    }
    feed->room = FIRST_ROOM;
    feed->limits = *limits;
    list_init(&feed->idle);
    list_init(&feed->patient);
    list_init(&feed->busy);
    *out = feed;
    return 0;
}

static void drop_oldest(struct feed *feed)
{
    struct packet *packet = *feed_slot(feed, feed->first);

    feed->bytes -= packet->buf->len;
    feed->first++;
    packet_unref(packet);
}

static void end_all(struct list *cursors)
{
    while (!list_is_empty(cursors)) {
        struct cursor *cursor = list_entry(cursors->next, struct cursor, link);

        cursor_detach(cursor);
        if (cursor->on_end)
            cursor->on_end(cursor);
    }
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    end_all(&feed->idle);
    end_all(&feed->patient);
    end_all(&feed->busy);
    while (feed->first < feed->end)
        drop_oldest(feed);
    packet_unref(feed->headers);
    free(feed->ring);
    free(feed);
}

static void need_key(struct list *cursors)
{
    list_for_each (link, after, cursors) {
        list_entry(link, struct cursor, link)->needs_key = true;
    }
}

void feed_reset(struct feed *feed)
{
    while (feed->first < feed->end)
        drop_oldest(feed);
    feed->has_key = false;
    need_key(&feed->idle);
    need_key(&feed->patient);
    need_key(&feed->busy);
}

/* Without memory the ring stays as it is, and the oldest packet makes room. */
static void ring_grow(struct feed *feed)
{
    struct packet **old = feed->ring, **ring = calloc(feed->room * 2, sizeof(struct packet *));
    size_t old_room = feed->room;

    if (!ring) {
        drop_oldest(feed);
        return;
    }
    feed->ring = ring;
    feed->room *= 2;
    for (uint64_t seq = feed->first; seq < feed->end; seq++)
        *feed_slot(feed, seq) = old[seq & (old_room - 1)];
    free(old);
}

static bool is_over_limits(const struct feed *feed)
{
    const struct packet *oldest = *feed_slot(feed, feed->first);
    const struct packet *newest = *feed_slot(feed, feed->end - 1);

    if (feed->bytes > feed->limits.bytes)
        return true;
    return feed->has_key && feed->first < feed->newest_key &&
           newest->dts_us - oldest->dts_us > feed->limits.us;
}

/* Takes the reference. */
static void ring_append(struct feed *feed, struct packet *packet)
{
    if (feed->end - feed->first == feed->room)
        ring_grow(feed);
    *feed_slot(feed, feed->end) = packet;
    feed->bytes += packet->buf->len;
    if (packet->is_key) {
        feed->newest_key = feed->end;
        feed->has_key = true;
    }
    feed->end++;
    while (feed->end - feed->first > 1 && is_over_limits(feed))
        drop_oldest(feed);
    if (feed->newest_key < feed->first)
        feed->has_key = false;
}

static void move_to(struct list *list, struct cursor *cursor)
{
    list_remove(&cursor->link);
    list_append(list, &cursor->link);
}

static void wake(struct feed *feed, struct cursor *cursor)
{
    move_to(&feed->busy, cursor);
    cursor->on_ready(cursor);
}

/* on_ready may detach any cursor or send it back to idle: walk a list of our own. */
static void wake_all(struct feed *feed, struct list *cursors)
{
    struct list woken;

    list_move(&woken, cursors);
    while (!list_is_empty(&woken))
        wake(feed, list_entry(woken.next, struct cursor, link));
}

/* One that is woken idles again at the end of the list, now. */
static void wake_overdue(struct feed *feed)
{
    while (!list_is_empty(&feed->patient)) {
        struct cursor *cursor = list_entry(feed->patient.next, struct cursor, link);

        if (feed->now_us - cursor->idle_us < cursor->patience_us)
            return;
        wake(feed, cursor);
    }
}

void feed_push(struct feed *feed, struct packet *packet)
{
    if (packet->is_init) {
        packet_unref(feed->headers);
        feed->headers = packet_ref(packet);
    }
    feed->now_us = packet->dts_us;
    ring_append(feed, packet_ref(packet));
    wake_all(feed, &feed->idle);
    if (packet->can_wait)
        wake_overdue(feed);
    else
        wake_all(feed, &feed->patient);
}

uint64_t feed_first(const struct feed *feed)
{
    return feed->first;
}

uint64_t feed_end(const struct feed *feed)
{
    return feed->end;
}

struct packet *feed_at(const struct feed *feed, uint64_t seq)
{
    return seq >= feed->first && seq < feed->end ? *feed_slot(feed, seq) : NULL;
}

struct packet *feed_headers(const struct feed *feed)
{
    return feed->headers;
}

uint64_t feed_newest_key(const struct feed *feed)
{
    return feed->has_key ? feed->newest_key : feed->end;
}

static void go_idle(struct cursor *cursor)
{
    struct feed *feed = cursor->feed;

    cursor->idle_us = feed->now_us;
    move_to(cursor->patience_us ? &feed->patient : &feed->idle, cursor);
}

void cursor_attach(struct cursor *cursor, struct feed *feed)
{
    cursor->feed = feed;
    cursor->seq = feed_newest_key(feed);
    cursor->skipped = 0;
    cursor->needs_key = true;
    list_init(&cursor->link);
    if (!feed->has_key) {
        list_append(&feed->idle, &cursor->link);
        go_idle(cursor);
        return;
    }
    list_append(&feed->busy, &cursor->link);
    cursor->on_ready(cursor);
}

void cursor_detach(struct cursor *cursor)
{
    if (!cursor->feed)
        return;
    list_remove(&cursor->link);
    cursor->feed = NULL;
}

void cursor_skip_to_key(struct cursor *cursor)
{
    uint64_t key = feed_newest_key(cursor->feed);

    if (key > cursor->seq) {
        cursor->skipped += key - cursor->seq;
        cursor->seq = key;
    }
    cursor->needs_key = true;
}

struct packet *cursor_next(struct cursor *cursor)
{
    struct feed *feed = cursor->feed;

    if (!feed)
        return NULL;
    if (cursor->seq < feed->first)
        cursor_skip_to_key(cursor);
    while (cursor->seq < feed->end) {
        struct packet *packet = *feed_slot(feed, cursor->seq++);

        if (cursor->needs_key && !packet->is_key)
            continue;
        cursor->needs_key = false;
        return packet;
    }
    go_idle(cursor);
    return NULL;
}
