#include "media/format/still.h"

#include <errno.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "base/reader.h"
#include "base/writer.h"
#include "media/format/libav.h"

enum { STILL_MAX_BYTES = 8 * 1024 * 1024, QUALITY = 4 /* of 2 (best) to 31 */, SIDE_MAX = 8192 };

/* NAL units behind their lengths, as NAL units behind start codes. */
static void put_nals(struct writer *out, const struct buf *nals)
{
    struct reader reader = reader_of(nals ? nals->bytes : NULL, nals ? nals->len : 0);

    while (!reader_is_done(&reader)) {
        size_t len = reader_u32(&reader);
        const uint8_t *nal = reader_take(&reader, len);

        writer_uint(out, 1, 4);
        if (nal)
            writer_put(out, nal, len);
    }
}

static enum AVCodecID codec_id_of(const struct track *track)
{
    return track->codec == CODEC_H265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264;
}

/* One picture from one packet: the decoder is told that nothing follows. */
static int decode_with(AVCodecContext *decoder, const struct writer *bytes, AVFrame *picture)
{
    AVPacket *packet = av_packet_alloc();
    int err = packet ? av_new_packet(packet, (int)bytes->len) : AVERROR(ENOMEM);

    if (err == 0) {
        memcpy(packet->data, bytes->bytes, bytes->len);
        err = avcodec_send_packet(decoder, packet);
    }
    if (err == 0)
        err = avcodec_send_packet(decoder, NULL);
    if (err == 0)
        err = avcodec_receive_frame(decoder, picture);
    av_packet_free(&packet);
    if (err == AVERROR(ENOMEM))
        return -ENOMEM;
    return err < 0 ? -ERR_PROTOCOL : 0;
}

static int decode(const struct track *track, const struct writer *bytes, AVFrame *picture)
{
    const AVCodec *codec = avcodec_find_decoder(codec_id_of(track));
    AVCodecContext *decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    int err = -ERR_UNSUPPORTED;

    if (decoder) {
        decoder->thread_count = 1;
        decoder->max_pixels = (int64_t)SIDE_MAX * SIDE_MAX;
        err = avcodec_open2(decoder, codec, NULL) < 0 ? -ERR_LIBRARY
                                                      : decode_with(decoder, bytes, picture);
    }
    avcodec_free_context(&decoder);
    return err;
}

/* What JPEG wants: 4:2:0 with the full range of values. */
static int convert(const AVFrame *from, AVFrame *to)
{
    struct SwsContext *scaler =
        sws_getContext(from->width, from->height, (enum AVPixelFormat)from->format, from->width,
                       from->height, AV_PIX_FMT_YUVJ420P, SWS_BILINEAR, NULL, NULL, NULL);
    int done;

    if (!scaler)
        return -ERR_UNSUPPORTED;
    to->format = AV_PIX_FMT_YUVJ420P;
    to->width = from->width;
    to->height = from->height;
    if (av_frame_get_buffer(to, 0) < 0) {
        sws_freeContext(scaler);
        return -ENOMEM;
    }
    done = sws_scale(scaler, (const uint8_t *const *)from->data, from->linesize, 0, from->height,
                     to->data, to->linesize);
    sws_freeContext(scaler);
    return done == from->height ? 0 : -ERR_LIBRARY;
}

static int encode_with(AVCodecContext *encoder, AVFrame *picture, struct buf **out)
{
    AVPacket *packet = av_packet_alloc();
    int err = packet ? avcodec_send_frame(encoder, picture) : AVERROR(ENOMEM);

    if (err == 0)
        err = avcodec_receive_packet(encoder, packet);
    if (err == 0) {
        *out = buf_copy(packet->data, (size_t)packet->size);
        err = *out ? 0 : AVERROR(ENOMEM);
    }
    av_packet_free(&packet);
    if (err == AVERROR(ENOMEM))
        return -ENOMEM;
    return err < 0 ? -ERR_LIBRARY : 0;
}

static int encode(AVFrame *picture, struct buf **out)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    int err = -ERR_UNSUPPORTED;

    if (encoder) {
        encoder->width = picture->width;
        encoder->height = picture->height;
        encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
        encoder->time_base = (AVRational){1, 25};
        encoder->flags |= AV_CODEC_FLAG_QSCALE;
        encoder->global_quality = picture->quality = QUALITY * FF_QP2LAMBDA;
        err = avcodec_open2(encoder, codec, NULL) < 0 ? -ERR_LIBRARY
                                                      : encode_with(encoder, picture, out);
    }
    avcodec_free_context(&encoder);
    return err;
}

static int make(struct buf **out, const struct track *track, const struct writer *bytes)
{
    AVFrame *picture = av_frame_alloc(), *full = av_frame_alloc();
    int err = picture && full ? decode(track, bytes, picture) : -ENOMEM;

    if (err == 0)
        err = convert(picture, full);
    if (err == 0)
        err = encode(full, out);
    av_frame_free(&picture);
    av_frame_free(&full);
    return err;
}

int still_make(struct buf **out, const struct track *track, struct buf *frame)
{
    struct writer bytes;
    int err;

    if (track->codec == CODEC_MJPEG) {
        *out = buf_ref(frame);
        return 0;
    }
    if (track->codec != CODEC_H264 && track->codec != CODEC_H265)
        return -ERR_UNSUPPORTED;
    libav_be_quiet();
    writer_init(&bytes, STILL_MAX_BYTES);
    put_nals(&bytes, track->config);
    put_nals(&bytes, frame);
    err = bytes.err ? bytes.err : make(out, track, &bytes);
    writer_fini(&bytes);
    return err;
}
