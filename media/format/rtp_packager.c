/* Frames to RTP packets, once for all viewers: they see the same SSRC, sequence numbers and
 * timestamps. Each open draws new ones; a change of tracks keeps them. */
#include "media/format/rtp_packager.h"

#include <errno.h>
#include <stdlib.h>

#include "base/random.h"
#include "media/aac.h"
#include "media/format/rtp_out.h"
#include "media/packager.h"

struct rtp_lane {
    uint32_t ssrc, timestamp_offset;
    uint16_t seq;
};

struct packager {
    struct tracks *tracks; /* owned reference */
    struct rtp_out out;

    struct packager_sink *sink; /* borrowed */

    struct rtp_lane lane[TRACKS_MAX];
};

typedef int rtp_pack(struct rtp_out *out, const struct track *track, const struct frame *frame);

static const struct {
    rtp_pack *pack;
    uint32_t clock_rate; /* 0: the track's */
} codecs[CODEC_LAST] = {
    [CODEC_H264] = {rtp_pack_h264, 90000},  [CODEC_H265] = {rtp_pack_h265, 90000},
    [CODEC_MJPEG] = {rtp_pack_jpeg, 90000}, [CODEC_AAC] = {rtp_pack_aac, 0},
    [CODEC_OPUS] = {rtp_pack_opus, 48000},  [CODEC_PCMU] = {rtp_pack_pcm, 0},
    [CODEC_PCMA] = {rtp_pack_pcm, 0},       [CODEC_MP3] = {rtp_pack_mp3, 90000},
    [CODEC_L16] = {rtp_pack_pcm, 0},
};

/* A source may count AAC in other ticks than samples (LATM does, in 90000): RFC 3640 may not. */
static uint32_t aac_clock_rate(const struct track *track)
{
    struct aac_config config;
    bool is_samples = track->clock_rate && track->clock_rate != 90000;

    if (is_samples || !track->config ||
        aac_parse_config(&config, track->config->bytes, track->config->len))
        return track->clock_rate ? track->clock_rate : 48000;
    return config.sample_rate;
}

uint32_t rtp_clock_rate(const struct track *track)
{
    if (track->codec == CODEC_AAC)
        return aac_clock_rate(track);
    if ((unsigned)track->codec < CODEC_LAST && codecs[track->codec].clock_rate)
        return codecs[track->codec].clock_rate;
    return track->clock_rate ? track->clock_rate : 8000;
}

static void packager_close(struct packager *packager)
{
    if (!packager)
        return;
    tracks_unref(packager->tracks);
    rtp_out_fini(&packager->out);
    free(packager);
}

static int packager_open(struct packager **out, struct packager_sink *sink)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    packager->sink = sink;
    rtp_out_init(&packager->out);
    random_bytes(packager->lane, sizeof(packager->lane));
    *out = packager;
    return 0;
}

static int packager_set_tracks(struct packager *packager, struct tracks *tracks)
{
    unsigned carried = 0;

    for (unsigned i = 0; i < tracks->count; i++)
        carried += tracks->track[i].codec != CODEC_NONE && codecs[tracks->track[i].codec].pack;
    tracks_ref(tracks);
    tracks_unref(packager->tracks);
    packager->tracks = tracks;
    return carried ? 0 : -ERR_UNSUPPORTED;
}

/* The packet of what rtp_out holds, to the sink. */
static int publish(struct packager *packager, const struct frame *frame)
{
    struct packet *packet;
    int err = rtp_out_to_packet(&packager->out, &packet, PACKET_RTP, packager->tracks, frame);

    if (err < 0)
        return err;
    packet->is_key = frame->is_key && codec_is_video(packager->tracks->track[frame->track].codec);
    if (tracks_find_video(packager->tracks) < 0)
        packet->is_key = true;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

static int packager_push(struct packager *packager, struct frame *frame)
{
    struct rtp_out *out = &packager->out;
    const struct track *track;
    struct rtp_lane *lane;
    int err;

    if (!packager->tracks || frame->track >= packager->tracks->count)
        return -ERR_NOT_FOUND;
    track = &packager->tracks->track[frame->track];
    if ((unsigned)track->codec >= CODEC_LAST || !codecs[track->codec].pack)
        return -ERR_UNSUPPORTED;
    lane = &packager->lane[frame->track];
    rtp_out_reset(out);
    out->track = frame->track;
    out->payload_type = rtp_payload_type(frame->track);
    out->seq = lane->seq;
    out->ssrc = lane->ssrc;
    out->timestamp = rtp_ticks_of_us(frame->pts_us, rtp_clock_rate(track)) + lane->timestamp_offset;
    err = codecs[track->codec].pack(out, track, frame);
    if (!err)
        err = out->err;
    if (err || !out->span_count)
        return err;
    err = publish(packager, frame);
    /* Numbers that nobody has seen are used again: a gap would look like a loss. */
    if (!err)
        lane->seq = out->seq;
    return err;
}

const struct packager_kind packager_rtp = {
    .name = "rtp",
    .kind = PACKET_RTP,
    .open = packager_open,
    .set_tracks = packager_set_tracks,
    .push = packager_push,
    .close = packager_close,
};
