#include "media/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "media/hub.h"

enum { HISTORY_MAX_BYTES = 16 * 1024 * 1024, HISTORY_MAX_FRAMES = 4096 };

/* One kind of packets of a stream, while some loop wants it. */
struct output {
    struct packager_sink sink; /* first: a sink's output */
    struct stream *stream;
    const struct feed_kind *row;
    struct packager *packager; /* owned; NULL while not in use */
    struct feed *recent;       /* owned: what a loop that comes late is primed with */
    uint64_t loops;            /* bit per hub that subscribed */
};

struct stream {
    struct map_node node;
    char slug[SLUG_MAX];
    struct hub *hub; /* borrowed: its home */
    struct tracks *tracks;
    struct frame **history; /* the frames since the last segment's first key frame; owned */
    unsigned history_count;
    size_t history_bytes;
    struct output outputs[PACKET_KINDS];
    struct stream_counters counters;
};

static struct hub_message stream_message(const struct stream *stream, enum hub_verb verb)
{
    struct hub_message message = {.verb = verb, .from = stream->hub, .tracks = stream->tracks};

    memcpy(message.slug, stream->slug, sizeof(message.slug));
    return message;
}

static void output_send(const struct output *output, struct packet *packet, struct hub *to)
{
    struct hub_message message = stream_message(output->stream, HUB_PACKET);

    message.to = to;
    message.kind = packet->kind;
    message.packet = packet;
    message.tracks = NULL;
    if (hub_send(&message) < 0)
        return; /* no memory: that loop's viewers miss a packet */
}

static void on_packet(struct packager_sink *sink, struct packet *packet)
{
    struct output *output = (struct output *)(void *)sink;
    struct hub *hub = output->stream->hub;

    feed_push(output->recent, packet);
    for (unsigned i = 0; i < hub->peer_count; i++)
        if (output->loops & (uint64_t)1 << i)
            output_send(output, packet, hub->peers[i]);
}

/* The loops that want it stay: other tracks may be to the packager's taste again. */
static void output_close(struct output *output)
{
    if (output->packager)
        output->row->packager->close(output->packager);
    feed_free(output->recent);
    output->packager = NULL;
    output->recent = NULL;
}

static void output_push(struct output *output, struct frame *frame)
{
    int err = output->row->packager->push(output->packager, frame);

    if (err < 0)
        LOG(LOG_DEBUG, "stream", output->stream->slug, "frame-not-packaged",
            KV_S("packager", output->row->packager->name), KV_ERR(err));
}

/* A packager that starts late is primed with the frames since the last key frame. */
static int output_open(struct output *output)
{
    struct stream *stream = output->stream;
    int err = feed_new(&output->recent, &output->row->limits);

    if (err == 0)
        err = output->row->packager->open(&output->packager, &output->sink);
    if (err == 0 && stream->tracks)
        err = output->row->packager->set_tracks(output->packager, stream->tracks);
    if (err < 0) {
        LOG(LOG_WARN, "stream", stream->slug, "packager-refused",
            KV_S("packager", output->row->packager->name), KV_ERR(err));
        output_close(output);
        return err;
    }
    for (unsigned i = 0; i < stream->history_count; i++)
        output_push(output, stream->history[i]);
    return 0;
}

/* A loop that comes late gets what the others' feeds hold from the newest key frame on; for
 * HLS, whose viewers need a playlist with a past, all of it. */
static void output_prime(struct output *output, struct hub *to)
{
    struct feed *recent = output->recent;
    uint64_t seq = feed_newest_key(recent);

    if (output->row->packager->kind == PACKET_CMAF ||
        output->row->packager->kind == PACKET_TS_SEGMENT)
        seq = feed_first(recent);
    if (feed_headers(recent) && feed_at(recent, seq) != feed_headers(recent))
        output_send(output, feed_headers(recent), to);
    for (; seq < feed_end(recent); seq++)
        output_send(output, feed_at(recent, seq), to);
}

static void output_subscribe(struct output *output, struct hub *hub)
{
    uint64_t bit = (uint64_t)1 << hub->index;

    if (output->loops & bit)
        return;
    if (output->packager)
        output_prime(output, hub);
    output->loops |= bit;
    if (!output->packager && output_open(output) < 0)
        return; /* tried again with the next tracks */
}

static void output_unsubscribe(struct output *output, struct hub *hub)
{
    output->loops &= ~((uint64_t)1 << hub->index);
    if (!output->loops)
        output_close(output);
}

