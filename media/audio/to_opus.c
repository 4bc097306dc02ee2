/* Time is counted in samples at 48 kHz. The clock of the Opus frames is set by the first frame, and
 * advances with the samples; later frames only say how far it is off. */
#include "media/audio/to_opus.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#include "media/aac.h"
#include "media/format/libav.h"

enum {
    INPUT_MAX_BYTES = 64 * 1024,
    INPUT_MIN_RATE = 4000,
    INPUT_MAX_RATE = 192000,
    INPUT_MAX_CHANNELS = 8,
    OPUS_SAMPLES = OPUS_CLOCK_RATE / 50,
    MONO_BPS = 64000,
    STEREO_BPS = 96000,
    COMPLEXITY = 5, /* of 10: half the time of the default, hardly a difference at these rates */
    JUMP_SAMPLES = OPUS_CLOCK_RATE / 25,         /* further off than this: the clock is set anew */
    STRETCH_MIN_SAMPLES = OPUS_CLOCK_RATE / 500, /* nearer than this: left alone */
    STRETCH_MAX_SAMPLES = OPUS_CLOCK_RATE / 200, /* a second: half a percent, not to be heard */
    DRIFT_FRAMES = 16                            /* that the difference is averaged over */
};

_Static_assert((int)INPUT_MAX_CHANNELS <= (int)AV_NUM_DATA_POINTERS, "an AVFrame has as many");

static const int64_t time_max_us = INT64_C(1) << 60;

struct to_opus {
    AVCodecContext *decoder, *encoder;
    SwrContext *resampler; /* NULL until the first frame says what it is */
    AVPacket *packet;
    AVFrame *decoded, *pcm; /* pcm: the Opus frame that fills up */
    int16_t *samples;       /* what came out of the resampler */

    struct to_opus_sink *sink; /* borrowed */

    int samples_room;           /* per channel */
    int rate, format, channels; /* of what was decoded last */
    int fill;                   /* samples in pcm */
    int64_t next;               /* when pcm begins */
    bool has_clock;
    int64_t drift;         /* how much later the frames are than the samples say */
    int64_t since_stretch; /* samples */
    bool has_pushed;
    int64_t last_pts_us;
};

static const struct {
    enum AVCodecID id;
    bool needs_config, needs_rate;
} codecs[CODEC_LAST] = {
    [CODEC_AAC] = {AV_CODEC_ID_AAC, true, false},
    [CODEC_MP3] = {AV_CODEC_ID_MP3, false, false},
    [CODEC_L16] = {AV_CODEC_ID_PCM_S16BE, false, true},
};

static bool is_rate_sane(int64_t rate)
{
    return rate >= INPUT_MIN_RATE && rate <= INPUT_MAX_RATE;
}

bool to_opus_can(const struct track *track)
{
    if ((unsigned)track->codec >= CODEC_LAST || !codecs[track->codec].id)
        return false;
    if (codecs[track->codec].needs_config &&
        (!track->config || !track->config->len || track->config->len > AAC_CONFIG_MAX_BYTES))
        return false;
    if (codecs[track->codec].needs_rate && !is_rate_sane(track->clock_rate))
        return false;
    return track->channels <= INPUT_MAX_CHANNELS;
}

static int err_of(int averror, int otherwise)
{
    return averror == AVERROR(ENOMEM) ? -ENOMEM : otherwise;
}

static int decoder_open(struct to_opus *converter, const struct track *track)
{
    const AVCodec *codec = avcodec_find_decoder(codecs[track->codec].id);
    AVCodecContext *decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    int err;

    if (!decoder)
        return codec ? -ENOMEM : -ERR_UNSUPPORTED;
    converter->decoder = decoder;
    decoder->thread_count = 1;
    if (codecs[track->codec].needs_rate) {
        decoder->sample_rate = (int)track->clock_rate;
        av_channel_layout_default(&decoder->ch_layout, track->channels ? track->channels : 1);
    }
    if (codecs[track->codec].needs_config) {
        decoder->extradata = av_mallocz(track->config->len + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!decoder->extradata)
            return -ENOMEM;
        memcpy(decoder->extradata, track->config->bytes, track->config->len);
        decoder->extradata_size = (int)track->config->len;
    }
    err = avcodec_open2(decoder, codec, NULL);
    return err < 0 ? err_of(err, -ERR_UNSUPPORTED) : 0;
}

