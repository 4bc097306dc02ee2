/* Frames to MPEG-TS (ISO 13818-1) by libavformat's mpegts muxer in memory: a packet a frame for SRT
 * and push, or one a segment for HLS. One program; video is Annex B with a delimiter before each
 * access unit and the parameter sets before each key frame.
 */
#include <errno.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "media/aac.h"
#include "media/format/libav.h"
#include "media/packager.h"
#include "media/parameter_sets.h"

enum {
    SEGMENT_MAX_BYTES = 16 * 1024 * 1024,
    UNIT_MAX_BYTES = FRAME_MAX_BYTES * 2, /* start codes are no longer than lengths */
    IO_BYTES = 188 * 174,
    TS_BYTES = 188,
    TS_RATE = 90000,
    LEAD_US = 100 * 1000, /* a picture's bytes come so long before it is decoded */
    TABLE_PIDS_END = 0x20 /* PAT and SDT lie below; the PMT's follows them in one go */
};

struct packager {
    struct packager_sink *sink; /* borrowed */
    struct tracks *tracks;      /* owned reference */
    AVFormatContext *mux;       /* owned; NULL before tracks that can be carried */
    AVPacket *packet;           /* owned */
    struct writer out;          /* what the muxer wrote since the last packet */
    struct writer unit;         /* an access unit as Annex B */
    int stream[TRACKS_MAX];     /* the muxer's; -1: left out */
    int64_t last_ticks[TRACKS_MAX];
    enum packet_kind kind;
    unsigned lead; /* the track that segments follow: video, if there is one */

    /* PACKET_TS_SEGMENT only. */
    bool has_segment; /* a numbered key frame has come */
    int64_t segment, start_us, start_wall_us;
};

static int ts_open_as(struct packager **out, struct packager_sink *sink, enum packet_kind kind)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    libav_be_quiet();
    packager->sink = sink;
    packager->kind = kind;
    writer_init(&packager->out, SEGMENT_MAX_BYTES);
    writer_init(&packager->unit, UNIT_MAX_BYTES);
    packager->packet = av_packet_alloc();
    if (!packager->packet) {
        free(packager);
        return -ENOMEM;
    }
    *out = packager;
    return 0;
}

static int ts_open(struct packager **out, struct packager_sink *sink)
{
    return ts_open_as(out, sink, PACKET_TS);
}

static int ts_segment_open(struct packager **out, struct packager_sink *sink)
{
    return ts_open_as(out, sink, PACKET_TS_SEGMENT);
}

static void close_mux(struct packager *packager)
{
    if (packager->mux) {
        av_freep(&packager->mux->pb->buffer);
        avio_context_free(&packager->mux->pb);
        avformat_free_context(packager->mux);
    }
    packager->mux = NULL;
    packager->has_segment = false;
    writer_reset(&packager->out);
}

static void ts_close(struct packager *packager)
{
    if (!packager)
        return;
    close_mux(packager);
    av_packet_free(&packager->packet);
    tracks_unref(packager->tracks);
    writer_fini(&packager->unit);
    writer_fini(&packager->out);
    free(packager);
}

static int on_write(void *opaque, uint8_t *bytes, int len)
{
    struct packager *packager = opaque;

    writer_put(&packager->out, bytes, (size_t)len);
    return packager->out.err ? AVERROR(ENOMEM) : len;
}

/* An ADTS header stands before each frame, and names neither odd rates nor short frames. */
static bool fits_adts(const struct track *track)
{
    struct aac_config config;

    return track->config &&
           aac_parse_config(&config, track->config->bytes, track->config->len) == 0 &&
           config.object_type >= 1 && config.object_type <= 4 && config.frame_len == 1024 &&
           config.channels >= 1 && config.channels <= 7 && libav_is_adts_rate(config.sample_rate);
}

/* What MPEG-TS has no place for is left out: G.711, L16 and MJPEG. A transcoded track would come
 * in here, in place of its own. */
static enum AVCodecID codec_id(const struct track *track)
{
    switch (track->codec) {
    case CODEC_H264:
        return track->config ? AV_CODEC_ID_H264 : AV_CODEC_ID_NONE;
    case CODEC_H265:
        return track->config ? AV_CODEC_ID_HEVC : AV_CODEC_ID_NONE;
    case CODEC_AAC:
        return fits_adts(track) ? AV_CODEC_ID_AAC : AV_CODEC_ID_NONE;
    case CODEC_MP3:
        return AV_CODEC_ID_MP3;
    case CODEC_OPUS:
        return AV_CODEC_ID_OPUS;
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_L16:
    case CODEC_LAST:
        return AV_CODEC_ID_NONE;
    }
    return AV_CODEC_ID_NONE;
}

