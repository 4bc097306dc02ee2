/* A tone as L16 and as AAC, and what is left of it in Opus. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio/to_opus.h"
#include "media/format/libav.h"

enum { TONE_HZ = 1000, TONE_HEARD_MAX = 48000 * 12 };

/* The frames of a source, and where they begin. */
struct tone {
    struct tracks *tracks;
    struct frame *frames[2048];
    unsigned count;
};

static inline struct frame *tone_frame(const void *bytes, size_t len, int64_t pts_us)
{
    struct frame *frame = frame_new(buf_copy(bytes, len));

    assert_non_null(frame);
    frame->is_key = true;
    frame->dts_us = frame->pts_us = pts_us;
    frame->wall_us = 1700000000000000 + pts_us;
    return frame;
}

static inline void tone_init(struct tone *tone, enum codec codec, uint32_t rate, uint8_t channels)
{
    *tone = (struct tone){.tracks = tracks_new(1)};
    assert_non_null(tone->tracks);
    tone->tracks->track[0].codec = codec;
    tone->tracks->track[0].clock_rate = rate;
    tone->tracks->track[0].channels = channels;
}

static inline void tone_fini(struct tone *tone)
{
    for (unsigned i = 0; i < tone->count; i++)
        frame_unref(tone->frames[i]);
    tracks_unref(tone->tracks);
}

/* Silence until onset_us, then half of full scale. */
static inline double tone_at(int64_t sample, uint32_t rate, int64_t onset_us)
{
    if (sample * 1000000 / rate < onset_us)
        return 0;
    return 0.5 * sin(2 * M_PI * TONE_HZ * (double)sample / rate);
}

/* Frames of 10 ms, the first at base_us. */
static inline void tone_l16(struct tone *tone, uint32_t rate, uint8_t channels, int64_t us,
                            int64_t onset_us)
{
    uint8_t bytes[480 * 2 * 2];
    int64_t sample = 0;

    tone_init(tone, CODEC_L16, rate, channels);
    assert_true(rate <= 48000 && channels <= 2);
    while (sample * 1000000 / rate < us) {
        int64_t pts_us = sample * 1000000 / rate;
        size_t len = 0;

        for (uint32_t i = 0; i < rate / 100; i++, sample++) {
            int value = (int)(32767 * tone_at(sample, rate, onset_us));

            for (unsigned k = 0; k < channels; k++) {
                bytes[len++] = (uint8_t)((unsigned)value >> 8);
                bytes[len++] = (uint8_t)value;
            }
        }
        tone->frames[tone->count++] = tone_frame(bytes, len, pts_us);
    }
}

static inline void tone_take(struct tone *tone, AVCodecContext *encoder, AVPacket *packet)
{
    while (avcodec_receive_packet(encoder, packet) == 0) {
        int64_t pts_us = packet->pts * 1000000 / encoder->sample_rate;

        tone->frames[tone->count++] = tone_frame(packet->data, (size_t)packet->size, pts_us);
        av_packet_unref(packet);
    }
}

/* Stereo, as AAC-LC; times are the encoder's, so that its delay is in them. */
static inline void tone_aac(struct tone *tone, int rate, int64_t us, int64_t onset_us)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    AVFrame *pcm = av_frame_alloc();
    int64_t sample = 0;

    libav_be_quiet();
    tone_init(tone, CODEC_AAC, (uint32_t)rate, 2);
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = rate;
    encoder->bit_rate = 128000;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    encoder->time_base = (AVRational){1, rate};
    av_channel_layout_default(&encoder->ch_layout, 2);
    assert_int_equal(avcodec_open2(encoder, codec, NULL), 0);
    tone->tracks->track[0].config = buf_copy(encoder->extradata, (size_t)encoder->extradata_size);
    while (sample * 1000000 / rate < us) {
        pcm->format = AV_SAMPLE_FMT_FLTP;
        pcm->nb_samples = encoder->frame_size;
        assert_int_equal(av_channel_layout_copy(&pcm->ch_layout, &encoder->ch_layout), 0);
        assert_int_equal(av_frame_get_buffer(pcm, 0), 0);
        pcm->pts = sample;
        for (int i = 0; i < pcm->nb_samples; i++, sample++)
            for (int k = 0; k < 2; k++)
                ((float *)(void *)pcm->data[k])[i] =
                    (float)tone_at(sample, (uint32_t)rate, onset_us);
        assert_int_equal(avcodec_send_frame(encoder, pcm), 0);
        av_frame_unref(pcm);
        tone_take(tone, encoder, packet);
    }
    av_frame_free(&pcm);
    av_packet_free(&packet);
    avcodec_free_context(&encoder);
}