/* What the encoder takes: 20 ms at a time. */
static int pcm_alloc(struct to_opus *converter)
{
    AVFrame *pcm = converter->pcm;
    int err;

    av_frame_unref(pcm);
    pcm->format = AV_SAMPLE_FMT_S16;
    pcm->nb_samples = OPUS_SAMPLES;
    pcm->sample_rate = OPUS_CLOCK_RATE;
    err = av_channel_layout_copy(&pcm->ch_layout, &converter->encoder->ch_layout);
    if (err >= 0)
        err = av_frame_get_buffer(pcm, 0);
    converter->fill = 0;
    return err < 0 ? -ENOMEM : 0;
}

static int encoder_open(struct to_opus *converter, int channels)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    AVDictionary *options = NULL;
    int err;

    if (!encoder)
        return codec ? -ENOMEM : -ERR_UNSUPPORTED;
    avcodec_free_context(&converter->encoder);
    converter->encoder = encoder;
    encoder->thread_count = 1;
    encoder->sample_fmt = AV_SAMPLE_FMT_S16;
    encoder->sample_rate = OPUS_CLOCK_RATE;
    encoder->bit_rate = channels == 1 ? MONO_BPS : STEREO_BPS;
    encoder->compression_level = COMPLEXITY;
    encoder->time_base = (AVRational){1, OPUS_CLOCK_RATE};
    av_channel_layout_default(&encoder->ch_layout, channels);
    err = av_dict_parse_string(&options, "application=lowdelay:vbr=constrained:frame_duration=20",
                               "=", ":", 0);
    if (err >= 0)
        err = avcodec_open2(encoder, codec, &options);
    av_dict_free(&options);
    if (err >= 0 && encoder->frame_size != OPUS_SAMPLES)
        err = AVERROR_BUG;
    return err < 0 ? err_of(err, -ERR_LIBRARY) : pcm_alloc(converter);
}

static int resampler_open(struct to_opus *converter, AVFrame *decoded)
{
    int err;

    swr_free(&converter->resampler);
    err = swr_alloc_set_opts2(&converter->resampler, &converter->encoder->ch_layout,
                              AV_SAMPLE_FMT_S16, OPUS_CLOCK_RATE, &decoded->ch_layout,
                              (enum AVSampleFormat)decoded->format, decoded->sample_rate, 0, NULL);
    /* Also from 48 to 48 kHz: only a resampler can stretch. */
    if (err >= 0)
        err = av_opt_set_int(converter->resampler, "flags", SWR_FLAG_RESAMPLE, 0);
    if (err >= 0)
        err = swr_init(converter->resampler);
    converter->has_clock = false;
    if (err < 0)
        swr_free(&converter->resampler);
    return err < 0 ? err_of(err, -ERR_UNSUPPORTED) : 0;
}

int to_opus_open(struct to_opus **out, const struct track *track, struct to_opus_sink *sink)
{
    struct to_opus *converter;
    int err;

    if (!to_opus_can(track))
        return -ERR_UNSUPPORTED;
    libav_be_quiet();
    converter = calloc(1, sizeof(*converter));
    if (!converter)
        return -ENOMEM;
    converter->sink = sink;
    converter->packet = av_packet_alloc();
    converter->decoded = av_frame_alloc();
    converter->pcm = av_frame_alloc();
    err = converter->packet && converter->decoded && converter->pcm ? 0 : -ENOMEM;
    if (err == 0)
        err = decoder_open(converter, track);
    if (err < 0) {
        to_opus_close(converter);
        return err;
    }
    *out = converter;
    return 0;
}

void to_opus_close(struct to_opus *converter)
{
    if (!converter)
        return;
    avcodec_free_context(&converter->decoder);
    avcodec_free_context(&converter->encoder);
    swr_free(&converter->resampler);
    av_packet_free(&converter->packet);
    av_frame_free(&converter->decoded);
    av_frame_free(&converter->pcm);
    free(converter->samples);
    free(converter);
}

