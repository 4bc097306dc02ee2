/* Audio whose every RTP payload is a frame: G.711 and L16 (RFC 3551), Opus (RFC 7587). */
#include <errno.h>
#include <stdlib.h>

#include "media/format/depacketiser_kind.h"

enum { OPUS_MAX_TICKS = 48 * 120 }; /* 120 ms */

static int simple_open(struct depacketiser **out, const struct rtp_format *format)
{
    struct depacketiser *simple = depacketiser_new(sizeof(*simple));

    if (!simple)
        return -ENOMEM;
    simple->track.channels = format->channels;
    simple->has_track = true;
    *out = simple;
    return 0;
}

static void simple_close(struct depacketiser *simple)
{
    free(simple);
}

/* What the TOC byte says of the length (RFC 6716 section 3.1), at 48 kHz; 0 if it lies. */
static uint32_t opus_duration(const uint8_t *bytes, size_t len)
{
    static const uint16_t silk[4] = {480, 960, 1920, 2880};
    unsigned config = bytes[0] >> 3;
    uint32_t frame, count;

    if (config < 12)
        frame = silk[config & 3];
    else if (config < 16)
        frame = config & 1 ? 960 : 480;
    else
        frame = 120u << (config & 3);
    switch (bytes[0] & 3) {
    case 0:
        count = 1;
        break;
    case 3:
        count = len > 1 ? bytes[1] & 0x3f : 0;
        break;
    default:
        count = 2;
        break;
    }
    return frame * count <= OPUS_MAX_TICKS ? frame * count : 0;
}

static int simple_push(struct depacketiser *simple, const struct rtp_packet *packet,
                       bool is_after_loss)
{
    struct access_unit unit = {.timestamp = packet->timestamp, .is_key = true};
    size_t sample = simple->track.channels;

    (void)is_after_loss;
    if (!packet->payload_len)
        return 0; /* some cameras send such to keep a path open */
    if (simple->track.codec == CODEC_L16)
        sample *= 2;
    if (simple->track.codec == CODEC_OPUS) {
        unit.duration = opus_duration(packet->payload, packet->payload_len);
        if (!unit.duration)
            return -ERR_PROTOCOL;
    } else {
        if (packet->payload_len % sample)
            return -ERR_PROTOCOL;
        unit.duration = (uint32_t)(packet->payload_len / sample);
    }
    return depacketiser_tell_unit(simple, unit, packet->payload, packet->payload_len);
}

const struct depacketiser_kind depacketiser_simple = {simple_open, simple_push, simple_close};
