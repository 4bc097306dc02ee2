/* Frames to CMAF (ISO 23000-19): an init segment, and the parts of segments, by libavformat's mov
 * muxer in memory. What comes out depends on the frames alone, so that any server makes the same.
 */
#include <errno.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "media/aac.h"
#include "media/format/libav.h"
#include "media/h264.h"
#include "media/h265.h"
#include "media/packager.h"

enum {
    PART_US = 200 * 1000,
    PART_EARLY_US = 10 * 1000, /* a frame this early belongs to the next part: clocks jitter */
    PART_MAX_BYTES = 16 * 1024 * 1024,
    IO_BYTES = 32 * 1024,
    VIDEO_RATE = 90000,
    SEQUENCE_OFFSET = 20 /* of mfhd's number, from the moof box's first byte */
};

/* One of the stream's tracks that CMAF can carry. */
struct cmaf_track {
    int stream;            /* the muxer's; -1: left out */
    int64_t rate;          /* ticks a second */
    struct frame *waiting; /* owned: its duration is known with the next one */
};

struct packager {
    struct packager_sink *sink;
    struct tracks *tracks; /* owned reference */
    AVFormatContext *mux;  /* owned; NULL before tracks that can be carried */
    AVPacket *packet;      /* owned */
    struct writer out;     /* what the muxer wrote since the last part */
    struct cmaf_track track[TRACKS_MAX];
    unsigned lead; /* the track that segments and parts follow: video, if there is one */

    bool has_segment; /* a numbered key frame has come */
    int64_t segment, segment_start_us, part_start_us, part_wall_us;
    uint32_t part;
    bool is_independent;
    unsigned frame_count; /* in the part so far */
};

static int cmaf_open(struct packager **out, struct packager_sink *sink)
{
    struct packager *packager = calloc(1, sizeof(*packager));

    if (!packager)
        return -ENOMEM;
    libav_be_quiet();
    packager->sink = sink;
    writer_init(&packager->out, PART_MAX_BYTES);
    packager->packet = av_packet_alloc();
    if (!packager->packet) {
        free(packager);
        return -ENOMEM;
    }
    *out = packager;
    return 0;
}

static void drop_waiting(struct packager *packager)
{
    for (unsigned i = 0; i < TRACKS_MAX; i++) {
        frame_unref(packager->track[i].waiting);
        packager->track[i].waiting = NULL;
    }
}

static void close_mux(struct packager *packager)
{
    if (packager->mux) {
        av_freep(&packager->mux->pb->buffer);
        avio_context_free(&packager->mux->pb);
        avformat_free_context(packager->mux);
    }
    packager->mux = NULL;
    drop_waiting(packager);
    packager->has_segment = false;
}

static void cmaf_close(struct packager *packager)
{
    if (!packager)
        return;
    close_mux(packager);
    av_packet_free(&packager->packet);
    tracks_unref(packager->tracks);
    writer_fini(&packager->out);
    free(packager);
}

static int on_write(void *opaque, uint8_t *bytes, int len)
{
    struct packager *packager = opaque;

    writer_put(&packager->out, bytes, (size_t)len);
    return packager->out.err ? AVERROR(ENOMEM) : len;
}

static int write_config(const struct track *track, struct writer *out)
{
    switch (track->codec) {
    case CODEC_H264:
        return h264_write_avcc(out, track->config);
    case CODEC_H265:
        return h265_write_hvcc(out, track->config);
    case CODEC_AAC:
        writer_put(out, track->config->bytes, track->config->len);
        return out->err;
    case CODEC_OPUS: /* OpusHead (RFC 7845 section 5.1): little-endian from here on */
        writer_put(out, "OpusHead\1", 9);
        writer_uint(out, track->channels ? track->channels : 2, 1);
        writer_put(out, "\0\0\x80\xbb\0\0\0\0\0", 9);
        return out->err;
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_MP3:
    case CODEC_L16:
    case CODEC_LAST:
        return -ERR_UNSUPPORTED;
    }
    return -ERR_UNSUPPORTED;
}

static void describe_video(AVCodecParameters *parameters, const struct track *track)
{
    bool is_h265 = track->codec == CODEC_H265;

    parameters->codec_type = AVMEDIA_TYPE_VIDEO;
    parameters->codec_id = is_h265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264;
    parameters->codec_tag = is_h265 ? MKTAG('h', 'v', 'c', '1') : MKTAG('a', 'v', 'c', '1');
    parameters->width = track->width;
    parameters->height = track->height;
}

/* Cameras' RTP clocks for AAC need not be its sampling rate: the config knows. */
static int64_t audio_rate(const struct track *track)
{
    struct aac_config config;

    if (track->codec == CODEC_OPUS)
        return 48000;
    if (aac_parse_config(&config, track->config->bytes, track->config->len) < 0)
        return track->clock_rate;
    return config.sample_rate;
}

