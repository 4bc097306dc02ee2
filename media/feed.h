/* media/feed.h: the last packets of one kind of one stream, on one loop.
 *
 * Viewers are cursors into the ring: a slow one costs no memory, and resumes at a key
 * frame when the ring overtakes it.
 *
 * Owns one reference a slot. Cursors are embedded in, and owned by, viewers' sessions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "media/packet.h"

struct feed;

struct cursor {
    void (*on_ready)(struct cursor *cursor); /* packets wait: drain with cursor_next */
    void (*on_end)(struct cursor *cursor);   /* the stream is gone; already detached */

    struct list link;  /* on the feed's idle or busy list */
    struct feed *feed; /* borrowed; NULL while detached */
    uint64_t seq;      /* the packet to read next */
    uint64_t skipped;  /* packets lost to being overtaken, since the attach */
    bool needs_key;    /* skip until a key frame comes */

    /* Not 0: a packet that can_wait wakes this cursor only when it is so much media later than
     * what the cursor has idled at. To be set before the attach. */
    int64_t patience_us;
    int64_t idle_us; /* the feed's newest time when it idled */
};

/* A ring keeps at least the current group of pictures, and beyond that at most limit_bytes
 * and limit_us of media; a group larger than limit_bytes is cut from its old end. */
struct feed_limits {
    size_t bytes;
    int64_t us;
};

/* 0 and an owned feed in *out, or -ENOMEM. */
int feed_new(struct feed **out, const struct feed_limits *limits) MUST_CHECK;

/* Detaches every cursor (on_end), then frees. Not from inside on_ready. */
void feed_free(struct feed *feed);

/* Keeps its own reference, then wakes the idle cursors. */
void feed_push(struct feed *feed, struct packet *packet);

/* Drops what it holds; cursors stay and wait for the next key frame. */
void feed_reset(struct feed *feed);

/* The sequence numbers it holds: [first, end). feed_at gives a borrowed packet or NULL. */
uint64_t feed_first(const struct feed *feed);
uint64_t feed_end(const struct feed *feed);
struct packet *feed_at(const struct feed *feed, uint64_t seq);

/* The newest headers-only packet (is_init), borrowed, also when the ring no longer holds it; or
 * NULL. */
struct packet *feed_headers(const struct feed *feed);

/* Where a new viewer starts: the newest key frame's number, or feed_end without one. */
uint64_t feed_newest_key(const struct feed *feed);

/* Starts at the newest key frame; on_ready follows at once if there is one. */
void cursor_attach(struct cursor *cursor, struct feed *feed);

/* Safe at any time, also from on_ready and when already detached. */
void cursor_detach(struct cursor *cursor);

/* The next packet, borrowed until the loop's turn ends, or NULL: then the cursor idles and
 * on_ready comes with the next packet. */
struct packet *cursor_next(struct cursor *cursor);

/* Gives everything up to the newest key frame away: for a viewer that fell behind. */
void cursor_skip_to_key(struct cursor *cursor);