/* What was decoded may change at any time (HE-AAC says late that it is stereo, or 48 kHz). */
static int follow_format(struct to_opus *converter, AVFrame *decoded)
{
    int channels = decoded->ch_layout.nb_channels, out_channels = channels == 1 ? 1 : 2, err = 0;

    if (channels < 1 || channels > INPUT_MAX_CHANNELS || !is_rate_sane(decoded->sample_rate))
        return -ERR_UNSUPPORTED;
    if (converter->resampler && decoded->sample_rate == converter->rate &&
        decoded->format == converter->format && channels == converter->channels)
        return 0;
    converter->rate = decoded->sample_rate;
    converter->format = decoded->format;
    converter->channels = channels;
    if (!converter->encoder || converter->encoder->ch_layout.nb_channels != out_channels)
        err = encoder_open(converter, out_channels);
    return err < 0 ? err : resampler_open(converter, decoded);
}

static void clock_set(struct to_opus *converter, int64_t first)
{
    converter->next = first;
    converter->fill = 0;
    converter->drift = 0;
    converter->since_stretch = 0;
    converter->has_clock = true;
}

/* Once a second, half of the difference. Without memory it is tried again a second later. */
static void stretch(struct to_opus *converter)
{
    int64_t delta = converter->drift / 2;

    if (converter->since_stretch < OPUS_CLOCK_RATE)
        return;
    converter->since_stretch = 0;
    if (delta > STRETCH_MAX_SAMPLES)
        delta = STRETCH_MAX_SAMPLES;
    if (delta < -STRETCH_MAX_SAMPLES)
        delta = -STRETCH_MAX_SAMPLES;
    if (delta < STRETCH_MIN_SAMPLES / 2 && delta > -STRETCH_MIN_SAMPLES / 2)
        delta = 0;
    (void)!swr_set_compensation(converter->resampler, (int)delta, OPUS_CLOCK_RATE);
}

/* The frame's first sample was captured at pts: is that what the samples so far say? */
static void follow_clock(struct to_opus *converter, int64_t pts_us)
{
    int64_t pts = pts_us * 6 / 125; /* to 48 kHz */
    int64_t waiting = swr_get_delay(converter->resampler, OPUS_CLOCK_RATE);
    int64_t off = pts - (converter->next + converter->fill + waiting);

    if (!converter->has_clock || off > JUMP_SAMPLES || off < -JUMP_SAMPLES) {
        clock_set(converter, pts - waiting);
        return;
    }
    converter->drift += (off - converter->drift) / DRIFT_FRAMES;
    stretch(converter);
}

/* Rounded down, so that 20 ms stay 20 ms also where the clock passes zero. */
static int64_t us_of(int64_t samples)
{
    int64_t us = samples * 125 / 6;

    return us * 6 > samples * 125 ? us - 1 : us;
}

static int publish(struct to_opus *converter, int64_t pts, const struct frame *source)
{
    int64_t pts_us = us_of(pts);
    struct frame *opus;
    int err;

    /* After a jump back: the clock of a track doesn't go back, so this time was heard already. */
    if (converter->has_pushed && pts_us <= converter->last_pts_us)
        return 0;
    opus = frame_new(buf_copy(converter->packet->data, (size_t)converter->packet->size));
    if (!opus)
        return -ENOMEM;
    opus->track = source->track;
    opus->is_key = true;
    opus->dts_us = opus->pts_us = pts_us;
    if (source->wall_us)
        opus->wall_us = source->wall_us + (pts_us - source->pts_us);
    converter->has_pushed = true;
    converter->last_pts_us = pts_us;
    err = converter->sink->push(converter->sink, opus);
    frame_unref(opus);
    return err;
}

/* Every 20 ms that go in come out at once, late by what the encoder looks ahead. */
static int encode(struct to_opus *converter, const struct frame *source)
{
    int64_t pts = converter->next - converter->encoder->initial_padding;
    int err = avcodec_send_frame(converter->encoder, converter->pcm);

    converter->next += OPUS_SAMPLES;
    converter->fill = 0;
    while (err >= 0) {
        err = avcodec_receive_packet(converter->encoder, converter->packet);
        if (err == AVERROR(EAGAIN))
            return 0;
        if (err < 0)
            break;
        err = publish(converter, pts, source);
        av_packet_unref(converter->packet);
        if (err < 0)
            return err;
    }
    return err_of(err, -ERR_LIBRARY);
}