static void describe_audio(AVCodecParameters *parameters, const struct track *track, int64_t rate)
{
    parameters->codec_type = AVMEDIA_TYPE_AUDIO;
    parameters->codec_id = track->codec == CODEC_OPUS ? AV_CODEC_ID_OPUS : AV_CODEC_ID_AAC;
    parameters->sample_rate = (int)rate;
    parameters->frame_size = track->codec == CODEC_OPUS ? 960 : 1024;
    av_channel_layout_default(&parameters->ch_layout, track->channels ? track->channels : 1);
}

/* What CMAF has no place for is left out. */
static bool can_carry(const struct track *track)
{
    bool has_config = track->config && track->config->len;

    if (track->codec == CODEC_H264 || track->codec == CODEC_H265)
        return has_config && track->width;
    return track->codec == CODEC_OPUS || (track->codec == CODEC_AAC && has_config);
}

static int add_stream(struct packager *packager, unsigned index)
{
    const struct track *track = &packager->tracks->track[index];
    struct cmaf_track *own = &packager->track[index];
    AVStream *stream;
    struct writer config;
    int err;

    own->stream = -1;
    if (!can_carry(track))
        return 0;
    own->rate = codec_is_video(track->codec) ? VIDEO_RATE : audio_rate(track);
    stream = avformat_new_stream(packager->mux, NULL);
    if (!stream)
        return -ENOMEM;
    stream->time_base = (AVRational){1, (int)own->rate};
    if (codec_is_video(track->codec))
        describe_video(stream->codecpar, track);
    else
        describe_audio(stream->codecpar, track, own->rate);
    writer_init(&config, PARAMETER_SETS_MAX_BYTES * 2);
    err = write_config(track, &config);
    if (err == 0)
        err = libav_set_extradata(stream->codecpar, config.bytes, config.len);
    writer_fini(&config);
    own->stream = stream->index;
    return err;
}

/* frag_custom: a fragment is what lies between two flushes. frag_discont with no edit list: each
 * begins at its first frame's own time. */
static int write_header(struct packager *packager)
{
    AVDictionary *options = NULL;
    int err;

    av_dict_set(&options, "movflags",
                "frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer", 0);
    av_dict_set(&options, "use_editlist", "0", 0);
    av_dict_set(&options, "video_track_timescale", "90000", 0);
    err = avformat_write_header(packager->mux, &options);
    av_dict_free(&options);
    if (err < 0)
        return -ERR_LIBRARY;
    avio_flush(packager->mux->pb);
    return packager->out.err;
}