static int describe_audio(AVCodecParameters *parameters, const struct track *track)
{
    parameters->codec_type = AVMEDIA_TYPE_AUDIO;
    parameters->sample_rate = (int)(track->codec == CODEC_OPUS ? 48000 : track->clock_rate);
    av_channel_layout_default(&parameters->ch_layout, track->channels ? track->channels : 1);
    if (track->codec == CODEC_OPUS)
        return libav_set_opus_head(parameters, track->channels ? track->channels : 2);
    if (track->codec == CODEC_AAC)
        return libav_set_extradata(parameters, track->config->bytes, track->config->len);
    return 0;
}

static int add_stream(struct packager *packager, unsigned index)
{
    const struct track *track = &packager->tracks->track[index];
    enum AVCodecID codec = codec_id(track);
    AVStream *stream;

    packager->stream[index] = -1;
    packager->last_ticks[index] = INT64_MIN;
    if (codec == AV_CODEC_ID_NONE)
        return 0;
    stream = avformat_new_stream(packager->mux, NULL);
    if (!stream)
        return -ENOMEM;
    packager->stream[index] = stream->index;
    stream->time_base = (AVRational){1, TS_RATE};
    stream->codecpar->codec_id = codec;
    if (!codec_is_video(track->codec))
        return describe_audio(stream->codecpar, track);
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->width = track->width;
    stream->codecpar->height = track->height;
    return 0;
}

/* The tables come at least each 100 ms at any frame rate above 20, and before each key frame; the
 * clock with each picture (without one, with each frame of audio). No frame waits for another. */
static int write_header(struct packager *packager)
{
    AVDictionary *options = NULL;
    int err;

    av_dict_set(&options, "pat_period", "0.05", 0);
    av_dict_set(&options, "sdt_period", "1", 0);
    av_dict_set(&options, "pcr_period", "20", 0);
    av_dict_set(&options, "pes_payload_size", "0", 0);
    err = avformat_write_header(packager->mux, &options);
    av_dict_free(&options);
    return err < 0 ? -ERR_LIBRARY : 0;
}

static int open_mux(struct packager *packager)
{
    uint8_t *io;

    if (avformat_alloc_output_context2(&packager->mux, NULL, "mpegts", NULL) < 0)
        return -ENOMEM;
    packager->mux->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    packager->mux->flags &= ~AVFMT_FLAG_AUTO_BSF;
    packager->mux->max_delay = LEAD_US;
    packager->mux->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED; /* times are as they are */
    io = av_malloc(IO_BYTES);
    packager->mux->pb =
        io ? avio_alloc_context(io, IO_BYTES, 1, packager, NULL, on_write, NULL) : NULL;
    if (!packager->mux->pb) {
        av_free(io);
        avformat_free_context(packager->mux);
        packager->mux = NULL;
        return -ENOMEM;
    }
    packager->mux->pb->seekable = 0;
    return 0;
}

static bool choose_lead(struct packager *packager)
{
    int lead = -1;

    for (unsigned i = 0; i < packager->tracks->count; i++) {
        bool is_video = codec_is_video(packager->tracks->track[i].codec);

        if (packager->stream[i] >= 0 && (lead < 0 || is_video))
            lead = (int)i;
    }
    packager->lead = lead < 0 ? 0 : (unsigned)lead;
    return lead >= 0;
}

static int ts_set_tracks(struct packager *packager, struct tracks *tracks)
{
    int err;

    close_mux(packager);
    tracks_unref(packager->tracks);
    packager->tracks = tracks_ref(tracks);
    err = open_mux(packager);
    for (unsigned i = 0; i < tracks->count && err == 0; i++)
        err = add_stream(packager, i);
    if (err == 0 && !choose_lead(packager))
        err = -ERR_UNSUPPORTED;
    if (err == 0)
        err = write_header(packager);
    if (err < 0)
        close_mux(packager);
    return err;
}

static void put_units(struct writer *out, const struct buf *buf)
{
    size_t offset = 0;

    for (struct nal_view nal = nal_next(buf->bytes, buf->len, &offset); nal.bytes;
         nal = nal_next(buf->bytes, buf->len, &offset)) {
        writer_uint(out, 1, 4);
        writer_put(out, nal.bytes, nal.len);
    }
}

/* The frame's bytes as they stand in a PES packet: in packager->unit, or the frame's own. */
static int write_unit(struct packager *packager, const struct frame *frame)
{
    const struct track *track = &packager->tracks->track[frame->track];
    AVPacket *packet = packager->packet;

    packet->data = frame->buf->bytes;
    packet->size = (int)frame->buf->len;
    if (!codec_is_video(track->codec))
        return 0;
    writer_reset(&packager->unit);
    if (track->codec == CODEC_H264)
        writer_put(&packager->unit, "\0\0\0\1\x09\xf0", 6);
    else
        writer_put(&packager->unit, "\0\0\0\1\x46\x01\x50", 7);
    if (frame->is_key)
        put_units(&packager->unit, track->config);
    put_units(&packager->unit, frame->buf);
    packet->data = packager->unit.bytes;
    packet->size = (int)packager->unit.len;
    return packager->unit.err;
}

