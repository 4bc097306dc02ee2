/* media/hub.h: how streams and views find each other over loops; private to media/.
 *
 * Hubs talk by messages, each run on the receiving hub's loop, in the order sent. A hub's
 * message to itself is a plain call.
 */
#pragma once

#include "media/view.h"

struct stream;

enum hub_verb {
    HUB_LIVE,        /* stream → views: it is here, with these tracks (also when they change) */
    HUB_AWAY,        /* stream → views: it has gone */
    HUB_PACKET,      /* stream → views that subscribed */
    HUB_SUBSCRIBE,   /* view → stream: send packets of this kind */
    HUB_UNSUBSCRIBE, /* view → stream: no more */
};

struct hub_message {
    struct loop_task task;
    enum hub_verb verb;
    struct hub *from, *to; /* borrowed: hubs outlive their messages */
    char slug[SLUG_MAX];
    enum packet_kind kind;
    struct packet *packet; /* owned reference */
    struct tracks *tracks; /* owned reference */
};

struct hub {
    struct loop *loop;             /* borrowed */
    const struct feed_kind *kinds; /* borrowed, ended by a NULL packager */
    struct hub *const *peers;      /* borrowed; all hubs, this one too */
    unsigned peer_count, index;
    struct map views;
    struct map streams; /* those whose home this is */
    void (*on_users)(void *owner, struct view *view);
    void *owner;
};

/* Copies message (with references of its own) and has it run on to's loop, or runs it now when
 * that is this hub. Without memory the message is lost. */
int hub_send(const struct hub_message *message) MUST_CHECK;

/* To every hub, this one included. */
void hub_send_all(const struct hub_message *message);

const struct feed_kind *hub_kind(const struct hub *hub, enum packet_kind kind);

/* media/stream.c's and media/view.c's ends of the messages. */
void stream_on_message(struct hub *hub, const struct hub_message *message);
void view_on_message(struct hub *hub, const struct hub_message *message);