static void output_set_tracks(struct output *output, struct tracks *tracks)
{
    if (output->packager && output->row->packager->set_tracks(output->packager, tracks) < 0)
        output_close(output);
    else if (!output->packager && output->loops && output_open(output) < 0)
        return; /* not these either */
}

static struct stream *stream_find(struct hub *hub, const char *slug)
{
    struct map_node *node = map_find(&hub->streams, slug);

    return node ? map_entry(node, struct stream, node) : NULL;
}

void stream_on_message(struct hub *hub, const struct hub_message *message)
{
    struct stream *stream = stream_find(hub, message->slug);
    struct output *output = stream ? &stream->outputs[message->kind] : NULL;

    if (!output || !output->row)
        return; /* gone: whoever asks hears of the next one */
    if (message->verb == HUB_SUBSCRIBE)
        output_subscribe(output, message->from);
    else
        output_unsubscribe(output, message->from);
}

int stream_open(struct stream **out, struct hub *hub, const char *slug)
{
    struct stream *stream;

    if (strlen(slug) >= SLUG_MAX)
        return -ERR_TOO_LONG;
    stream = calloc(1, sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    stream->history = calloc(HISTORY_MAX_FRAMES, sizeof(struct frame *));
    if (!stream->history) {
        free(stream);
        return -ENOMEM;
    }
    memcpy(stream->slug, slug, strlen(slug));
    stream->hub = hub;
    for (unsigned i = 0; i < PACKET_KINDS; i++) {
        stream->outputs[i].stream = stream;
        stream->outputs[i].row = hub_kind(hub, (enum packet_kind)i);
        stream->outputs[i].sink.push = on_packet;
    }
    *out = stream;
    return 0;
}

static void history_drop(struct stream *stream)
{
    for (unsigned i = 0; i < stream->history_count; i++)
        frame_unref(stream->history[i]);
    stream->history_count = 0;
    stream->history_bytes = 0;
}

void stream_close(struct stream *stream)
{
    struct hub_message message;

    if (!stream)
        return;
    if (stream_find(stream->hub, stream->slug) == stream) {
        map_remove(&stream->hub->streams, &stream->node);
        message = stream_message(stream, HUB_AWAY);
        hub_send_all(&message);
    }
    for (unsigned i = 0; i < PACKET_KINDS; i++)
        output_close(&stream->outputs[i]);
    history_drop(stream);
    tracks_unref(stream->tracks);
    free(stream->history);
    free(stream);
}

/* The stream becomes known with its first tracks: an older one of the same name loses it. */
static void stream_take_name(struct stream *stream)
{
    struct stream *older = stream_find(stream->hub, stream->slug);
    struct hub_message message;

    if (older == stream)
        return;
    if (older) {
        map_remove(&older->hub->streams, &older->node);
        message = stream_message(older, HUB_AWAY);
        hub_send_all(&message);
    }
    map_insert(&stream->hub->streams, &stream->node, stream->slug);
}

void stream_set_tracks(struct stream *stream, struct tracks *tracks)
{
    struct tracks *old = stream->tracks;
    struct hub_message message;

    stream->tracks = tracks_ref(tracks);
    tracks_unref(old);
    history_drop(stream);
    for (unsigned i = 0; i < PACKET_KINDS; i++)
        output_set_tracks(&stream->outputs[i], tracks);
    stream_take_name(stream);
    message = stream_message(stream, HUB_LIVE);
    hub_send_all(&message);
}

static void history_keep(struct stream *stream, struct frame *frame)
{
    bool is_full = stream->history_count == HISTORY_MAX_FRAMES ||
                   stream->history_bytes + frame->buf->len > HISTORY_MAX_BYTES;

    if (frame->segment != SEGMENT_NONE || is_full)
        history_drop(stream);
    stream->history[stream->history_count++] = frame_ref(frame);
    stream->history_bytes += frame->buf->len;
}

void stream_push(struct stream *stream, struct frame *frame)
{
    if (!stream->tracks || frame->track >= stream->tracks->count)
        return;
    stream->counters.frames++;
    stream->counters.bytes += frame->buf->len;
    stream->counters.key_frames += frame->is_key;
    history_keep(stream, frame);
    for (unsigned i = 0; i < PACKET_KINDS; i++)
        if (stream->outputs[i].packager)
            output_push(&stream->outputs[i], frame);
}

struct stream_counters stream_counters(const struct stream *stream)
{
    return stream->counters;
}