static int64_t ticks(int64_t us)
{
    /* Whole seconds apart from the rest, so that nothing overflows: times are since 1970. */
    return us / 1000000 * TS_RATE + us % 1000000 * TS_RATE / 1000000;
}

static int mux_frame(struct packager *packager, const struct frame *frame)
{
    AVPacket *packet = packager->packet;
    int64_t dts = ticks(frame->dts_us);
    int err;

    if (dts <= packager->last_ticks[frame->track])
        return 0; /* a clock that stands still has nothing to say */
    packager->last_ticks[frame->track] = dts;
    err = write_unit(packager, frame);
    if (err < 0)
        return err;
    if (frame->is_key && frame->track == packager->lead &&
        codec_is_video(packager->tracks->track[frame->track].codec))
        (void)av_opt_set(packager->mux->priv_data, "mpegts_flags", "+resend_headers", 0);
    packet->stream_index = packager->stream[frame->track];
    packet->dts = dts;
    packet->pts = dts + ticks(frame->pts_us) - ticks(frame->dts_us);
    packet->flags = frame->is_key ? AV_PKT_FLAG_KEY : 0;
    err = av_write_frame(packager->mux, packet);
    av_packet_unref(packet);
    avio_flush(packager->mux->pb);
    return err < 0 ? -ERR_LIBRARY : 0;
}

/* Everything that the muxer wrote becomes one packet. */
static int emit(struct packager *packager, const struct packet *like)
{
    struct packet *packet;
    struct buf *buf;
    int err = writer_to_buf(&packager->out, &buf);

    writer_reset(&packager->out);
    if (err < 0)
        return err;
    packet = packet_new(packager->kind, buf, packager->tracks, 0);
    if (!packet)
        return -ENOMEM;
    packet->track = like->track;
    packet->is_key = like->is_key;
    packet->dts_us = like->dts_us;
    packet->pts_us = like->pts_us;
    packet->wall_us = like->wall_us;
    packet->cmaf = like->cmaf;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

/* Do the bytes so far begin with the tables that a viewer needs first? */
static bool begins_with_tables(const struct writer *out)
{
    return out->len >= TS_BYTES && ((out->bytes[1] & 0x1f) << 8 | out->bytes[2]) < TABLE_PIDS_END;
}

static bool can_carry(const struct packager *packager, const struct frame *frame)
{
    return packager->mux && frame->track < packager->tracks->count &&
           packager->stream[frame->track] >= 0;
}

static int ts_push(struct packager *packager, struct frame *frame)
{
    struct packet like = {.track = frame->track,
                          .dts_us = frame->dts_us,
                          .pts_us = frame->pts_us,
                          .wall_us = frame->wall_us};
    int err;

    if (!can_carry(packager, frame))
        return 0;
    err = mux_frame(packager, frame);
    if (err < 0 || !packager->out.len) {
        writer_reset(&packager->out);
        return err;
    }
    like.is_key =
        frame->is_key && frame->track == packager->lead && begins_with_tables(&packager->out);
    return emit(packager, &like);
}

static int end_segment(struct packager *packager, int64_t end_us)
{
    struct packet like = {.is_key = true,
                          .track = (uint8_t)packager->lead,
                          .dts_us = packager->start_us,
                          .pts_us = packager->start_us,
                          .wall_us = packager->start_wall_us,
                          .cmaf = {.segment = (uint64_t)packager->segment,
                                   .duration_us = end_us - packager->start_us,
                                   .ends_segment = true,
                                   .is_independent = true}};

    return emit(packager, &like);
}

static int ts_segment_push(struct packager *packager, struct frame *frame)
{
    int err = 0, muxed;

    if (!can_carry(packager, frame))
        return 0;
    if (frame->track == packager->lead && frame->segment != SEGMENT_NONE) {
        if (packager->has_segment)
            err = end_segment(packager, frame->dts_us);
        writer_reset(&packager->out);
        packager->has_segment = true;
        packager->segment = frame->segment;
        packager->start_us = frame->dts_us;
        packager->start_wall_us = frame->wall_us;
    }
    if (!packager->has_segment)
        return 0;
    muxed = mux_frame(packager, frame);
    return err < 0 ? err : muxed;
}

const struct packager_kind packager_ts = {
    .name = "ts",
    .kind = PACKET_TS,
    .open = ts_open,
    .set_tracks = ts_set_tracks,
    .push = ts_push,
    .close = ts_close,
};

const struct packager_kind packager_ts_segment = {
    .name = "ts-segment",
    .kind = PACKET_TS_SEGMENT,
    .open = ts_segment_open,
    .set_tracks = ts_set_tracks,
    .push = ts_segment_push,
    .close = ts_close,
};
