/* Key frames alone, as they are, at most one a second: what snapshots are made of. */
#include <errno.h>
#include <stdlib.h>

#include "media/packager.h"

enum { APART_US = 1000 * 1000 };

struct packager {
    struct packager_sink *sink; /* borrowed */
    struct tracks *tracks;      /* owned reference */
    int video;
    int64_t last_us;
    bool has_last;
};

static int key_open(struct packager **out, struct packager_sink *sink)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    packager->sink = sink;
    *out = packager;
    return 0;
}

static int key_set_tracks(struct packager *packager, struct tracks *tracks)
{
    int video = tracks_find_video(tracks);

    if (video < 0)
        return -ERR_UNSUPPORTED;
    tracks_unref(packager->tracks);
    packager->tracks = tracks_ref(tracks);
    packager->video = video;
    packager->has_last = false;
    return 0;
}

static int key_push(struct packager *packager, struct frame *frame)
{
    struct packet *packet;

    if (!packager->tracks || frame->track != packager->video || !frame->is_key ||
        (packager->has_last && frame->dts_us - packager->last_us < APART_US))
        return 0;
    packet = packet_new(PACKET_KEY, buf_ref(frame->buf), packager->tracks, 0);
    if (!packet)
        return -ENOMEM;
    packager->has_last = true;
    packager->last_us = frame->dts_us;
    packet->track = frame->track;
    packet->is_key = true;
    packet->dts_us = frame->dts_us;
    packet->pts_us = frame->pts_us;
    packet->wall_us = frame->wall_us;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

static void key_close(struct packager *packager)
{
    if (!packager)
        return;
    tracks_unref(packager->tracks);
    free(packager);
}

const struct packager_kind packager_key = {
    .name = "key",
    .kind = PACKET_KEY,
    .open = key_open,
    .set_tracks = key_set_tracks,
    .push = key_push,
    .close = key_close,
};