static int fill_up(struct to_opus *converter, int count, const struct frame *source)
{
    int channels = converter->encoder->ch_layout.nb_channels;

    for (int at = 0; at < count;) {
        int room = OPUS_SAMPLES - converter->fill, piece = count - at < room ? count - at : room;
        int err = av_frame_make_writable(converter->pcm);

        if (err < 0)
            return -ENOMEM;
        memcpy((int16_t *)(void *)converter->pcm->data[0] + converter->fill * channels,
               converter->samples + at * channels,
               (size_t)(piece * channels) * sizeof(converter->samples[0]));
        converter->fill += piece;
        at += piece;
        if (converter->fill == OPUS_SAMPLES)
            err = encode(converter, source);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Room for count samples of two channels, kept from frame to frame. */
static int samples_reserve(struct to_opus *converter, int count)
{
    int16_t *samples;

    if (count <= converter->samples_room)
        return 0;
    samples = realloc(converter->samples, (size_t)count * 2 * sizeof(*samples));
    if (!samples)
        return -ENOMEM;
    converter->samples = samples;
    converter->samples_room = count;
    return 0;
}

/* A frame that holds several of its codec's (MP3's may) tells the time of the first. */
static int convert(struct to_opus *converter, const struct frame *source, bool is_first)
{
    AVFrame *decoded = converter->decoded;
    const uint8_t *in[INPUT_MAX_CHANNELS];
    uint8_t *out;
    int count, err = follow_format(converter, decoded);

    if (err < 0)
        return err;
    if (decoded->nb_samples > decoded->sample_rate)
        return -ERR_TOO_LONG; /* more than a second */
    if (is_first || !converter->has_clock)
        follow_clock(converter, source->pts_us);
    count = swr_get_out_samples(converter->resampler, decoded->nb_samples);
    if (count < 0)
        return -ERR_LIBRARY;
    err = samples_reserve(converter, count);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < INPUT_MAX_CHANNELS; i++)
        in[i] = decoded->extended_data[i];
    out = (uint8_t *)converter->samples;
    count = swr_convert(converter->resampler, &out, count, in, decoded->nb_samples);
    if (count < 0)
        return err_of(count, -ERR_LIBRARY);
    converter->since_stretch += count;
    return fill_up(converter, count, source);
}

static int decoder_feed(struct to_opus *converter, const struct buf *buf)
{
    AVPacket *packet = converter->packet;
    int err = av_new_packet(packet, (int)buf->len); /* padded, as decoders want it */

    if (err < 0)
        return -ENOMEM;
    memcpy(packet->data, buf->bytes, buf->len);
    err = avcodec_send_packet(converter->decoder, packet);
    av_packet_unref(packet);
    return err < 0 ? err_of(err, -ERR_PROTOCOL) : 0;
}

static bool is_time_sane(int64_t us)
{
    return us <= time_max_us && us >= -time_max_us;
}

/* All of what a frame held is taken out, also after an error: what stays would block the decoder.
 */
int to_opus_push(struct to_opus *converter, const struct frame *frame)
{
    bool is_first = true;
    int err, got;

    if (!is_time_sane(frame->pts_us) || !is_time_sane(frame->wall_us) || !frame->buf->len)
        return -ERR_PROTOCOL;
    if (frame->buf->len > INPUT_MAX_BYTES)
        return -ERR_TOO_LONG;
    err = decoder_feed(converter, frame->buf);
    while ((got = avcodec_receive_frame(converter->decoder, converter->decoded)) >= 0) {
        int convert_err = convert(converter, frame, is_first);

        err = err ? err : convert_err;
        av_frame_unref(converter->decoded);
        is_first = false;
    }
    if (got != AVERROR(EAGAIN) && err == 0)
        err = err_of(got, -ERR_PROTOCOL);
    return err;
}
