/* What WebRTC can't carry, as Opus in RTP (RFC 7587): of the first track that has to be transcoded,
 * and of nothing else. Packets come later than the frames they are made of, by loop_post. */
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/random.h"
#include "media/audio/to_opus.h"
#include "media/audio/transcoder.h"
#include "media/format/rtp_out.h"
#include "media/packager.h"

struct packager {
    struct transcoder_sink opus;
    struct transcoder *transcoder; /* owned; NULL before tracks with something to transcode */
    struct tracks *tracks;         /* owned reference */
    struct rtp_out out;

    struct packager_sink *sink; /* borrowed */

    unsigned track;
    uint16_t seq;
    struct {
        uint32_t ssrc, timestamp_offset;
    } random;
};

static int publish(struct packager *packager, const struct frame *opus)
{
    struct packet *packet;
    int err = rtp_out_to_packet(&packager->out, &packet, PACKET_RTP_OPUS, packager->tracks, opus);

    if (err < 0)
        return err;
    packet->is_key = true;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

static void on_opus(struct transcoder_sink *sink, struct frame *opus)
{
    struct packager *packager = list_entry(sink, struct packager, opus);
    struct rtp_out *out = &packager->out;
    int err;

    rtp_out_reset(out);
    out->track = opus->track;
    out->payload_type = rtp_payload_type(opus->track);
    out->seq = packager->seq;
    out->ssrc = packager->random.ssrc;
    out->timestamp =
        rtp_ticks_of_us(opus->pts_us, OPUS_CLOCK_RATE) + packager->random.timestamp_offset;
    err = rtp_pack_opus(out, &packager->tracks->track[packager->track], opus);
    if (!err)
        err = out->err;
    if (!err)
        err = publish(packager, opus);
    /* Without memory a frame is missing, which listeners take for silence of the source. */
    if (!err)
        packager->seq = out->seq;
}

static int packager_open(struct packager **out, struct packager_sink *sink)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    packager->sink = sink;
    packager->opus.on_opus = on_opus;
    rtp_out_init(&packager->out);
    random_bytes(&packager->random, sizeof(packager->random));
    random_bytes(&packager->seq, sizeof(packager->seq));
    *out = packager;
    return 0;
}

static void packager_close(struct packager *packager)
{
    if (!packager)
        return;
    transcoder_close(packager->transcoder);
    tracks_unref(packager->tracks);
    rtp_out_fini(&packager->out);
    free(packager);
}

static int packager_set_tracks(struct packager *packager, struct tracks *tracks)
{
    unsigned index = 0;
    int err = 0;

    while (index < tracks->count && !to_opus_can(&tracks->track[index]))
        index++;
    if (index == tracks->count)
        return -ERR_UNSUPPORTED;
    if (!packager->transcoder)
        err = transcoder_open(&packager->transcoder, &packager->opus);
    if (err == 0)
        err = transcoder_set_track(packager->transcoder, tracks, index);
    if (err < 0)
        return err;
    tracks_ref(tracks);
    tracks_unref(packager->tracks);
    packager->tracks = tracks;
    packager->track = index;
    return 0;
}

static int packager_push(struct packager *packager, struct frame *frame)
{
    if (!packager->tracks || frame->track >= packager->tracks->count)
        return -ERR_NOT_FOUND;
    return frame->track == packager->track ? transcoder_push(packager->transcoder, frame) : 0;
}

const struct packager_kind packager_opus = {
    .name = "opus",
    .kind = PACKET_RTP_OPUS,
    .open = packager_open,
    .set_tracks = packager_set_tracks,
    .push = packager_push,
    .close = packager_close,
};
