#include "media/format/flv.h"

#include "media/h264.h"
#include "media/h265.h"

enum {
    KEY = 1 << 4,
    INTER = 2 << 4,
    AVC = 7,
    EXTENDED_VIDEO = 0x80,
    EXTENDED_AUDIO = 9 << 4,
    SEQUENCE_START = 0, /* of AVC, AAC and the extended ones alike */
    CODED_FRAMES = 1,
    AAC = 10 << 4 | 3 << 2 | 1 << 1 | 1, /* always said to be 44.1 kHz, 16 bits, stereo */
    MP3 = 2 << 4 | 1 << 1,
    MP3_8_KHZ = 14 << 4 | 1 << 1,
    FOURCC_HEVC = 'h' << 24 | 'v' << 16 | 'c' << 8 | '1',
    FOURCC_OPUS = 'O' << 24 | 'p' << 16 | 'u' << 8 | 's',
    OPUS_RATE = 48000
};

bool flv_is_enhanced(enum codec codec)
{
    return codec == CODEC_H265 || codec == CODEC_OPUS;
}

uint32_t flv_codec_id(enum codec codec)
{
    switch (codec) {
    case CODEC_H264:
        return AVC;
    case CODEC_H265:
        return FOURCC_HEVC;
    case CODEC_AAC:
        return AAC >> 4;
    case CODEC_MP3:
        return MP3 >> 4;
    case CODEC_OPUS:
        return FOURCC_OPUS;
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_L16:
    case CODEC_LAST:
        return 0;
    }
    return 0;
}

/* Little-endian. Nothing is to be skipped: viewers come in the middle. */
static void write_opus_head(struct writer *out, const struct track *track)
{
    writer_text(out, "OpusHead");
    writer_uint(out, 1, 1);
    writer_uint(out, track->channels ? track->channels : 2, 1);
    writer_uint(out, 0, 2);
    writer_uint(out, __builtin_bswap32(OPUS_RATE), 4);
    writer_uint(out, 0, 3); /* no gain, one or two channels as they come */
}

void flv_write_sequence_header(struct writer *out, const struct track *track)
{
    int err = 0;

    switch (track->codec) {
    case CODEC_H264:
        writer_uint(out, KEY | AVC, 1);
        writer_uint(out, SEQUENCE_START, 1);
        writer_uint(out, 0, 3);
        err = h264_write_avcc(out, track->config);
        break;
    case CODEC_H265:
        writer_uint(out, EXTENDED_VIDEO | KEY | SEQUENCE_START, 1);
        writer_uint(out, FOURCC_HEVC, 4);
        err = h265_write_hvcc(out, track->config);
        break;
    case CODEC_AAC:
        writer_uint(out, AAC, 1);
        writer_uint(out, SEQUENCE_START, 1);
        writer_put(out, track->config->bytes, track->config->len);
        break;
    case CODEC_OPUS:
        writer_uint(out, EXTENDED_AUDIO | SEQUENCE_START, 1);
        writer_uint(out, FOURCC_OPUS, 4);
        write_opus_head(out, track);
        break;
    case CODEC_MP3:
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_L16:
    case CODEC_LAST:
        break;
    }
    if (err < 0 && !out->err)
        out->err = err;
}

bool flv_can_carry(const struct track *track)
{
    struct writer probe;
    bool is_known;

    if (!flv_codec_id(track->codec))
        return false;
    if (track->codec == CODEC_MP3 || track->codec == CODEC_OPUS)
        return true;
    if (!track->config)
        return false;
    writer_init(&probe, 2 * PARAMETER_SETS_MAX_BYTES);
    flv_write_sequence_header(&probe, track);
    is_known = probe.err == 0;
    writer_fini(&probe);
    return is_known;
}

static uint8_t mp3_head(const struct track *track)
{
    uint8_t is_stereo = track->channels > 1;

    if (track->clock_rate == 8000)
        return MP3_8_KHZ | is_stereo;
    if (track->clock_rate <= 12000)
        return MP3 | 1 << 2 | is_stereo;
    return (uint8_t)(MP3 | (track->clock_rate <= 24000 ? 2 : 3) << 2 | is_stereo);
}

static void put(struct flv_prefix *prefix, uint32_t value, unsigned len)
{
    while (len-- > 0)
        prefix->bytes[prefix->len++] = (uint8_t)(value >> 8 * len);
}

struct flv_prefix flv_frame_prefix(const struct track *track, bool is_key, int32_t delay_ms)
{
    struct flv_prefix prefix = {.len = 0};
    unsigned kind = is_key ? KEY : INTER;

    switch (track->codec) {
    case CODEC_H264:
        put(&prefix, kind | AVC, 1);
        put(&prefix, CODED_FRAMES, 1);
        put(&prefix, (uint32_t)delay_ms, 3);
        break;
    case CODEC_H265:
        put(&prefix, EXTENDED_VIDEO | kind | CODED_FRAMES, 1);
        put(&prefix, FOURCC_HEVC, 4);
        put(&prefix, (uint32_t)delay_ms, 3);
        break;
    case CODEC_AAC:
        put(&prefix, AAC, 1);
        put(&prefix, CODED_FRAMES, 1);
        break;
    case CODEC_MP3:
        put(&prefix, mp3_head(track), 1);
        break;
    case CODEC_OPUS:
        put(&prefix, EXTENDED_AUDIO | CODED_FRAMES, 1);
        put(&prefix, FOURCC_OPUS, 4);
        break;
    case CODEC_NONE:
    case CODEC_MJPEG:
    case CODEC_PCMU:
    case CODEC_PCMA:
    case CODEC_L16:
    case CODEC_LAST:
        break;
    }
    return prefix;
}
