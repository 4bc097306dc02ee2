/* MPEG-1 and -2 audio layer III from RTP (RFC 2250 section 3.5): whole frames, or one in pieces. */
#include <errno.h>
#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "media/format/depacketiser_kind.h"

enum { FRAME_MAX = 4096 };

struct mp3_depacketiser {
    struct depacketiser base;
    struct writer fragment; /* the frame that is being put together; empty: none */
    size_t frame_len;
    uint32_t timestamp;
};

struct mp3_header {
    size_t len; /* of the frame, with its header */
    uint32_t sample_rate, samples;
    uint8_t channels;
};

static int parse_header(struct mp3_header *out, const uint8_t *bytes, size_t len)
{
    static const uint16_t rates_1[16] = {0,   32,  40,  48,  56,  64,  80,  96,
                                         112, 128, 160, 192, 224, 256, 320, 0};
    static const uint16_t rates_2[16] = {0,  8,  16, 24,  32,  40,  48,  56,
                                         64, 80, 96, 112, 128, 144, 160, 0};
    static const uint16_t sample_rates[4] = {44100, 48000, 32000, 0};
    struct reader reader = reader_of(bytes, len);
    uint32_t header = reader_u32(&reader);
    unsigned version = header >> 19 & 3; /* 0: 2.5, 2: 2, 3: 1 */
    bool is_1 = version == 3;
    uint32_t bit_rate = (is_1 ? rates_1 : rates_2)[header >> 12 & 15] * 1000u;
    uint32_t sample_rate = sample_rates[header >> 10 & 3];

    if (!reader_is_ok(&reader) || header >> 21 != 0x7ff || version == 1)
        return -ERR_PROTOCOL;
    if ((header >> 17 & 3) != 1)
        return -ERR_UNSUPPORTED; /* layers I and II */
    if (!bit_rate || !sample_rate)
        return -ERR_PROTOCOL;
    out->sample_rate = is_1 ? sample_rate : version == 2 ? sample_rate / 2 : sample_rate / 4;
    out->samples = is_1 ? 1152 : 576;
    out->channels = (header >> 6 & 3) == 3 ? 1 : 2;
    out->len = out->samples / 8 * bit_rate / out->sample_rate + (header >> 9 & 1);
    return 0;
}

static void mp3_close(struct depacketiser *depacketiser)
{
    struct mp3_depacketiser *mp3 = (struct mp3_depacketiser *)(void *)depacketiser;

    writer_fini(&mp3->fragment);
    free(mp3);
}

static int mp3_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct mp3_depacketiser *mp3 = depacketiser_new(sizeof(*mp3));

    if (!mp3)
        return -ENOMEM;
    writer_init(&mp3->fragment, FRAME_MAX);
    mp3->base.track.channels = format->channels;
    mp3->base.has_track = true;
    *out = &mp3->base;
    return 0;
}

static int tell_frame(struct mp3_depacketiser *mp3, const struct mp3_header *header,
                      const uint8_t *bytes)
{
    struct track *track = &mp3->base.track;
    struct access_unit unit = {.timestamp = mp3->timestamp, .is_key = true};

    unit.duration = (uint32_t)((uint64_t)header->samples * track->clock_rate / header->sample_rate);
    mp3->timestamp += unit.duration;
    if (track->channels != header->channels) {
        track->channels = header->channels;
        depacketiser_tell_track(&mp3->base);
    }
    return depacketiser_tell_unit(&mp3->base, unit, bytes, header->len);
}

/* A packet that begins with a frame: all whole ones, and the beginning of the last. */
static int push_frames(struct mp3_depacketiser *mp3, struct reader *reader)
{
    int err = 0;

    while (!err && !reader_is_done(reader)) {
        const uint8_t *at = reader->at;
        struct mp3_header header;

        err = parse_header(&header, at, reader_left(reader));
        if (err)
            return err;
        if (header.len > reader_left(reader)) {
            writer_put(&mp3->fragment, at, reader_left(reader));
            mp3->frame_len = header.len;
            return mp3->fragment.err;
        }
        reader_take(reader, header.len);
        err = tell_frame(mp3, &header, at);
    }
    return err;
}

static int push_fragment(struct mp3_depacketiser *mp3, struct reader *reader, size_t offset)
{
    struct mp3_header header;
    int err;

    if (mp3->fragment.len != offset || offset + reader_left(reader) > mp3->frame_len) {
        writer_reset(&mp3->fragment);
        return -ERR_PROTOCOL;
    }
    writer_put(&mp3->fragment, reader->at, reader_left(reader));
    if (mp3->fragment.len < mp3->frame_len)
        return mp3->fragment.err;
    err = mp3->fragment.err;
    if (!err)
        err = parse_header(&header, mp3->fragment.bytes, mp3->fragment.len);
    if (!err)
        err = tell_frame(mp3, &header, mp3->fragment.bytes);
    writer_reset(&mp3->fragment);
    return err;
}

static int mp3_push(struct depacketiser *depacketiser, const struct rtp_packet *packet,
                    bool is_after_loss)
{
    struct mp3_depacketiser *mp3 = (struct mp3_depacketiser *)(void *)depacketiser;
    struct reader reader = reader_of(packet->payload, packet->payload_len);
    size_t offset;

    reader_u16(&reader);
    offset = reader_u16(&reader);
    if (!reader_is_ok(&reader))
        return -ERR_PROTOCOL;
    if (is_after_loss || !offset)
        writer_reset(&mp3->fragment);
    mp3->timestamp = packet->timestamp;
    return offset ? push_fragment(mp3, &reader, offset) : push_frames(mp3, &reader);
}

const struct depacketiser_kind depacketiser_mp3 = {mp3_open, mp3_push, mp3_close};