static int open_mux(struct packager *packager)
{
    uint8_t *io;

    if (avformat_alloc_output_context2(&packager->mux, NULL, "mp4", NULL) < 0)
        return -ENOMEM;
    packager->mux->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    packager->mux->max_interleave_delta = 0;
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

/* Everything that the muxer wrote becomes one packet. */
static int emit(struct packager *packager, const struct packet *like)
{
    struct packet *packet;
    struct buf *buf;
    int err = writer_to_buf(&packager->out, &buf);

    writer_reset(&packager->out);
    if (err < 0)
        return err;
    packet = packet_new(PACKET_CMAF, buf, packager->tracks, 0);
    if (!packet)
        return -ENOMEM;
    packet->is_key = like->is_key;
    packet->is_init = like->is_init;
    packet->track = (uint8_t)packager->lead;
    packet->dts_us = packet->pts_us = like->dts_us;
    packet->wall_us = like->wall_us;
    packet->cmaf = like->cmaf;
    packager->sink->push(packager->sink, packet);
    packet_unref(packet);
    return 0;
}

static bool choose_lead(struct packager *packager)
{
    int lead = -1;

    for (unsigned i = 0; i < packager->tracks->count; i++) {
        bool is_video = codec_is_video(packager->tracks->track[i].codec);

        if (packager->track[i].stream >= 0 && (lead < 0 || is_video))
            lead = (int)i;
    }
    packager->lead = lead < 0 ? 0 : (unsigned)lead;
    return lead >= 0;
}

static int cmaf_set_tracks(struct packager *packager, struct tracks *tracks)
{
    struct packet init = {.is_init = true};
    int err;

    close_mux(packager);
    writer_reset(&packager->out);
    tracks_unref(packager->tracks);
    packager->tracks = tracks_ref(tracks);
    err = open_mux(packager);
    for (unsigned i = 0; i < tracks->count && err == 0; i++)
        err = add_stream(packager, i);
    if (err == 0 && !choose_lead(packager))
        err = -ERR_UNSUPPORTED;
    if (err == 0)
        err = write_header(packager);
    if (err == 0)
        err = emit(packager, &init);
    if (err < 0)
        close_mux(packager);
    return err;
}

static int64_t ticks(const struct cmaf_track *track, int64_t us)
{
    /* Whole seconds apart from the rest, so that nothing overflows: times are since 1970. */
    return us / 1000000 * track->rate + us % 1000000 * track->rate / 1000000;
}

/* Hands the waiting frame over, which lasts until next_us. */
static int write_waiting(struct packager *packager, struct cmaf_track *track, int64_t next_us)
{
    struct frame *frame = track->waiting;
    AVPacket *packet = packager->packet;
    int err;

    track->waiting = NULL;
    packet->data = frame->buf->bytes;
    packet->size = (int)frame->buf->len;
    packet->stream_index = track->stream;
    packet->dts = ticks(track, frame->dts_us);
    packet->pts = packet->dts + ticks(track, frame->pts_us) - ticks(track, frame->dts_us);
    packet->duration = ticks(track, next_us) - packet->dts;
    packet->flags = frame->is_key ? AV_PKT_FLAG_KEY : 0;
    err = av_write_frame(packager->mux, packet);
    av_packet_unref(packet);
    packager->frame_count++;
    frame_unref(frame);
    return err < 0 ? -ERR_LIBRARY : 0;
}

/* The muxer counts fragments from when it began; ours must be the same on every server. */
static void set_sequence(struct packager *packager)
{
    uint32_t sequence = (uint32_t)(packager->segment * 256 + packager->part + 1) & 0x7fffffff;

    if (packager->out.len < SEQUENCE_OFFSET + 4)
        return;
    for (unsigned i = 0; i < 4; i++)
        packager->out.bytes[SEQUENCE_OFFSET + i] = (uint8_t)(sequence >> (24 - 8 * i));
}

static int flush_part(struct packager *packager, int64_t end_us, bool ends_segment)
{
    struct packet part = {.is_key = packager->is_independent,
                          .dts_us = packager->part_start_us,
                          .wall_us = packager->part_wall_us,
                          .cmaf = {.segment = (uint64_t)packager->segment,
                                   .part = packager->part,
                                   .duration_us = end_us - packager->part_start_us,
                                   .ends_segment = ends_segment,
                                   .is_independent = packager->is_independent}};

    if (!packager->frame_count)
        return 0;
    packager->frame_count = 0;
    if (av_write_frame(packager->mux, NULL) < 0)
        return -ERR_LIBRARY;
    avio_flush(packager->mux->pb);
    set_sequence(packager);
    return emit(packager, &part);
}

static void begin_part(struct packager *packager, const struct frame *frame)
{
    packager->part_start_us = frame->dts_us;
    packager->part_wall_us = frame->wall_us;
    packager->is_independent = frame->is_key;
}

/* A frame of the leading track may end the part before it, or the segment. */
static int place(struct packager *packager, const struct frame *frame)
{
    bool begins_segment = frame->segment != SEGMENT_NONE;
    int64_t in_segment_us = frame->dts_us - packager->segment_start_us + PART_EARLY_US;
    int64_t in_part_us = packager->part_start_us - packager->segment_start_us + PART_EARLY_US;
    int err = 0;

    if (!begins_segment && in_segment_us / PART_US == in_part_us / PART_US)
        return 0;
    if (packager->has_segment)
        err = flush_part(packager, frame->dts_us, begins_segment);
    packager->part++;
    if (begins_segment) {
        packager->has_segment = true;
        packager->segment = frame->segment;
        packager->segment_start_us = frame->dts_us;
        packager->part = 0;
    }
    begin_part(packager, frame);
    return err;
}

static int cmaf_push(struct packager *packager, struct frame *frame)
{
    struct cmaf_track *track = &packager->track[frame->track];
    bool is_lead = frame->track == packager->lead;
    int err = 0;

    if (!packager->mux || frame->track >= packager->tracks->count || track->stream < 0)
        return 0;
    if (!packager->has_segment && (!is_lead || frame->segment == SEGMENT_NONE))
        return 0;
    if (track->waiting && frame->dts_us <= track->waiting->dts_us)
        return 0; /* a clock that stands still has nothing to say */
    if (track->waiting)
        err = write_waiting(packager, track, frame->dts_us);
    if (err == 0 && is_lead)
        err = place(packager, frame);
    track->waiting = frame_ref(frame);
    return err;
}

const struct packager_kind packager_cmaf = {
    .name = "cmaf",
    .kind = PACKET_CMAF,
    .open = cmaf_open,
    .set_tracks = cmaf_set_tracks,
    .push = cmaf_push,
    .close = cmaf_close,
};
