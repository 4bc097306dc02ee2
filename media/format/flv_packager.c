/* Frames to RTMP messages in chunks, for all viewers alike: a packet a frame, in one buffer. The
 * headers of all tracks come first and with each change, as one packet that is_init, with a span a
 * track: what stands there for it, or nothing. */
#include <errno.h>
#include <stdlib.h>

#include "media/format/flv.h"
#include "media/packager.h"
#include "rtmp/chunk.h"

enum {
    MESSAGE_STREAM = 1,
    OUT_MAX_BYTES = FRAME_MAX_BYTES + FRAME_MAX_BYTES / 8,
    HEADERS_MAX_BYTES = 2 * TRACKS_MAX * PARAMETER_SETS_MAX_BYTES,
    PERIOD_MS = 1 << 24
};

struct packager {
    struct packager_sink *sink; /* borrowed */
    struct tracks *tracks;      /* owned reference; NULL before tracks that can be carried */
    bool is_carried[TRACKS_MAX];
    bool has_video; /* carried */
    struct writer out, body;
    bool has_origin;
    int64_t origin_ms;
};

static int flv_open(struct packager **out, struct packager_sink *sink)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    packager->sink = sink;
    writer_init(&packager->out, OUT_MAX_BYTES);
    writer_init(&packager->body, HEADERS_MAX_BYTES);
    *out = packager;
    return 0;
}

static void flv_close(struct packager *packager)
{
    if (!packager)
        return;
    tracks_unref(packager->tracks);
    writer_fini(&packager->body);
    writer_fini(&packager->out);
    free(packager);
}

/* Stream time is the agent's wall clock: it goes on when a stream comes back, and so must the
 * players' time. It begins at the last multiple of four and a half hours, so that numbers stay
 * small. */
static uint32_t time_ms(struct packager *packager, int64_t us)
{
    if (!packager->has_origin)
        packager->origin_ms = us / 1000 - us / 1000 % PERIOD_MS;
    packager->has_origin = true;
    return (uint32_t)(us / 1000 - packager->origin_ms);
}

static struct rtmp_head head_of(const struct track *track, size_t len, uint32_t at_ms)
{
    bool is_video = codec_is_video(track->codec);

    return (struct rtmp_head){.chunk_stream = is_video ? RTMP_CHUNKS_VIDEO : RTMP_CHUNKS_AUDIO,
                              .type = is_video ? RTMP_VIDEO : RTMP_AUDIO,
                              .message_stream = MESSAGE_STREAM,
                              .time_ms = at_ms,
                              .len = len};
}

/* What packager->out holds, to the sink. spans is NULL for a frame. */
static int publish(struct packager *packager, const struct packet *like,
                   const struct rtp_span *spans)
{
    unsigned span_count = spans ? packager->tracks->count : 0;
    struct packet *packet;
    struct buf *buf;
    int err = writer_to_buf(&packager->out, &buf);

    if (err < 0)
        return err;
    packet = packet_new(PACKET_FLV, buf, packager->tracks, span_count);
    if (!packet)
        return -ENOMEM;
    packet->track = like->track;
    packet->is_key = like->is_key;
    packet->is_init = like->is_init;
    packet->can_wait = like->can_wait;
    packet->dts_us = like->dts_us;
    packet->pts_us = like->pts_us;
    packet->wall_us = like->wall_us;
    packet->rtp_time = like->rtp_time;
    for (unsigned i = 0; i < span_count; i++)
        packet->span[i] = spans[i];
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

/* At time 0: headers belong to no time, and are the same whenever a viewer comes. */
static int publish_headers(struct packager *packager)
{
    struct rtp_span spans[TRACKS_MAX] = {{.offset = 0}};
    struct packet like = {.is_init = true};
    struct rtmp_chunker chunker;

    writer_reset(&packager->out);
    for (unsigned i = 0; i < packager->tracks->count; i++) {
        const struct track *track = &packager->tracks->track[i];
        struct rtmp_head head;

        spans[i].offset = (uint32_t)packager->out.len;
        if (!packager->is_carried[i])
            continue;
        writer_reset(&packager->body);
        flv_write_sequence_header(&packager->body, track);
        if (packager->body.err)
            return packager->body.err;
        if (!packager->body.len)
            continue;
        head = head_of(track, packager->body.len, 0);
        rtmp_begin(&chunker, &packager->out, &head, RTMP_CHUNK_BYTES);
        rtmp_put(&chunker, packager->body.bytes, packager->body.len);
        spans[i].len = (uint16_t)(packager->out.len - spans[i].offset);
    }
    return publish(packager, &like, spans);
}

static int flv_set_tracks(struct packager *packager, struct tracks *tracks)
{
    unsigned carried = 0;

    packager->has_video = false;
    for (unsigned i = 0; i < tracks->count; i++) {
        packager->is_carried[i] = flv_can_carry(&tracks->track[i]);
        packager->has_video |= packager->is_carried[i] && codec_is_video(tracks->track[i].codec);
        carried += packager->is_carried[i];
    }
    tracks_ref(tracks);
    tracks_unref(packager->tracks);
    packager->tracks = tracks;
    return carried ? publish_headers(packager) : -ERR_UNSUPPORTED;
}

static int write_frame(struct packager *packager, const struct frame *frame, uint32_t at_ms)
{
    const struct track *track = &packager->tracks->track[frame->track];
    int32_t delay_ms = (int32_t)(frame->pts_us / 1000 - frame->dts_us / 1000);
    struct flv_prefix prefix = flv_frame_prefix(track, frame->is_key, delay_ms);
    struct rtmp_head head = head_of(track, prefix.len + frame->buf->len, at_ms);
    struct rtmp_chunker chunker;

    writer_reset(&packager->out);
    rtmp_begin(&chunker, &packager->out, &head, RTMP_CHUNK_BYTES);
    rtmp_put(&chunker, prefix.bytes, prefix.len);
    rtmp_put(&chunker, frame->buf->bytes, frame->buf->len);
    return packager->out.err;
}

static int flv_push(struct packager *packager, struct frame *frame)
{
    struct packet like = {.track = frame->track,
                          .dts_us = frame->dts_us,
                          .pts_us = frame->pts_us,
                          .wall_us = frame->wall_us};
    bool is_video;
    int err;

    if (!packager->tracks || frame->track >= packager->tracks->count ||
        !packager->is_carried[frame->track])
        return 0;
    is_video = codec_is_video(packager->tracks->track[frame->track].codec);
    like.is_key = packager->has_video ? is_video && frame->is_key : true;
    like.can_wait = packager->has_video && !is_video;
    like.rtp_time = time_ms(packager, frame->dts_us);
    err = write_frame(packager, frame, like.rtp_time);
    return err < 0 ? err : publish(packager, &like, NULL);
}

const struct packager_kind packager_flv = {
    .name = "flv",
    .kind = PACKET_FLV,
    .open = flv_open,
    .set_tracks = flv_set_tracks,
    .push = flv_push,
    .close = flv_close,
};