/* What a listener hears: the left channel at 48 kHz, and when each Opus frame was due. */
struct tone_heard {
    AVCodecContext *decoder;
    float *samples; /* as if the frames followed each other without a gap */
    int count;
    unsigned frame_count, gap_count;
    int64_t first_us, last_us;
};

static inline void tone_heard_init(struct tone_heard *heard)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_OPUS);

    *heard = (struct tone_heard){.decoder = avcodec_alloc_context3(codec)};
    heard->samples = calloc(TONE_HEARD_MAX, sizeof(float));
    assert_non_null(heard->samples);
    heard->decoder->sample_rate = OPUS_CLOCK_RATE;
    av_channel_layout_default(&heard->decoder->ch_layout, 2);
    assert_int_equal(avcodec_open2(heard->decoder, codec, NULL), 0);
}

static inline void tone_heard_fini(struct tone_heard *heard)
{
    avcodec_free_context(&heard->decoder);
    free(heard->samples);
}

static inline void tone_hear_bytes(struct tone_heard *heard, const uint8_t *bytes, size_t len,
                                   int64_t pts_us)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *pcm = av_frame_alloc();

    assert_int_equal(av_new_packet(packet, (int)len), 0);
    memcpy(packet->data, bytes, len);
    assert_int_equal(avcodec_send_packet(heard->decoder, packet), 0);
    while (avcodec_receive_frame(heard->decoder, pcm) == 0) {
        assert_true(heard->count + pcm->nb_samples <= TONE_HEARD_MAX);
        assert_int_equal(pcm->format, AV_SAMPLE_FMT_FLTP);
        memcpy(heard->samples + heard->count, pcm->data[0],
               (size_t)pcm->nb_samples * sizeof(float));
        heard->count += pcm->nb_samples;
    }
    av_frame_free(&pcm);
    av_packet_free(&packet);
    if (!heard->frame_count++)
        heard->first_us = pts_us;
    else if (pts_us != heard->last_us + OPUS_FRAME_US)
        heard->gap_count++;
    heard->last_us = pts_us;
}

static inline void tone_hear(struct tone_heard *heard, const struct frame *opus)
{
    assert_true(opus->is_key);
    assert_int_equal(opus->dts_us, opus->pts_us);
    tone_hear_bytes(heard, opus->buf->bytes, opus->buf->len, opus->pts_us);
}

static inline double tone_energy(const struct tone_heard *heard, int from, int to)
{
    double sum = 0;

    assert_true(from >= 0 && to > from && to <= heard->count);
    for (int i = from; i < to; i++)
        sum += (double)heard->samples[i] * (double)heard->samples[i];
    return sum / (to - from);
}

/* How much of the energy in those samples is the tone's: 0 to 1. */
static inline double tone_purity(const struct tone_heard *heard, int from, int to)
{
    double re = 0, im = 0, n = to - from;

    for (int i = from; i < to; i++) {
        re += (double)heard->samples[i] * cos(2 * M_PI * TONE_HZ * i / OPUS_CLOCK_RATE);
        im += (double)heard->samples[i] * sin(2 * M_PI * TONE_HZ * i / OPUS_CLOCK_RATE);
    }
    return 2 * (re * re + im * im) / (n * n) / (tone_energy(heard, from, to) + 1e-12);
}

/* When it is heard first. */
static inline int64_t tone_onset_us(const struct tone_heard *heard)
{
    int i = 0;

    while (i < heard->count && fabsf(heard->samples[i]) < 0.1f)
        i++;
    return heard->first_us + (int64_t)i * 1000000 / OPUS_CLOCK_RATE;
}
