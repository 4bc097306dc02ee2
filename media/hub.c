#include "media/hub.h"

#include <errno.h>
#include <stdlib.h>

int hub_new(struct hub **out, struct loop *loop, const struct feed_kind *kinds)
{
    struct hub *hub = calloc(1, sizeof(*hub));

    if (!hub)
        return -ENOMEM;
    hub->loop = loop;
    hub->kinds = kinds;
    if (map_init(&hub->views) < 0 || map_init(&hub->streams) < 0) {
        hub_free(hub);
        return -ENOMEM;
    }
    *out = hub;
    return 0;
}

void hub_free(struct hub *hub)
{
    struct view *view;

    if (!hub)
        return;
    while (hub->views.count && (view = hub_next(hub, NULL)))
        hub_remove(hub, view->slug);
    map_fini(&hub->views);
    map_fini(&hub->streams);
    free(hub);
}

void hub_join(struct hub *const *hubs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        hubs[i]->peers = hubs;
        hubs[i]->peer_count = count;
        hubs[i]->index = i;
    }
}

void hub_on_users(struct hub *hub, void (*on_users)(void *owner, struct view *view), void *owner)
{
    hub->on_users = on_users;
    hub->owner = owner;
}

struct loop *hub_loop(const struct hub *hub)
{
    return hub->loop;
}

const struct feed_kind *hub_kind(const struct hub *hub, enum packet_kind kind)
{
    for (const struct feed_kind *row = hub->kinds; row->packager; row++)
        if (row->packager->kind == kind)
            return row;
    return NULL;
}

static void dispatch(const struct hub_message *message)
{
    switch (message->verb) {
    case HUB_LIVE:
    case HUB_AWAY:
    case HUB_PACKET:
        view_on_message(message->to, message);
        return;
    case HUB_SUBSCRIBE:
    case HUB_UNSUBSCRIBE:
        stream_on_message(message->to, message);
        return;
    }
}

static void message_run(struct loop_task *task)
{
    struct hub_message *message = list_entry(task, struct hub_message, task);

    dispatch(message);
    packet_unref(message->packet);
    tracks_unref(message->tracks);
    free(message);
}

int hub_send(const struct hub_message *message)
{
    struct hub_message *copy;

    if (message->from == message->to) {
        dispatch(message);
        return 0;
    }
    copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *message;
    packet_ref(copy->packet);
    tracks_ref(copy->tracks);
    copy->task.run = message_run;
    loop_post(copy->to->loop, &copy->task);
    return 0;
}

void hub_send_all(const struct hub_message *message)
{
    struct hub_message each = *message;

    for (unsigned i = 0; i < message->from->peer_count; i++) {
        each.to = message->from->peers[i];
        if (hub_send(&each) < 0)
            continue; /* that loop misses it, the others don't */
    }
}
