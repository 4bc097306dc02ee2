#include "media/format/depacketiser.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "media/format/depacketiser_kind.h"

enum { STATIC_NONE = -1, RATE_MIN = 1000, RATE_MAX = 192000 };

struct encoding {
    const char *name;
    int payload_type; /* the static one (RFC 3551 section 6) */
    enum codec codec;
    uint32_t clock_rate; /* where the SDP says none */
    uint8_t channels;    /* likewise */
    const struct depacketiser_kind *kind;
};

static const struct encoding encodings[] = {
    {"H264", STATIC_NONE, CODEC_H264, 90000, 0, &depacketiser_h264},
    {"H265", STATIC_NONE, CODEC_H265, 90000, 0, &depacketiser_h265},
    {"JPEG", 26, CODEC_MJPEG, 90000, 0, &depacketiser_jpeg},
    {"MPEG4-GENERIC", STATIC_NONE, CODEC_AAC, 48000, 1, &depacketiser_aac},
    {"MP4A-LATM", STATIC_NONE, CODEC_AAC, 90000, 1, &depacketiser_latm},
    {"MPA", 14, CODEC_MP3, 90000, 2, &depacketiser_mp3},
    {"PCMU", 0, CODEC_PCMU, 8000, 1, &depacketiser_simple},
    {"PCMA", 8, CODEC_PCMA, 8000, 1, &depacketiser_simple},
    {"OPUS", STATIC_NONE, CODEC_OPUS, 48000, 2, &depacketiser_simple},
    {"L16", 10, CODEC_L16, 44100, 2, &depacketiser_simple},
    {"L16", 11, CODEC_L16, 44100, 1, &depacketiser_simple},
};

static const struct encoding *encoding_find(const struct rtp_format *format)
{
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        const struct encoding *encoding = &encodings[i];

        if (format->encoding ? !strcasecmp(encoding->name, format->encoding)
                             : encoding->payload_type == format->payload_type)
            return encoding;
    }
    return NULL;
}

int depacketiser_open(struct depacketiser **out, const struct rtp_format *format,
                      struct depacketiser_sink *sink)
{
    const struct encoding *encoding = encoding_find(format);
    struct rtp_format known = *format;
    struct depacketiser *depacketiser;
    int err;

    if (!encoding)
        return -ERR_UNSUPPORTED;
    if (known.clock_rate < RATE_MIN || known.clock_rate > RATE_MAX)
        known.clock_rate = encoding->clock_rate;
    if (!known.channels)
        known.channels = format->encoding && encoding->codec == CODEC_L16 ? 1 : encoding->channels;
    err = encoding->kind->open(&depacketiser, &known);
    if (err)
        return err;
    depacketiser->kind = encoding->kind;
    depacketiser->sink = sink;
    depacketiser->track.codec = encoding->codec;
    depacketiser->track.clock_rate = known.clock_rate;
    if (!codec_is_video(encoding->codec) && !depacketiser->track.channels)
        depacketiser->track.channels = known.channels;
    *out = depacketiser;
    if (depacketiser->has_track)
        depacketiser_tell_track(depacketiser);
    return 0;
}

void depacketiser_close(struct depacketiser *depacketiser)
{
    if (!depacketiser)
        return;
    buf_unref(depacketiser->track.config);
    depacketiser->kind->close(depacketiser);
}

int depacketiser_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                      bool is_after_loss)
{
    return depacketiser->kind->push(depacketiser, packet, is_after_loss);
}

void *depacketiser_new(size_t size)
{
    return calloc(1, size);
}

int depacketiser_set_config(struct depacketiser *depacketiser, const void *bytes, size_t len)
{
    struct buf *config = buf_copy(bytes, len);

    if (!config)
        return -ENOMEM;
    buf_unref(depacketiser->track.config);
    depacketiser->track.config = config;
    return 0;
}

void depacketiser_tell_track(struct depacketiser *depacketiser)
{
    depacketiser->has_track = true;
    depacketiser->sink->on_track(depacketiser->sink, &depacketiser->track);
}

int depacketiser_tell_unit(struct depacketiser *depacketiser, struct access_unit unit,
                           const void *bytes, size_t len)
{
    unit.buf = buf_copy(bytes, len);
    if (!unit.buf)
        return -ENOMEM;
    depacketiser->sink->on_unit(depacketiser->sink, &unit);
    buf_unref(unit.buf);
    return 0;
}
